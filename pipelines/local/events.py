"""What EventBridge is told of: a status that changed, and the event that AWS makes of it. Pure.

In: what an execution or a job was and is. Out: the events of source `aws.sagemaker` in the documented shape
(CONTRACT.md 1.12; AWS's guide, "Events that Amazon SageMaker AI sends to Amazon EventBridge"). `Event.message` is the
JSON that a target receives.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from pipelines.local.machine.state import EXECUTING, ExecutionState, StepState

Json = dict[str, Any]

SOURCE: Final = "aws.sagemaker"
EXECUTION_CHANGE: Final = "SageMaker Model Building Pipeline Execution Status Change"
STEP_CHANGE: Final = "SageMaker Model Building Pipeline Execution Step Status Change"
_DETAILS: Final = ("PipelineExecutionDisplayName", "PipelineExecutionDescription")
_REASON: Final = 1024  # characters of a failure's reason
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class StatusChange:
    """One change of an execution: `record` is what is kept of it, `changed` names steps that may have changed.

    `before` is None when it has just begun; `step_type` gives the type of a step by its name.
    """

    record: Json
    step_type: Callable[[str], str]
    before: ExecutionState | None
    after: ExecutionState
    changed: tuple[str, ...]
    at: datetime


Observer = Callable[[StatusChange], None]


def unobserved(_change: StatusChange) -> None:
    """Nobody is told."""


@dataclass(frozen=True)
class Event:
    """One event of SageMaker's."""

    type: str
    resources: tuple[str, ...]
    detail: Json
    at: datetime

    def message(self, event_id: str, account: str, region: str) -> Json:
        """The whole event, as a target receives it."""
        return {
            "version": "0",
            "id": event_id,
            "detail-type": self.type,
            "source": SOURCE,
            "account": account,
            "time": _text(self.at),
            "region": region,
            "resources": list(self.resources),
            "detail": self.detail,
        }


def events_of(change: StatusChange) -> Iterator[Event]:
    """The events of a change: that it has begun, what became of its steps, what became of it."""
    before = change.before.status if change.before else EXECUTING
    if change.before is None:
        yield _execution_event(change, None, ExecutionState())
    yield from filter(None, (_step_event(change, name) for name in change.changed))
    if before != change.after.status:
        yield _execution_event(change, before, change.after)


def job_event(kind: str, record: Json, at: datetime) -> Event:
    """The state of a job has changed; `record` is its Describe response, with times as seconds since 1970."""
    detail = {key: _milliseconds(key, value) for key, value in record.items()}
    words = kind.replace("ParameterTuning", "Parameter Tuning")
    return Event(f"SageMaker {words} Job State Change", (record[f"{kind}JobArn"],), detail, at)


def _execution_event(change: StatusChange, before: str | None, after: ExecutionState) -> Event:
    record = change.record
    given = {name[0].lower() + name[1:]: record["details"].get(name) for name in _DETAILS}
    detail = {
        **given,
        "currentPipelineExecutionStatus": after.status,
        "previousPipelineExecutionStatus": before,
        "executionStartTime": _text(datetime.fromtimestamp(record["start_time"], UTC)),
        "executionEndTime": after.end and _text(after.end),
        "failureReason": after.failure_reason and after.failure_reason[:_REASON],
        **_arns(record),
    }
    return _event(EXECUTION_CHANGE, change, detail)


def _step_event(change: StatusChange, name: str) -> Event | None:
    """The event of a step, or None when its status is what it was, or one that AWS does not have."""
    step, before = change.after.steps[name], change.before and change.before.steps.get(name)
    previous = before.status if before and before.listed else None
    if not step.listed or step.status == previous:
        return None
    detail = {
        "metadata": {key[0].lower() + key[1:]: _lower_camel(value) for key, value in step.metadata.items()},
        "stepStartTime": step.start and _text(step.start),
        "stepEndTime": step.end and _text(step.end),
        "stepName": name,
        "stepType": change.step_type(name),
        "previousStepStatus": previous,
        "currentStepStatus": step.status,
        "failureReason": step.failure_reason and step.failure_reason[:_REASON],
        "cacheHitResult": _cache_hit(step),
        **_arns(change.record),
    }
    return _event(STEP_CHANGE, change, detail)


def _event(kind: str, change: StatusChange, detail: Json) -> Event:
    resources = tuple(_arns(change.record).values())
    return Event(kind, resources, {key: value for key, value in detail.items() if value is not None}, change.at)


def _arns(record: Json) -> dict[str, str]:
    return {"pipelineArn": record["pipeline_arn"], "pipelineExecutionArn": record["arn"]}


def _cache_hit(step: StepState) -> Json | None:
    return {"sourcePipelineExecutionArn": step.cache_hit} if step.cache_hit else None


def _lower_camel(value: Any) -> Any:
    if isinstance(value, dict):
        return {key[0].lower() + key[1:]: _lower_camel(item) for key, item in value.items()}
    return value


def _milliseconds(key: str, value: Any) -> Any:
    return round(value * 1000) if key.endswith("Time") and isinstance(value, int | float) else value


def _text(moment: datetime) -> str:
    return moment.astimezone(UTC).strftime(_TIME)
