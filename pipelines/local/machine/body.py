"""The static side of ForEach (CONTRACT.md 1.8): a definition in; what it refuses, and the edges a loop adds, out.

A loop waits for everything outside it that its body steps wait for, before it looks at its items: were a child to wait
for a step that waits for the loop, neither would ever end. So such a definition is refused as the cycle it is.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final

from pipelines.definition import Definition, edges
from pipelines.definition.graph import Edge
from pipelines.definition.model import Step, child_parts
from pipelines.definition.step_types import CONDITION, FAIL, FOR_EACH, FOR_EACH_BODY
from pipelines.errors import DefinitionError

MAX_CONCURRENCY: Final = 50
MAX_ITEMS: Final = 100
PICKS: Final = ("MaxBy", "MinBy")
_REFUSED: Final = frozenset({CONDITION, FAIL, FOR_EACH})


def loop_of(step: Step) -> str | None:
    """The ForEach whose body a step stands in."""
    return step.parent.step if step.parent is not None and step.parent.branch == FOR_EACH_BODY else None


def hoisted(definition: Definition) -> Iterator[Edge]:
    """Edges into the loops: what their body steps wait for outside."""
    for edge in edges(definition):
        loop = loop_of(definition.step(edge.downstream))
        if loop is not None and edge.upstream != loop and loop_of(definition.step(edge.upstream)) != loop:
            yield replace(edge, downstream=loop)


def check_loops(definition: Definition) -> None:
    """DefinitionError for a ForEach that could not be executed."""
    for step in definition.all_steps():
        if step.type == FOR_EACH:
            _check_arguments(step)
            _check_body(step)
        _check_name(definition, step)
    for edge in edges(definition):
        _check_reach(definition, edge)


def _check_arguments(step: Step) -> None:
    where = f"{step.where}.Arguments"
    items = step.arguments.get("IterableItems")
    if items is None or (isinstance(items, list) and not 1 <= len(items) <= MAX_ITEMS):
        found = "no IterableItems" if items is None else f"{len(items)} IterableItems"
        raise DefinitionError(
            f'ForEach "{step.name}" has {found}',
            where=where,
            fix=f"give IterableItems 1 to {MAX_ITEMS} items, or an expression whose value is the text of a JSON list",
        )
    limit = step.arguments.get("MaxConcurrency")
    if not isinstance(limit, int) or isinstance(limit, bool) or not 1 <= limit <= MAX_CONCURRENCY:
        raise DefinitionError(
            f'ForEach "{step.name}" has the MaxConcurrency {limit!r}',
            where=where,
            fix=f"write a whole number from 1 to {MAX_CONCURRENCY}",
        )
    selector = step.arguments.get("Selector")
    if selector is not None and not _fits(selector):
        raise DefinitionError(
            f'the Selector of ForEach "{step.name}" cannot be read',
            where=f"{where}.Selector",
            fix='write {"Pick": "MaxBy" or "MinBy", "Field": {"Get": "IterationOutput.BodyStep.Member"}}',
        )


def _fits(selector: Any) -> bool:
    if not isinstance(selector, dict) or selector.get("Pick") not in PICKS:
        return False
    field = selector.get("Field")
    text = field.get("Get") if isinstance(field, dict) else None
    return isinstance(text, str) and text.startswith("IterationOutput.") and text.count(".") > 1


def _check_body(step: Step) -> None:
    if not step.body:
        raise DefinitionError(
            f'ForEach "{step.name}" has no steps', where=step.where, fix="put at least one step into ForEachBody"
        )
    for inner in step.body:
        if inner.type in _REFUSED:
            raise DefinitionError(
                f'a {inner.type} step, "{inner.name}", stands in the body of ForEach "{step.name}"',
                where=inner.where,
                fix="move it out; a body may hold no Condition, Fail or ForEach",
            )


def _check_name(definition: Definition, step: Step) -> None:
    body, _ = child_parts(step.name)
    if body and definition.has_step(body) and loop_of(definition.step(body)) is not None:
        raise DefinitionError(
            f'the name "{step.name}" is that of a child of "{body}", which stands in a ForEach',
            where=step.where,
            fix="rename one of the two",
        )


def _check_reach(definition: Definition, edge: Edge) -> None:
    """Nothing outside waits for a body step, and no body step for its own loop: only the loop's outputs have names."""
    upstream, downstream = definition.step(edge.upstream), definition.step(edge.downstream)
    loop = loop_of(upstream)
    if loop is not None and loop_of(downstream) != loop:
        raise DefinitionError(
            f'step "{downstream.name}" waits for "{upstream.name}", which stands in ForEach "{loop}"',
            where=downstream.where,
            fix=f'depend on "{loop}", and read Steps.{loop}.IterationOutputs[0].{upstream.name}.…',
        )
    if loop_of(downstream) == upstream.name and edge.kind != "body":
        raise DefinitionError(
            f'step "{downstream.name}" waits for "{upstream.name}", in whose body it stands',
            where=downstream.where,
            fix="remove the dependency or the reference",
        )
