"""Transforms that need no statistic: `passthrough`, `cyclic`, `boolean`, `missing`, `text_length`, `drop`."""

from __future__ import annotations

from dataclasses import dataclass

from processing.columns import Column, ColumnType
from processing.recipe.fields import Fields
from processing.recipe.options import ColumnName, Real, Texts, option
from processing.sql.dialect import Dialect
from processing.transforms.interface import Count, Fitter, Output, Rendered, Statistics
from processing.transforms.values import ALL, NUMBERS, circle, double, missing


@dataclass(frozen=True, kw_only=True)
class _Unfitted:
    """A transform of one column with nothing to fit."""

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)  # type: ignore[attr-defined]

    def fit(self, _fitter: Fitter) -> Statistics:
        return {}


@dataclass(frozen=True, kw_only=True)
class Passthrough(_Unfitted):
    """A number as it is; null stays null, which XGBoost reads as missing."""

    column: Column = option(ColumnName(NUMBERS), "The column.")

    def render(self, name: str, _statistics: Statistics, dialect: Dialect) -> Rendered:
        return Rendered((Output(name, double(self.column, dialect)),))


@dataclass(frozen=True, kw_only=True)
class Cyclic(_Unfitted):
    """A number on a circle (an hour of 24, a bearing of 360) as sine and cosine: `…_sin`, `…_cos`."""

    column: Column = option(ColumnName(NUMBERS), "The column.")
    period: float = option(Real(1e-9, 1e9), "The length of the circle, in the column's unit.")

    def render(self, name: str, _statistics: Statistics, dialect: Dialect) -> Rendered:
        return Rendered(circle(name, double(self.column, dialect), self.period, dialect))


@dataclass(frozen=True, kw_only=True)
class Boolean(_Unfitted):
    """1 and 0; null stays null.

    Texts are true or false as listed; one that is on neither list is null, counted in quality.json as `unlisted`.
    """

    column: Column = option(
        ColumnName((ColumnType.BOOLEAN, ColumnType.STRING, ColumnType.INTEGER)), "The column; booleans need no lists."
    )
    true: tuple[str, ...] = option(Texts(), "The values that mean 1.", default=())
    false: tuple[str, ...] = option(
        Texts(), "The values that mean 0.", default=(), given="all that are not under `true`"
    )

    def check(self, fields: Fields) -> None:
        listed = bool(self.true or self.false)
        if self.column.type is ColumnType.BOOLEAN and listed:
            fields.refuse("true", "a boolean column is 1 where it is true", "remove 'true' and 'false'")
        elif self.column.type is not ColumnType.BOOLEAN and self.column.name and not self.true:
            fields.refuse(None, f"which values of '{self.column}' mean true?", "add 'true: [yes]'")
        both = [value for value in self.true if value in self.false]
        if both:
            fields.refuse("false", f"'{both[0]}' is under 'true', too", "remove it from one of the two")

    def render(self, name: str, _statistics: Statistics, dialect: Dialect) -> Rendered:
        if self.column.type is ColumnType.BOOLEAN:
            return Rendered((Output(name, double(self.column, dialect)),))
        value = f"CAST({dialect.name(str(self.column))} AS {dialect.text_type})"
        true = f"{value} IN ({', '.join(map(dialect.text, self.true))})"
        if not self.false:
            return Rendered((Output(name, f"CASE WHEN {true} THEN 1 WHEN {value} IS NOT NULL THEN 0 END"),))
        false = f"{value} IN ({', '.join(map(dialect.text, self.false))})"
        output = Output(name, f"CASE WHEN {true} THEN 1 WHEN {false} THEN 0 END")
        return Rendered((output,), counts=(Count("unlisted", f"NOT ({true} OR {false})", training=True),))


@dataclass(frozen=True, kw_only=True)
class Missing(_Unfitted):
    """1 where the column is null, 0 where not."""

    column: Column = option(ColumnName(ALL), "The column, of any type.")

    def render(self, name: str, _statistics: Statistics, dialect: Dialect) -> Rendered:
        return Rendered((Output(name, missing(self.column, dialect)),))


@dataclass(frozen=True, kw_only=True)
class TextLength(_Unfitted):
    """The number of characters (Unicode code points); null stays null."""

    column: Column = option(ColumnName((ColumnType.STRING,)), "The column.")

    def render(self, name: str, _statistics: Statistics, dialect: Dialect) -> Rendered:
        return Rendered((Output(name, f"length({dialect.name(str(self.column))})"),))


@dataclass(frozen=True, kw_only=True)
class Drop:
    """No column: says that a declared column is left out on purpose. It is not read."""

    column: Column = option(ColumnName(ALL), "The column, of any type; one that is known only afterwards, too.")

    @property
    def columns(self) -> tuple[Column, ...]:
        return ()

    def fit(self, _fitter: Fitter) -> Statistics:
        return {}

    def render(self, _name: str, _statistics: Statistics, _dialect: Dialect) -> Rendered:
        return Rendered(())
