"""Schedules and notifications ↔ what AWS takes and gives: pure builders of requests and readers of responses.

`schedule_request` is CreateSchedule's and UpdateSchedule's (EventBridge Scheduler), `rule_request` and
`targets_request` PutRule's and PutTargets' (EventBridge). Reading what was written gives the same value again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from pipelines.plan.live import LiveNotification, LiveSchedule
from pipelines.plan.marks import notification_description, schedule_description
from pipelines.schedule import Schedule, aws_name, aws_prefix, read_time, write_time
from pipelines.schedule.record import MAX_AGE_SECONDS, MAX_ATTEMPTS
from pipelines.spec import Notification

GROUP: Final = "default"
EVENT: Final = "SageMaker Model Building Pipeline Execution Status Change"
_TARGET: Final = "receiver"

Json = dict[str, Any]


def schedule_request(pipeline: str, arn: str, schedule: Schedule) -> Json:
    """A whole schedule: UpdateSchedule takes what is left out back to its default (CONTRACT.md 4.1)."""
    listed = [{"Name": name, "Value": value} for name, value in sorted(schedule.parameters.items())]
    target: Json = {
        "Arn": arn,
        "RoleArn": schedule.role,
        # The target is recognised by this key: it must be there even when it is empty.
        "SageMakerPipelineParameters": {"PipelineParameterList": listed} if listed else {},
        "RetryPolicy": {
            "MaximumRetryAttempts": schedule.attempts,
            "MaximumEventAgeInSeconds": schedule.max_age_seconds,
        },
    }
    if schedule.dead_letter_queue:
        target["DeadLetterConfig"] = {"Arn": schedule.dead_letter_queue}
    window: Json = {"Mode": "OFF"}
    if schedule.window_minutes:
        window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": schedule.window_minutes}
    times = {"StartDate": read_time(schedule.start), "EndDate": read_time(schedule.end)}
    return {
        "Name": aws_name(pipeline, schedule.name),
        "GroupName": GROUP,
        "Description": schedule_description(pipeline, schedule),
        "ScheduleExpression": schedule.expression,
        "ScheduleExpressionTimezone": schedule.timezone,
        "State": "ENABLED" if schedule.enabled else "DISABLED",
        "FlexibleTimeWindow": window,
        "Target": target,
        **{key: value for key, value in times.items() if value is not None},
    }


def read_schedule(pipeline: str, response: Mapping[str, Any]) -> LiveSchedule:
    """GetSchedule's answer."""
    target, window = response["Target"], response["FlexibleTimeWindow"]
    retry = target.get("RetryPolicy") or {}
    listed = (target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
    value = Schedule(
        name=response["Name"].removeprefix(aws_prefix(pipeline)),
        expression=response["ScheduleExpression"],
        role=target["RoleArn"],
        timezone=response.get("ScheduleExpressionTimezone") or "UTC",
        window_minutes=window.get("MaximumWindowInMinutes", 0) if window["Mode"] == "FLEXIBLE" else 0,
        parameters={item["Name"]: item["Value"] for item in listed},
        dead_letter_queue=(target.get("DeadLetterConfig") or {}).get("Arn", ""),
        attempts=retry.get("MaximumRetryAttempts", MAX_ATTEMPTS),
        max_age_seconds=retry.get("MaximumEventAgeInSeconds", MAX_AGE_SECONDS),
        start=_time(response.get("StartDate")),
        end=_time(response.get("EndDate")),
        enabled=response.get("State", "ENABLED") == "ENABLED",
    )
    return LiveSchedule(value, response.get("Description") or "")


def _time(value: datetime | None) -> str:
    return write_time(value) if value else ""


def rule_request(pipeline: str, arn: str, notification: Notification) -> Json:
    """The rule; ARNs in events differ from those of the API in case (CONTRACT.md section 4)."""
    detail = {
        "pipelineArn": [{"equals-ignore-case": arn}],
        "currentPipelineExecutionStatus": list(notification.on),
    }
    pattern = {"source": ["aws.sagemaker"], "detail-type": [EVENT], "detail": detail}
    return {
        "Name": aws_name(pipeline, notification.name),
        "Description": notification_description(pipeline, notification),
        "EventPattern": json.dumps(pattern),
        "State": "ENABLED",
    }


def targets_request(pipeline: str, notification: Notification) -> Json:
    """The rule's one target."""
    target: Json = {"Id": _TARGET, "Arn": notification.to}
    if notification.role:
        target["RoleArn"] = notification.role
    if notification.to.endswith(".fifo"):
        target["SqsParameters"] = {"MessageGroupId": pipeline}
    return {"Rule": aws_name(pipeline, notification.name), "Targets": [target]}


def read_notification(pipeline: str, rule: Mapping[str, Any], targets: Sequence[Mapping[str, Any]]) -> LiveNotification:
    """DescribeRule's (or an entry of ListRules') and ListTargetsByRule's answers; a rule without a target tells nobody.

    A rule that someone switched off, or gave another pattern, reads as one that tells of nothing.
    """
    target: Mapping[str, Any] = targets[0] if len(targets) == 1 else {}
    value = Notification(
        name=rule["Name"].removeprefix(aws_prefix(pipeline)),
        to=target.get("Arn", ""),
        on=_states(rule) if rule.get("State", "ENABLED") == "ENABLED" else (),
        role=target.get("RoleArn", ""),
    )
    return LiveNotification(value, rule.get("Description") or "")


def _states(rule: Mapping[str, Any]) -> tuple[str, ...]:
    try:
        pattern = json.loads(rule.get("EventPattern") or "{}")
        states = pattern["detail"]["currentPipelineExecutionStatus"]
    except (ValueError, KeyError, TypeError):
        return ()
    return tuple(states) if pattern.get("detail-type") == [EVENT] and isinstance(states, list) else ()
