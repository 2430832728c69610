"""Checks of the paths into a step's properties (CONTRACT.md 1.6)."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.checks.finding import Found
from pipelines.checks.properties import NoProperty, Property, follow
from pipelines.checks.subject import Placed, Subject
from pipelines.definition.expressions import IterationOutputReference, StepReference
from pipelines.definition.step_types import FAIL, FOR_EACH


def unknown(subject: Subject) -> Iterator[Found]:
    for placed, reference, followed in _followed(subject):
        match followed:
            case NoProperty(what, fix):
                yield Found(_name(placed), placed.where, f"{reference}: {what}", fix)
            case Property(type="object" | "list" as kind) if not _may_be_list(placed):
                what = f"{reference} is {'a list' if kind == 'list' else 'an object'}; a value must be single"
                yield Found(_name(placed), placed.where, what, "name one of the values inside it")


def positional(subject: Subject) -> Iterator[Found]:
    """The SDK can write it; whether the service reads it is not documented, and its local mode does not."""
    for placed, reference, followed in _followed(subject):
        if isinstance(followed, Property) and followed.positional:
            what = f"{reference} reads by position a list that the service keys by name"
            yield Found(_name(placed), placed.where, what, "write the name in place of the position, as in ['name']")


def _followed(subject: Subject) -> Iterator[tuple[Placed, StepReference, Property | NoProperty]]:
    for placed in subject.placed:
        for reference in placed.references:
            match reference:
                case StepReference(step=name, path=path):
                    pass
                case IterationOutputReference(step=name, path=path):
                    reference = StepReference(name, path, str(reference))
                case _:
                    continue
            step = subject.definition.step(name) if subject.definition.has_step(name) else None
            if step is not None and step.type != FAIL:
                yield placed, reference, follow(subject, step, path)


def _may_be_list(placed: Placed) -> bool:
    """IterableItems takes what a JSON list can be read from."""
    return placed.step is not None and placed.step.type == FOR_EACH and placed.where.endswith(".IterableItems")


def _name(placed: Placed) -> str | None:
    return placed.step.name if placed.step else None
