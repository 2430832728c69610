"""The rules of ForEach (CONTRACT.md 1.8): a definition in; what it breaks, and the edges that a loop adds, out.

A loop waits for everything outside it that its body steps wait for, before it looks at its items: were a child to wait
for a step that waits for the loop, neither would ever end.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from pipelines.definition.expressions import (
    IterationOutputReference,
    Literal,
    is_expression,
    parse_expression,
)
from pipelines.definition.graph import DEPENDS_ON, Edge, edges
from pipelines.definition.model import Definition, Step
from pipelines.definition.step_types import CONDITION, FAIL, FOR_EACH, FOR_EACH_BODY
from pipelines.errors import Problem

MAX_ITEMS: Final = 100
MAX_CONCURRENCY: Final = 50
PICKS: Final = ("MaxBy", "MinBy")
_REFUSED: Final = frozenset({CONDITION, FAIL, FOR_EACH})
_INDEXED: Final = re.compile(r"(.+)-[0-9]+")

Broken = tuple[Step, Problem]


def loop_of(step: Step) -> str | None:
    """The ForEach whose body a step stands in."""
    return step.parent.step if step.parent is not None and step.parent.branch == FOR_EACH_BODY else None


def hoisted(definition: Definition) -> Iterator[Edge]:
    """Edges into the loops: what their body steps wait for outside."""
    for edge in edges(definition):
        loop = loop_of(definition.step(edge.downstream))
        if loop is not None and edge.upstream != loop and loop_of(definition.step(edge.upstream)) != loop:
            yield replace(edge, downstream=loop)


def forms(definition: Definition) -> Iterator[Broken]:
    """What each ForEach must say: its items, how many at once, its body, and a Selector that fits."""
    for step in _loops(definition):
        for problem in (*_concurrency(step), *_body(step), *_items(step), *_selector(step)):
            yield step, problem


def bodies(definition: Definition) -> Iterator[Broken]:
    """Steps that may not stand in a body."""
    for step in _loops(definition):
        for child in step.body:
            if child.type in _REFUSED:
                what = f'a {child.type} step may not stand in a ForEachBody: "{child.name}"'
                yield child, Problem(child.where, what, f'move "{child.name}" out of the loop')


def names(definition: Definition) -> Iterator[Broken]:
    """The children of a loop are named <body step>-<position>."""
    in_loops = {child.name: step.name for step in _loops(definition) for child in step.body}
    for step in definition.all_steps():
        match = _INDEXED.fullmatch(step.name)
        if match is not None and match[1] in in_loops:
            what = f'"{step.name}" is also the name of a run of "{match[1]}" in the loop "{in_loops[match[1]]}"'
            yield step, Problem(f"{step.where}.Name", what, "rename one of the two steps")


def waits(definition: Definition) -> Iterator[tuple[Edge, Problem]]:
    """Only a loop's outputs have names outside it: nothing there waits for a step of its body, and none of these for
    the loop that it stands in.
    """
    for edge in edges(definition):
        upstream, downstream = definition.step(edge.upstream), definition.step(edge.downstream)
        loop = loop_of(upstream)
        if loop is not None and loop_of(downstream) != loop:
            what = f'"{downstream.name}" waits for "{upstream.name}", a step of the loop "{loop}": for which run of it?'
            fix = f'make it wait for "{loop}", and read Steps.{loop}.IterationOutputs[0].{upstream.name}'
            yield edge, Problem(_place(downstream, edge), what, fix)
        elif loop_of(downstream) == upstream.name and edge.kind != "body":
            what = f'"{downstream.name}" waits for "{upstream.name}", the loop that it stands in'
            yield edge, Problem(_place(downstream, edge), what, "remove the dependency or the reference")


def _place(step: Step, edge: Edge) -> str:
    if edge.kind == DEPENDS_ON:
        for index, dependency in enumerate(step.depends_on):
            if dependency.step == edge.upstream:
                return f"{step.where}.DependsOn[{index}]"
    return step.where


def _loops(definition: Definition) -> Iterator[Step]:
    return (step for step in definition.all_steps() if step.type == FOR_EACH)


def _inside(step: Step, key: str) -> str:
    return f"{step.where}.Arguments.{key}"


def _concurrency(step: Step) -> Iterator[Problem]:
    limit = step.arguments.get("MaxConcurrency")
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_CONCURRENCY:
        what = f"MaxConcurrency must be a whole number from 1 to {MAX_CONCURRENCY}"
        yield Problem(_inside(step, "MaxConcurrency"), what, 'write "MaxConcurrency": 10')


def _body(step: Step) -> Iterator[Problem]:
    if not step.body:
        what = f'"{step.name}" has no step in its ForEachBody'
        yield Problem(_inside(step, "ForEachBody"), what, "put at least one step there")


def _items(step: Step) -> Iterator[Problem]:
    value = step.arguments.get("IterableItems")
    where = _inside(step, "IterableItems")
    fix = f"write an expression that gives a JSON list, or a list of 1 to {MAX_ITEMS} values"
    if isinstance(value, list):
        if not 1 <= len(value) <= MAX_ITEMS:
            yield Problem(where, f"IterableItems has {len(value)} items; 1 to {MAX_ITEMS} are allowed", fix)
        for index, item in enumerate(value):
            if item is None or (isinstance(item, (dict, list)) and not is_expression(item)):
                what = "an item must be a single value or an expression"
                yield Problem(f"{where}[{index}]", what, "write the item as JSON text")
    elif not is_expression(value):
        yield Problem(where, "IterableItems must be a list or an expression", fix)


def _selector(step: Step) -> Iterator[Problem]:
    selector = step.arguments.get("Selector")
    if selector is None:
        return
    selector = selector if isinstance(selector, dict) else {}
    if selector.get("Pick") not in PICKS:
        yield Problem(_inside(step, "Selector.Pick"), "Pick must be MaxBy or MinBy", 'write "MaxBy" or "MinBy"')
    field = selector.get("Field")
    expression = parse_expression(field) if is_expression(field) else Literal(None)
    children = [child.name for child in step.body]
    if not isinstance(expression, IterationOutputReference) or expression.step not in children or not expression.path:
        fix = f'write {{"Get": "IterationOutput.{children[0] if children else "StepName"}.Property"}}'
        what = "Field must be a property of a step of the body, by IterationOutput"
        yield Problem(_inside(step, "Selector.Field"), what, fix)
