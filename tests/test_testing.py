"""The pytest fixture `local_sagemaker`: pipelines run in it, failures come on demand, and its documentation is true."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from pathlib import Path

import boto3
import pytest

from pipelines.local.steps.faults import Faults
from pipelines.testing.sagemaker import serving

ROOT = Path(__file__).parent.parent
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/unknown:1"
POLICY = [{"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "IntervalSeconds": 1, "MaxAttempts": 3, "BackoffRate": 1.0}]


def step(name: str, *after: str, code: str = "pass", **more: object) -> dict:
    return {
        "Name": name,
        "Type": "Processing",
        "DependsOn": list(after),
        "Arguments": {
            "ProcessingResources": {
                "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 30}
            },
            "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "-c", code]},
            "RoleArn": "arn:aws:iam::123456789012:role/pipelines",
        },
        **more,
    }


def definition(*steps: dict) -> dict:
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": list(steps)}


TWO = definition(step("First"), step("Second", "First", RetryPolicies=POLICY))


def test_a_definition_runs(local_sagemaker):
    run = local_sagemaker.run(TWO)
    assert run.status == "Succeeded"
    assert run.statuses == {"First": "Succeeded", "Second": "Succeeded"}


def test_clients_of_the_test_speak_to_it(local_sagemaker):
    local_sagemaker.put("s3://data/a.txt", "content")
    assert boto3.client("s3").get_object(Bucket="data", Key="a.txt")["Body"].read() == b"content"
    assert local_sagemaker.read("s3://data/a.txt") == b"content"
    assert (local_sagemaker.objects / "data/a.txt").read_text() == "content"


def test_a_step_fails_as_often_as_it_was_asked_to(local_sagemaker):
    local_sagemaker.faults.fail("First", reason="AlgorithmError: as asked, exit code: 1")
    run = local_sagemaker.run(TWO)
    assert run.statuses == {"First": "Failed"}
    assert "as asked" in run.step("First").reason
    assert local_sagemaker.retry(run.arn).status == "Succeeded"


def test_missing_capacity_is_waited_out_by_a_retry_policy(local_sagemaker):
    local_sagemaker.faults.no_capacity("Second")
    assert local_sagemaker.run(TWO).status == "Succeeded"


def test_a_failure_that_no_policy_names_ends_the_step(local_sagemaker):
    local_sagemaker.faults.quota("Second", times=None)
    run = local_sagemaker.run(TWO)
    assert run.status == "Failed"
    assert "ResourceLimitExceeded" in run.step("Second").reason


def test_a_delayed_step_begins_later_and_runs(local_sagemaker):
    local_sagemaker.faults.delay("*", 0.5, times=2)
    begun = time.monotonic()
    assert local_sagemaker.run(TWO).status == "Succeeded"
    assert time.monotonic() - begun > 1.0


def test_who_waits_too_short_is_told_what_runs(local_sagemaker):
    arn = local_sagemaker.start(local_sagemaker.deploy(definition(step("Slow", code="import time; time.sleep(600)"))))
    with pytest.raises(AssertionError, match="did not end within 0 s"):
        local_sagemaker.wait(arn, seconds=0)


def test_faults_are_taken_in_order_and_by_pattern():
    faults = Faults()
    faults.fail("Train-*", times=2)
    faults.throttle("Train-1")
    taken = [faults.take(name) for name in ("Other", "Train-0", "Train-1", "Train-1", "Train-1")]
    assert [fault and fault.exception for fault in taken] == [None, None, None, "Step.THROTTLING", None]
    assert [fault is not None for fault in taken] == [False, True, True, True, False]


def test_faults_that_mean_nothing_are_refused():
    with pytest.raises(ValueError, match="times is 0"):
        Faults().fail("A", times=0)
    with pytest.raises(ValueError, match="not be negative"):
        Faults().delay("A", -1)


def blocks(page: str, kind: str) -> list[str]:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    return re.findall(rf"^```{kind}\n(.*?)^```", text, re.MULTILINE | re.DOTALL)


def test_the_example_of_the_documentation_passes(tutorial):
    """In a project of its own, as a user has it: the plugin is found without any configuration."""
    (tutorial / "tests").mkdir()
    (tutorial / "tests/test_pipeline.py").write_text(blocks("how-to/test-your-pipeline.md", "python")[0])
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    ran = subprocess.run(command, cwd=tutorial, capture_output=True, text=True, timeout=600, check=False)
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "3 passed" in ran.stdout


def test_nothing_of_one_local_sagemaker_is_in_the_next(tmp_path, monkeypatch):
    name = {"ModelPackageGroupName": "left"}
    found = []
    for folder in ("first", "second", "first"):
        with serving(tmp_path / folder) as sagemaker:
            for variable, value in sagemaker.environment.items():
                monkeypatch.setenv(variable, value)
            client = boto3.client("sagemaker")
            found.append([group["ModelPackageGroupName"] for group in _groups(client)])
            if not found[1:]:
                client.create_model_package_group(**name)
    assert found == [[], [], ["left"]]


def _groups(client) -> list[dict]:
    return client.list_model_package_groups()["ModelPackageGroupSummaryList"]
