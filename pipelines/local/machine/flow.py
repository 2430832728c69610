"""The static side of an execution: definition in; what each step requires, who follows whom, and in what order, out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.definition import Definition, edges, order
from pipelines.definition.graph import BRANCH, DATA, Edge
from pipelines.definition.model import Step
from pipelines.definition.nearest import nearest
from pipelines.definition.step_types import COMPLETED, TRIGGERS
from pipelines.errors import DefinitionError, UsageError


@dataclass(frozen=True)
class Requirement:
    """One condition of a step's start: how `upstream` must have ended and, inside a Condition, which branch it took."""

    upstream: str
    trigger: str = COMPLETED
    branch: str | None = None


@dataclass(frozen=True)
class Flow:
    """What `advance` needs to know of a definition; `limit` is MaxParallelExecutionSteps, None for no limit."""

    definition: Definition
    limit: int | None
    position: Mapping[str, int]
    requirements: Mapping[str, tuple[Requirement, ...]]
    followers: Mapping[str, tuple[str, ...]]

    def step(self, name: str) -> Step:
        return self.definition.step(name)


def build_flow(definition: Definition, limit: int | None = None) -> Flow:
    """The flow of a definition; DefinitionError for a cycle, or a dependency on no step or with no known trigger."""
    if limit is not None and limit < 1:
        raise UsageError(f"the limit of parallel steps is {limit}", fix="set MaxParallelExecutionSteps to 1 or more")
    for step in definition.all_steps():
        _check_dependencies(definition, step)
    order(definition)
    requirements = _requirements(definition)
    followers: dict[str, list[str]] = {name: [] for name in requirements}
    for name, required in requirements.items():
        for upstream in dict.fromkeys(requirement.upstream for requirement in required):
            followers[upstream].append(name)
    return Flow(
        definition=definition,
        limit=limit,
        position={name: index for index, name in enumerate(requirements)},
        requirements=requirements,
        followers={name: tuple(names) for name, names in followers.items()},
    )


def _requirements(definition: Definition) -> dict[str, tuple[Requirement, ...]]:
    """By step in document order. An explicit dependency decides alone how its upstream must have ended.

    So a step may wait for the failure of another and read what that one left behind (its FailureReason, say).
    """
    found: dict[str, list[Edge]] = {step.name: [] for step in definition.all_steps()}
    for edge in edges(definition):
        found[edge.downstream].append(edge)
    result = {}
    for name, incoming in found.items():
        explicit = {edge.upstream for edge in incoming if edge.kind != DATA}
        needed = (edge for edge in incoming if edge.kind != DATA or edge.upstream not in explicit)
        result[name] = tuple(_requirement(definition.step(name), edge) for edge in needed)
    return result


def _requirement(step: Step, edge: Edge) -> Requirement:
    branch = step.parent.branch if edge.kind == BRANCH and step.parent else None
    return Requirement(edge.upstream, edge.trigger, branch)


def _check_dependencies(definition: Definition, step: Step) -> None:
    for index, dependency in enumerate(step.depends_on):
        where = f"{step.where}.DependsOn[{index}]"
        if not definition.has_step(dependency.step):
            close = nearest(dependency.step, (other.name for other in definition.all_steps()))
            raise DefinitionError(
                f'step "{step.name}" depends on "{dependency.step}", which does not exist',
                where=where,
                fix=f'write "{close}"' if close else "name an existing step, or remove the dependency",
            )
        if dependency.trigger not in TRIGGERS:
            raise DefinitionError(
                f'"{dependency.trigger}" is not a trigger',
                where=where,
                fix=f"write one of {', '.join(sorted(TRIGGERS))}",
            )
