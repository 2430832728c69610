"""`ExpireAfter` of a step cache (CONTRACT.md 1.9): an ISO 8601 duration, read as leniently as the service reads it.

Text in, a timedelta out. A calendar month counts as 30 days and a year as 365: the service does not say how it
counts them, and a cache window needs no calendar. Seconds are not among the units seen accepted and are refused.
"""

from __future__ import annotations

import re
from datetime import timedelta
from typing import Final

from pipelines.errors import DefinitionError

DAYS_PER_MONTH: Final = 30
DAYS_PER_YEAR: Final = 365

_DURATION: Final = re.compile(
    r"P?(?:(?P<years>[0-9]+)Y)?(?:(?P<months>[0-9]+)M)?(?:(?P<weeks>[0-9]+)W)?(?:(?P<days>[0-9]+)D)?"
    r"(?:T(?=[0-9])(?:(?P<hours>[0-9]+)H)?(?:(?P<minutes>[0-9]+)M)?)?",
    re.IGNORECASE,
)


def parse_duration(text: str, *, where: str = "ExpireAfter") -> timedelta:
    """`P30D`, `PT1H`, `T30m`, `30dT5h`, `5y` … as a timedelta; DefinitionError for anything else."""
    match = _DURATION.fullmatch(text)
    amounts = {unit: int(amount) for unit, amount in match.groupdict().items() if amount} if match else {}
    if not amounts:
        raise _refused(text, where)
    days = amounts.get("days", 0) + DAYS_PER_MONTH * amounts.get("months", 0) + DAYS_PER_YEAR * amounts.get("years", 0)
    try:
        return timedelta(
            weeks=amounts.get("weeks", 0),
            days=days,
            hours=amounts.get("hours", 0),
            minutes=amounts.get("minutes", 0),
        )
    except OverflowError as error:
        raise _refused(text, where) from error


def _refused(text: str, where: str) -> DefinitionError:
    return DefinitionError(
        f'"{text}" is not a duration',
        where=where,
        fix="write years, months, weeks and days, then T with hours and minutes: P30D, PT1H, P4DT12H",
    )
