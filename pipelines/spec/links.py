"""How the parts of a spec refer to one another: references with their places, and what a step waits for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any

from pipelines.spec.conditions import AllOf, AnyOf, Comparison, In, Not, condition_references
from pipelines.spec.expressions import Model, Output, Reference, Report, Template
from pipelines.spec.kinds import key_of
from pipelines.spec.model import Pipeline, Step
from pipelines.spec.source import ValuePath


def references(value: Any, path: ValuePath = ()) -> Iterator[tuple[ValuePath, Reference]]:
    """All references in a value of the spec, each with the path of the text that holds it."""
    if isinstance(value, Template):
        yield from ((path, reference) for reference in value.references)
    elif isinstance(value, Comparison | In | Not | AllOf | AnyOf):
        yield from ((path, reference) for reference in condition_references(value))
    elif is_dataclass(value):
        for field in fields(value):
            yield from references(getattr(value, field.name), (*path, key_of(field.name)))
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from references(item, (*path, key))
    elif isinstance(value, tuple):
        for index, item in enumerate(value):
            yield from references(item, (*path, index))


def used_steps(step: Step) -> Iterator[str]:
    """The steps whose results `step` uses."""
    for _, reference in references(step):
        if isinstance(reference, Output | Model | Report):
            yield reference.step


def branches(step: Step) -> tuple[str, ...]:
    """The steps in the branches of a condition step; none of another step."""
    return (*step.condition.then, *step.condition.else_) if step.condition else ()


def waits_for(pipeline: Pipeline) -> dict[str, list[str]]:
    """The steps that must end before each step can start: used, named in `depends_on`, or the condition it is in.

    Lists, in the file's order: a cycle is then always reported in the same words.
    """
    graph = {name: [*step.depends_on, *used_steps(step)] for name, step in pipeline.steps.items()}
    for name, step in pipeline.steps.items():
        for child in branches(step):
            graph[child].append(name)
    return graph
