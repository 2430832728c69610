"""One local SageMaker for all tests of a worker; tests keep apart by names of their own."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from pipelines.local import daemon
from pipelines.local.home import Home
from tests.local.local_aws import REGION, Gate, LocalAws


@pytest.fixture(scope="session", autouse=True)
def _no_configuration() -> Iterator[None]:
    """The developer's own AWS settings are none of the tests' business."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("AWS_")]:
            patch.delenv(name)
        patch.setenv("AWS_CONFIG_FILE", os.devnull)
        patch.setenv("AWS_SHARED_CREDENTIALS_FILE", os.devnull)
        patch.setenv("AWS_EC2_METADATA_DISABLED", "true")
        yield


@pytest.fixture(scope="session")
def aws(tmp_path_factory: pytest.TempPathFactory, make_home: Callable[[Path], Home]) -> Iterator[LocalAws]:
    """A local SageMaker in a process of its own."""
    home = make_home(tmp_path_factory.mktemp("aws") / ".pipelines")
    running = LocalAws(daemon.ensure(home, REGION).endpoint, home)
    yield running
    running.close()
    daemon.stop(home)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[[], LocalAws]]:
    """Gives the server of the test's own home, started if it does not run; it is ended with the test."""
    home, given = Home(tmp_path / ".pipelines"), []

    def start() -> LocalAws:
        given.append(LocalAws(daemon.ensure(home, REGION).endpoint, home))
        return given[-1]

    yield start
    for aws in given:
        aws.close()
    running = daemon.find(home)
    if running:
        os.kill(running.pid, signal.SIGKILL)


@pytest.fixture
def gate() -> Iterator[Gate]:
    """A gate of the test's own; who still waits at the end is let go."""
    made = Gate()
    yield made
    made.close()


@pytest.fixture
def mounted() -> Iterator[Callable[..., None]]:
    """Mounts an empty file system in memory at a folder, or mounts it anew with other options."""
    folders: set[Path] = set()

    def mount(folder: Path, options: str = "size=1m") -> None:
        folder.mkdir(parents=True, exist_ok=True)
        words = ["mount", "-t", "tmpfs", "-o", options, "none", str(folder)]
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode:
            pytest.skip(done.stderr.strip())
        folders.add(folder)

    yield mount
    for folder in folders:
        subprocess.run(["umount", "--lazy", folder], check=True)
