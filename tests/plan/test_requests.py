"""What goes to the scheduler and to EventBridge: accepted by AWS's own model, and read back as it was written."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from pipelines.plan.requests import (
    read_notification,
    read_schedule,
    rule_request,
    schedule_request,
    targets_request,
)
from pipelines.schedule import Schedule, aws_name, aws_prefix
from pipelines.service_model import request_faults
from pipelines.spec import Notification

ROLE = "arn:aws:iam::111111111111:role/pipelines"
ARN = "arn:aws:sagemaker:eu-central-1:111111111111:pipeline/Demo"
FULL = Schedule(
    "nightly",
    "cron(0 3 * * ? *)",
    ROLE,
    timezone="Europe/Berlin",
    window_minutes=15,
    parameters={"Day": "<aws.scheduler.scheduled-time>", "N": "3"},
    dead_letter_queue="arn:aws:sqs:eu-central-1:111111111111:lost",
    attempts=0,
    max_age_seconds=60,
    start="2026-06-30T22:00:00Z",
    end="2026-11-30T23:00:00Z",
    enabled=False,
)
SCHEDULES = [Schedule("plain", "rate(1 day)", ROLE), FULL]
NOTIFICATIONS = [
    Notification("failures", "arn:aws:sns:eu-central-1:111111111111:ops"),
    Notification("all", "arn:aws:sqs:eu-central-1:111111111111:q.fifo", on=("Failed", "Stopped", "Succeeded")),
    Notification("hook", "arn:aws:events:eu-central-1:111111111111:api-destination/h/1f", role=ROLE),
]


@pytest.mark.parametrize("schedule", SCHEDULES, ids=lambda schedule: schedule.name)
def test_a_schedule_is_read_as_it_was_written(schedule: Schedule) -> None:
    request = schedule_request("Demo", ARN, schedule)
    for operation in ("CreateSchedule", "UpdateSchedule"):
        assert request_faults("scheduler", operation, request) == []
    live = read_schedule("Demo", request)
    assert live.value == schedule
    assert live.is_as_deployed


def test_a_schedule_request_says_everything() -> None:
    assert schedule_request("Demo", ARN, FULL) == {
        "Name": "Demo.nightly",
        "GroupName": "default",
        "Description": schedule_request("Demo", ARN, FULL)["Description"],
        "ScheduleExpression": "cron(0 3 * * ? *)",
        "ScheduleExpressionTimezone": "Europe/Berlin",
        "State": "DISABLED",
        "FlexibleTimeWindow": {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15},
        "Target": {
            "Arn": ARN,
            "RoleArn": ROLE,
            "SageMakerPipelineParameters": {
                "PipelineParameterList": [
                    {"Name": "Day", "Value": "<aws.scheduler.scheduled-time>"},
                    {"Name": "N", "Value": "3"},
                ]
            },
            "RetryPolicy": {"MaximumRetryAttempts": 0, "MaximumEventAgeInSeconds": 60},
            "DeadLetterConfig": {"Arn": "arn:aws:sqs:eu-central-1:111111111111:lost"},
        },
        "StartDate": datetime(2026, 6, 30, 22, tzinfo=UTC),
        "EndDate": datetime(2026, 11, 30, 23, tzinfo=UTC),
    }


def test_a_schedule_without_parameters_still_names_its_kind_of_target() -> None:
    assert schedule_request("Demo", ARN, SCHEDULES[0])["Target"]["SageMakerPipelineParameters"] == {}


@pytest.mark.parametrize("notification", NOTIFICATIONS, ids=lambda notification: notification.name)
def test_a_notification_is_read_as_it_was_written(notification: Notification) -> None:
    rule, targets = rule_request("Demo", ARN, notification), targets_request("Demo", notification)
    assert request_faults("events", "PutRule", rule) == []
    assert request_faults("events", "PutTargets", targets) == []
    live = read_notification("Demo", rule, targets["Targets"])
    assert live.value == notification
    assert live.is_as_deployed


def test_a_rule_matches_the_pipelines_own_events_whatever_their_case() -> None:
    pattern = json.loads(rule_request("Demo", ARN, NOTIFICATIONS[0])["EventPattern"])
    assert pattern == {
        "source": ["aws.sagemaker"],
        "detail-type": ["SageMaker Model Building Pipeline Execution Status Change"],
        "detail": {
            "pipelineArn": [{"equals-ignore-case": ARN}],
            "currentPipelineExecutionStatus": ["Failed"],
        },
    }


def test_a_fifo_queue_gets_a_group() -> None:
    (target,) = targets_request("Demo", NOTIFICATIONS[1])["Targets"]
    assert target["SqsParameters"] == {"MessageGroupId": "Demo"}


@pytest.mark.parametrize(
    "spoiled",
    [{"EventPattern": "{}"}, {"EventPattern": "no JSON"}, {"State": "DISABLED"}, {"EventPattern": '{"detail": 1}'}],
)
def test_a_rule_with_another_pattern_is_not_ours_any_more(spoiled: dict[str, str]) -> None:
    rule = rule_request("Demo", ARN, NOTIFICATIONS[0]) | spoiled
    live = read_notification("Demo", rule, targets_request("Demo", NOTIFICATIONS[0])["Targets"])
    assert live.value != NOTIFICATIONS[0]
    assert not live.is_as_deployed


def test_a_rule_without_its_target_tells_nobody() -> None:
    assert read_notification("Demo", rule_request("Demo", ARN, NOTIFICATIONS[0]), []).value.to == ""


def test_names_in_aws_begin_with_the_pipelines_and_fit() -> None:
    assert aws_name("demo", "nightly") == "demo.nightly"
    long = "p" * 82
    assert len(aws_name(long, "n" * 32)) == 64
    assert aws_prefix(long) != aws_prefix("p" * 81)
    assert not aws_name("demo-x", "s").startswith(aws_prefix("demo"))
