"""Checks of ForEach steps (CONTRACT.md 1.8)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pipelines.checks.arguments import dig
from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject, inside
from pipelines.definition import Step
from pipelines.definition.expressions import (
    IterationOutputReference,
    Literal,
    StepReference,
    is_expression,
    parse_expression,
)
from pipelines.definition.step_types import CONDITION, FAIL, FOR_EACH

MAX_ITEMS: Final = 100
MAX_CONCURRENCY: Final = 50
_PICKS: Final = ("MaxBy", "MinBy")
_INDEXED: Final = re.compile(r"(.+)-[0-9]+")


def forms(subject: Subject) -> Iterator[Found]:
    for step in _loops(subject):
        concurrency = step.arguments.get("MaxConcurrency")
        if not isinstance(concurrency, int) or isinstance(concurrency, bool) or not 1 <= concurrency <= MAX_CONCURRENCY:
            what = f"MaxConcurrency must be a whole number from 1 to {MAX_CONCURRENCY}"
            yield Found(step.name, f"{inside(step)}.MaxConcurrency", what, 'write "MaxConcurrency": 10')
        if not step.body:
            what = f'"{step.name}" has no step in its ForEachBody'
            yield Found(step.name, f"{inside(step)}.ForEachBody", what, "put at least one step there")
        yield from _items(step)
        yield from _selector(step)


def _items(step: Step) -> Iterator[Found]:
    value = step.arguments.get("IterableItems")
    where = f"{inside(step)}.IterableItems"
    fix = f"write an expression that gives a JSON list, or a list of 1 to {MAX_ITEMS} values"
    if isinstance(value, list):
        if not 1 <= len(value) <= MAX_ITEMS:
            yield Found(step.name, where, f"IterableItems has {len(value)} items; 1 to {MAX_ITEMS} are allowed", fix)
        for index, item in enumerate(value):
            if item is None or (isinstance(item, (dict, list)) and not is_expression(item)):
                what = "an item must be a single value or an expression"
                yield Found(step.name, f"{where}[{index}]", what, "write the item as JSON text")
    elif not is_expression(value):
        yield Found(step.name, where, "IterableItems must be a list or an expression", fix)


def _selector(step: Step) -> Iterator[Found]:
    selector = step.arguments.get("Selector")
    if selector is None:
        return
    where = f"{inside(step)}.Selector"
    if dig(selector, "Pick") not in _PICKS:
        yield Found(step.name, f"{where}.Pick", "Pick must be MaxBy or MinBy", 'write "MaxBy" or "MinBy"')
    field = dig(selector, "Field")
    expression = parse_expression(field) if is_expression(field) else Literal(None)
    names = [child.name for child in step.body]
    if not isinstance(expression, IterationOutputReference) or expression.step not in names or not expression.path:
        fix = f'write {{"Get": "IterationOutput.{names[0] if names else "StepName"}.Property"}}'
        what = "Field must be a property of a step of the body, by IterationOutput"
        yield Found(step.name, f"{where}.Field", what, fix)


def bodies(subject: Subject) -> Iterator[Found]:
    for step in _loops(subject):
        for child in step.body:
            if child.type in {CONDITION, FAIL, FOR_EACH}:
                what = f'a {child.type} step may not stand in a ForEachBody: "{child.name}"'
                yield Found(child.name, child.where, what, f'move "{child.name}" out of the loop')


def names(subject: Subject) -> Iterator[Found]:
    """The children of a loop are named <body step>-<position>."""
    in_loops = {child.name: step.name for step in _loops(subject) for child in step.body}
    for step in subject.steps:
        match = _INDEXED.fullmatch(step.name)
        if match is not None and match[1] in in_loops and step.name not in in_loops:
            what = f'"{step.name}" is also the name of a run of "{match[1]}" in the loop "{in_loops[match[1]]}"'
            yield Found(step.name, f"{step.where}.Name", what, "rename one of the two steps")


def outside_reads(subject: Subject) -> Iterator[Found]:
    """Outside its loop, a step of the body exists once per item and is read through the loop."""
    for placed in subject.placed:
        for reference in placed.references:
            if not isinstance(reference, StepReference) or not subject.definition.has_step(reference.step):
                continue
            loop = subject.loop_of(subject.definition.step(reference.step))
            reader = placed.step
            if loop is not None and (reader is None or subject.loop_of(reader) != loop) and reader is not loop:
                what = f'{reference} reads a step of the loop "{loop.name}" from outside: which run is meant?'
                fix = f'write "Steps.{loop.name}.IterationOutputs[0].{str(reference).removeprefix("Steps.")}"'
                yield Found(reader.name if reader else None, placed.where, what, fix)


def _loops(subject: Subject) -> Iterator[Step]:
    return (step for step in subject.steps if step.type == FOR_EACH)
