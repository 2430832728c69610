"""Checks of the DAG: cycles, triggers, steps that never run (CONTRACT.md 1.8)."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject
from pipelines.definition import cycle
from pipelines.definition.loops import hoisted
from pipelines.definition.step_types import TRIGGERS
from pipelines.nearest import nearest


def cycles(subject: Subject) -> Iterator[Found]:
    """One cycle; with it mended, the next one shows."""
    own = cycle(subject.definition)
    names = own or cycle(subject.definition, hoisted(subject.definition))
    if names is None:
        return
    first = subject.definition.step(names[0])
    why = "" if own else " (a loop waits for what the steps of its body wait for)"
    what = f"steps wait for one another: {' -> '.join([*_shortened(names), names[0]])}{why}"
    fix = f'remove one of these dependencies, for example what makes "{first.name}" wait for "{names[-1]}"'
    yield Found(first.name, first.where, what, fix)


def triggers(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        seen: dict[str, str] = {}
        for index, dependency in enumerate(step.depends_on):
            where = f"{step.where}.DependsOn[{index}]"
            if dependency.trigger not in TRIGGERS:
                close = nearest(dependency.trigger, TRIGGERS)
                fix = f'write "{close}"' if close else f"use one of {', '.join(sorted(TRIGGERS))}"
                yield Found(step.name, where, f'"{dependency.trigger}" is no trigger', fix)
            elif seen.setdefault(dependency.step, dependency.trigger) != dependency.trigger:
                what = f'"{step.name}" waits for "{dependency.step}" with two triggers that exclude one another'
                yield Found(step.name, where, what, f'keep one entry for "{dependency.step}"')


def opposite_branches(subject: Subject) -> Iterator[Found]:
    """A step that waits for one of the other branch never runs."""
    for edge in subject.edges:
        condition = subject.exclusive(edge.downstream, edge.upstream)
        if condition is not None:
            step = subject.definition.step(edge.downstream)
            what = (
                f'"{edge.downstream}" never runs: it waits for "{edge.upstream}", '
                f'which lies in the other branch of "{condition}"'
            )
            fix = f'move both into one branch, or make "{edge.downstream}" wait for "{condition}" only'
            yield Found(step.name, step.where, what, fix)


def _shortened(names: tuple[str, ...]) -> tuple[str, ...]:
    return names if len(names) <= 10 else (*names[:5], "…", *names[-4:])
