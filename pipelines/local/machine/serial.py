"""ExecutionState ↔ JSON, for whoever keeps it: `from_json(to_json(state)) == state`. Times are ISO 8601 texts.

Who keeps an execution's steps one by one writes `head_to_json` and, for the steps a transition names as changed,
`step_to_json`; `from_json({**head, "steps": {name: step, …}})` reads them. What older versions wrote is still read:
a field that is absent has its default.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

from pipelines.local.machine.state import Document, ExecutionState, Iteration, Retry, StepState


def to_json(state: ExecutionState) -> dict[str, Any]:
    """A JSON object that holds all of a state."""
    return {**head_to_json(state), "steps": {name: step_to_json(step) for name, step in state.steps.items()}}


def head_to_json(state: ExecutionState) -> dict[str, Any]:
    """A state without its steps."""
    return {"status": state.status, "failure_reason": state.failure_reason, "end": _text(state.end)}


def from_json(value: dict[str, Any]) -> ExecutionState:
    """The state that `to_json` wrote; KeyError for anything else."""
    return ExecutionState(
        status=value["status"],
        steps={name: step_from_json(step) for name, step in value["steps"].items()},
        failure_reason=value["failure_reason"],
        end=_time(value["end"]),
    )


def step_to_json(step: StepState) -> dict[str, Any]:
    """A JSON object that holds all of a step's state."""
    common = {
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
    return common | {key: value for key, value in _seldom(step).items() if value}


def _seldom(step: StepState) -> dict[str, Any]:
    """What most steps have not: written only where it says something."""
    iteration = step.iteration
    return {
        "retries": [{"policy": item.policy, "count": item.count, "since": _text(item.since)} for item in step.retries],
        "wait_until": _text(step.wait_until),
        "looks_up": step.looks_up,
        "cache_key": None if step.cache_key is None else {"key": dict(step.cache_key)},
        "cache_hit": step.cache_hit,
        "cache_miss": step.cache_miss,
        "selective_source": step.selective_source,
        "iteration": iteration and [iteration.parent, iteration.body, iteration.index, iteration.item],
        "items": None if step.items is None else {"list": list(step.items)},
    }


def step_from_json(value: dict[str, Any]) -> StepState:
    """The state that `step_to_json` wrote."""
    key, items, iteration = value.get("cache_key"), value.get("items"), value.get("iteration")
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
        retries=tuple(_retry(item) for item in value.get("retries", ())),
        wait_until=_time(value.get("wait_until")),
        looks_up=value.get("looks_up", False),
        cache_key=None if key is None else key["key"],
        cache_hit=value.get("cache_hit"),
        cache_miss=value.get("cache_miss"),
        selective_source=value.get("selective_source"),
        iteration=None if iteration is None else Iteration(*iteration),
        items=None if items is None else tuple(items["list"]),
    )


def _retry(value: dict[str, Any]) -> Retry:
    return Retry(value["policy"], value["count"], datetime.fromisoformat(value["since"]))


def _text(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat()


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)
