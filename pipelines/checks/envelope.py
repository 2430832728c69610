"""Checks of a step's envelope: its name, type, texts and keys (CONTRACT.md 1.2, 1.3, 2)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject
from pipelines.definition.step_types import KNOWN_TYPES
from pipelines.nearest import nearest

MAX_NAME: Final = 64
MAX_DISPLAY_NAME: Final = 256
MAX_DESCRIPTION: Final = 3072
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,64}")
# They occur as metadata of executions; how a definition spells them is not documented (CONTRACT.md 1.3).
_UNDOCUMENTED: Final = re.compile(r"Athena.*|HubContent|Bedrock.*")
_KEYS: Final = (
    *("Name", "Type", "Arguments", "DependsOn", "DisplayName", "Description", "CacheConfig", "RetryPolicies"),
    *("PropertyFiles", "FunctionArn", "SqsQueueUrl", "OutputParameters", "CheckType", "ModelPackageGroupName"),
    *("SkipCheck", "FailOnViolation", "RegisterNewBaseline", "SuppliedBaselineStatistics"),
    *("SuppliedBaselineConstraints", "ModelName"),
)


def names(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        if not _NAME.fullmatch(step.name):
            mended = re.sub(r"[^A-Za-z0-9_-]+", "-", step.name)[:MAX_NAME].strip("-") or "Step"
            what = f"{step.name!r:.100} is no name of a step: letters, digits, - and _, at most {MAX_NAME}"
            yield Found(step.name, f"{step.where}.Name", what, f'rename it, for example "{mended}"')


def texts(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        for key, text, most in (
            ("DisplayName", step.display_name, MAX_DISPLAY_NAME),
            ("Description", step.description, MAX_DESCRIPTION),
        ):
            if text is not None and len(text) > most:
                what = f"{key} has {len(text)} characters; at most {most} are allowed"
                yield Found(step.name, f"{step.where}.{key}", what, f"shorten it to {most} characters")


def types(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        if step.type not in KNOWN_TYPES and not _UNDOCUMENTED.fullmatch(step.type):
            close = nearest(step.type, KNOWN_TYPES)
            fix = f'write "{close}"' if close else f"use one of {', '.join(sorted(KNOWN_TYPES))}"
            yield Found(step.name, f"{step.where}.Type", f"{step.type!r:.100} is no known type of step", fix)


def keys(subject: Subject) -> Iterator[Found]:
    """Only keys that look like a known one: there may be keys newer than this check."""
    for step in subject.steps:
        for key in step.raw:
            close = None if key in _KEYS else nearest(key, _KEYS)
            if close is not None and close not in step.raw:
                yield Found(step.name, step.where, f"a step has no key {key!r:.100}", f'write "{close}"')
