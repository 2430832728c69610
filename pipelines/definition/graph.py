"""The DAG of a definition (CONTRACT.md 1.8): definition in; edges, an order or a cycle out.

A step waits for what it names in DependsOn, for every step whose properties it reads, and, inside a Condition or
ForEach, for that step. A reference outside Arguments (the baselines of a QualityCheck, say) counts as well: the
value must be there before the step can start. Edges to steps that do not exist are left out: see `unknown`.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from pipelines.definition.expressions import PropertyFileReference, StepReference
from pipelines.definition.model import Definition, Step
from pipelines.definition.step_types import COMPLETED, FOR_EACH_BODY
from pipelines.errors import DefinitionError

DEPENDS_ON: Final = "depends_on"
DATA: Final = "data"
BRANCH: Final = "branch"
BODY: Final = "body"


@dataclass(frozen=True)
class Edge:
    """`downstream` waits for `upstream`; kind is depends_on, data, branch or body."""

    upstream: str
    downstream: str
    kind: str
    trigger: str = COMPLETED


def edges(definition: Definition) -> tuple[Edge, ...]:
    """Every edge once, by downstream step in document order: parent, then DependsOn, then data."""
    found = dict.fromkeys(edge for step in definition.all_steps() for edge in _incoming(step))
    return tuple(edge for edge in found if definition.has_step(edge.upstream))


def _incoming(step: Step) -> Iterator[Edge]:
    if step.parent is not None:
        yield Edge(step.parent.step, step.name, BODY if step.parent.branch == FOR_EACH_BODY else BRANCH)
    for dependency in step.depends_on:
        yield Edge(dependency.step, step.name, DEPENDS_ON, dependency.trigger)
    for _, reference in step.references:
        if isinstance(reference, (StepReference, PropertyFileReference)):
            yield Edge(reference.step, step.name, DATA)


def order(definition: Definition, more: Iterable[Edge] = ()) -> tuple[str, ...]:
    """Every step's name, upstream before downstream, else in document order; DefinitionError on a cycle.

    `more` are edges beyond those of the document, here and in `cycle`.
    """
    position = {step.name: index for index, step in enumerate(definition.all_steps())}
    names = list(position)
    more = tuple(more)
    downstream, waiting = _adjacency(definition, more)
    ready = [position[name] for name in names if not waiting[name]]
    ordered = []
    while ready:
        name = names[heapq.heappop(ready)]
        ordered.append(name)
        for follower in downstream[name]:
            waiting[follower] -= 1
            if not waiting[follower]:
                heapq.heappush(ready, position[follower])
    if len(ordered) < len(names):
        raise _cyclic(definition, more)
    return tuple(ordered)


def cycle(definition: Definition, more: Iterable[Edge] = ()) -> tuple[str, ...] | None:
    """The names along one cycle, each once and each waiting for the one before it; None when there is none."""
    downstream, _ = _adjacency(definition, more)
    done: set[str] = set()
    for start in downstream:
        found = _cycle_from(start, downstream, done)
        if found:
            return found
    return None


def _cycle_from(start: str, downstream: dict[str, list[str]], done: set[str]) -> tuple[str, ...] | None:
    """Depth-first search without recursion: a chain of thousands of steps is a legal definition."""
    path: dict[str, Iterator[str]] = {}
    following: str | None = start
    while following is not None:
        if following in path:
            names = list(path)
            return tuple(names[names.index(following) :])
        if following not in done:
            path[following] = iter(downstream[following])
        following = _next(path, done)
    return None


def _next(path: dict[str, Iterator[str]], done: set[str]) -> str | None:
    """The next step to visit; steps with nothing left to visit leave the path."""
    while path:
        last = next(reversed(path))
        following = next(path[last], None)
        if following is not None:
            return following
        done.add(last)
        del path[last]
    return None


def _adjacency(definition: Definition, more: Iterable[Edge]) -> tuple[dict[str, list[str]], dict[str, int]]:
    downstream: dict[str, list[str]] = {step.name: [] for step in definition.all_steps()}
    waiting = dict.fromkeys(downstream, 0)
    every = (*edges(definition), *more)
    for upstream, follower in dict.fromkeys((edge.upstream, edge.downstream) for edge in every):
        downstream[upstream].append(follower)
        waiting[follower] += 1
    return downstream, waiting


def _cyclic(definition: Definition, more: Iterable[Edge]) -> DefinitionError:
    names = cycle(definition, more) or ()
    first = definition.step(names[0])
    return DefinitionError(
        f"steps wait for one another: {' -> '.join([*names, names[0]])}",
        where=first.where,
        fix=f'remove one of these dependencies, for example what makes "{first.name}" wait for "{names[-1]}"',
    )
