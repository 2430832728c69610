"""`date_parts`: calendar parts of a date or timestamp column, or of three columns year, month and day."""

from __future__ import annotations

from dataclasses import dataclass

from processing.columns import Column, ColumnType
from processing.recipe.fields import Fields
from processing.recipe.options import Choices, Schema, option
from processing.recipe.scope import UNKNOWN, Scope
from processing.sql.dialect import Dialect
from processing.transforms.interface import Fitter, Output, Rendered, Statistics
from processing.transforms.values import circle

# First value and length of each part's circle; None where a circle makes no sense.
PARTS: dict[str, tuple[int, int] | None] = {
    "year": None,
    "quarter": (1, 4),
    "month": (1, 12),
    "week": (1, 53),
    "day": (1, 31),
    "day_of_year": (1, 366),
    "weekday": (1, 7),
    "weekend": None,
    "hour": (0, 24),
    "minute": (0, 60),
}
_CLOCK = ("hour", "minute")


@dataclass(frozen=True)
class DateColumns:
    """The option: one column of dates or timestamps, or three of whole numbers."""

    def read(self, fields: Fields, key: str, scope: Scope) -> tuple[Column, ...]:
        names = fields.texts(key)
        if len(names) == 3:
            return tuple(scope.checked(name, fields, key, (ColumnType.INTEGER,)) for name in names)
        if len(names) != 1:
            what = f"'{key}' is one date or timestamp, or the three columns of year, month and day"
            fields.refuse(key, what, f"write '{key}: [year, month, day]'")
            return (UNKNOWN,)
        return (scope.checked(names[0], fields, key, self.kinds),)

    @property
    def kinds(self) -> tuple[ColumnType, ...]:
        return (ColumnType.DATE, ColumnType.TIMESTAMP)

    def schema(self) -> Schema:
        three = {"type": "array", "items": {"type": "string"}, "minItems": 3, "maxItems": 3}
        return {"anyOf": [{"type": "string"}, three]}

    def words(self) -> str:
        return f"column ({', '.join(self.kinds)}), or list of three columns (integer)"


@dataclass(frozen=True, kw_only=True)
class DateParts:
    """Parts as numbers (`…_month`) and, those under `cyclic`, as sine and cosine (`…_month_sin`); null stays null."""

    source: tuple[Column, ...] = option(
        DateColumns(), "One date or timestamp, or the three whole numbers year, month and day.", key="column"
    )
    parts: tuple[str, ...] = option(
        Choices(tuple(PARTS)), "Parts as numbers; a weekday is 1 (Monday) to 7.", default=()
    )
    cyclic: tuple[str, ...] = option(
        Choices(tuple(part for part, circle in PARTS.items() if circle is not None)),
        "Parts on a circle.",
        default=(),
    )

    def check(self, fields: Fields) -> None:
        timed = self.source[0].type is ColumnType.TIMESTAMP
        for key, names in (("parts", self.parts), ("cyclic", self.cyclic)):
            for name in names:
                if name in _CLOCK and not timed and self.source[0].name:
                    fields.refuse(key, f"a date has no {name}", f"remove '{name}', or declare the column 'timestamp'")
        if not fields.has("parts") and not fields.has("cyclic"):
            fields.refuse(None, "date_parts makes no column", "add 'parts: [month, weekday]'")

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.source

    def fit(self, _fitter: Fitter) -> Statistics:
        return {}

    def render(self, name: str, _statistics: Statistics, dialect: Dialect) -> Rendered:
        date = _date(self.source, dialect)
        outputs = [Output(f"{name}_{part}", _part(part, date, dialect)) for part in self.parts]
        for part in self.cyclic:
            first, length = PARTS[part] or (0, 1)
            outputs += circle(f"{name}_{part}", f"{_part(part, date, dialect)} - {first}", length, dialect)
        return Rendered(tuple(outputs))


def _date(source: tuple[Column, ...], dialect: Dialect) -> str:
    names = [dialect.name(str(column)) for column in source]
    if len(names) == 3:
        return dialect.date(names[0], names[1], names[2])
    return names[0]


def _part(part: str, date: str, dialect: Dialect) -> str:
    match part:
        case "weekday":
            return dialect.weekday(date)
        case "weekend":
            return f"CASE WHEN {dialect.weekday(date)} >= 6 THEN 1 WHEN {date} IS NOT NULL THEN 0 END"
        case "day_of_year":
            return f"extract(doy FROM {date})"
    return f"extract({part} FROM {date})"
