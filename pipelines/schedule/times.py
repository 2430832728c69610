"""When an expression fires: expression, timezone and a time in; the times after it out, in the schedule's timezone.

As EventBridge Scheduler documents it (user guide, "Schedule types", "Daylight savings time"): a local time that the
clock skips does not fire, one that the clock repeats fires once. Which of the two is not documented; here the first.
A rate counts real time from its start, days being 24 hours. Start and end are included, and mean nothing to `at`.
"""

from __future__ import annotations

import zoneinfo
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import Final

from pipelines.nearest import nearest
from pipelines.schedule.cron import Cron
from pipelines.schedule.error import ScheduleError
from pipelines.schedule.expression import At, Expression, Rate

_LAST_YEAR: Final = 2199


@dataclass(frozen=True)
class Span:
    """From when and until when a schedule may fire. A rate counts from `start`, or else from `created`."""

    start: datetime | None = None
    end: datetime | None = None
    created: datetime | None = None


ALWAYS: Final = Span()


def next_times(
    expression: Expression, timezone: str, after: datetime, count: int, span: Span = ALWAYS
) -> tuple[datetime, ...]:
    """The next `count` times after `after` (which is aware), fewer when the schedule ends before."""
    return tuple(islice(times(expression, timezone, after, span), count))


def times(expression: Expression, timezone: str, after: datetime, span: Span = ALWAYS) -> Iterator[datetime]:
    """Every time after `after`, in order. Raises `ScheduleError` for an unknown timezone."""
    zone = time_zone(timezone)
    match expression:
        case At(time=time):
            found = instant(time, zone)
            if found is not None and found > after:
                yield found.astimezone(zone)
        case Rate():
            yield from (time.astimezone(zone) for time in _rate_times(expression, after, span))
        case Cron():
            yield from _cron_times(expression, zone, after, span)


def instant(local: datetime, zone: zoneinfo.ZoneInfo) -> datetime | None:
    """A local time as an instant (UTC): the first of two, None when the clock skips it."""
    found = local.replace(tzinfo=zone, fold=0).astimezone(UTC)
    return found if found.astimezone(zone).replace(tzinfo=None) == local else None


def time_zone(name: str) -> zoneinfo.ZoneInfo:
    """A timezone by its IANA name. Raises `ScheduleError` with the nearest known one."""
    try:
        if name and len(name) <= 50:  # longer ones AWS refuses
            return zoneinfo.ZoneInfo(name)
    except (zoneinfo.ZoneInfoNotFoundError, ValueError, OSError):
        pass
    known = zoneinfo.available_timezones()
    if not known:
        raise ScheduleError("this Python has no database of timezones", "install it: pip install tzdata")
    close = nearest(name, known)
    fix = f"did you mean {close!r}?" if close else "use a name such as UTC or Europe/Berlin"
    raise ScheduleError(f"there is no timezone {name!r}", fix)


def _cron_times(cron: Cron, zone: zoneinfo.ZoneInfo, after: datetime, span: Span) -> Iterator[datetime]:
    since = max(after, span.start) if span.start else after
    local = since.astimezone(zone).replace(tzinfo=None, second=0, microsecond=0)
    for time in cron.local_times(local):
        found = instant(time, zone)
        if span.end and found and found > span.end:
            return
        if found and found > after and (not span.start or found >= span.start):
            yield found.astimezone(zone)


def _rate_times(rate: Rate, after: datetime, span: Span) -> Iterator[datetime]:
    anchor = (span.start or span.created or after).astimezone(UTC)
    passed = max(-1, (after - anchor) // rate.interval)
    time = anchor + rate.interval * (passed + 1)
    while time.year <= _LAST_YEAR and not (span.end and time > span.end):
        if time > after:
            yield time
        time += rate.interval


def window(time: datetime, minutes: int) -> tuple[datetime, datetime]:
    """The earliest and the latest time at which a schedule with a flexible window fires."""
    return time, time + timedelta(minutes=minutes)
