"""Runs a container by a Docker engine: the real image, where there is an engine.

Takes the same `ContainerRequest` as the process runner and gives the same kind of `Container`. An image whose build
context is known is built from it, once for its content; any other is the engine's, pulled if need be. A container gets
what the contract gives it: /opt/ml, its environment, a network or none.
"""

from __future__ import annotations

import csv
import hashlib
import json
import os
import socket
import subprocess
import tempfile
import threading
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from io import StringIO
from pathlib import Path
from typing import IO, cast

from pipelines.context import read_context
from pipelines.engine import Engine, find_engine
from pipelines.errors import LocalError
from pipelines.local.runner.image import OWN_ENTRYPOINT
from pipelines.local.runner.log import LogWriter, pump
from pipelines.local.runner.process import Container, ContainerRequest
from pipelines.local.runner.scratch import walk

__all__ = ["DockerRunner", "Engine", "find_engine"]

LABEL = "pipelines.home"
_LINE = 1 << 15  # characters of a value in a file of variables: the engine's command reads lines of 64 KB at most


class DockerRunner:
    """Starts containers by an engine; `home` labels them, so that what a killed server left can be removed."""

    def __init__(
        self,
        engine: Engine,
        home: Path,
        report: Callable[[str], None],
        build_options: Sequence[str] = (),
        run_options: Sequence[str] = (),
    ) -> None:
        self._engine = engine
        self._run_options = tuple(run_options)
        self._label = f"{LABEL}={home.resolve()}"
        self._report = report
        self._build_options = tuple(build_options)
        self._building, self._making = threading.Lock(), threading.Lock()

    def overlays(self, _folder: Path) -> bool:
        """No: the engine is given one folder as /opt/ml."""
        return False

    def start(self, request: ContainerRequest) -> Container:
        """Build or find the image and start the container. Raises `LocalError`."""
        image = self._image(request)
        name = f"pipelines-{uuid.uuid4().hex[:12]}"
        program, *arguments = request.command
        words = ["run", *self._run_options, "--rm", "--name", name, "--label", self._label]
        words += ["--entrypoint", program] if program != OWN_ENTRYPOINT else []
        words += _mount(request.opt_ml)
        words += self._network(request)
        words += ["--publish", f"127.0.0.1::{request.port}"] if request.port else []
        options, file = _variables(request.environment)
        client = self._client([*words, *options, image, *arguments], file)
        return _Docker(
            client, self._engine, name, LogWriter(request.log), request.port or 0, self._after(image, request)
        )

    def _client(self, words: Sequence[str], given: bytes) -> subprocess.Popen[bytes]:
        """The engine's command, with `given` on its standard input. Raises `LocalError` for what none can be given."""
        with tempfile.TemporaryFile() as file:
            file.write(given)
            file.seek(0)
            try:
                return subprocess.Popen(
                    [self._engine.program, *words],
                    stdin=file,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    env=self._engine.environment,
                    start_new_session=True,
                )
            except (OSError, ValueError) as error:
                fix = "correct the arguments and variables of the step, if it is theirs"
                raise LocalError(f"the container cannot be started: {error}", fix=fix) from error

    def remove_leftovers(self) -> None:
        """Remove the containers and networks that a killed server of this home left behind."""
        ours = ("--quiet", "--filter", f"label={self._label}")
        left = self._engine.run("ps", "--all", *ours, check=False).split()
        if left:
            self._engine.run("rm", "--force", *left, check=False)
        networks = self._engine.run("network", "ls", *ours, check=False).split()
        if networks:
            self._engine.run("network", "rm", *networks, check=False)

    def _network(self, request: ContainerRequest) -> list[str]:
        """Options that give a container its network: hosts of one job have one of their own, where they have names."""
        if len(request.hosts) == 1:
            return [] if request.network else ["--network", "none"]
        name, options = self._network_name(request), [] if request.network else ["--internal"]
        with self._making:
            if not self._engine.run("network", "ls", "--quiet", "--filter", f"name=^{name}$").strip():
                self._engine.run("network", "create", "--label", self._label, *options, name)
        return ["--network", name, "--network-alias", request.host, "--hostname", request.host]

    def _network_name(self, request: ContainerRequest) -> str:
        return f"pipelines-{hashlib.sha256(f'{self._label} {request.group}'.encode()).hexdigest()[:12]}"

    def _after(self, image: str, request: ContainerRequest) -> Callable[[], None]:
        """What is done when the container has ended, before anybody is told."""

        def tidy() -> None:
            if len(request.hosts) > 1:  # refused until the last host has ended
                self._engine.run("network", "rm", self._network_name(request), check=False)
            if _is_foreign(request.opt_ml, os.geteuid()):
                give_back(self._engine, image, request.opt_ml, os.geteuid(), os.getegid())

        return tidy

    def _image(self, request: ContainerRequest) -> str:
        folder = request.image.folder
        if folder is None:
            if not request.reference:
                raise LocalError("nothing is known of the image", fix="name the image that the engine is to run")
            if request.reference.startswith("-"):  # it would be an option
                raise LocalError(f"{request.reference!r} is not an image's URI", fix="write REGISTRY/REPOSITORY:TAG")
            return request.reference
        tag = f"pipelines-local:{_content(folder, self._build_options)}"
        with self._building:
            if not self._engine.run("images", "--quiet", tag, check=False).strip():
                self._report(f"building {tag} of {folder}")
                self._engine.run("build", "--quiet", "--tag", tag, *self._build_options, str(folder))
        return tag


def _mount(opt_ml: Path) -> list[str]:
    """Options that show a folder as /opt/ml, whatever its name: with commas and quotes it is a field of CSV."""
    row = StringIO()
    csv.writer(row, lineterminator="").writerow(("type=bind", f"source={opt_ml.resolve()}", "target=/opt/ml"))
    return ["--mount", row.getvalue()]


def _variables(environment: Mapping[str, str]) -> tuple[list[str], bytes]:
    """Options that give a container its variables, and what the engine's command is to read for that.

    They are none of the command's own, which would obey some (LD_PRELOAD, DOCKER_HOST), and stand in no process list,
    but for values that a line of a file cannot hold.
    """
    lines = {name: value for name, value in environment.items() if len(value) < _LINE and not {*"\r\n\0"} & {*value}}
    options = [word for name in environment.keys() - lines for word in ("--env", f"{name}={environment[name]}")]
    text = "".join(f"{name}={value}\n" for name, value in lines.items())
    return [*options, "--env-file", "/dev/stdin"], text.encode(errors="replace")


class _Docker:
    """A container behind `docker run`, which ends with the container's exit code."""

    def __init__(
        self,
        client: subprocess.Popen[bytes],
        engine: Engine,
        name: str,
        writer: LogWriter,
        port: int,
        after: Callable[[], None],
    ) -> None:
        self._client = client
        self._after = after
        self._port = port
        self._engine = engine
        self._name = name
        self._writer = writer
        self._ended = threading.Event()
        self._code = 0
        threading.Thread(target=self._watch, name=name, daemon=True).start()

    def wait(self, timeout: float | None = None) -> int | None:
        return self._code if self._ended.wait(timeout) else None

    def stop(self, grace: float) -> None:
        """SIGTERM to the container's first process, SIGKILL to all after `grace` seconds; returns at once."""
        threading.Thread(target=self._stop, args=(grace,), daemon=True).start()

    def connect(self) -> socket.socket:
        """A connection to the port that its program serves: the engine publishes it at 127.0.0.1."""
        found = self._engine.run("port", self._name, str(self._port), check=False).split()
        if not found:
            raise ConnectionRefusedError("the container has not begun, or has ended")
        return socket.create_connection(("127.0.0.1", int(found[0].rpartition(":")[2])), timeout=5)

    def _stop(self, grace: float) -> None:
        with suppress(LocalError):
            self._engine.run("stop", "--time", str(max(0, round(grace))), self._name, check=False)

    def _watch(self) -> None:
        output = cast(IO[bytes], self._client.stdout)
        with suppress(OSError):
            pump(output.fileno(), self._writer)
        code = self._client.wait()
        self._writer.close()
        output.close()
        with suppress(LocalError):
            self._after()
        self._code = code if code >= 0 else 128 - code
        self._ended.set()


def give_back(engine: Engine, image: str, folder: Path, user: int, group: int) -> None:
    """Make a user the owner of what a container's root wrote, by the image's own `chown`: nobody else may.

    Where the engine itself runs as that user, root in a container is that user.
    """
    rootless = "rootless" in engine.run("info", "--format", "{{.SecurityOptions}}", check=False)
    owner = "0:0" if rootless else f"{user}:{group}"
    words = ("--rm", "--network", "none", "--user", "0", *_mount(folder))
    engine.run("run", *words, "--entrypoint", "chown", image, "-R", owner, "/opt/ml", check=False)


def _is_foreign(folder: Path, user: int) -> bool:
    """Whether something in the folder is another's, so that `user` cannot move it or take it away."""
    if user == 0:
        return False
    paths = (Path(parent, name) for parent, names, files in walk(folder) for name in (*names, *files))
    return any(path.lstat().st_uid != user for path in paths)


def _content(folder: Path, options: Sequence[str]) -> str:
    """A tag for what an image is built from: the context, its Dockerfile included, and the options."""
    digest = hashlib.sha256(json.dumps(options).encode())
    for file in read_context(folder.parent, folder.name).files:
        digest.update(f"{file.path}:{file.sha256}:{file.source.stat().st_mode & 0o111};".encode())
    return digest.hexdigest()[:16]
