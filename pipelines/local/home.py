"""Where the local SageMaker keeps things: one folder, beside a project's pipeline.yaml.

.pipelines/
  compiled/           definitions, by the hash of what went in
  local/
    s3/BUCKET/KEY     objects, as plain files
    logs/KIND/JOB/HOST  what a job's program printed; KIND is Processing or Training
    jobs/KIND/JOB/HOST/  the /opt/ml of a job's hosts while it runs
    kept/KIND/JOB/HOST/  what a job wrote and could not upload
    images/REPOSITORY:TAG/  build contexts that were deployed
    environments/     Python environments of images, by the hash of their requirements
    state.sqlite3     pipelines, executions, jobs
    settings.json     runner and stand-ins, as pipeline.yaml has them or written by hand
    server.json       where the server listens; server.log, what it said
    server.lock       held by the server while it runs; start.lock, by whoever starts one
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from pipelines.errors import LocalError


@dataclass(frozen=True)
class Home:
    """The `.pipelines` folder of a project."""

    root: Path

    @property
    def compiled(self) -> Path:
        return self.root / "compiled"

    @property
    def local(self) -> Path:
        return self.root / "local"

    @property
    def objects(self) -> Path:
        return self.local / "s3"

    @property
    def logs(self) -> Path:
        return self.local / "logs"

    @property
    def jobs(self) -> Path:
        return self.local / "jobs"

    @property
    def kept(self) -> Path:
        return self.local / "kept"

    @property
    def images(self) -> Path:
        return self.local / "images"

    @property
    def environments(self) -> Path:
        return self.local / "environments"

    @property
    def database(self) -> Path:
        return self.local / "state.sqlite3"

    @property
    def settings(self) -> Path:
        return self.local / "settings.json"

    @property
    def server(self) -> Path:
        return self.local / "server.json"

    @property
    def server_log(self) -> Path:
        return self.local / "server.log"

    @property
    def server_lock(self) -> Path:
        return self.local / "server.lock"

    @property
    def start_lock(self) -> Path:
        return self.local / "start.lock"

    def create(self) -> None:
        """Make the folder; it ignores itself in git, as its content is derived or local. Raises `LocalError`."""
        try:
            self.local.mkdir(mode=0o700, parents=True, exist_ok=True)  # what jobs leave there may be setuid
            ignore = self.root / ".gitignore"
            if not ignore.exists():
                ignore.write_text("*\n", encoding="utf-8")
        except OSError as error:
            raise self.refusal(error) from error

    def refusal(self, error: OSError) -> LocalError:
        """What the file system said of this folder, with the mend."""
        what = f"the folder of the local SageMaker cannot be written: {error.strerror or error}"
        fix = f"let your user write to {self.root.parent}, and free space on its disk if there is none"
        return LocalError(what, where=str(self.root), fix=fix)


def write_atomically(home: Home, file: Path, text: str) -> None:
    """Write a file of a home so that a reader sees all of it or nothing. Raises `LocalError`."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    try:
        aside.write_text(text, encoding="utf-8")
        aside.replace(file)
    except OSError as error:
        raise home.refusal(error) from error
