"""The engine's place and the secrets of the image under test; what is missing skips, with its reason."""

from __future__ import annotations

import pytest

from benchmarks import docker_engine
from benchmarks.docker_engine import Missing
from pipelines.local.runner.docker import Engine


@pytest.fixture(scope="session")
def compose_environment(engine: Engine) -> dict[str, str]:
    """What the SDK's local mode needs of the environment."""
    try:
        return docker_engine.compose_environment(engine)
    except Missing as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session")
def secret() -> str:
    """What a build is given as a secret."""
    return "a-secret-that-must-not-stay"


@pytest.fixture(scope="session")
def build_options(base_image: str, secret: str, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, ...]:
    """How the image is built here: on the stand-in base, with the machine's pip settings as secrets."""
    configuration = tmp_path_factory.mktemp("pip") / "pip.conf"
    configuration.write_text(f"[global]\n# {secret}\n", encoding="utf-8")
    return docker_engine.build_options(base_image, configuration)
