"""What tests of several folders share."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from xdist.scheduler import LoadScopeScheduling

    from pipelines.local.runner.docker import Engine


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
