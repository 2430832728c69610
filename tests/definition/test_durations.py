"""ExpireAfter → timedelta."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.definition import parse_duration
from pipelines.errors import DefinitionError


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("PT1H", timedelta(hours=1)),
        ("T30m", timedelta(minutes=30)),
        ("P30d", timedelta(days=30)),
        ("p30d", timedelta(days=30)),
        ("P4DT12H", timedelta(days=4, hours=12)),
        ("30d", timedelta(days=30)),
        ("10d", timedelta(days=10)),
        ("5y", timedelta(days=5 * 365)),
        ("30dT5h", timedelta(days=30, hours=5)),
        ("P2W", timedelta(weeks=2)),
        # Months before the T, minutes after it: the trap of this notation.
        ("P30M", timedelta(days=30 * 30)),
        ("PT30M", timedelta(minutes=30)),
        ("P1Y2M3W4DT5H6M", timedelta(days=365 + 60 + 21 + 4, hours=5, minutes=6)),
    ],
)
def test_durations_the_service_accepts(text: str, expected: timedelta) -> None:
    assert parse_duration(text) == expected


@pytest.mark.parametrize(
    "text", ["", "P", "T", "PT", "30", "1h", "P1D2Y", "P1.5D", "-P1D", "PT5S", "P1DT", "P9999999999D"]
)
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(DefinitionError, match=r"is not a duration\n  fix: .*P30D, PT1H") as caught:
        parse_duration(text, where="Steps[0].CacheConfig")
    assert caught.value.problems[0].where == "Steps[0].CacheConfig"
