"""Schedules' roles: what is refused before anything is changed, and what is only told."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.errors import AwsError, UsageError
from pipelines.roles import check_schedule_roles, trust_statement, trusts
from pipelines.spec import Target

ROLE = "arn:aws:iam::111111111111:role/team/scheduler"
SCHEDULER = "scheduler.amazonaws.com"


class Iam:
    target = Target("dev", "111111111111", "eu-central-1", ROLE, "bucket-dev", "tiny")

    def __init__(self, trust: Any = None, denied: tuple[str, ...] = ()) -> None:
        self.trust = trust or {"Statement": [trust_statement(SCHEDULER)]}
        self.denied = denied
        self.asked: list[tuple[str, list[str], str]] = []

    def role_trust(self, _arn: str) -> Any:
        if isinstance(self.trust, AwsError):
            raise self.trust
        return self.trust

    def denied_actions(self, role: str, actions: list[str], resource: str) -> list[str]:
        self.asked.append((role, actions, resource))
        return list(self.denied)


def refusal(iam: Iam) -> tuple[str, str, str]:
    with pytest.raises(UsageError) as caught:
        list(check_schedule_roles([ROLE], "Tiny", iam))
    (problem,) = caught.value.problems
    return problem.where, problem.what, problem.fix


def test_role_that_the_scheduler_can_use_is_fine_and_asked_once():
    iam = Iam()
    assert list(check_schedule_roles([ROLE, ROLE], "Tiny", iam)) == []
    arn = "arn:aws:sagemaker:eu-central-1:111111111111:pipeline/tiny"
    assert iam.asked == [(ROLE, ["sagemaker:StartPipelineExecution"], arn)]


def test_role_that_does_not_trust_the_scheduler_is_refused_with_the_statement_to_add():
    where, what, fix = refusal(Iam({"Statement": [trust_statement("sagemaker.amazonaws.com")]}))
    assert (where, what[:42]) == (ROLE, "the scheduler may not assume the role, so ")
    assert json.loads(fix.removeprefix("add to its trust policy: ")) == trust_statement(SCHEDULER)


def test_role_that_may_not_start_the_pipeline_is_refused_with_the_statement_to_add():
    where, what, fix = refusal(Iam(denied=("sagemaker:StartPipelineExecution",)))
    assert (where, what[:35]) == (ROLE, "the role may not start the pipeline")
    assert json.loads(fix.removeprefix("add to its policy: ")) == {
        "Effect": "Allow",
        "Action": "sagemaker:StartPipelineExecution",
        "Resource": "arn:aws:sagemaker:eu-central-1:111111111111:pipeline/tiny",
    }


def test_role_that_is_not_there_is_refused():
    assert refusal(Iam(AwsError("no", code="NoSuchEntity"))) == (
        ROLE,
        "the role of a schedule is not there",
        "create it (docs/how-to/iam.md), or correct `role:` of the schedule",
    )


def test_whoever_may_not_read_iam_is_told_what_was_not_checked():
    (note,) = check_schedule_roles([ROLE], "tiny", Iam(AwsError("no", code="AccessDenied")))
    assert note == (
        "note: not checked, because you may not read IAM: scheduler.amazonaws.com must be able to assume "
        f"{ROLE}, and that role to sagemaker:StartPipelineExecution"
    )


def test_other_errors_of_aws_are_errors():
    with pytest.raises(AwsError, match="throttled"):
        list(check_schedule_roles([ROLE], "tiny", Iam(AwsError("throttled", code="Throttling"))))


TRUST = [
    ({"Statement": trust_statement(SCHEDULER)}, True),
    ({"Statement": [{**trust_statement(SCHEDULER), "Principal": {"Service": ["a", SCHEDULER]}}]}, True),
    ({"Statement": [{**trust_statement(SCHEDULER), "Action": ["sts:*"]}]}, True),
    ({"Statement": [{**trust_statement(SCHEDULER), "Effect": "Deny"}]}, False),
    ({"Statement": [{**trust_statement(SCHEDULER), "Action": "sts:TagSession"}]}, False),
    ({"Statement": [{**trust_statement(SCHEDULER), "Principal": {"AWS": "arn:aws:iam::1:root"}}]}, False),
    ({"Statement": [{**trust_statement(SCHEDULER), "Principal": "*"}]}, False),
    ({"Statement": []}, False),
    ({}, False),
]


@pytest.mark.parametrize(("document", "expected"), TRUST)
def test_trust_is_read_in_every_form_of_a_policy(document: Any, expected: bool):
    assert trusts(document, SCHEDULER) is expected
