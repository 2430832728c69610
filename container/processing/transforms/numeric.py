"""Numbers: `numeric` (clip by quantiles, impute, scale; in this order), `passthrough` and `cyclic`."""

from __future__ import annotations

import math
from dataclasses import dataclass

from processing.columns import Column, ColumnType
from processing.recipe.fields import Fields
from processing.recipe.scope import Scope
from processing.sql.dialect import Dialect
from processing.transforms.interface import CannotFit, Fitter, Output, Rendered, Statistics

_NUMBERS = (ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.BOOLEAN)
_WAYS = ("mean", "median", "constant")


@dataclass(frozen=True)
class Impute:
    """How nulls are filled, and whether a column tells where."""

    way: str
    constant: float
    flag: bool


def read_impute(fields: Fields) -> Impute | None:
    """`impute: median`, or `impute: {with: constant, value: 0, flag: true}`; None when left out."""
    if not fields.has("impute"):
        return None
    if not fields.is_mapping("impute"):
        way = fields.choice("impute", _WAYS, "mean")
        if way == "constant":
            fields.refuse("impute", "a constant needs its value", "write 'impute: {with: constant, value: 0}'")
        return Impute(way, 0.0, False)
    inner = fields.fields("impute", "impute")
    if inner is None:
        return None
    way = inner.choice("with", _WAYS)
    constant = inner.number("value", low=-1e30, high=1e30) if way == "constant" else 0.0
    impute = Impute(way, constant, inner.flag("flag"))
    inner.finish()
    return impute


@dataclass(frozen=True)
class Numeric:
    """A number clipped to two quantiles, filled where null, scaled to mean 0 and deviation 1; each on request."""

    column: Column
    clip: tuple[float, float] | None
    impute: Impute | None
    scale: bool

    @classmethod
    def read(cls, fields: Fields, scope: Scope) -> Numeric:
        column = scope.column(fields, "column", _NUMBERS)
        clip = fields.numbers("clip", 2)
        bounds = (clip[0], clip[1]) if clip is not None else None
        if bounds is not None and not 0 <= bounds[0] < bounds[1] <= 1:
            fields.refuse("clip", "'clip' is two rising quantiles from 0 to 1", "write 'clip: [0.01, 0.99]'")
        impute = read_impute(fields)
        scale = fields.choice("scale", ("none", "standard"), "none")
        return cls(column, bounds, impute, scale == "standard")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    def fit(self, fitter: Fitter) -> Statistics:
        """Each stage is fitted on what the one before gives."""
        statistics: dict[str, float | list[float]] = {}
        if self.clip is not None:
            bounds = fitter.quantiles(_double(self.column, fitter.dialect), self.clip)
            statistics["clip"] = list(self._found(bounds))
        if self.impute is not None:
            statistics["impute"] = self._fill(self.impute, fitter, statistics)
        if self.scale:
            moments = fitter.moments(self._filled(statistics, fitter.dialect))
            self._found([moments.mean] if moments.count else [])
            statistics |= {"mean": moments.mean, "deviation": moments.deviation}
        return statistics

    def _fill(self, impute: Impute, fitter: Fitter, statistics: Statistics) -> float:
        clipped = self._clipped(statistics, fitter.dialect)
        match impute.way:
            case "constant":
                return impute.constant
            case "median":
                return self._found(fitter.quantiles(clipped, [0.5]))[0]
            case "mean":
                moments = fitter.moments(clipped)
                return self._found([moments.mean] if moments.count else [])[0]
        raise ValueError(f"unknown way to impute: {impute.way}")

    def _found(self, values: tuple[float, ...] | list[float]) -> tuple[float, ...]:
        if not values:
            what = f"'{self.column}' has no value in the training split"
            raise CannotFit(what, "fill it with 'impute: {with: constant, value: 0}', or remove the feature")
        return tuple(values)

    def _clipped(self, statistics: Statistics, dialect: Dialect) -> str:
        """CASE rather than least and greatest: those would turn null into a bound."""
        value = _double(self.column, dialect)
        if "clip" not in statistics:
            return value
        low, high = (dialect.number(bound) for bound in statistics["clip"])
        return f"CASE WHEN {value} < {low} THEN {low} WHEN {value} > {high} THEN {high} ELSE {value} END"

    def _filled(self, statistics: Statistics, dialect: Dialect) -> str:
        clipped = self._clipped(statistics, dialect)
        return f"coalesce({clipped}, {dialect.number(statistics['impute'])})" if "impute" in statistics else clipped

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        value = self._filled(statistics, dialect)
        if self.scale:
            # A constant column has no spread to divide by: it becomes 0 throughout.
            spread = statistics["deviation"] or 1.0
            value = f"(({value}) - {dialect.number(statistics['mean'])}) / {dialect.number(spread)}"
        outputs = [Output(name, value)]
        if self.impute is not None and self.impute.flag:
            outputs.append(Output(f"{name}_missing", missing(self.column, dialect)))
        return Rendered(tuple(outputs))


@dataclass(frozen=True)
class Passthrough:
    """A number as it is; null stays null, which XGBoost reads as missing."""

    column: Column

    @classmethod
    def read(cls, fields: Fields, scope: Scope) -> Passthrough:
        return cls(scope.column(fields, "column", _NUMBERS))

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    def fit(self, _fitter: Fitter) -> Statistics:
        return {}

    def render(self, name: str, _statistics: Statistics, dialect: Dialect) -> Rendered:
        return Rendered((Output(name, _double(self.column, dialect)),))


@dataclass(frozen=True)
class Cyclic:
    """A number on a circle (an hour of 24, a bearing of 360) as sine and cosine."""

    column: Column
    period: float

    @classmethod
    def read(cls, fields: Fields, scope: Scope) -> Cyclic:
        return cls(scope.column(fields, "column", _NUMBERS), fields.number("period", low=1e-9, high=1e9))

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    def fit(self, _fitter: Fitter) -> Statistics:
        return {}

    def render(self, name: str, _statistics: Statistics, dialect: Dialect) -> Rendered:
        return Rendered(circle(name, _double(self.column, dialect), self.period, dialect))


def circle(name: str, value: str, period: float, dialect: Dialect) -> tuple[Output, Output]:
    """Sine and cosine of a value with a period."""
    angle = f"{dialect.number(2 * math.pi / period)} * ({value})"
    return Output(f"{name}_sin", f"sin({angle})"), Output(f"{name}_cos", f"cos({angle})")


def missing(column: Column, dialect: Dialect) -> str:
    """1 where the column is null."""
    return f"CASE WHEN {dialect.name(str(column))} IS NULL THEN 1 ELSE 0 END"


def _double(column: Column, dialect: Dialect) -> str:
    return f"CAST({dialect.name(str(column))} AS {dialect.double})"
