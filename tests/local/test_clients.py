"""Clients as their users run them, pointed at the endpoint by variables alone: the SageMaker SDK, the aws command."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.local.local_aws import REGION, LocalAws, fresh


def environment(aws: LocalAws, home: Path) -> dict[str, str]:
    """What docs/local.md says to export."""
    return {
        "PATH": os.environ["PATH"],
        "HOME": str(home),
        "AWS_ENDPOINT_URL": aws.endpoint,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
        "SAGEMAKER_VALIDATE_ROLE": "false",
    }


def test_the_sdk_upserts_starts_waits_and_lists(aws: LocalAws, tmp_path: Path) -> None:
    name = fresh()
    program = Path(__file__).parent / "sdk_program.py"
    done = subprocess.run(
        [sys.executable, str(program), name],
        env=environment(aws, tmp_path),
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr[-3000:]
    found = json.loads(done.stdout.splitlines()[-1])
    assert (found["status"], found["steps"]) == ("Succeeded", [["Say", "Succeeded", ["ProcessingJob"]]])
    assert aws.status(found["arn"]) == "Succeeded"
    pipeline = aws.sagemaker.describe_pipeline(PipelineName=name)["PipelineArn"]
    tags = aws.sagemaker.list_tags(ResourceArn=pipeline)["Tags"]
    assert tags == [{"Key": "team", "Value": "a"}, {"Key": "stage", "Value": "b"}]


def aws_command() -> str:
    """The aws command of this machine, if it has one that runs."""
    command = shutil.which("aws")
    if not command:
        pytest.skip("there is no aws command on PATH")
    if subprocess.run([command, "--version"], capture_output=True, check=False).returncode:
        pytest.skip(f"{command} does not run")
    return command


def test_the_aws_command_lists_the_steps_of_an_execution(aws: LocalAws, tmp_path: Path) -> None:
    command = aws_command()

    def run(*words: str) -> Any:
        done = subprocess.run(
            [command, *words, "--output", "json"],
            env=environment(aws, tmp_path),
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    ended = aws.run([aws.step("Only")])
    listed = run("sagemaker", "list-pipeline-execution-steps", "--pipeline-execution-arn", ended.arn)
    (step,) = listed["PipelineExecutionSteps"]
    assert (step["StepName"], step["StepStatus"], step["AttemptCount"]) == ("Only", "Succeeded", 1)
    assert step["Metadata"] == ended.steps["Only"]["Metadata"]
    described = run("sagemaker", "describe-pipeline-execution", "--pipeline-execution-arn", ended.arn)
    assert described["PipelineExecutionStatus"] == "Succeeded"
