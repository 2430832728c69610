"""A small project of tiny programs, as its user has it, and the command line upon it.

The definition is compiled once for all workers of a test run: the SDK's import takes seconds.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.local import daemon
from pipelines.local.home import Home

# A test run in the background ignores SIGINT, and so would every command that a test starts and interrupts.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

TEMPLATE = Path(__file__).parent / "project"
ROOT = Path(__file__).parent.parent.parent
_COMPILE = """
import sys
from pathlib import Path
from pipelines.compile import compile_spec
from pipelines.spec import load
spec = load(Path("pipeline.yaml"))
for environment in ("local", "dev", spec.neutral_target()):
    compile_spec(spec, environment, cache=Path(sys.argv[1]))
"""
# Whatever happens, no test can reach AWS or its metadata service.
_NOWHERE = {
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
}


@dataclass(frozen=True)
class Result:
    """What a command gave."""

    code: int
    out: str
    err: str


@dataclass(frozen=True)
class Project:
    """A project's folder, and the command in it as a process of its own."""

    folder: Path

    @property
    def home(self) -> Home:
        return Home(self.folder / ".pipelines")

    @property
    def is_untouched(self) -> bool:
        """Whether no server was started, nothing uploaded, no pipeline created."""
        return not self.home.local.exists()

    def edit(self, old: str, new: str, file: str = "pipeline.yaml") -> None:
        text = (self.folder / file).read_text()
        assert old in text
        (self.folder / file).write_text(text.replace(old, new))

    def popen(self, *words: str, **options: object) -> subprocess.Popen[str]:
        environment = {**os.environ, **_NOWHERE, **options.pop("environment", {})}
        command = [sys.executable, "-m", "pipelines", *words]
        streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, **options}
        return subprocess.Popen(command, cwd=self.folder, env=environment, text=True, **streams)

    def command(self, *words: str, **environment: str) -> Result:
        """The command in a process of its own."""
        process = self.popen(*words, environment=environment)
        out, err = process.communicate(timeout=300)
        return Result(process.returncode, out, err)


@pytest.fixture(scope="session")
def compiled(shared: Path) -> Path:
    """The folder of the definitions that the project compiles to."""
    cache = shared / "cli-compiled"
    with (shared / "cli-compiled.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not cache.exists():
            environment = os.environ | {"PYTHONPATH": str(ROOT)}
            subprocess.run([sys.executable, "-c", _COMPILE, str(cache)], cwd=TEMPLATE, env=environment, check=True)
    return cache


@pytest.fixture(scope="session")
def make_project(compiled: Path) -> Iterator[Callable[[Path], Project]]:
    """Puts the project into a folder; its local SageMaker is stopped at the end."""
    made = []

    def make(folder: Path) -> Project:
        shutil.copytree(TEMPLATE, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".pipelines"))
        shutil.copytree(compiled, folder / ".pipelines" / "compiled")
        made.append(Project(folder))
        return made[-1]

    yield make
    for project in made:
        daemon.stop(project.home)


@pytest.fixture
def project(tmp_path: Path, make_project: Callable[[Path], Project], monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project of this test alone, its folder the current one."""
    made = make_project(tmp_path / "project")
    monkeypatch.chdir(made.folder)
    for name, value in _NOWHERE.items():
        monkeypatch.setenv(name, value)
    return made


@pytest.fixture(scope="session")
def _used(tmp_path_factory: pytest.TempPathFactory, make_project: Callable[[Path], Project]) -> Project:
    made = make_project(tmp_path_factory.mktemp("used") / "project")
    assert made.command("deploy").code == 0
    return made


@pytest.fixture
def deployed(_used: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """A project that tests share: its pipeline is deployed, its local SageMaker runs; the current folder."""
    monkeypatch.chdir(_used.folder)
    for name, value in _NOWHERE.items():
        monkeypatch.setenv(name, value)
    return _used


@pytest.fixture
def pipelines(capsys: pytest.CaptureFixture[str]) -> Callable[..., Result]:
    """The command line, in this process."""

    def call(*words: str) -> Result:
        capsys.readouterr()
        code = main(words)
        return Result(code, *capsys.readouterr())

    return call
