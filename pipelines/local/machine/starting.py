"""How a step starts: a draft and a step's name in; the draft changed, with what the start asks for.

A Condition and a Fail step happen here and now, a ForEach opens its loop, every other step is launched, unless the
cache has its result. A start may stop halfway, for a document or for the cache's answer; `go_on` then begins it anew.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from pipelines.definition import step_types
from pipelines.definition.model import Step
from pipelines.errors import DefinitionError
from pipelines.local.machine.cache import cache_key, cacheable, is_hit, key_digest, why_missed, window
from pipelines.local.machine.conditions import ConditionError, evaluate_all
from pipelines.local.machine.draft import Draft
from pipelines.local.machine.events import CacheAnswered, Launch, LookUpCache, ReadDocument
from pipelines.local.machine.loops import LoopError, parse_items
from pipelines.local.machine.names import job_name
from pipelines.local.machine.resolve import (
    DocumentNeededError,
    ResolutionError,
    Scope,
    resolve,
    resolve_scalar,
    to_text,
)
from pipelines.local.machine.state import EXECUTING, FAILED, STARTING, SUCCEEDED

# Every other key of a step belongs to its type.
_ENVELOPE: Final = frozenset(
    {
        *("Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description"),
        *("CacheConfig", "RetryPolicies", "PropertyFiles"),
    }
)


def start(draft: Draft, name: str) -> None:
    """Start a step that is ready."""
    draft.update(name, status=STARTING, start=draft.at)
    go_on(draft, name)


def start_again(draft: Draft, name: str) -> None:
    """Start the next attempt of a step that waited for its retry."""
    draft.update(
        name,
        status=STARTING,
        attempt=draft.steps[name].attempt + 1,
        wait_until=None,
        failure_reason=None,
        cache_key=None,
    )
    go_on(draft, name)


def go_on(draft: Draft, name: str, answer: CacheAnswered | None = None) -> None:
    """Carry a Starting step on as far as it goes with what is known, the cache's answer included."""
    state = draft.steps[name]
    scope = Scope(
        flow=draft.flow,
        context=draft.context,
        steps=draft.steps,
        consumer=name,
        now=draft.at,
        attempt=state.attempt,
        documents=state.documents,
        iteration=state.iteration,
    )
    try:
        _execute(draft, scope, answer)
    except DocumentNeededError as needed:
        draft.update(name, waits_for=needed.uri)
        draft.ask(ReadDocument(name, needed.uri))
    except (ResolutionError, ConditionError, LoopError, DefinitionError) as error:
        draft.end(name, FAILED, failure_reason=str(error))


def _execute(draft: Draft, scope: Scope, answer: CacheAnswered | None) -> None:
    name = scope.consumer
    step = draft.flow.step(name)
    match step.type:
        case step_types.CONDITION:
            outcome = evaluate_all(step.arguments.get("Conditions", []), lambda value: resolve_scalar(value, scope))
            metadata = {step_types.CONDITION: {"Outcome": str(outcome)}}
            draft.end(name, SUCCEEDED, properties={"Outcome": outcome}, metadata=metadata)
        case step_types.FAIL:
            message = to_text(resolve_scalar(step.arguments.get("ErrorMessage", ""), scope))
            metadata = {step_types.FAIL: {"ErrorMessage": message}}
            draft.end(name, FAILED, failure_reason=message or None, metadata=metadata)
        case step_types.FOR_EACH:
            draft.open_loop(name, _items(step, scope))
        case _:
            _run(draft, scope, _resolved(step, scope), answer)


def _items(step: Step, scope: Scope) -> tuple[Any, ...]:
    given = step.arguments["IterableItems"]
    if isinstance(given, list):
        return tuple(resolve_scalar(item, scope) for item in given)
    return parse_items(resolve_scalar(given, scope))


@dataclass(frozen=True)
class _Request:
    """All that a launch passes on, resolved, and what of it counts for the cache (None: the step is not cached)."""

    step: Step
    arguments: dict[str, Any]
    settings: dict[str, Any]
    key: dict[str, Any] | None


def _resolved(step: Step, scope: Scope) -> _Request:
    arguments = resolve(step.arguments, scope)
    settings = resolve({key: value for key, value in step.raw.items() if key not in _ENVELOPE}, scope)
    cached = scope.flow.caching and cacheable(step.type)
    return _Request(step, arguments, settings, cache_key(step.type, arguments, settings) if cached else None)


def _run(draft: Draft, scope: Scope, request: _Request, answer: CacheAnswered | None) -> None:
    """Take the result from the cache, ask the cache, or launch the job."""
    name, key = scope.consumer, request.key
    age = window(request.step.cache)
    if key is not None and age is not None and answer is not None:
        if _settled(draft, name, request.step, key, age, answer):
            return
    elif key is not None and age is not None and draft.steps[name].cache_miss is None:
        draft.update(name, waits_for=None, looks_up=True)
        draft.ask(LookUpCache(name, draft.context.pipeline_name, key_digest(key), _before(draft.at, age)))
        return
    _launch(draft, name, request)


def _settled(
    draft: Draft, name: str, step: Step, key: Mapping[str, Any], age: timedelta, answer: CacheAnswered
) -> bool:
    """Whether the answer is a hit, which ends the step; a miss is explained and the step goes on."""
    hit = answer.hit
    same = hit is not None and (hit.pipeline, hit.step) == (draft.context.pipeline_name, name)
    if hit is not None and same and is_hit(hit, key_digest(key), _before(draft.at, age)):
        draft.end(name, SUCCEEDED, properties=hit.properties, metadata=hit.metadata, cache_hit=hit.execution_arn)
        return True
    why = answer.unusable or why_missed(step.cache, step.type, key, answer.nearest or hit, draft.at)
    draft.update(name, looks_up=False, cache_miss=why)
    return False


def _launch(draft: Draft, name: str, request: _Request) -> None:
    state = draft.steps[name]
    draft.update(name, status=EXECUTING, waits_for=None, documents={}, looks_up=False, cache_key=request.key)
    launch = Launch(
        step=name,
        type=request.step.type,
        arguments=request.arguments,
        job_name=job_name(draft.context.execution_id, name, state.attempt),
        settings=request.settings,
        attempt=state.attempt,
        iteration=state.iteration,
    )
    draft.ask(launch)


def _before(at: datetime, age: timedelta) -> datetime:
    try:
        return at - age
    except OverflowError:
        return datetime.min.replace(tzinfo=UTC)
