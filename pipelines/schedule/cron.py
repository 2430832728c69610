"""An AWS cron expression: six fields in, local times out (minutes hours day-of-month month day-of-week year)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from pipelines.schedule.days import Days, read_days
from pipelines.schedule.error import ScheduleError
from pipelines.schedule.fields import HOURS, MINUTES, MONTHS_OF_YEAR, YEARS, read_values

_FIX = "write minutes hours day-of-month month day-of-week year, such as 0 3 * * ? *"


@dataclass(frozen=True)
class Cron:
    """`text` is the expression as AWS takes it."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    years: tuple[int, ...]

    def local_times(self, since: datetime) -> Iterator[datetime]:
        """Every local time of the expression that is not before `since` (without a timezone), in order."""
        for year in self.years:
            for month in self.months:
                if (year, month) >= (since.year, since.month):
                    first = since.day if (year, month) == (since.year, since.month) else 1
                    yield from (time for time in self._month(year, month, first) if time >= since)

    def _month(self, year: int, month: int, first: int) -> Iterator[datetime]:
        for day in (day for day in self.days.days(year, month) if day >= first):
            for hour in self.hours:
                for minute in self.minutes:
                    yield datetime(year, month, day, hour, minute)


def parse_cron(text: str) -> Cron:
    """The six fields, without `cron( )` around them. Raises `ScheduleError`; also for one that can never fire."""
    fields = text.upper().split()
    if len(fields) != 6:
        count = f"{len(fields)} field{'' if len(fields) == 1 else 's'}"
        raise ScheduleError(f"a cron expression has six fields, {text!r} has {count}", _FIX)
    minutes, hours, of_month, month, of_week, year = fields
    cron = Cron(
        text=f"cron({' '.join(fields)})",
        minutes=read_values(MINUTES, minutes),
        hours=read_values(HOURS, hours),
        days=read_days(of_month, of_week),
        months=read_values(MONTHS_OF_YEAR, month),
        years=read_values(YEARS, year),
    )
    if not any(cron.days.days(year, month) for year in cron.years for month in cron.months):
        raise ScheduleError(f"{text!r} never fires: there is no such day", "name a day that the months have")
    return cron
