"""`date_parts`: calendar parts of a date or timestamp column, or of three columns year, month and day."""

from __future__ import annotations

from dataclasses import dataclass

from processing.columns import Column, ColumnType
from processing.nearest import suggestion
from processing.recipe.fields import Fields
from processing.recipe.scope import Scope
from processing.sql.dialect import Dialect
from processing.transforms.interface import Fitter, Output, Rendered, Statistics
from processing.transforms.numeric import circle

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
class DateParts:
    """Parts as numbers and, those under `cyclic`, as sine and cosine."""

    source: tuple[Column, ...]
    parts: tuple[str, ...]
    cyclic: tuple[str, ...]

    @classmethod
    def read(cls, fields: Fields, scope: Scope) -> DateParts:
        parts, cyclic = fields.texts("parts", ()), fields.texts("cyclic", ())
        source = _source(fields, scope)
        timed = source[0].type is ColumnType.TIMESTAMP
        known = [part for part in PARTS if timed or part not in _CLOCK]
        for key, names in (("parts", parts), ("cyclic", cyclic)):
            for name in names:
                if name not in known:
                    fields.refuse(key, f"no part '{name}' of this column", suggestion(name, known))
                elif key == "cyclic" and PARTS[name] is None:
                    fields.refuse(key, f"'{name}' is not cyclic", f"move '{name}' to 'parts'")
        if not parts and not cyclic:
            fields.refuse(None, "date_parts makes no column", "add 'parts: [month, weekday]'")
        return cls(source, parts, cyclic)

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


def _source(fields: Fields, scope: Scope) -> tuple[Column, ...]:
    names = fields.texts("column")
    if len(names) == 3:
        return tuple(scope.checked(name, fields, "column", (ColumnType.INTEGER,)) for name in names)
    if len(names) != 1:
        what = "'column' is one date or timestamp, or the three columns of year, month and day"
        fields.refuse("column", what, "write 'column: [year, month, day]'")
    kinds = (ColumnType.DATE, ColumnType.TIMESTAMP)
    return (scope.checked(names[0] if names else "", fields, "column", kinds),)


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
