"""The features, one folder each, and the runners that execute them."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from pipelines.local.home import Home
from pipelines.testing.sagemaker import SageMaker, serving

FOLDER = Path(__file__).parent
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/do:1"


@dataclass(frozen=True)
class Feature:
    """A folder's feature.yaml, as a mapping; `image` in its definition is the URI of the common image."""

    folder: Path

    @property
    def name(self) -> str:
        return self.folder.name

    def read(self) -> dict[str, Any]:
        text = (self.folder / "feature.yaml").read_text(encoding="utf-8")
        said = yaml.safe_load(text)
        return {**said, "definition": _with_image(said["definition"])}


def _with_image(value: Any) -> Any:
    """The document, whole: no aliases, and the image's URI where its name stood."""
    if isinstance(value, Mapping):
        return {
            key: IMAGE if key in ("ImageUri", "TrainingImage", "Image") and item == "image" else _with_image(item)
            for key, item in value.items()
            if not key.startswith("x-")
        }
    return [_with_image(item) for item in value] if isinstance(value, list) else value


FEATURES = [Feature(file.parent) for file in sorted(FOLDER.glob("*/feature.yaml"))]


@pytest.fixture(params=FEATURES, ids=lambda feature: feature.name)
def feature(request: pytest.FixtureRequest) -> Feature:
    return request.param


@pytest.fixture
def image_folder(tmp_path: Path) -> Path:
    """The build context of the common image."""
    return Path(shutil.copytree(FOLDER / "image", tmp_path / "image"))


@dataclass(frozen=True)
class Stage:
    """A local SageMaker, and the settings that make it use a runner."""

    local: SageMaker
    settings: Mapping[str, Any]


@pytest.fixture(params=["process", "docker"])
def sagemaker(
    request: pytest.FixtureRequest, tmp_path: Path, make_home: Callable[[Path], Home], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Stage]:
    """A local SageMaker of the test alone, on each runner."""
    settings: dict[str, Any] = {"runner": request.param}
    if request.param == "docker":
        engine = request.getfixturevalue("engine")
        base = request.getfixturevalue("base_image")
        for name, value in engine.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("PATH", "/usr/bin", prepend=":")  # Debian's own client: see docker_engine
        settings["docker"] = {"build": ["--build-arg", f"BASE={base}"]}
    with serving(make_home(tmp_path / ".pipelines").root) as local:
        yield Stage(local, settings)
