"""The cut points of a split by time: text of the column's type, in order."""

from __future__ import annotations

from datetime import date, datetime

from processing.columns import ColumnType
from processing.recipe.fields import Fields
from processing.recipe.model import TimeSplit
from processing.recipe.scope import UNKNOWN

_EXAMPLES = {
    ColumnType.INTEGER: "2013",
    ColumnType.DATE: "2013-10-01",
    ColumnType.TIMESTAMP: "2013-10-01 00:00:00",
}


def check_cuts(split: TimeSplit, fields: Fields) -> None:
    """The columns make one time, and the cuts are such times, the first before the second."""
    kinds = [column.type for column in split.time]
    if UNKNOWN in split.time or not kinds:
        return
    if len(kinds) == 3 and set(kinds) != {ColumnType.INTEGER}:
        fields.refuse("split", "year, month and day are declared integer", "name one column, or three whole numbers")
        return
    if split.cuts is None:
        return
    kind = kinds[0] if len(kinds) == 1 else ColumnType.DATE
    times = [_time(text, kind) for text in split.cuts]
    for text, time in zip(split.cuts, times, strict=True):
        if time is None:
            what = f"'{text}' is no {kind} such as '{_EXAMPLES[kind]}'"
            fields.refuse("split", what, f"write 'validation_from: \"{_EXAMPLES[kind]}\"'")
    if None not in times and not times[0] < times[1]:  # type: ignore[operator]
        what = f"validation starts at {split.cuts[0]}, test at {split.cuts[1]}"
        fields.refuse("split", what, "let 'validation_from' be before 'test_from'")


def _time(text: str, kind: ColumnType) -> int | date | datetime | None:
    try:
        match kind:
            case ColumnType.INTEGER:
                return int(text)
            case ColumnType.DATE:
                return date.fromisoformat(text)
        return datetime.fromisoformat(text) if "+" not in text and not text.endswith("Z") else None
    except ValueError:
        return None
