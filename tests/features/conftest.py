"""The features, one folder each: `pipeline.yaml`, its files, and the `definition.json` it compiles to.

`image/` is the build context that they share. A test that takes `feature` runs once for each of them.
"""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).parent
ROOT = FOLDER.parent.parent
ENVIRONMENTS = {"environments": "beijing"}  # `local` for the others


@dataclass(frozen=True)
class Feature:
    name: str

    @property
    def environment(self) -> str:
        return ENVIRONMENTS.get(self.name, "local")

    @property
    def definition(self) -> Path:
        return FOLDER / self.name / "definition.json"

    def copy(self, into: Path) -> Path:
        """The feature and the image as a project in `into`; gives its pipeline.yaml."""
        leave_out = shutil.ignore_patterns("definition.json")
        shutil.copytree(FOLDER / self.name, into, dirs_exist_ok=True, ignore=leave_out)
        shutil.copytree(FOLDER / "image", into / "image", dirs_exist_ok=True)
        return into / "pipeline.yaml"


FEATURES = [Feature(file.parent.name) for file in sorted(FOLDER.glob("*/pipeline.yaml"))]


@pytest.fixture(params=FEATURES, ids=lambda feature: feature.name)
def feature(request: pytest.FixtureRequest) -> Feature:
    return request.param


@pytest.fixture(scope="session")
def compiled(shared: Path) -> tuple[dict[str, Any], dict[str, Any]]:
    """All features compiled in two processes, as `compile_all.py` reports them; once for all workers of a test run."""
    reports = (shared / "here.json", shared / "elsewhere.json")
    with (shared / "compiled.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not reports[1].exists():
            _compile_twice(shared, *reports)
    return json.loads(reports[0].read_text()), json.loads(reports[1].read_text())


def _compile_twice(shared: Path, here: Path, elsewhere: Path) -> None:
    """In two folders, homes and environments, at the same time."""
    plain = {key: value for key, value in os.environ.items() if not key.startswith(("AWS_", "SAGEMAKER_"))}
    home = shared / "other" / "home"
    hostile = {
        "HOME": str(home),
        "AWS_PROFILE": "no-such-profile",
        "AWS_DEFAULT_REGION": "ap-south-1",
        "AWS_REGION": "ap-south-1",
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "SAGEMAKER_BASE_URL": "http://127.0.0.1:9",
        "SAGEMAKER_USER_CONFIG_OVERRIDE": str(home / "config.yaml"),
        "SAGEMAKER_ROLE": "arn:aws:iam::999999999999:role/other",
        "SAGEMAKER_REGION": "ap-south-1",
        "TZ": "Asia/Tokyo",
        "LC_ALL": "C",
        "PYTHONHASHSEED": "7",
    }
    home.mkdir(parents=True)
    (home / "config.yaml").write_text(
        'SchemaVersion: "1.0"\nSageMaker: {Processing: {Tags: [{Key: injected, Value: "yes"}]}}\n'
    )
    (shared / "other" / ".sagemaker-code-config").write_text(
        '{"sagemakerProjectId": "p-1", "sagemakerProjectName": "injected", "codeRepositoryName": "r"}'
    )
    runs = [
        _start(shared / "projects", here, plain),
        _start(shared / "other" / "deep" / "place", elsewhere, plain | hostile),
    ]
    printed = [run.communicate(timeout=600)[0] for run in runs]
    assert [run.returncode for run in runs] == [0, 0], "\n".join(printed)
    for report, text in zip((here, elsewhere), printed, strict=True):
        report.write_text(json.dumps(json.loads(report.read_text()) | {"printed": text}))


def _start(projects: Path, report: Path, environment: dict[str, str]) -> subprocess.Popen[str]:
    orders: dict[str, Any] = {"report": str(report), "projects": []}
    for feature in FEATURES:
        file = feature.copy(projects / feature.name)
        orders["projects"].append([feature.name, str(file), feature.environment])
    command = [sys.executable, "-W", "always", str(FOLDER / "compile_all.py"), json.dumps(orders)]
    environment = environment | {"PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        command, cwd=projects, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )


@pytest.fixture
def compiled_text(compiled: tuple[dict[str, Any], dict[str, Any]]) -> Callable[[Feature], str]:
    return lambda feature: compiled[0]["definitions"][feature.name]
