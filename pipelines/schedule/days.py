"""The two day fields of an AWS cron expression: which days of a month they name.

Text in, a frozen rule out; `days(year, month)` of a rule gives days of the month in order.
`L`, `LW`, `3W` and `3#2`, `6L` stand alone, as in Quartz, whose syntax this is: not in lists.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import date
from typing import Final

from pipelines.schedule.error import ScheduleError
from pipelines.schedule.fields import DAYS_OF_MONTH, DAYS_OF_WEEK, number, read_values

SATURDAY: Final = 7  # AWS counts the days of the week from 1, Sunday


@dataclass(frozen=True)
class DaysOfMonth:
    """Numbered days; those that a month does not have are not in it."""

    numbers: tuple[int, ...]

    def days(self, year: int, month: int) -> tuple[int, ...]:
        length = _length(year, month)
        return tuple(day for day in self.numbers if day <= length)


@dataclass(frozen=True)
class LastDay:
    """`L`, and `L-3`, three days before it."""

    before: int = 0

    def days(self, year: int, month: int) -> tuple[int, ...]:
        day = _length(year, month) - self.before
        return (day,) if day >= 1 else ()


@dataclass(frozen=True)
class NearestWeekday:
    """`3W`: the weekday nearest to the third, in the same month; `LW` (day 0): the month's last weekday."""

    day: int = 0

    def days(self, year: int, month: int) -> tuple[int, ...]:
        length = _length(year, month)
        day = self.day or length
        if day > length:
            return ()
        match weekday(year, month, day):
            case 7:  # a Saturday: the Friday before it, which the first day of a month does not have
                return (day - 1 if day > 1 else day + 2,)
            case 1:  # a Sunday: the Monday after it, which the last day of a month does not have
                return (day + 1 if day < length else day - 2,)
        return (day,)


@dataclass(frozen=True)
class DaysOfWeek:
    numbers: tuple[int, ...]

    def days(self, year: int, month: int) -> tuple[int, ...]:
        length = _length(year, month)
        return tuple(day for day in range(1, length + 1) if weekday(year, month, day) in self.numbers)


@dataclass(frozen=True)
class NthOfMonth:
    """`3#2`: the second Tuesday; a month without a fifth one has none."""

    day_of_week: int
    nth: int

    def days(self, year: int, month: int) -> tuple[int, ...]:
        found = DaysOfWeek((self.day_of_week,)).days(year, month)
        return found[self.nth - 1 : self.nth]


@dataclass(frozen=True)
class LastOfMonth:
    """`6L`: the last Friday."""

    day_of_week: int

    def days(self, year: int, month: int) -> tuple[int, ...]:
        return DaysOfWeek((self.day_of_week,)).days(year, month)[-1:]


Days = DaysOfMonth | LastDay | NearestWeekday | DaysOfWeek | NthOfMonth | LastOfMonth


def read_days(of_month: str, of_week: str) -> Days:
    """The rule of the two fields, of which exactly one is `?`. Raises `ScheduleError`."""
    if (of_month == "?") == (of_week == "?"):
        both = "both of them are" if of_month == "?" else "neither is"
        raise ScheduleError(
            f"one of day-of-month and day-of-week must be ?, and {both}",
            "write ? for the one that does not matter: 0 3 * * ? * or 0 3 ? * MON-FRI *",
        )
    return _of_week(of_week) if of_month == "?" else _of_month(of_month)


def weekday(year: int, month: int, day: int) -> int:
    """The day of the week as AWS counts: 1 is Sunday."""
    return date(year, month, day).isoweekday() % 7 + 1


def _of_month(text: str) -> Days:
    if text == "LW":
        return NearestWeekday()
    if match := re.fullmatch(r"L(?:-([0-9]{1,4}))?", text):
        before = int(match[1] or 0)
        if before > 30:
            raise ScheduleError(f"{text!r} lies before the month", "use L-1 to L-30")
        return LastDay(before)
    if match := re.fullmatch(r"([0-9]+)W", text):
        return NearestWeekday(number(DAYS_OF_MONTH, match[1]))
    if re.search(r"[LW]", text):
        raise ScheduleError(
            f"{text!r} is not a day of the month", "let L, LW and 3W stand alone, not in lists or ranges"
        )
    return DaysOfMonth(read_values(DAYS_OF_MONTH, text))


def _of_week(text: str) -> Days:
    if text == "L":
        return DaysOfWeek((SATURDAY,))
    if match := re.fullmatch(r"([A-Z0-9]+)#([0-9]{1,4})", text):
        if not 1 <= int(match[2]) <= 5:
            raise ScheduleError(f"{text!r}: a month has at most five of a day", "write #1 to #5")
        return NthOfMonth(number(DAYS_OF_WEEK, match[1]), int(match[2]))
    if match := re.fullmatch(r"([1-7]|SUN|MON|TUE|WED|THU|FRI|SAT)L", text):
        return LastOfMonth(number(DAYS_OF_WEEK, match[1]))
    if "#" in text:
        raise ScheduleError(f"{text!r} is not a day of the week", "let # stand alone, as in 3#2: not in lists")
    return DaysOfWeek(read_values(DAYS_OF_WEEK, text))


def _length(year: int, month: int) -> int:
    return monthrange(year, month)[1]
