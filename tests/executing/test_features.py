"""Every feature does what its feature.yaml says."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from pipelines.executions import Execution, StepRun
from tests.executing.conftest import IMAGE, Feature


def test_feature_does_what_it_says(feature: Feature, sagemaker, image_folder):
    said = feature.read()
    if sagemaker.settings["runner"] not in said.get("runners", ["process", "docker"]):
        pytest.skip(f"{feature.name} is not for the runner {sagemaker.settings['runner']}")
    given = json.loads(json.dumps(said.get("local", {})).replace("FOLDER", str(feature.folder)))
    settings = {"images": {IMAGE: {"build": str(image_folder)}}, **sagemaker.settings, **given}
    sagemaker.local.home.settings.write_text(json.dumps(settings), encoding="utf-8")
    for place, text in said.get("objects", {}).items():
        sagemaker.local.put(f"s3://{place}", text)
    for name, step, *options in said.get("faults", ()):
        getattr(sagemaker.local.faults, name)(step, **(options[0] if options else {}))
    sagemaker.local.deploy(said["definition"], name="feature")
    before = ""
    for run in said["runs"]:
        before = _run(sagemaker, run, before)


def _run(sagemaker, run: dict[str, Any], before: str) -> str:
    local, gateway = sagemaker.local, sagemaker.local.gateway
    if run.get("retry"):
        ended = local.retry(before)
    else:
        select = run.get("select", [])
        arn = gateway.start_execution("feature", run.get("parameters", {}), select, before if select else "")
        ended = local.wait(arn)
    told = {step.name: (step.status, step.reason) for step in ended.execution.steps}
    expected = run["expected"]
    if any("Failed to fetch" in (reason or "") for _, reason in told.values()):
        pytest.skip("the package index is not reached")
    assert ended.status == expected["status"], (ended.execution.reason, told)
    assert {name: status for name, (status, _) in told.items()} == expected["steps"], told
    for name, reason in expected.get("reasons", {}).items():
        assert re.search(reason, told[name][1]), told[name][1]
    steps = {step.name: step for step in ended.execution.steps}
    _compare(ended.execution, steps, expected)
    for place, text in expected.get("objects", {}).items():
        found = {path.relative_to(local.objects).as_posix() for path in local.objects.rglob("*") if path.is_file()}
        place = place.replace("EXECUTION", ended.arn.rpartition("/")[2])
        assert (place in found) == (text is not None), found
        assert text is None or local.read(f"s3://{place}").decode() == text
    return ended.arn


def _compare(execution: Execution, steps: dict[str, StepRun], expected: dict[str, Any]) -> None:
    if "cached" in expected:
        assert [name for name, step in steps.items() if step.cached_from] == expected["cached"]
    if "reused" in expected:
        assert [name for name, step in steps.items() if step.reused_from] == expected["reused"]
    for name, outcome in expected.get("outcomes", {}).items():
        assert steps[name].metadata["Condition"]["Outcome"] == outcome, execution
