"""When schedules fire: tables across changes of the clock and ends of months, and laws."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.schedule import (
    Cron,
    Schedule,
    Span,
    next_starts,
    next_times,
    parse,
    parse_cron,
    time_zone,
    times,
    window,
)
from pipelines.schedule.days import weekday


def fired(expression: str, zone: str, after: str, count: int, span: Span | None = None) -> list[str]:
    """The next times as texts with their offsets."""
    found = next_times(parse(expression), zone, datetime.fromisoformat(after), count, span or Span())
    return [time.isoformat(timespec="minutes") for time in found]


TABLE = [
    # Berlin: 2026-03-29 02:00 becomes 03:00, 2026-10-25 03:00 becomes 02:00
    ("spring skips the time that is not there", "cron(30 2 * * ? *)", "Europe/Berlin", "2026-03-28T12:00+01:00",
     ["2026-03-30T02:30+02:00", "2026-03-31T02:30+02:00"]),
    ("spring moves the instant of a later one", "cron(0 3 * * ? *)", "Europe/Berlin", "2026-03-28T00:00+01:00",
     ["2026-03-28T03:00+01:00", "2026-03-29T03:00+02:00"]),
    ("autumn fires a repeated time once", "cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-24T12:00+02:00",
     ["2026-10-25T02:30+02:00", "2026-10-26T02:30+01:00"]),
    ("autumn, asked between the two", "cron(30 2 * * ? *)", "Europe/Berlin", "2026-10-25T02:45+02:00",
     ["2026-10-26T02:30+01:00"]),
    ("autumn, asked within the second", "cron(0/15 * * * ? *)", "Europe/Berlin", "2026-10-25T02:20+01:00",
     ["2026-10-25T03:00+01:00", "2026-10-25T03:15+01:00"]),
    ("autumn, every half hour", "cron(0/30 2-3 * * ? *)", "Europe/Berlin", "2026-10-25T01:00+02:00",
     ["2026-10-25T02:00+02:00", "2026-10-25T02:30+02:00", "2026-10-25T03:00+01:00"]),
    # New York: 2026-03-08 02:00 becomes 03:00, 2026-11-01 02:00 becomes 01:00
    ("spring in New York", "cron(15 2 * * ? *)", "America/New_York", "2026-03-07T12:00-05:00",
     ["2026-03-09T02:15-04:00"]),
    ("autumn in New York", "cron(30 1 * * ? *)", "America/New_York", "2026-10-31T12:00-04:00",
     ["2026-11-01T01:30-04:00", "2026-11-02T01:30-05:00"]),
    ("half an hour on Lord Howe", "cron(0/20 1-2 ? * SUN *)", "Australia/Lord_Howe", "2026-10-03T12:00+10:30",
     ["2026-10-04T01:00+10:30", "2026-10-04T01:20+10:30", "2026-10-04T01:40+10:30", "2026-10-04T02:40+11:00"]),
    ("the day that Samoa left out", "cron(0 9 * * ? *)", "Pacific/Apia", "2011-12-29T00:00-10:00",
     ["2011-12-29T09:00-10:00", "2011-12-31T09:00+14:00"]),
    ("leap days", "cron(0 0 29 2 ? *)", "UTC", "2096-03-01T00:00+00:00",
     ["2104-02-29T00:00+00:00", "2108-02-29T00:00+00:00"]),
    ("ends of months", "cron(0 0 L * ? *)", "UTC", "2027-12-31T00:00+00:00",
     ["2028-01-31T00:00+00:00", "2028-02-29T00:00+00:00", "2028-03-31T00:00+00:00"]),
    ("the 31st where there is one", "cron(0 0 31 * ? *)", "UTC", "2026-03-31T00:00+00:00",
     ["2026-05-31T00:00+00:00", "2026-07-31T00:00+00:00"]),
    ("the weekday nearest to the first stays in its month", "cron(0 6 1W * ? *)", "UTC", "2026-07-31T00:00+00:00",
     ["2026-08-03T06:00+00:00", "2026-09-01T06:00+00:00", "2026-10-01T06:00+00:00", "2026-11-02T06:00+00:00"]),
    ("the last Friday of each month, for some years", "cron(15 10 ? * 6L 2019-2022)", "UTC", "2022-11-01T00:00+00:00",
     ["2022-11-25T10:15+00:00", "2022-12-30T10:15+00:00"]),
    ("the minute itself is over", "cron(0 3 * * ? *)", "UTC", "2026-01-01T03:00+00:00", ["2026-01-02T03:00+00:00"]),
    ("a second before it is not", "cron(0 3 * * ? *)", "UTC", "2026-01-01T02:59:59+00:00",
     ["2026-01-01T03:00+00:00"]),
    ("once", "at(2026-07-01T08:00:00)", "Europe/Berlin", "2026-01-01T00:00+00:00", ["2026-07-01T08:00+02:00"]),
    ("once, and it was", "at(2026-07-01T08:00:00)", "Europe/Berlin", "2026-07-01T06:00+00:00", []),
    ("once, at a time that is not there", "at(2026-03-29T02:30:00)", "Europe/Berlin", "2026-01-01T00:00+00:00", []),
]  # fmt: skip


@pytest.mark.parametrize(
    ("expression", "zone", "after", "expected"), [row[1:] for row in TABLE], ids=[r[0] for r in TABLE]
)
def test_times_of_the_table(expression: str, zone: str, after: str, expected: list[str]) -> None:
    found = fired(expression, zone, after, max(1, len(expected)))
    assert found == expected


def test_a_day_of_a_rate_is_24_hours_whatever_the_clock_does() -> None:
    span = Span(start=datetime(2026, 3, 27, 12, tzinfo=UTC))
    assert fired("rate(1 day)", "Europe/Berlin", "2026-03-28T00:00+00:00", 2, span) == [
        "2026-03-28T13:00+01:00",
        "2026-03-29T14:00+02:00",
    ]


def test_a_rate_counts_from_its_start_or_else_from_its_creation() -> None:
    start, created = datetime(2026, 1, 1, 0, 7, tzinfo=UTC), datetime(2026, 1, 1, 0, 2, tzinfo=UTC)
    after = "2026-01-01T00:00+00:00"
    assert fired("rate(5 minutes)", "UTC", after, 2, Span(start=start, created=created)) == [
        "2026-01-01T00:07+00:00",
        "2026-01-01T00:12+00:00",
    ]
    assert fired("rate(5 minutes)", "UTC", after, 1, Span(created=created)) == ["2026-01-01T00:02+00:00"]
    assert fired("rate(5 minutes)", "UTC", after, 1) == ["2026-01-01T00:05+00:00"]


def test_start_and_end_are_included() -> None:
    start, end = datetime(2026, 1, 2, 3, tzinfo=UTC), datetime(2026, 1, 3, 3, tzinfo=UTC)
    span = Span(start=start, end=end)
    assert fired("cron(0 3 * * ? *)", "UTC", "2025-01-01T00:00+00:00", 9, span) == [
        "2026-01-02T03:00+00:00",
        "2026-01-03T03:00+00:00",
    ]
    assert fired("rate(1 day)", "UTC", "2025-01-01T00:00+00:00", 9, span) == [
        "2026-01-02T03:00+00:00",
        "2026-01-03T03:00+00:00",
    ]


def test_start_and_end_mean_nothing_to_a_single_time() -> None:
    span = Span(start=datetime(2027, 1, 1, tzinfo=UTC), end=datetime(2025, 1, 1, tzinfo=UTC))
    assert fired("at(2026-07-01T08:00:00)", "UTC", "2026-01-01T00:00+00:00", 1, span) == ["2026-07-01T08:00+00:00"]


def test_a_schedule_knows_its_next_starts() -> None:
    schedule = Schedule("nightly", "cron(0 3 * * ? *)", "role", timezone="Europe/Berlin", end="2026-01-02T02:00:00Z")
    after = datetime(2026, 1, 1, tzinfo=UTC)
    assert [time.isoformat() for time in next_starts(schedule, after, 5)] == [
        "2026-01-01T03:00:00+01:00",
        "2026-01-02T03:00:00+01:00",
    ]
    assert next_starts(Schedule("off", "cron(0 3 * * ? *)", "role", enabled=False), after, 5) == ()


def test_a_flexible_window_opens_at_the_time() -> None:
    time = datetime(2026, 1, 1, tzinfo=UTC)
    assert window(time, 15) == (time, time + timedelta(minutes=15))


# By brute force over every minute


def minutes_field(low: int, high: int) -> st.SearchStrategy[str]:
    value = st.integers(low, high)
    single = value.map(str)
    ranged = st.tuples(value, value).map(lambda pair: f"{pair[0]}-{pair[1]}")
    stepped = st.tuples(value | st.just("*"), st.integers(1, high)).map(lambda pair: f"{pair[0]}/{pair[1]}")
    return st.just("*") | st.lists(single | ranged | stepped, min_size=1, max_size=3).map(",".join)


of_month = minutes_field(1, 31) | st.sampled_from(["L", "LW", "L-2", "1W", "15W", "31W"])
of_week = st.sampled_from(["*", "MON-FRI", "SUN", "1,4", "FRI-MON", "L", "6L", "SUNL", "3#2", "SAT#5"])
day_fields = of_month.map(lambda text: (text, "?")) | of_week.map(lambda text: ("?", text))
expressions = st.builds(
    lambda minutes, hours, days, months: f"{minutes} {hours} {days[0]} {months} {days[1]} *",
    minutes_field(0, 59),
    minutes_field(0, 23),
    day_fields,
    st.sampled_from(["*", "3,10", "1-6", "NOV-MAR"]),
)
ZONES = ["UTC", "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"]
moments = st.datetimes(datetime(2023, 1, 1), datetime(2031, 1, 1)) | st.sampled_from(
    [datetime(2026, 3, 28, 20), datetime(2026, 10, 24, 20), datetime(2026, 3, 7, 22), datetime(2026, 10, 31, 22)]
)


def matches(cron: Cron, local: datetime) -> bool:
    """Whether a minute is one of the expression's, field by field."""
    return (
        local.minute in cron.minutes
        and local.hour in cron.hours
        and local.month in cron.months
        and local.year in cron.years
        and local.day in cron.days.days(local.year, local.month)
    )


@settings(max_examples=60, deadline=None)
@given(expressions, st.sampled_from(ZONES), moments)
def test_nothing_is_skipped_and_nothing_fires_twice(text: str, zone_name: str, moment: datetime) -> None:
    cron, after = parse_cron(text), moment.replace(tzinfo=UTC, second=0, microsecond=0)
    until = after + timedelta(hours=30)
    zone = ZoneInfo(zone_name)
    local = [(after + timedelta(minutes=minute)).astimezone(zone) for minute in range(1, 30 * 60 + 1)]
    # The first of two equal local times is the one with fold 0.
    expected = [time for time in local if not time.fold and matches(cron, time.replace(tzinfo=None))]
    found = []
    for time in times(cron, zone_name, after):
        if time > until:
            break
        found.append(time)
    assert [time.timestamp() for time in found] == [time.timestamp() for time in expected]


@settings(max_examples=60, deadline=None)
@given(expressions, st.sampled_from(ZONES), moments)
def test_times_strictly_increase_and_match_every_field(text: str, zone_name: str, moment: datetime) -> None:
    cron, after = parse_cron(text), moment.replace(tzinfo=UTC)
    found = next_times(cron, zone_name, after, 30)
    assert len(found) == 30
    assert all(earlier.timestamp() < later.timestamp() for earlier, later in pairwise([after, *found]))
    assert all(matches(cron, time.replace(tzinfo=None)) for time in found)
    assert all(time.tzinfo == time_zone(zone_name) for time in found)


@settings(max_examples=60, deadline=None)
@given(expressions, st.sampled_from(ZONES), moments, st.integers(1, 8))
def test_asking_again_from_a_time_goes_on_where_it_was(text: str, zone_name: str, moment: datetime, count: int) -> None:
    cron, after = parse_cron(text), moment.replace(tzinfo=UTC)
    together = next_times(cron, zone_name, after, count + 3)
    first = next_times(cron, zone_name, after, count)
    assert first + next_times(cron, zone_name, first[-1], 3) == together


def test_after_may_be_of_any_offset() -> None:
    after = datetime(2026, 1, 1, 5, tzinfo=timezone(timedelta(hours=5)))
    assert next_times(parse("cron(0 0 * * ? *)"), "UTC", after, 1)[0].isoformat() == "2026-01-02T00:00:00+00:00"


def test_a_weekday_is_counted_from_sunday() -> None:
    assert [weekday(2026, 8, day) for day in range(2, 9)] == [1, 2, 3, 4, 5, 6, 7]
