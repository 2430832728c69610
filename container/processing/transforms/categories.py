"""Categories: `one_hot` with rare values folded, and `frequency`. A null is a category like any other."""

from __future__ import annotations

from dataclasses import dataclass

from processing.columns import Column, ColumnType
from processing.recipe.fields import Fields
from processing.recipe.scope import Scope
from processing.sql.dialect import Dialect
from processing.transforms.interface import (
    CannotFit,
    Fitter,
    Lookup,
    Output,
    Rendered,
    Statistics,
    looked_up,
)

DISCRETE = (ColumnType.STRING, ColumnType.INTEGER, ColumnType.BOOLEAN)
MAX_COLUMNS = 500


def category(column: Column, dialect: Dialect) -> str:
    """The column as the text by which its categories are named."""
    return f"CAST({dialect.name(str(column))} AS {dialect.text_type})"


@dataclass(frozen=True)
class OneHot:
    """A 0/1 column for each category with `min_count` training rows, and one for the rest (rare and unseen)."""

    column: Column
    min_count: int

    @classmethod
    def read(cls, fields: Fields, scope: Scope) -> OneHot:
        column = scope.column(fields, "column", DISCRETE)
        return cls(column, fields.integer("min_count", 1, low=1, high=10**12))

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    def fit(self, fitter: Fitter) -> Statistics:
        counts = fitter.categories(category(self.column, fitter.dialect))
        kept = [value for value, rows in counts if rows >= self.min_count]
        if len(kept) > MAX_COLUMNS:
            what = f"'{self.column}' has {len(kept)} categories; one_hot makes at most {MAX_COLUMNS} columns"
            raise CannotFit(what, "raise 'min_count', or use 'transform: target_encoding'")
        return {"categories": kept, "folded": len(counts) - len(kept)}

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        value = category(self.column, dialect)
        tests = [_is(value, kept, dialect) for kept in statistics["categories"]]
        outputs = [
            Output(f"{name}={'(missing)' if kept is None else kept}", f"CASE WHEN {test} THEN 1 ELSE 0 END")
            for kept, test in zip(statistics["categories"], tests, strict=True)
        ]
        rest = f"CASE WHEN {' OR '.join(tests)} THEN 0 ELSE 1 END" if tests else "1"
        return Rendered((*outputs, Output(f"{name}=(other)", rest)))


def _is(value: str, kept: str | None, dialect: Dialect) -> str:
    return f"{value} IS NULL" if kept is None else f"{value} = {dialect.text(kept)}"


@dataclass(frozen=True)
class Frequency:
    """The share of training rows that hold the row's category; 0 for one that training never saw."""

    column: Column

    @classmethod
    def read(cls, fields: Fields, scope: Scope) -> Frequency:
        return cls(scope.column(fields, "column", DISCRETE))

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    def fit(self, fitter: Fitter) -> Statistics:
        counts = fitter.categories(category(self.column, fitter.dialect))
        return {"rows": sum(rows for _, rows in counts), "counts": [[value, rows] for value, rows in counts]}

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        rows = tuple((value, None, (count / statistics["rows"],)) for value, count in statistics["counts"])
        output = Output(name, f"coalesce({looked_up()}, {dialect.number(0)})")
        return Rendered((output,), Lookup(category(self.column, dialect), rows, None))
