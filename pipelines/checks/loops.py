"""Checks of ForEach steps (CONTRACT.md 1.8); their rules are `definition.loops`."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.checks.finding import Found, found
from pipelines.checks.subject import Subject
from pipelines.definition import loops
from pipelines.definition.expressions import StepReference
from pipelines.definition.graph import DATA


def forms(subject: Subject) -> Iterator[Found]:
    return (found(step, problem) for step, problem in loops.forms(subject.definition))


def bodies(subject: Subject) -> Iterator[Found]:
    return (found(step, problem) for step, problem in loops.bodies(subject.definition))


def names(subject: Subject) -> Iterator[Found]:
    return (found(step, problem) for step, problem in loops.names(subject.definition))


def waits(subject: Subject) -> Iterator[Found]:
    """What waits across the border of a loop, but for what reads across it: that is `outside_reads`."""
    for edge, problem in loops.waits(subject.definition):
        reader = subject.definition.step(edge.downstream)
        if edge.kind != DATA or loops.loop_of(reader) == edge.upstream:
            yield found(reader, problem)


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
