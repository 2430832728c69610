"""ExecutionState ↔ JSON, for whoever keeps it: `from_json(to_json(state)) == state`. Times are ISO 8601 texts."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pipelines.local.machine.state import Document, ExecutionState, StepState


def to_json(state: ExecutionState) -> dict[str, Any]:
    """A JSON object that holds all of a state."""
    return {
        "status": state.status,
        "failure_reason": state.failure_reason,
        "end": _text(state.end),
        "steps": {name: _step_to_json(step) for name, step in state.steps.items()},
    }


def from_json(value: dict[str, Any]) -> ExecutionState:
    """The state that `to_json` wrote; KeyError for anything else."""
    return ExecutionState(
        status=value["status"],
        steps={name: _step_from_json(step) for name, step in value["steps"].items()},
        failure_reason=value["failure_reason"],
        end=_time(value["end"]),
    )


def _step_to_json(step: StepState) -> dict[str, Any]:
    return {
        "status": step.status,
        "start": _text(step.start),
        "end": _text(step.end),
        "failure_reason": step.failure_reason,
        "metadata": dict(step.metadata),
        "properties": dict(step.properties),
        "attempt": step.attempt,
        "waits_for": step.waits_for,
        "documents": {uri: {"text": found.text, "error": found.error} for uri, found in step.documents.items()},
    }


def _step_from_json(value: dict[str, Any]) -> StepState:
    return StepState(
        status=value["status"],
        start=_time(value["start"]),
        end=_time(value["end"]),
        failure_reason=value["failure_reason"],
        metadata=value["metadata"],
        properties=value["properties"],
        attempt=value["attempt"],
        waits_for=value["waits_for"],
        documents={uri: Document(found["text"], found["error"]) for uri, found in value["documents"].items()},
    )


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
