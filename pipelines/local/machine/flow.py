"""The static side of an execution: definition in; what each step requires, who waits for whom, and in what order, out.

The steps in the body of a ForEach are no steps of the flow themselves but templates: `requirements` and `dependents`
hold what they require of one another, for each item anew; what they require from outside is required by the loop.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field, replace

from pipelines.definition import Definition, edges, loops, order, retries
from pipelines.definition.graph import BODY, BRANCH, DATA, Edge
from pipelines.definition.loops import hoisted, loop_of
from pipelines.definition.model import Step, child_parts
from pipelines.definition.step_types import COMPLETED, TRIGGERS
from pipelines.errors import DefinitionError, Problem, UsageError
from pipelines.local.machine.names import child_name
from pipelines.nearest import nearest


@dataclass(frozen=True)
class Requirement:
    """One condition of a step's start: how `upstream` must have ended and, inside a Condition, which branch it took."""

    upstream: str
    trigger: str = COMPLETED
    branch: str | None = None


@dataclass(frozen=True)
class Flow:
    """What `advance` needs to know of a definition; `limit` is MaxParallelExecutionSteps, None for no limit.

    `caching` says that whoever carries the commands out answers LookUpCache and keeps results; else no step is cached.
    `bodies` are the body steps of each ForEach.
    """

    definition: Definition
    limit: int | None
    position: Mapping[str, int]
    requirements: Mapping[str, tuple[Requirement, ...]]
    dependents: Mapping[str, tuple[tuple[str, Requirement], ...]]
    bodies: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    caching: bool = False

    def step(self, name: str) -> Step:
        """The step of a name, or the body step that a child of a ForEach is made from."""
        return self.definition.step(name)

    def has(self, name: str) -> bool:
        """Whether this may be the name of a step at run time."""
        body, _ = child_parts(name)
        if name in self.position or not self.definition.has_step(body):
            return name in self.position
        return loop_of(self.definition.step(body)) in self.bodies

    def key(self, name: str) -> tuple[int, ...]:
        """Where a step stands in document order; children in the order of their items."""
        position = self.position.get(name)
        if position is not None:
            return (position,)
        body, index = child_parts(name)
        loop = loop_of(self.step(body)) or ""
        return self.position[loop], index, self.bodies[loop].index(body)

    def required_by(self, name: str) -> tuple[Requirement, ...]:
        """The requirements of a step at run time."""
        if name in self.requirements:
            return self.requirements[name]
        body, index = child_parts(name)
        return tuple(replace(item, upstream=child_name(item.upstream, index)) for item in self.requirements[body])

    def waiting_for(self, name: str) -> tuple[tuple[str, Requirement], ...]:
        """The steps that require something of this one at run time, and what."""
        if name in self.dependents:
            return self.dependents[name]
        body, index = child_parts(name)
        return tuple((child_name(follower, index), requirement) for follower, requirement in self.dependents[body])


def build_flow(definition: Definition, limit: int | None = None, *, caching: bool = False) -> Flow:
    """The flow of a definition; DefinitionError for one that cannot be executed.

    That is: a cycle, a dependency on no step or with no known trigger, a ForEach or a retry policy against the rules.
    """
    if limit is not None and limit < 1:
        raise UsageError(f"the limit of parallel steps is {limit}", fix="set MaxParallelExecutionSteps to 1 or more")
    for step in definition.all_steps():
        _check_dependencies(definition, step)
    for problem in _broken_rules(definition):
        raise DefinitionError(problem.what, where=problem.where, fix=problem.fix)
    added = tuple(hoisted(definition))
    order(definition, added)
    requirements = _requirements(definition, added)
    dependents: dict[str, list[tuple[str, Requirement]]] = {name: [] for name in requirements}
    for name, required in requirements.items():
        for requirement in required:
            dependents[requirement.upstream].append((name, requirement))
    steps = [step.name for step in definition.all_steps() if loop_of(step) is None]
    return Flow(
        definition=definition,
        limit=limit,
        position={name: index for index, name in enumerate(steps)},
        requirements=requirements,
        dependents={name: tuple(pairs) for name, pairs in dependents.items()},
        bodies={step.name: tuple(inner.name for inner in step.body) for step in definition.all_steps() if step.body},
        caching=caching,
    )


def restrict(flow: Flow, names: Collection[str]) -> Flow:
    """The flow of these steps alone, as though the definition had no others."""
    inner = {body for loop, bodies in flow.bodies.items() if loop in names for body in bodies}
    kept = {*names, *inner}
    return replace(
        flow,
        position={name: index for name, index in flow.position.items() if name in kept},
        requirements={
            name: tuple(requirement for requirement in required if requirement.upstream in kept)
            for name, required in flow.requirements.items()
            if name in kept
        },
        dependents={
            name: tuple(pair for pair in pairs if pair[0] in kept)
            for name, pairs in flow.dependents.items()
            if name in kept
        },
        bodies={loop: bodies for loop, bodies in flow.bodies.items() if loop in kept},
    )


def _requirements(definition: Definition, added: tuple[Edge, ...]) -> dict[str, tuple[Requirement, ...]]:
    """By step in document order. An explicit dependency decides alone how its upstream must have ended.

    So a step may wait for the failure of another and read what that one left behind (its FailureReason, say).
    """
    found: dict[str, list[Edge]] = {step.name: [] for step in definition.all_steps()}
    for edge in (*edges(definition), *added):
        if edge.kind != BODY and not _from_outside(definition, edge):
            found[edge.downstream].append(edge)
    result = {}
    for name, incoming in found.items():
        explicit = {edge.upstream for edge in incoming if edge.kind != DATA}
        needed = dict.fromkeys(
            _requirement(definition.step(name), edge)
            for edge in incoming
            if edge.kind != DATA or edge.upstream not in explicit
        )
        result[name] = tuple(needed)
    return result


def _from_outside(definition: Definition, edge: Edge) -> bool:
    """Whether an edge leads into a body; the loop has it instead."""
    loop = loop_of(definition.step(edge.downstream))
    return loop is not None and loop_of(definition.step(edge.upstream)) != loop


def _requirement(step: Step, edge: Edge) -> Requirement:
    branch = step.parent.branch if edge.kind == BRANCH and step.parent else None
    return Requirement(edge.upstream, edge.trigger, branch)


def _broken_rules(definition: Definition) -> Iterator[Problem]:
    for step in definition.all_steps():
        yield from retries.limits(step)
    for rule in (loops.forms, loops.bodies, loops.names):
        yield from (problem for _, problem in rule(definition))
    yield from (problem for _, problem in loops.waits(definition))


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
