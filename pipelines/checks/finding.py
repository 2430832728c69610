"""What a check finds, and what a check is.

`Found` is one find of one check, `Finding` the same with the check's name and severity, for the user to read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

from pipelines.checks.subject import Subject
from pipelines.definition import Step
from pipelines.errors import Problem

Severity = Literal["error", "warning"]
ERROR: Final = "error"
WARNING: Final = "warning"

_NUMBERS: Final = re.compile(r"(\d{1,9})")


class Found(NamedTuple):
    """`where` is a path in the document; `step` is None outside any step."""

    step: str | None
    where: str
    what: str
    fix: str


def found(step: Step, problem: Problem) -> Found:
    """A rule of `definition/` that a step breaks."""
    return Found(step.name, problem.where, problem.what, problem.fix)


@dataclass(frozen=True)
class Finding:
    """One thing wrong with a definition: which check says so, where, what, and the edit that mends it."""

    check: str
    severity: Severity
    step: str | None
    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.severity}: {self.what} [{self.check}]\n  fix: {self.fix}"


@dataclass(frozen=True)
class Check:
    """`meaning` is one line for the reference page; `source` the section of CONTRACT.md or the page of AWS."""

    id: str
    severity: Severity
    meaning: str
    source: str
    find: Callable[[Subject], Iterable[Found]]

    def run(self, subject: Subject) -> list[Finding]:
        return [Finding(self.id, self.severity, *found) for found in self.find(subject)]


def by_place(finding: Finding) -> tuple[object, ...]:
    """Sort key: the path with its list positions as numbers, so that Steps[10] stands after Steps[2]."""
    parts = _NUMBERS.split(finding.where)
    place = tuple((index % 2, int(part) if index % 2 else part) for index, part in enumerate(parts))
    return place, finding.check, finding.what, finding.step or "", finding.fix
