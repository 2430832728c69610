"""Two definitions in; what is added, changed and removed out, step by step and field by field.

The order is that of the new definition, then of what is left of the old one. Equal definitions give no change; two that
differ in nothing a reader could name (the order of steps, say) give one that says so.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pipelines.definition import Definition, edges
from pipelines.definition.graph import BODY, BRANCH
from pipelines.definition.model import flatten
from pipelines.plan.fields import Fields, Value, parameter_fields, step_fields
from pipelines.plan.model import Change, FieldChange, Symbol
from pipelines.plan.words import words

_HEADS = {"PipelineExperimentConfig": "experiment", "MlflowConfig": "mlflow", "Metadata": "metadata"}


def definition_changes(old: Definition | None, new: Definition) -> tuple[Change, ...]:
    """What the new definition changes of the old one, if there is an old one."""
    if old is not None and old.digest == new.digest:
        return ()
    found = (
        *_items("parameter", _parameters(old), _parameters(new)),
        *_items("step", _steps(old), _steps(new)),
        *_document(old, new),
    )
    if found or old is None:
        return found
    return (Change("~", "definition", "", (FieldChange("order of steps or keys", "another", "this"),)),)


def field_changes(old: Mapping[str, Value], new: Mapping[str, Value]) -> tuple[FieldChange, ...]:
    """Fields that differ; lists of one length are compared entry by entry."""
    found: list[FieldChange] = []
    for field in dict.fromkeys((*new, *old)):
        before, after = old.get(field), new.get(field)
        if before == after:
            continue
        if isinstance(before, tuple) and isinstance(after, tuple) and len(before) == len(after):
            pairs = zip(before, after, strict=True)
            found += [FieldChange(f"{field}[{n}]", a, b) for n, (a, b) in enumerate(pairs) if a != b]
        else:
            found.append(FieldChange(field, _text(before), _text(after)))
    return tuple(found)


def change(kind: str, name: str, old: Mapping[str, Value] | None, new: Mapping[str, Value] | None) -> Iterator[Change]:
    """The change from one to the other: none when they are equal, added or removed where one is missing."""
    symbol: Symbol = "+" if old is None else "-" if new is None else "~"
    fields = field_changes(old or {}, new or {})
    if fields or (old is None) != (new is None):
        yield Change(symbol, kind, name, () if new is None else fields)


def _items(kind: str, old: Mapping[str, Fields], new: Mapping[str, Fields]) -> Iterator[Change]:
    for name in dict.fromkeys((*new, *old)):
        yield from change(kind, name, old.get(name), new.get(name))


def _parameters(definition: Definition | None) -> dict[str, Fields]:
    return {item.name: parameter_fields(item) for item in definition.parameters} if definition else {}


def _steps(definition: Definition | None) -> dict[str, Fields]:
    if definition is None:
        return {}
    waits = _waits(definition)
    return {step.name: step_fields(step, waits[step.name]) for step in definition.all_steps()}


def _waits(definition: Definition) -> dict[str, tuple[str, ...]]:
    """The steps that each step waits for, its condition or loop apart, in the definition's order."""
    position = {step.name: index for index, step in enumerate(flatten(definition.steps))}
    found: dict[str, set[str]] = {name: set() for name in position}
    for edge in edges(definition):
        if edge.kind not in (BRANCH, BODY):
            found[edge.downstream].add(edge.upstream)
    return {name: tuple(sorted(upstream, key=position.__getitem__)) for name, upstream in found.items()}


def _document(old: Definition | None, new: Definition) -> Iterator[Change]:
    """What stands beside parameters and steps."""
    if old is not None:
        yield from change("pipeline", "", _head(old), _head(new))


def _head(definition: Definition) -> Fields:
    return {
        _HEADS.get(key, key): _head_words(definition.document[key])
        for key in sorted(definition.document)
        if key not in ("Parameters", "Steps")
    }


def _head_words(value: Any) -> str:
    return "none" if value is None else words(value)


def _text(value: Value | None) -> str | None:
    return f"[{', '.join(value)}]" if isinstance(value, tuple) else value
