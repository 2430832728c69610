"""One field of an AWS cron expression: text in, the values it names out.

Ranges may wrap (`FRI-MON`, `20-2`), except of years; `A/N` counts from A to the field's end, `*/N` from its beginning.
Names are of any case. What only the day fields know (`?`, `L`, `W`, `#`) is in `days.py`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from pipelines.schedule.error import ScheduleError

MONTHS: Final = ("JAN", "FEB", "MAR", "APR", "MAY", "JUN", "JUL", "AUG", "SEP", "OCT", "NOV", "DEC")
WEEKDAYS: Final = ("SUN", "MON", "TUE", "WED", "THU", "FRI", "SAT")

_PART: Final = re.compile(r"(?P<first>\*|[A-Z0-9]+)(?:-(?P<last>[A-Z0-9]+))?(?:/(?P<step>[0-9]{1,4}))?")


@dataclass(frozen=True)
class Field:
    """What one of the six fields takes."""

    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    wraps: bool = True
    steps: bool = True

    def refuse(self, text: str, fix: str) -> ScheduleError:
        return ScheduleError(f"{text!r} is not {self.name}", fix)


MINUTES: Final = Field("a value of the minutes", 0, 59)
HOURS: Final = Field("a value of the hours", 0, 23)
DAYS_OF_MONTH: Final = Field("a day of the month", 1, 31)
MONTHS_OF_YEAR: Final = Field("a month", 1, 12, MONTHS)
# AWS's guide names no steps for the day of the week.
DAYS_OF_WEEK: Final = Field("a day of the week", 1, 7, WEEKDAYS, steps=False)
YEARS: Final = Field("a year", 1970, 2199, wraps=False)


def read_values(field: Field, text: str) -> tuple[int, ...]:
    """The values that a field's text names, in order. Raises `ScheduleError`."""
    return tuple(sorted({value for part in text.split(",") for value in _part(field, part, text)}))


def number(field: Field, text: str) -> int:
    """One value: a number or a name. Raises `ScheduleError`."""
    if text in field.names:
        return field.names.index(text) + field.low
    if not re.fullmatch(r"[0-9]{1,4}", text) or not field.low <= int(text) <= field.high:
        names = f", or {field.names[0]} to {field.names[-1]}" if field.names else ""
        raise field.refuse(text, f"use {field.low} to {field.high}{names}")
    return int(text)


def _part(field: Field, part: str, text: str) -> Iterator[int]:
    match = _PART.fullmatch(part)
    if match is None or (match["first"] == "*" and match["last"]):
        raise field.refuse(text, f"write values ({field.low}), ranges ({field.low}-{field.low + 2}), lists or *")
    step = int(match["step"] or 1)
    if match["step"] and not field.steps:
        raise ScheduleError(f"{text!r}: {field.name} takes no steps", "list the days: MON,WED,FRI")
    if step < 1 or step > field.high:
        raise field.refuse(text, f"use a step of 1 to {field.high}")
    return _range(field, match, text, step)


def _range(field: Field, match: re.Match[str], text: str, step: int) -> Iterator[int]:
    first = field.low if match["first"] == "*" else number(field, match["first"])
    to_the_end = match["first"] == "*" or (match["step"] and not match["last"])
    last = field.high if to_the_end else number(field, match["last"] or match["first"])
    if last < first and not field.wraps:
        raise field.refuse(text, f"put the smaller year first: {last}-{first}")
    size = field.high - field.low + 1
    length = (last - first) % size
    return ((first - field.low + offset) % size + field.low for offset in range(0, length + 1, step))
