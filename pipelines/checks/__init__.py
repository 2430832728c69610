"""What is wrong with a definition, before anything costs money: a definition in, findings out. Pure, no network.

`CHECKS` is the registry; docs/reference/checks.md is generated from it.
"""

from __future__ import annotations

from pipelines.checks.finding import ERROR, WARNING, Check, Finding, Severity, by_place
from pipelines.checks.registry import CHECKS
from pipelines.checks.subject import Subject
from pipelines.definition import Definition

__all__ = ["CHECKS", "ERROR", "WARNING", "Check", "Finding", "Severity", "check"]


def check(definition: Definition, *, pipeline_name: str | None = None) -> tuple[Finding, ...]:
    """Everything that the checks find, in the order of the document."""
    subject = Subject(definition, pipeline_name)
    return tuple(sorted((finding for check in CHECKS for finding in check.run(subject)), key=by_place))
