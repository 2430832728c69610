"""Checks of a step's Arguments against the request that they become (CONTRACT.md 1.3): AWS's own model decides."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Final

from pipelines.checks.finding import Found
from pipelines.checks.subject import OPERATIONS, Subject, inside
from pipelines.definition import Step
from pipelines.definition.step_types import CLARIFY_CHECK, QUALITY_CHECK
from pipelines.service_model import REQUIRED, Fault

_CONTAINERS: Final = {"structure": "an object", "map": "an object", "list": "a list"}
_LABEL: Final = re.compile(r"""[A-Za-z0-9_:-]+(?:\[(?:\d+|'[^']*'|"[^"]*")\])*$""")


def broken(*kinds: str) -> Callable[[Subject], Iterator[Found]]:
    """The check of some kinds of faults."""

    def find(subject: Subject) -> Iterator[Found]:
        for step in subject.steps:
            for fault in subject.faults[step.name]:
                if fault.kind in kinds and not _excused(step, fault):
                    yield Found(step.name, fault.path, f"{label(fault.path)} {fault.what}", fault.fix)

    return find


def misplaced_expressions(subject: Subject) -> Iterator[Found]:
    """An expression stands for one value, never for a list or an object."""
    for placed in subject.placed:
        kind = _CONTAINERS.get(placed.shape.type_name) if placed.shape is not None else None
        if kind is not None and placed.step is not None:
            what = f"{label(placed.where)} is {kind}; an expression stands for a single value only"
            fix = f"write {kind}, with expressions in the places of its values"
            yield Found(placed.step.name, placed.where, what, fix)


def label(where: str) -> str:
    """The last name of a path, with the positions and keys behind it."""
    found = _LABEL.search(where[-1000:])
    return found[0] if found else where


def _excused(step: Step, fault: Fault) -> bool:
    """The service names the job itself; what it adds to a check step's request is not documented."""
    if fault.kind != REQUIRED:
        return False
    name = OPERATIONS[step.type][1]
    return fault.path == f"{inside(step)}.{name}" or step.type in {QUALITY_CHECK, CLARIFY_CHECK}
