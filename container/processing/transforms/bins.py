"""`bins`: a number as the bin it falls into: by quantiles, by equal widths, or by given edges."""

from __future__ import annotations

from dataclasses import dataclass

from processing.columns import Column
from processing.recipe.fields import Fields
from processing.recipe.options import Choice, ColumnName, Rising, Whole, option
from processing.sql.dialect import Dialect
from processing.transforms.interface import CannotFit, Fitter, Output, Rendered, Statistics
from processing.transforms.values import NUMBERS, double

_BOUND = 1e30


@dataclass(frozen=True, kw_only=True)
class Bins:
    """The number of inner edges at or below the value: 0 for the lowest bin; null stays null.

    What lies outside the training range falls into the first or the last bin. Equal edges become one, and
    the smallest and the largest value of training are none.
    """

    column: Column = option(ColumnName(NUMBERS), "The column.")
    by: str = option(
        Choice(("quantile", "width")), "Bins of equally many training rows, or of equal width.", default="quantile"
    )
    count: int | None = option(Whole(2, 1000), "How many bins; or give `edges`.", default=None)
    edges: tuple[float, ...] | None = option(
        Rising(-_BOUND, _BOUND), "The inner edges: n edges make n + 1 bins.", default=None
    )
    form: str = option(
        Choice(("code", "columns")),
        "One column with the bin's number, or a 0/1 column for each bin (all 0 where null).",
        default="code",
        key="as",
    )

    def check(self, fields: Fields) -> None:
        if (self.count is None) == (self.edges is None) and not fields.has("edges"):
            fields.refuse(None, "bins need 'count' or 'edges'", "add 'count: 10'")
        elif self.count is not None and self.edges is not None:
            fields.refuse("edges", "'count' and 'edges' exclude one another", "remove one of the two")

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    def fit(self, fitter: Fitter) -> Statistics:
        if self.edges is not None:
            return {"edges": list(self.edges)}
        count = self.count or 2
        steps = range(1, count)
        value = double(self.column, fitter.dialect)
        found = fitter.quantiles(value, [0.0, *(step / count for step in steps), 1.0])
        if not found:
            what = f"'{self.column}' has no value in the training split"
            raise CannotFit(what, "give 'edges', or remove the feature")
        low, high = found[0], found[-1]
        width = (high - low) / count
        inner = found[1:-1] if self.by == "quantile" else tuple(low + step * width for step in steps)
        return {"edges": sorted({edge for edge in inner if low < edge < high})}

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        value, edges = double(self.column, dialect), statistics["edges"]
        cases = " ".join(f"WHEN {value} < {dialect.number(edge)} THEN {bin_}" for bin_, edge in enumerate(edges))
        code = f"CASE {cases} WHEN {value} IS NOT NULL THEN {len(edges)} END"
        remarks = () if edges else (f"'{self.column}' is constant in the training split: one bin",)
        if self.form == "code":
            return Rendered((Output(name, code),), remarks=remarks)
        outputs = [
            Output(f"{name}={bin_}", f"CASE WHEN {code} = {bin_} THEN 1 ELSE 0 END") for bin_ in range(len(edges) + 1)
        ]
        return Rendered(tuple(outputs), remarks=remarks)
