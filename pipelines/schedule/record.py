"""One schedule of a pipeline with nothing left open: what pipeline.yaml says of it, and what AWS keeps.

AWS knows it as PIPELINE.NAME in the default group (`aws_name`); a pipeline's name has no dot, so the part before the
first dot says whose schedule it is, and `aws_prefix` lists a pipeline's schedules and no other's.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from pipelines.schedule.expression import parse
from pipelines.schedule.times import Span, next_times

MAX_ATTEMPTS: Final = 185  # the service's limits, and what it does unless told otherwise (CONTRACT.md 4.1)
MAX_AGE_SECONDS: Final = 86400
MAX_NAME: Final = 32  # of a schedule or notification in pipeline.yaml
_MAX_PREFIX: Final = 64 - 1 - MAX_NAME  # AWS takes 64 characters in all
_TIME: Final = "%Y-%m-%dT%H:%M:%SZ"


@dataclass(frozen=True)
class Schedule:
    """`start` and `end` are UTC, as 2030-01-31T08:00:00Z; an empty text, and a window of 0 minutes, mean none."""

    name: str
    expression: str
    role: str
    timezone: str = "UTC"
    window_minutes: int = 0
    parameters: Mapping[str, str] = field(default_factory=dict)
    dead_letter_queue: str = ""
    attempts: int = MAX_ATTEMPTS
    max_age_seconds: int = MAX_AGE_SECONDS
    start: str = ""
    end: str = ""
    enabled: bool = True


def next_starts(
    schedule: Schedule, after: datetime, count: int, created: datetime | None = None
) -> tuple[datetime, ...]:
    """The next times at which it starts the pipeline, none when it is disabled; a rate counts from `created`."""
    if not schedule.enabled:
        return ()
    span = Span(read_time(schedule.start), read_time(schedule.end), created)
    return next_times(parse(schedule.expression), schedule.timezone, after, count, span)


def write_time(time: datetime) -> str:
    """An aware time as `start` and `end` hold it."""
    return time.astimezone(UTC).strftime(_TIME)


def read_time(text: str) -> datetime | None:
    """The time in `start` or `end`; None of an empty text."""
    return datetime.strptime(text, _TIME).replace(tzinfo=UTC) if text else None


def aws_prefix(pipeline: str) -> str:
    """What the names of a pipeline's schedules and rules begin with in AWS; a long name is cut and hashed."""
    if len(pipeline) <= _MAX_PREFIX:
        return f"{pipeline}."
    digest = hashlib.sha256(pipeline.encode()).hexdigest()[:8]
    return f"{pipeline[: _MAX_PREFIX - 9]}-{digest}."


def aws_name(pipeline: str, name: str) -> str:
    """The name in AWS of a schedule or a rule of a pipeline."""
    return aws_prefix(pipeline) + name
