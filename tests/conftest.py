"""What tests of several folders share."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, settings

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

    from pipelines.local.home import Home
    from pipelines.local.runner.docker import Engine


# What takes longest is begun first, so that no worker has it for itself at the end.
_LONGEST = (
    "tests/test_life.py",
    "tests/executing/test_features.py::test_feature_does_what_it_says[prebuilt-process]",
    "tests/executing/test_elsewhere.py::test_a_definition_from_elsewhere_executes",
    "tests/test_testing.py::test_the_example",
    "tests/test_docs.py::test_the_tutorial",
    "tests/cli/test_init.py::test_the_new_pipeline",
    "tests/cli/test_planning.py::test_life",
)

# A machine that has other work to do is no mistake of the code's.
settings.register_profile("unhurried", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("unhurried")

# Programs that tests start find one another's bytecode, whatever the caller's environment says of it.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
sys.dont_write_bytecode = False


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest first, the rest in their order."""

    def place(item: pytest.Item) -> int:
        return next((at for at, name in enumerate(_LONGEST) if item.nodeid.startswith(name)), len(_LONGEST))

    items.sort(key=place)


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_auto_num_workers() -> int:
    """One worker more than there are cores: a test often waits for a server, a container or a program."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return cores + 1


@pytest.fixture(scope="session", autouse=True)
def _models_of_aws_are_read_once() -> Iterator[None]:
    """botocore reads the JSON of a service anew for each session: 0.1 s for SageMaker's, hundreds of times."""
    if not importlib.util.find_spec("botocore"):  # the container's tests have none
        yield
        return
    from botocore.loaders import JSONFileLoader

    read = functools.cache(functools.partial(JSONFileLoader.load_file, JSONFileLoader()))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(JSONFileLoader, "load_file", lambda _loader, path: read(path))
        yield


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> LoadScopeScheduling:
    """Spreads single tests over the workers; one worker has all that need the container engine, and begins with them.

    By their ids: xdist's own groups (`--dist loadgroup`) have no effect under pytest 9.2 (pytest-xdist, issue 1386).
    """
    from xdist.scheduler import LoadScopeScheduling

    class OneEngine(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return "docker" if nodeid.startswith("tests/image/") or nodeid.endswith("docker]") else nodeid

    return OneEngine(config, log)


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a whole test run, for all its workers."""
    own = tmp_path_factory.getbasetemp()
    return own.parent if os.environ.get("PYTEST_XDIST_WORKER") else own


@pytest.fixture(scope="session")
def environments(shared: Path) -> Path:
    """The Python environments of images that tests share: one with scikit-learn takes 20 s to build."""
    folder = shared / "environments"
    folder.mkdir(exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def make_home(environments: Path) -> Callable[[Path], Home]:
    """Makes the home of a local SageMaker whose images have the environments that tests share."""
    from pipelines.local.home import Home  # here: the container's tests have no package `pipelines`

    def make(root: Path) -> Home:
        home = Home(root)
        home.create()
        home.environments.symlink_to(environments, target_is_directory=True)
        return home

    return make


@pytest.fixture(scope="session")
def tutorial_files() -> dict[str, str]:
    """The files of the tutorial: a block after a line that ends with its name and a colon."""
    text = (Path(__file__).parent.parent / "docs" / "tutorial.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.fixture
def tutorial(tutorial_files: dict[str, str], tmp_path: Path) -> Path:
    """The tutorial's project."""
    for name, content in tutorial_files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return tmp_path


@pytest.fixture(scope="session")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Engine]:
    """A Docker engine: the one that answers, or one of our own where the machine lets us start it.

    Tests that use it stand in tests/image, or end their id in `docker]`: one worker has the engine.
    """
    from benchmarks import docker_engine  # here: the container's tests have no package `pipelines`

    with ExitStack() as stack:
        try:
            found = stack.enter_context(docker_engine.docker_engine(tmp_path_factory.mktemp("docker")))
        except docker_engine.Missing as missing:
            pytest.skip(str(missing))
        yield found


@pytest.fixture(scope="session")
def base_image(engine: Engine, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The base of images under test: a minimal Debian with python3."""
    from benchmarks import docker_engine

    try:
        return docker_engine.base_image(engine, tmp_path_factory.mktemp("base"))
    except docker_engine.Missing as missing:
        pytest.skip(str(missing))
