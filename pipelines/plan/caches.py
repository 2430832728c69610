"""What a new definition does to cached results: two definitions in, the effect on each cached step and why out.

A result is found again when the step's resolved cache key is the same (CONTRACT.md 1.9). The key here is resolved as
far as it can be before an execution: parameters by their defaults, another step's output by its URI. Where that URI is
only known at run time (it carries the execution's id, or names a job), the key changes whenever the other step runs
again; so such steps pass a change on.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.definition import Definition, Step, order
from pipelines.definition.cache_keys import differs
from pipelines.definition.expressions import (
    ExecutionReference,
    ForEachItemReference,
    ParameterReference,
    PropertyFileReference,
    Reference,
    StepReference,
    is_expression,
    parse_expression,
    references,
)
from pipelines.errors import DefinitionError
from pipelines.plan.cache_keys import is_cached, key_attributes
from pipelines.plan.difference import field_changes
from pipelines.plan.fields import Fields, fields_of, ordered
from pipelines.plan.model import CacheEffect, Effect
from pipelines.plan.words import words

_MAX_DEPTH = 20  # outputs whose URIs are other steps' outputs


@dataclass(frozen=True)
class _Key:
    """A cache key as far as it is known, and what it waits for: steps by name, and words that differ each time."""

    fields: Fields
    steps: tuple[str, ...]
    moving: tuple[str, ...]


def cache_effects(old: Definition | None, new: Definition) -> tuple[CacheEffect, ...]:
    """The effect on every cached step of the new definition, in its order; () when there is no old one, or the same."""
    if old is None or old.digest == new.digest:
        return ()
    found: dict[str, CacheEffect] = {}
    for name in _order(new):
        step = new.step(name)
        if is_cached(step):
            found[name] = _effect(step, old, new, found)
    return tuple(found[step.name] for step in new.all_steps() if step.name in found)


def _order(definition: Definition) -> tuple[str, ...]:
    try:
        return order(definition)
    except DefinitionError:  # a cycle, which the service refuses anyway
        return tuple(step.name for step in definition.all_steps())


def _effect(step: Step, old: Definition, new: Definition, known: Mapping[str, CacheEffect]) -> CacheEffect:
    key = _key(step, new)
    if key.moving:
        return CacheEffect(step.name, "never hits", key.moving)
    effects = {name: known[name].effect if name in known else "kept" for name in key.steps}
    fresh = [name for name in key.steps if not is_cached(new.step(name)) or effects[name] == "never hits"]
    if fresh:
        return CacheEffect(step.name, "never hits", tuple(f"it reads {name}, which always runs" for name in fresh))
    before = old.step(step.name) if old.has_step(step.name) else None
    if before is None or not is_cached(before):
        return CacheEffect(step.name, "first run")
    changed = tuple(_why(_key(before, old).fields, key.fields)) if before.type == step.type else ("its type changes",)
    again = tuple(f"it reads {name}, which runs again" for name in key.steps if effects[name] != "kept")
    effect: Effect = "runs again" if changed or again else "kept"
    return CacheEffect(step.name, effect, changed + again)


def _why(old: Fields, new: Fields) -> Iterator[str]:
    for item in field_changes(old, new):
        if item.old is None:
            yield f"{item.field} is new"
        elif item.new is None:
            yield f"{item.field} is gone"
        else:
            yield f"{item.field} changes from {item.old} to {item.new}"


def _key(step: Step, definition: Definition) -> _Key:
    resolved = _resolved(key_attributes(step), definition, 0)
    steps: dict[str, None] = {}
    moving: dict[str, None] = {}
    for reference in references(resolved):
        match reference:
            case StepReference(step=name) | PropertyFileReference(step=name) if definition.has_step(name):
                steps[name] = None
            case ExecutionReference() if differs(reference):
                moving[f"it reads {words({'Get': str(reference)})}, another one in each execution"] = None
    fields = ordered(step.type, fields_of(step.type, resolved))
    return _Key(fields, tuple(steps), tuple(moving))


def _resolved(value: Any, definition: Definition, depth: int) -> Any:
    """The value with its defaults in place of parameters, and URIs that are known in place of outputs."""
    if isinstance(value, list):
        return [_resolved(item, definition, depth) for item in value]
    if not isinstance(value, dict):
        return value
    if "Get" in value and is_expression(value):
        return _reference(value, definition, depth)
    resolved = {key: _resolved(item, definition, depth) for key, item in value.items()}
    return _joined(resolved) if "Std:Join" in value and is_expression(value) else resolved


def _reference(value: dict[str, Any], definition: Definition, depth: int) -> Any:
    reference = parse_expression(value)
    match reference:
        case ParameterReference(name=name):
            parameter = definition.parameter(name)
            return parameter.default if parameter is not None and parameter.has_default else value
        case StepReference(step=name, path=path) if definition.has_step(name) and depth < _MAX_DEPTH:
            found = _at(definition.step(name).arguments, path)
            resolved = _resolved(found, definition, depth + 1) if found is not None else value
            return value if _is_moving(resolved) else resolved
        case _:
            return value


def _is_moving(value: Any) -> bool:
    """Whether something of a value is known only when it runs."""
    kinds: tuple[type[Reference], ...] = (StepReference, PropertyFileReference, ForEachItemReference)
    return any(isinstance(reference, kinds) or differs(reference) for reference in references(value))


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    """The scalar or expression at a path of arguments, lists being looked into by names; None when there is none."""
    for part in path:
        if isinstance(value, dict):
            value = value.get(part)
        elif isinstance(value, list):
            named = (
                item
                for item in value
                if isinstance(item, dict) and part in (item.get("OutputName"), item.get("InputName"))
            )
            value = next(named, None)
        else:
            return None
    return value if isinstance(value, str | int | float) or is_expression(value) else None


def _joined(value: dict[str, Any]) -> Any:
    """A join of known values as the text that it makes."""
    argument = value["Std:Join"]
    values = argument.get("Values") if isinstance(argument, dict) else None
    if isinstance(values, list) and all(isinstance(item, str | int | float) for item in values):
        return str(argument.get("On", "")).join(words(item) for item in values)
    return value
