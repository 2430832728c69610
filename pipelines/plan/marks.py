"""The deployment record that a description carries: what the last deployment put there, in digests.

SageMaker, the scheduler and EventBridge each write a description in the same request as what it describes, so the
record is never ahead of or behind what was deployed. Live values whose digest differs were changed by hand: drift.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from pipelines.definition import digest
from pipelines.schedule import Schedule
from pipelines.spec import Notification

# The parts of a pipeline, in the order of their digests in the mark.
PARTS: Final = ("definition", "description", "role", "max_parallel_steps")
_LENGTH: Final = 8  # hex digits of each digest
_MARK: Final = re.compile(r"\s*\[deployed by pipelines: ([0-9a-f ]+)\]\s*\Z")


def marked(text: str, digests: Sequence[str]) -> str:
    """A description with the record at its end."""
    mark = f"[deployed by pipelines: {' '.join(digests)}]"
    return f"{text} {mark}" if text else mark


def without_mark(description: str) -> str:
    """What the user wrote of a description."""
    return _MARK.sub("", description)


def mark_of(description: str) -> tuple[str, ...]:
    """The digests in a description; none when nothing of ours put it there."""
    match = _MARK.search(description)
    return tuple(match[1].split()) if match else ()


def pipeline_digests(definition: str, description: str, role: str, parallelism: int | None) -> tuple[str, ...]:
    """The digests of a pipeline's parts; `definition` is its digest, the description is without a mark."""
    return tuple(_short(value) for value in (definition, description, role, parallelism))


def drifted_parts(mark: Sequence[str], digests: Sequence[str]) -> tuple[str, ...]:
    """The parts of a pipeline that are not as they were deployed."""
    pairs = zip(PARTS, mark, digests, strict=False)
    return tuple(part for part, was, now in pairs if was != now)


def value_digest(value: Schedule | Notification) -> str:
    """The digest of a schedule or notification."""
    return _short(asdict(value))


def schedule_description(pipeline: str, schedule: Schedule) -> str:
    return marked(f"Starts {pipeline}: schedule {schedule.name} of its pipeline.yaml", [value_digest(schedule)])


def notification_description(pipeline: str, notification: Notification) -> str:
    states = ", ".join(notification.on)
    return marked(f"Tells of executions of {pipeline} ({states})", [value_digest(notification)])


def _short(value: str | int | Mapping[str, Any] | None) -> str:
    return digest(value)[:_LENGTH]
