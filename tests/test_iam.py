"""docs/how-to/iam.md: what is sent is allowed there, and nothing is allowed that nobody needs."""

from __future__ import annotations

import ast
import json
import re
from functools import cache
from pathlib import Path
from typing import Any

import botocore.session
import pytest
from botocore import xform_name

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "how-to" / "iam.md").read_text(encoding="utf-8")
POLICIES = [json.loads(text) for text in re.findall(r"^```json\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)]
SERVICES = ("ecr", "events", "iam", "logs", "s3", "sagemaker", "scheduler", "sts")
# Operations whose permission has another name; None: it needs none, or is for the local SageMaker alone.
NAMES: dict[str, str | None] = {
    "sts:GetCallerIdentity": None,
    "s3:CreateBucket": None,
    "s3:HeadBucket": "s3:ListBucket",
    "s3:ListObjectsV2": "s3:ListBucket",
    "s3:HeadObject": "s3:GetObject",
}
# What is not an operation of the gateway's: the container engine pushes, and roles are passed along.
OTHERS = {
    *("ecr:BatchCheckLayerAvailability", "ecr:InitiateLayerUpload", "ecr:UploadLayerPart", "ecr:CompleteLayerUpload"),
    *("ecr:PutImage", "iam:PassRole"),
}
NO_RESOURCE = {
    *("ecr:GetAuthorizationToken", "scheduler:ListSchedules", "events:ListRules", "cloudwatch:PutMetricData"),
}


@cache
def operations(service: str) -> tuple[str, ...]:
    return tuple(botocore.session.get_session().get_service_model(service).operation_names)


def sent() -> set[str]:
    """The operations that the gateway names, in whatever way."""
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "pipelines" / "aws").glob("*.py")]
    nodes = [node for source in sources for node in ast.walk(ast.parse(source))]
    words = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    words |= {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}
    words |= {f"describe_{kind}_job" for kind in ("processing", "training", "transform")}  # of `job`
    words |= {"put_object"} if "upload_file" in words else set()
    return {f"{service}:{name}" for service in SERVICES for name in operations(service) if xform_name(name) in words}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def actions(policy: Any) -> set[str]:
    return {action for statement in policy["Statement"] for action in listed(statement["Action"])}


def test_every_operation_that_is_sent_stands_in_the_deployers_policy():
    found = sent()
    assert len(found) > 30
    needed = {NAMES.get(name, name) for name in found} - {None}
    assert needed - actions(POLICIES[0]) == set(), "add it to the first policy of docs/how-to/iam.md"


def test_the_deployer_is_given_nothing_that_is_not_used():
    needed = {NAMES.get(name, name) for name in sent()} | OTHERS
    assert actions(POLICIES[0]) - needed == set()


@pytest.mark.parametrize("policy", POLICIES, ids=range(len(POLICIES)))
def test_policies_are_narrow_and_name_what_there_is(policy: Any):
    assert policy["Version"] == "2012-10-17"
    for statement in policy["Statement"]:
        assert statement["Effect"] == "Allow"
        for action in listed(statement["Action"]):
            service, _, name = action.partition(":")
            assert "*" not in action
            assert name in operations("cloudwatch" if service == "cloudwatch" else service) or action in (
                "iam:PassRole",
                "s3:ListBucket",
            )
            assert (action in NO_RESOURCE) == (statement.get("Resource") == "*"), action
        if "iam:PassRole" in listed(statement["Action"]):
            assert "iam:PassedToService" in statement["Condition"]["StringEquals"]
        if "Principal" in statement:
            assert statement["Condition"]["StringEquals"]


def test_the_schedulers_policies_are_what_deploy_asks_for():
    from pipelines.roles import SCHEDULER, START, trusts

    assert trusts(POLICIES[3], SCHEDULER)
    assert actions(POLICIES[4]) == {START}
