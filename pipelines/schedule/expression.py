"""The three kinds of schedule expression: `cron(…)`, `rate(…)`, `at(…)`. Text in, a frozen value out."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from pipelines.schedule.cron import Cron, parse_cron
from pipelines.schedule.error import ScheduleError
from pipelines.schedule.fields import YEARS

_UNITS: Final = {"minute": 60, "hour": 3600, "day": 86400}
_MAX_RATE: Final = timedelta(days=366 * 100)  # AWS documents none; beyond it there is no next time to show


@dataclass(frozen=True)
class Rate:
    """Every so often; a day is always 24 hours, whatever the clock does."""

    text: str
    interval: timedelta


@dataclass(frozen=True)
class At:
    """Once, at a local time."""

    text: str
    time: datetime


Expression = Cron | Rate | At


def parse(text: str) -> Expression:
    """An expression as AWS takes it. Raises `ScheduleError`."""
    match = re.fullmatch(r"\s*(cron|rate|at)\((.*)\)\s*", text)
    if match:
        return _PARSERS[match[1]](match[2])
    fix = "write cron(0 3 * * ? *), rate(1 day) or at(2030-01-31T08:00:00)"
    raise ScheduleError(f"{text!r} is not a schedule expression", fix)


def parse_rate(text: str) -> Rate:
    """`15 minutes`, `1 hour`, `2 days`, without `rate( )` around it. Raises `ScheduleError`."""
    match = re.fullmatch(r"\s*([0-9]+)\s+(minute|hour|day)(s?)\s*", text)
    if not match:
        raise ScheduleError(f"{text!r} is not a rate", "write a number and minutes, hours or days: 15 minutes, 1 hour")
    count, unit, plural = int(match[1][:20]), match[2], match[3]
    interval = timedelta(seconds=min(count * _UNITS[unit], 10**10))
    if count < 1 or interval > _MAX_RATE:
        raise ScheduleError(f"{text!r} is out of range", "use 1 minute to 36600 days")
    if (count == 1) == bool(plural):
        right = f"1 {unit}" if count == 1 else f"{count} {unit}s"
        raise ScheduleError(f"AWS refuses {match[0].strip()!r}", f"write {right}")
    return Rate(f"rate({count} {unit}{plural})", interval)


def parse_at(text: str) -> At:
    """`2030-01-31T08:00:00`, without `at( )` around it; local to the schedule's timezone. Raises `ScheduleError`."""
    return At(f"at({text.strip()})", local_time(text))


def local_time(text: str) -> datetime:
    """A date and time without an offset. Raises `ScheduleError`."""
    fix = "write yyyy-mm-ddThh:mm:ss without an offset, such as 2030-01-31T08:00:00"
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}", text.strip()):
        raise ScheduleError(f"{text!r} is not a date and time", fix)
    try:
        time = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise ScheduleError(f"{text!r} is not a date and time: {error}", fix) from error
    if not YEARS.low <= time.year <= YEARS.high:
        raise ScheduleError(f"{text!r} is out of range", f"use a year from {YEARS.low} to {YEARS.high}")
    return time


_PARSERS: Final[dict[str, Callable[[str], Expression]]] = {"cron": parse_cron, "rate": parse_rate, "at": parse_at}
