"""References to what does not exist: definition in, one UnknownReference each out, in document order."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.definition.expressions import (
    EXECUTION_VARIABLES,
    ExecutionReference,
    IterationOutputReference,
    OtherReference,
    ParameterReference,
    PropertyFileReference,
    Reference,
    StepReference,
)
from pipelines.definition.model import Definition, Step
from pipelines.nearest import nearest


@dataclass(frozen=True)
class UnknownReference:
    """`step` reads or waits for a `name` that does not exist; kind: step, parameter, property file, execution variable
    or reference. `step` is None for a reference outside any step, `nearest` None when no name is close."""

    where: str
    step: str | None
    kind: str
    name: str
    nearest: str | None


def unknown_references(definition: Definition) -> tuple[UnknownReference, ...]:
    """Every name that is used and does not exist, with the nearest existing one."""
    found: list[UnknownReference] = []
    for where, reference in definition.references:
        found.extend(_unknown(definition, None, where, reference))
    for step in definition.all_steps():
        found.extend(_unknown_dependencies(definition, step))
        for where, reference in step.references:
            found.extend(_unknown(definition, step.name, where, reference))
    return tuple(found)


def _unknown_dependencies(definition: Definition, step: Step) -> Iterator[UnknownReference]:
    for index, dependency in enumerate(step.depends_on):
        if not definition.has_step(dependency.step):
            where = f"{step.where}.DependsOn[{index}]"
            yield UnknownReference(
                where, step.name, "step", dependency.step, _nearest_step(definition, dependency.step)
            )


def _unknown(definition: Definition, step: str | None, where: str, reference: Reference) -> Iterator[UnknownReference]:
    match reference:
        case ParameterReference(name=name) if definition.parameter(name) is None:
            known = nearest(name, (parameter.name for parameter in definition.parameters))
            yield UnknownReference(where, step, "parameter", name, known)
        case ExecutionReference(variable=name) if name not in EXECUTION_VARIABLES:
            yield UnknownReference(where, step, "execution variable", name, nearest(name, EXECUTION_VARIABLES))
        case StepReference(step=name) | PropertyFileReference(step=name) | IterationOutputReference(step=name) if (
            not definition.has_step(name)
        ):
            yield UnknownReference(where, step, "step", name, _nearest_step(definition, name))
        case PropertyFileReference(step=owner, name=name) if definition.step(owner).property_file(name) is None:
            files = (file.name for file in definition.step(owner).property_files)
            yield UnknownReference(where, step, "property file", name, nearest(name, files))
        case OtherReference(text=text):
            yield UnknownReference(where, step, "reference", text, None)
        case _:
            return


def _nearest_step(definition: Definition, name: str) -> str | None:
    return nearest(name, (step.name for step in definition.all_steps()))
