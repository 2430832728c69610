"""`numeric` and `expression`: a number clipped by quantiles, filled where null, scaled; in this order.

A scaled number that a 32-bit float cannot hold (a value far from all of training, divided by a tiny spread) becomes
the largest it can.
"""

from __future__ import annotations

from dataclasses import dataclass

from processing.columns import Column
from processing.recipe.fields import Fields
from processing.recipe.options import Choice, Choices, ColumnName, Flag, Real, Rising, Section, option
from processing.sql.dialect import Dialect
from processing.sql.statistics import clipped_sql
from processing.transforms.formula import Formula, FormulaText
from processing.transforms.interface import CannotFit, Count, Fitter, Moments, Output, Rendered, Statistics
from processing.transforms.values import NUMBERS, double, held

_BOUND = 1e30


@dataclass(frozen=True, kw_only=True)
class Impute:
    """How nulls are filled, and whether a column tells where."""

    way: str = option(
        Choice(("mean", "median", "most_frequent", "constant")),
        "What fills a null: a statistic of the training split (the smallest of equally frequent values), or a number.",
        key="with",
    )
    constant: float | None = option(Real(-_BOUND, _BOUND), "The number of `with: constant`.", default=None, key="value")
    flag: bool = option(Flag(), "Add a column `…_missing`: 1 where the value was null.", default=False)

    def check(self, fields: Fields) -> None:
        if self.way == "constant" and self.constant is None:
            fields.refuse(None, "a constant needs its value", "write 'impute: {with: constant, value: 0}'")
        if self.way != "constant" and self.constant is not None:
            fields.refuse("value", f"'{self.way}' takes no value", "write 'with: constant', or remove 'value'")


@dataclass(frozen=True, kw_only=True)
class _Shaped:
    """What `numeric` and `expression` share; `subject` is told in messages."""

    clip: tuple[float, float] | None = option(
        Rising(0, 1, 2), "Two quantiles of the training split; what lies outside takes the nearer one.", default=None
    )
    impute: Impute | None = option(
        Section(Impute, short="with"), "Fill nulls; left out, they stay null (XGBoost's missing).", default=None
    )
    scale: tuple[str, ...] = option(
        Choices(("standard", "robust", "min_max", "log")),
        "`standard`: mean 0, deviation 1. `robust`: median 0, quartiles 1 apart. `min_max`: training between 0 and 1. "
        "`log`: sign(x) * ln(1 + |x|), before one of the others where both are given. A column that is constant in "
        "training becomes 0 throughout.",
        default=(),
    )

    def check(self, fields: Fields) -> None:
        spreads = [way for way in self.scale if way != "log"]
        if len(spreads) > 1:
            what = f"'{spreads[0]}' and '{spreads[1]}' exclude one another"
            fields.refuse("scale", what, f"write 'scale: {spreads[0]}', or 'scale: [log, {spreads[0]}]'")

    @property
    def subject(self) -> str:
        raise NotImplementedError

    def value(self, dialect: Dialect) -> str:
        raise NotImplementedError

    @property
    def spread(self) -> str | None:
        """The way to scale, beside the logarithm."""
        return next((way for way in self.scale if way != "log"), None)

    def fit(self, fitter: Fitter) -> Statistics:
        statistics: dict[str, object] = {}
        if self.clip is not None:
            bounds = fitter.quantiles(self.value(fitter.dialect), self.clip)
            if bounds or self.impute is None or self.impute.way != "constant":
                statistics["clip"] = list(self._found(bounds))
        if self.impute is not None:
            statistics["impute"] = self._fill(self.impute, fitter, statistics)
        filled = self._filled(statistics, fitter.dialect)
        match self.spread:
            case "standard":
                moments = self._moments(fitter, statistics)
                self._found([moments.mean] if moments.count else [])
                statistics |= {"mean": moments.mean, "deviation": moments.deviation}
            case "robust":
                low, middle, high = self._found(fitter.quantiles(filled, [0.25, 0.5, 0.75]))
                statistics |= {"median": middle, "range": high - low}
            case "min_max":
                low, high = self._found(fitter.quantiles(filled, [0.0, 1.0]))
                statistics |= {"minimum": low, "range": high - low}
        return statistics

    def _fill(self, impute: Impute, fitter: Fitter, statistics: Statistics) -> float:
        value, clip = self.value(fitter.dialect), statistics.get("clip")
        match impute.way:
            case "constant":
                return impute.constant or 0.0
            case "median":
                return self._found(fitter.quantiles(value, [0.5], clip))[0]
            case "mean":
                found = fitter.mean(value, clip)
                return self._found([] if found is None else [found])[0]
            case "most_frequent":
                found = fitter.most_frequent(self._clipped(statistics, fitter.dialect))
                return self._found([] if found is None else [found])[0]
        raise ValueError(f"unknown way to impute: {impute.way}")

    def _moments(self, fitter: Fitter, statistics: Statistics) -> Moments:
        """Of what is to be scaled."""
        if "log" in self.scale:
            return fitter.moments(self._filled(statistics, fitter.dialect))
        return fitter.moments(self.value(fitter.dialect), statistics.get("clip"), statistics.get("impute"))

    def _found(self, values: tuple[float, ...] | list[float]) -> tuple[float, ...]:
        if not values:
            what = f"'{self.subject}' has no value in the training split"
            raise CannotFit(what, "fill it with 'impute: {with: constant, value: 0}', or remove the feature")
        return tuple(values)

    def _clipped(self, statistics: Statistics, dialect: Dialect) -> str:
        return clipped_sql(self.value(dialect), statistics.get("clip"), dialect)

    def _filled(self, statistics: Statistics, dialect: Dialect) -> str:
        """Clipped, filled and, where asked, on the logarithmic scale."""
        value = self._clipped(statistics, dialect)
        if "impute" in statistics:
            value = f"coalesce({value}, {dialect.number(statistics['impute'])})"
        if "log" in self.scale:
            value = f"(sign({value}) * ln(1e0 + abs({value})))"
        return value

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        value = self._filled(statistics, dialect)
        remarks: tuple[str, ...] = ()
        if self.clip is not None and "clip" not in statistics:
            remarks = (f"'{self.subject}' has no value in the training split; it is filled, and not clipped",)
        centre = next((statistics[key] for key in ("mean", "median", "minimum") if key in statistics), None)
        if centre is not None:
            # A constant column has no spread to divide by: it becomes 0 throughout.
            spread = statistics["deviation" if "deviation" in statistics else "range"]
            value = f"(({value}) - {dialect.number(centre)}) / {dialect.number(spread or 1.0)}"
            value = held(value, dialect) if 0 < spread < 1 else value
            if not spread:
                remarks = (*remarks, f"'{self.subject}' has no spread in the training split; it is not scaled")
        outputs = [Output(name, value)]
        if self.impute is not None and self.impute.flag:
            outputs.append(Output(f"{name}_missing", f"CASE WHEN {self._null(dialect)} IS NULL THEN 1 ELSE 0 END"))
        return Rendered(tuple(outputs), counts=self._counts(dialect), remarks=remarks)

    def _null(self, dialect: Dialect) -> str:
        return self.value(dialect)

    def _counts(self, _dialect: Dialect) -> tuple[Count, ...]:
        return ()


@dataclass(frozen=True, kw_only=True)
class Numeric(_Shaped):
    """A number, clipped, filled and scaled on request."""

    column: Column = option(ColumnName(NUMBERS), "The column.")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    @property
    def subject(self) -> str:
        return str(self.column)

    def value(self, dialect: Dialect) -> str:
        return double(self.column, dialect)

    def _null(self, dialect: Dialect) -> str:
        return dialect.name(str(self.column))


@dataclass(frozen=True, kw_only=True)
class Expression(_Shaped):
    """Arithmetic over numeric columns, such as a ratio; then clipped, filled and scaled on request.

    Null where a column is null, and where the result is no number that a 32-bit float holds: a division by zero, the
    logarithm of what is not above zero. Such rows are counted in quality.json as `undefined`.
    """

    formula: Formula = option(
        FormulaText(),
        "Numbers, columns (in double quotes where their name is no plain word), `+ - * /`, parentheses, "
        "`< <= > >= == !=` (1 or 0), `abs(x)`, `log(x)`, `min(x, …)`, `max(x, …)` (of those that are not null).",
    )

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.formula.columns

    @property
    def subject(self) -> str:
        return self.formula.text

    def value(self, dialect: Dialect) -> str:
        return self.formula.sql(dialect)

    def _counts(self, dialect: Dialect) -> tuple[Count, ...]:
        present = [f"{dialect.name(str(column))} IS NOT NULL" for column in self.columns]
        return (Count("undefined", " AND ".join([*present, f"{self.value(dialect)} IS NULL"]), training=True),)
