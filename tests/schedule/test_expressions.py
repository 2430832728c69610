"""What is a schedule expression, and the message of what is none."""

from __future__ import annotations

import sys
import zoneinfo
from collections.abc import Iterator
from datetime import datetime, timedelta

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.schedule import At, Cron, Rate, ScheduleError, parse, parse_cron, time_zone

DOCUMENTED = [  # the sample cron strings of AWS's guide
    "0 10 * * ? *",
    "15 12 * * ? *",
    "0 18 ? * MON-FRI *",
    "0 8 1 * ? *",
    "0/15 * * * ? *",
    "0/10 * ? * MON-FRI *",
    "0/5 8-17 ? * MON-FRI *",
    "0/30 20-2 ? * MON-FRI *",
    "0 12 * * ? *",
    "5,35 14 * * ? *",
    "15 10 ? * 6L 2019-2022",
    "15 10 ? * 6#3 *",
    "0 9 3W * ? *",
]


@pytest.mark.parametrize("fields", DOCUMENTED)
def test_the_examples_of_the_guide_are_expressions(fields: str) -> None:
    assert parse(f"cron({fields})") == parse_cron(fields)
    assert parse_cron(fields).text == f"cron({fields})"


VALUES = [
    ("minutes", "0/10 * * * ? *", (0, 10, 20, 30, 40, 50)),
    ("minutes", "*/25 * * * ? *", (0, 25, 50)),
    ("minutes", "5,35,5 * * * ? *", (5, 35)),
    ("minutes", "50-10/5 * * * ? *", (0, 5, 10, 50, 55)),
    ("hours", "0 11-23/4 * * ? *", (11, 15, 19, 23)),
    ("hours", "0 20-2 * * ? *", (0, 1, 2, 20, 21, 22, 23)),
    ("hours", "0 22/1 * * ? *", (22, 23)),
    ("months", "0 0 1 jan,Mar-MAY ? *", (1, 3, 4, 5)),
    ("months", "0 0 1 1-12/3 ? *", (1, 4, 7, 10)),
    ("months", "0 0 1 NOV-FEB ? *", (1, 2, 11, 12)),
    ("years", "0 0 1 1 ? 2024-2026,2030", (2024, 2025, 2026, 2030)),
    ("years", "0 0 1 1 ? 2190/4", (2190, 2194, 2198)),
]


@pytest.mark.parametrize(("field", "text", "values"), VALUES, ids=[text for _, text, _ in VALUES])
def test_values_of_a_field(field: str, text: str, values: tuple[int, ...]) -> None:
    assert getattr(parse_cron(text), field) == values


DAYS = [  # of month and week; year and month; the days. 2026-08-01 is a Saturday, 2026-11-01 a Sunday.
    ("*", "?", (2026, 2), tuple(range(1, 29))),
    ("1,15,31", "?", (2026, 4), (1, 15)),
    ("1/10", "?", (2026, 1), (1, 11, 21, 31)),
    ("28-2", "?", (2026, 3), (1, 2, 28, 29, 30, 31)),
    ("L", "?", (2024, 2), (29,)),
    ("L", "?", (2026, 2), (28,)),
    ("L-3", "?", (2026, 2), (25,)),
    ("L-30", "?", (2026, 2), ()),
    ("LW", "?", (2026, 1), (30,)),
    ("LW", "?", (2026, 5), (29,)),
    ("LW", "?", (2026, 6), (30,)),
    ("1W", "?", (2026, 8), (3,)),
    ("1W", "?", (2026, 11), (2,)),
    ("15W", "?", (2026, 8), (14,)),
    ("16W", "?", (2026, 8), (17,)),
    ("31W", "?", (2026, 1), (30,)),
    ("31W", "?", (2026, 5), (29,)),
    ("31W", "?", (2026, 6), ()),
    ("?", "MON", (2026, 8), (3, 10, 17, 24, 31)),
    ("?", "2", (2026, 8), (3, 10, 17, 24, 31)),
    ("?", "1,7", (2026, 8), (1, 2, 8, 9, 15, 16, 22, 23, 29, 30)),
    ("?", "FRI-MON", (2026, 2), (1, 2, 6, 7, 8, 9, 13, 14, 15, 16, 20, 21, 22, 23, 27, 28)),
    ("?", "L", (2026, 8), (1, 8, 15, 22, 29)),
    ("?", "6L", (2026, 7), (31,)),
    ("?", "friL", (2026, 8), (28,)),
    ("?", "3#2", (2026, 9), (8,)),
    ("?", "TUE#1", (2026, 9), (1,)),
    ("?", "SAT#5", (2026, 8), (29,)),
    ("?", "SAT#5", (2026, 9), ()),
]


@pytest.mark.parametrize(("of_month", "of_week", "when", "days"), DAYS)
def test_days_of_a_month(of_month: str, of_week: str, when: tuple[int, int], days: tuple[int, ...]) -> None:
    assert parse_cron(f"0 0 {of_month} * {of_week} *").days.days(*when) == days


def test_rate_and_at() -> None:
    assert parse("rate(1 hour)") == Rate("rate(1 hour)", timedelta(hours=1))
    assert parse(" rate( 5  minutes ) ") == Rate("rate(5 minutes)", timedelta(minutes=5))
    assert parse("rate(2 days)") == Rate("rate(2 days)", timedelta(hours=48))
    found = parse("at(2030-01-31T08:00:00)")
    assert isinstance(found, At)
    assert (found.text, found.time.isoformat()) == ("at(2030-01-31T08:00:00)", "2030-01-31T08:00:00")


FIELDS = "write minutes hours day-of-month month day-of-week year, such as 0 3 * * ? *"
NO_DAY = "write ? for the one that does not matter: 0 3 * * ? * or 0 3 ? * MON-FRI *"
TIME = "write yyyy-mm-ddThh:mm:ss without an offset, such as 2030-01-31T08:00:00"
REFUSED = [
    ("cron(0 3 * * ?)", "a cron expression has six fields, '0 3 * * ?' has 5 fields", FIELDS),
    ("cron()", "a cron expression has six fields, '' has 0 fields", FIELDS),
    ("cron(0 3 * * * *)", "one of day-of-month and day-of-week must be ?, and neither is", NO_DAY),
    ("cron(0 3 ? * ? *)", "one of day-of-month and day-of-week must be ?, and both of them are", NO_DAY),
    ("cron(60 3 * * ? *)", "'60' is not a value of the minutes", "use 0 to 59"),
    ("cron(0 24 * * ? *)", "'24' is not a value of the hours", "use 0 to 23"),
    ("cron(0 0 0 * ? *)", "'0' is not a day of the month", "use 1 to 31"),
    ("cron(0 0 1 13 ? *)", "'13' is not a month", "use 1 to 12, or JAN to DEC"),
    ("cron(0 0 1 MAI ? *)", "'MAI' is not a month", "use 1 to 12, or JAN to DEC"),
    ("cron(0 0 ? * 0 *)", "'0' is not a day of the week", "use 1 to 7, or SUN to SAT"),
    ("cron(0 0 ? * 2/2 *)", "'2/2': a day of the week takes no steps", "list the days: MON,WED,FRI"),
    ("cron(0 0 1 1 ? 2030-2025)", "'2030-2025' is not a year", "put the smaller year first: 2025-2030"),
    ("cron(0 0 1 1 ? 1969)", "'1969' is not a year", "use 1970 to 2199"),
    ("cron(*/0 0 1 1 ? *)", "'*/0' is not a value of the minutes", "use a step of 1 to 59"),
    ("cron(*-5 0 1 1 ? *)", "'*-5' is not a value of the minutes", "write values (0), ranges (0-2), lists or *"),
    ("cron(1, 0 1 1 ? *)", "'1,' is not a value of the minutes", "write values (0), ranges (0-2), lists or *"),
    ("cron(? 0 1 1 ? *)", "'?' is not a value of the minutes", "write values (0), ranges (0-2), lists or *"),
    ("cron(0 0 1,L * ? *)", "'1,L' is not a day of the month", "let L, LW and 3W stand alone, not in lists or ranges"),
    ("cron(0 0 L-31 * ? *)", "'L-31' lies before the month", "use L-1 to L-30"),
    ("cron(0 0 32W * ? *)", "'32' is not a day of the month", "use 1 to 31"),
    ("cron(0 0 ? * 3#1,6#3 *)", "'3#1,6#3' is not a day of the week", "let # stand alone, as in 3#2: not in lists"),
    ("cron(0 0 ? * 3#6 *)", "'3#6': a month has at most five of a day", "write #1 to #5"),
    ("cron(0 0 30 2 ? *)", "'0 0 30 2 ? *' never fires: there is no such day", "name a day that the months have"),
    ("cron(0 0 29 2 ? 2025-2027)", "'0 0 29 2 ? 2025-2027' never fires: there is no such day", None),
    ("rate(1 hours)", "AWS refuses '1 hours'", "write 1 hour"),
    ("rate(5 minute)", "AWS refuses '5 minute'", "write 5 minutes"),
    ("rate(0 days)", "'0 days' is out of range", "use 1 minute to 36600 days"),
    ("rate(36601 days)", "'36601 days' is out of range", "use 1 minute to 36600 days"),
    ("rate(1 week)", "'1 week' is not a rate", "write a number and minutes, hours or days: 15 minutes, 1 hour"),
    ("at(2030-01-31)", "'2030-01-31' is not a date and time", TIME),
    ("at(2030-02-30T08:00:00)", "'2030-02-30T08:00:00' is not a date and time: day is out of range for month", TIME),
    ("at(2030-01-31T08:00:00Z)", "'2030-01-31T08:00:00Z' is not a date and time", TIME),
    ("at(0001-01-01T00:00:00)", "'0001-01-01T00:00:00' is out of range", "use a year from 1970 to 2199"),
    (
        "0 3 * * ? *",
        "'0 3 * * ? *' is not a schedule expression",
        "write cron(0 3 * * ? *), rate(1 day) or at(2030-01-31T08:00:00)",
    ),
]


@pytest.mark.parametrize(("text", "what", "fix"), REFUSED, ids=[text for text, _, _ in REFUSED])
def test_message_and_fix_of_what_is_no_expression(text: str, what: str, fix: str | None) -> None:
    with pytest.raises(ScheduleError) as caught:
        parse(text)
    assert caught.value.what == what
    assert caught.value.fix == (fix or "name a day that the months have")


def test_unknown_timezone_names_the_nearest_one() -> None:
    with pytest.raises(ScheduleError) as caught:
        time_zone("Europe/Berln")
    assert (caught.value.what, caught.value.fix) == (
        "there is no timezone 'Europe/Berln'",
        "did you mean 'Europe/Berlin'?",
    )


@pytest.fixture
def without_system_database() -> Iterator[None]:
    zoneinfo.reset_tzpath(to=())
    zoneinfo.ZoneInfo.clear_cache()
    yield
    zoneinfo.reset_tzpath()


@pytest.mark.usefixtures("without_system_database")
def test_timezones_need_no_database_of_the_system() -> None:
    assert time_zone("Europe/Berlin").utcoffset(datetime(2026, 7, 1)) == timedelta(hours=2)


@pytest.mark.usefixtures("without_system_database")
def test_without_any_database_the_message_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("tzdata", "tzdata.zoneinfo", "tzdata.zoneinfo.Europe"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ScheduleError) as caught:
        time_zone("Europe/Berlin")
    assert (caught.value.what, caught.value.fix) == (
        "this Python has no database of timezones",
        "install it: pip install tzdata",
    )


@pytest.mark.parametrize("name", ["", "../../etc/passwd", "/etc/localtime", "x" * 51, "Europe", "a\0b", "\ud800"])
def test_what_is_no_timezone_is_a_message(name: str) -> None:
    with pytest.raises(ScheduleError, match="there is no timezone"):
        time_zone(name)


pieces = st.sampled_from([*"0159*?,-/LW# ", "MON", "JAN", "2030", "cron(", "rate(", "at(", ")", "day", "hours", "T"])


@given(st.lists(pieces, max_size=25).map("".join) | st.text(max_size=30))
@example("cron(0 0 1 * ? " + "9" * 5000 + ")")
@example("cron(0 0 ? * 1#" + "9" * 5000 + " *)")
@example("rate(" + "9" * 5000 + " days)")
def test_any_text_is_an_expression_or_a_message(text: str) -> None:
    result = outcome(text)
    assert isinstance(result, Cron | Rate | At) or (result.what and result.fix)


def outcome(text: str) -> Cron | Rate | At | ScheduleError:
    try:
        return parse(text)
    except ScheduleError as error:
        return error
