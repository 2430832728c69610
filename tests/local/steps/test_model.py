"""Model steps: a model in the registry."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.local.local_aws import ROLE, LocalAws, fail, get

Json = dict[str, Any]
CONTAINER = {"Image": "123456789012.dkr.ecr.eu-central-1.amazonaws.com/m:1", "ModelDataUrl": "s3://data/m.tar.gz"}


def test_a_model_step_creates_a_model_that_others_can_name(aws: LocalAws, other: Callable[..., Json]) -> None:
    create = other("Create", "Model", {"ExecutionRoleArn": ROLE, "PrimaryContainer": CONTAINER})
    ended = aws.run([create, fail(message=get("Steps.Create.ModelName"))])
    name = ended.steps["Stop"]["FailureReason"]
    described = aws.sagemaker.describe_model(ModelName=name)
    assert described["PrimaryContainer"]["ModelDataUrl"] == CONTAINER["ModelDataUrl"]
    assert ended.steps["Create"]["Metadata"]["Model"]["Arn"] == described["ModelArn"]


def test_a_model_that_the_service_would_refuse_fails_its_step(aws: LocalAws, other: Callable[..., Json]) -> None:
    ended = aws.run([other("Create", "Model", {"PrimaryContainer": {"Image": "x" * 300}})])
    assert ended.steps["Create"]["FailureReason"] == (
        "ClientError: Failed to invoke sagemaker:CreateModel. Error Details: "
        "PrimaryContainer.Image takes at most 255 characters; it has 300"
    )
