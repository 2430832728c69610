"""What the runner's tests share: an image's folder, and containers that are gone when the test ends."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from pipelines.local.runner.image import Image, bare_image
from pipelines.local.runner.process import Container, ContainerRequest, ProcessRunner
from pipelines.local.runner.sandbox import Isolation, probe


@pytest.fixture
def folder(tmp_path: Path) -> Callable[..., Path]:
    """Writes a build context: the Dockerfile's text, and files by name."""

    def write(dockerfile: str, **files: str) -> Path:
        context = tmp_path / "context"
        context.mkdir(exist_ok=True)
        (context / "Dockerfile").write_text(dockerfile)
        for name, text in files.items():
            path = context / name.replace("__", "/").replace("_dot_", ".")
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return context

    return write


def _eventually(condition: Callable[[], bool], seconds: float = 180) -> bool:
    """Whether the condition becomes true in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.01)
    return True


@pytest.fixture
def eventually() -> Callable[..., bool]:
    """Waits for a condition; False when it does not become true in time."""
    return _eventually


@dataclass
class Job:
    """A started container, with its /opt/ml and its log."""

    container: Container
    opt_ml: Path
    log: Path

    def text(self) -> str:
        """The log without its time stamps."""
        return "".join(line.split(" ", 1)[1] + "\n" for line in self.log.read_text().split("\n") if line)

    def end(self) -> int:
        code = self.container.wait(180)
        assert code is not None, f"still running after 180 s: {self.text()}"
        return code

    def waits_for(self, text: str) -> bool:
        return _eventually(lambda: text in self.text())


@dataclass
class Jobs:
    """Starts jobs; each gets a folder of its own."""

    home: Path
    isolation: Isolation | None = None
    started: list[Job] = field(default_factory=list)
    numbers: Iterator[int] = field(default_factory=count)

    def __call__(
        self,
        *command: str,
        image: Image | None = None,
        environment: Mapping[str, str] | None = None,
        network: bool = True,
        files: Mapping[str, str] | None = None,
        **more: Any,
    ) -> Job:
        place = self.home / f"job-{next(self.numbers)}"
        for folder in ("config", "processing/input", "processing/output", "output"):
            (place / "ml" / folder).mkdir(parents=True)
        for name, text in (files or {}).items():
            (place / "ml" / name).write_text(text)
        request = ContainerRequest(
            image or bare_image(), command, environment or {}, place / "ml", place / "log", network, **more
        )
        job = Job(self.runner.start(request), place / "ml", place / "log")
        self.started.append(job)
        return job

    @cached_property
    def runner(self) -> ProcessRunner:
        return ProcessRunner(self.home / "environments", lambda _: None, self.isolation)


def _ended(jobs: Jobs) -> Iterator[Jobs]:
    yield jobs
    for job in jobs.started:
        job.container.stop(0)
        assert job.container.wait(180) is not None


@pytest.fixture
def jobs(tmp_path: Path) -> Iterator[Jobs]:
    """Jobs in a private root; the test is skipped where namespaces are refused."""
    if not probe().private:
        pytest.skip(probe().reason)
    yield from _ended(Jobs(tmp_path))


@pytest.fixture
def plain_jobs(tmp_path: Path) -> Iterator[Jobs]:
    """Jobs without namespaces, on any machine."""
    refused = Isolation(False, "the test refuses namespaces", "run another test")
    yield from _ended(Jobs(tmp_path, refused))


@pytest.fixture(params=["jobs", "plain_jobs"])
def either_jobs(request: pytest.FixtureRequest) -> Jobs:
    """Jobs in both modes, one after the other."""
    found = request.getfixturevalue(request.param)
    assert isinstance(found, Jobs)
    return found
