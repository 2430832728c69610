"""When a schedule of EventBridge Scheduler fires, and what it then asks for. Pure.

In: GetSchedule's answer and times. Out: when it is due, the request of its target with the context attributes filled
in, when a failed one is tried again, and the letter to the dead-letter queue.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipelines.local.call import CallError
from pipelines.schedule import Expression, Span, next_times, parse, times
from pipelines.schedule.record import MAX_AGE_SECONDS, MAX_ATTEMPTS

Json = dict[str, Any]

UNIVERSAL: Final = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
LATE: Final = timedelta(minutes=1)  # what is later was missed: the machine slept
_LONGEST_PAUSE: Final = 300  # seconds between two tries
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"
# Errors of the request itself: the next try would end the same way.
_FINAL: Final = frozenset(
    {"ValidationException", "ResourceNotFound", "UnknownOperationException", "SerializationException", "NotFound"}
)


@dataclass(frozen=True)
class LocalSchedule:
    """A schedule as it is kept; it fires at the beginning of a flexible window."""

    name: str
    group: str
    arn: str
    expression: Expression
    timezone: str
    span: Span
    changed: datetime
    target: Json
    delete_after: bool

    def due(self, after: datetime, until: datetime) -> Iterator[datetime]:
        """The times after `after` up to `until` at which it fires; none from before its last change."""
        since = max(after, self.changed - timedelta.resolution)
        for time in times(self.expression, self.timezone, since, self.span):
            if time > until:
                return
            yield time.astimezone(UTC)

    def next(self, after: datetime) -> datetime | None:
        """The next time after `after`."""
        found = next_times(self.expression, self.timezone, after, 1, self.span)
        return found[0].astimezone(UTC) if found else None


@dataclass(frozen=True)
class Firing:
    """One time of a schedule: the try that is due at `due`; `attempt` counts those before it."""

    schedule: LocalSchedule
    time: datetime
    due: datetime
    id: str
    attempt: int = 0

    def filled_in(self, text: str) -> str:
        """A text with the scheduler's context attributes."""
        for name, value in (
            ("schedule-arn", self.schedule.arn),
            ("scheduled-time", self.time.strftime(_TIME)),
            ("execution-id", self.id),
            ("attempt-number", str(self.attempt + 1)),
        ):
            text = text.replace(f"<aws.scheduler.{name}>", value)
        return text

    def request(self) -> Json:
        """StartPipelineExecution's request. Raises `CallError` for another target, or an Input that is no request."""
        target = self.schedule.target
        if target["Arn"] == UNIVERSAL:
            return self._universal(self.filled_in(target.get("Input") or "{}"))
        if ":sagemaker:" not in target["Arn"] or ":pipeline/" not in target["Arn"]:
            raise CallError("UnknownOperationException", f"not executed locally: target {target['Arn']}")
        listed = (target.get("SageMakerPipelineParameters") or {}).get("PipelineParameterList") or []
        parameters = [{"Name": item["Name"], "Value": self.filled_in(item["Value"])} for item in listed]
        return {"PipelineName": target["Arn"], "PipelineParameters": parameters}

    def _universal(self, text: str) -> Json:
        try:
            request = json.loads(text)
        except ValueError as error:
            raise CallError("ValidationException", f"Input is not JSON: {error}") from error
        if not isinstance(request, dict):
            raise CallError("ValidationException", "Input is not a JSON object")
        return request

    def again(self, error: CallError, now: datetime) -> Firing | str:
        """The next try, or which condition of the retry policy is exhausted (empty: the error is final)."""
        policy = self.schedule.target.get("RetryPolicy") or {}
        due = now + timedelta(seconds=min(2**self.attempt, _LONGEST_PAUSE))
        if error.kind in _FINAL:
            return ""
        if self.attempt >= policy.get("MaximumRetryAttempts", MAX_ATTEMPTS):
            return "MaximumRetryAttempts"
        if due - self.time > timedelta(seconds=policy.get("MaximumEventAgeInSeconds", MAX_AGE_SECONDS)):
            return "MaximumEventAgeInSeconds"
        return replace(self, due=due, attempt=self.attempt + 1)

    def letter(self, error: CallError, exhausted: str) -> tuple[str, dict[str, str]]:
        """What the dead-letter queue gets: a body and attributes, as the service's guide names them."""
        attributes = {
            "ERROR_CODE": error.kind,
            "ERROR_MESSAGE": error.message,
            "EXECUTION_ID": self.id,
            "EXHAUSTED_RETRY_CONDITION": exhausted,
            "IS_PAYLOAD_TRUNCATED": "false",
            "RETRY_ATTEMPTS": str(self.attempt),
            "SCHEDULED_TIME": self.time.strftime(_TIME),
            "SCHEDULE_ARN": self.schedule.arn,
            "TARGET_ARN": self.schedule.target["Arn"],
        }
        body = self.filled_in(self.schedule.target.get("Input") or "{}")
        return body, {name: value for name, value in attributes.items() if value}


def read_schedule(answer: Json) -> LocalSchedule | None:
    """GetSchedule's answer (times as seconds since 1970); None when it is disabled. Raises `ScheduleError`."""
    if (answer.get("State") or "ENABLED") != "ENABLED":
        return None
    start, end = _time(answer.get("StartDate")), _time(answer.get("EndDate"))
    created, changed = _time(answer["CreationDate"]), _time(answer["LastModificationDate"])
    schedule = LocalSchedule(
        name=answer["Name"],
        group=answer["GroupName"],
        arn=answer["Arn"],
        expression=parse(answer["ScheduleExpression"]),
        timezone=answer.get("ScheduleExpressionTimezone") or "UTC",
        span=Span(start, end, created),
        changed=changed or created or datetime.fromtimestamp(0, UTC),
        target=answer["Target"],
        delete_after=answer.get("ActionAfterCompletion") == "DELETE",
    )
    schedule.next(schedule.changed)  # an unknown timezone is said now
    return schedule


def _time(value: Any) -> datetime | None:
    """A time as clients send it: a number of seconds, or a text."""
    if value is None:
        return None
    if isinstance(value, int | float):
        return datetime.fromtimestamp(value, UTC)
    found = datetime.fromisoformat(str(value))
    return found if found.tzinfo else found.replace(tzinfo=UTC)
