"""A definition that nobody here wrote executes unmodified, with stand-in code and data where its own are not public.

Its processing scripts hard-code /opt/ml/processing; its framework images are stood in for by `image/do.py`.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from pathlib import Path

import boto3
import pytest

from pipelines.local.home import Home
from pipelines.testing.sagemaker import SageMaker, serving

CASES = Path(__file__).parent.parent / "definition/cases"
CASE = CASES / "calhousing-and-text.json"
BUCKET = "sagemaker-us-east-1-111122223333"
RUNPROC = """#!/bin/bash
cd /opt/ml/processing/input/code/
tar -xzf sourcedir.tar.gz
set -e
python step.py "$@"
"""
# What each step's code does, by the word in the key of its archive that tells them apart.
PREPROCESS_TEXT = """
from pathlib import Path
for name in ("training", "testing"):
    (Path("/opt/ml/processing/output") / name / "rows.txt").write_text(name)
"""
PREPROCESS = """
from pathlib import Path
rows = Path("/opt/ml/processing/input/raw_data/rows.csv").read_text()
for name in ("train/x_train.csv", "test/x_test.csv"):
    file = Path("/opt/ml/processing/output/train") / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(rows)
"""
METRICS = """
import json
from pathlib import Path
root = Path("/opt/ml/processing")
expected = (root / "input/calhousing-Preprocessing-train/test/x_test.csv").read_text().upper()
answered = (root / "input/calhousing-Transform-train/x_test.csv.out").read_text()
(root / "output/model_evaluation_metrics.json").write_text(json.dumps({"accuracy": float(expected == answered)}))
"""


def archive(**files: str) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as tar:
        for name, text in files.items():
            member = tarfile.TarInfo(name.replace("_py", ".py"))
            member.size = len(text.encode())
            tar.addfile(member, io.BytesIO(text.encode()))
    return buffer.getvalue()


def code_inputs(document: dict) -> dict[str, dict[str, str]]:
    """Where each Processing step finds its archive and its entrypoint."""
    return {
        step["Name"]: {item["InputName"]: item["S3Input"]["S3Uri"] for item in step["Arguments"]["ProcessingInputs"]}
        for step in document["Steps"]
        if step["Type"] == "Processing"
    }


@pytest.fixture
def local(tmp_path: Path, make_home: Callable[[Path], Home], monkeypatch: pytest.MonkeyPatch):
    with serving(make_home(tmp_path / ".pipelines").root) as sagemaker:
        for name, value in sagemaker.environment.items():
            monkeypatch.setenv(name, value)
        yield sagemaker


def test_a_definition_from_elsewhere_executes(local: SageMaker, image_folder: Path):
    document = json.loads(CASE.read_text(encoding="utf-8"))
    settings = {
        "images": {
            "763104351884.dkr.ecr.*/*-training:*": {"build": str(image_folder)},
            "763104351884.dkr.ecr.*/*-inference:*": {"build": str(image_folder)},
        }
    }
    local.home.settings.write_text(json.dumps(settings), encoding="utf-8")
    local.put(f"s3://{BUCKET}/tf2-california-housing-pipelines/traindata/rows.csv", "1,2,a\n3,4,b\n")
    programs = {
        "falcon-text-summarization-preprocess": PREPROCESS_TEXT,
        "calhousing-Preprocessing": PREPROCESS,
        "calhousing-Metrics": METRICS,
    }
    for step, inputs in code_inputs(document).items():
        local.put(inputs["code"], archive(step_py=programs[step]))
        local.put(inputs["entrypoint"], RUNPROC)

    run = local.run(document, name="calhousing-test")

    told = {step.name: step.reason for step in run.execution.steps if step.reason}
    assert run.status == "Succeeded", told
    assert run.statuses == {step["Name"]: "Succeeded" for step in document["Steps"]}
    report = json.loads(
        local.read(
            f"s3://{BUCKET}/sklearn-2023-10-20-01-19-23-238/output/model_evaluation_metrics/model_evaluation_metrics.json"
        )
    )
    assert report == {"accuracy": 1.0}
    groups = boto3.client("sagemaker").list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert {group["ModelPackageGroupName"] for group in groups} == {"test-calhousing", "test-falcon40b-finetuneable"}

    again = local.run(document, name="calhousing-test")
    cached = {step.name for step in again.execution.steps if step.cached_from}
    assert cached == {step["Name"] for step in document["Steps"] if (step.get("CacheConfig") or {}).get("Enabled")}


def test_conditions_may_be_nested_as_deep_as_somebody_nests_them(local: SageMaker):
    document = json.loads((CASES / "nested-conditions.json").read_text(encoding="utf-8"))
    run = local.run(document)
    assert run.status == "Succeeded"
    assert len(run.statuses) == 31
    assert set(run.statuses.values()) == {"Succeeded"}
