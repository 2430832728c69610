"""What a transform is, what it may ask of the training split, and what it renders to.

In: options (from the recipe) and a `Fitter` (queries over the training split alone). Out: statistics fit for JSON,
and from those alone the SQL of its output columns.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from processing.columns import Column
from processing.sql.dialect import Dialect
from processing.task import FittedTarget

Statistics = Mapping[str, Any]
"""Fitted values, as JSON holds them."""


Clip = Sequence[float] | None
"""A lower and an upper bound."""


@dataclass(frozen=True)
class Moments:
    """Of the values that are not null: how many, their mean, their population standard deviation."""

    count: int
    mean: float
    deviation: float


@dataclass(frozen=True)
class FoldSum:
    """Training rows of one category in one hash fold, and the sums of their targets.

    Binary: (positives,). Multiclass: rows of each class, in the classes' order. Regression: (exact sum rounded once,).
    """

    category: str | None
    fold: int
    rows: int
    sums: tuple[float, ...]


class Fitter(Protocol):
    """Questions about the training split; `expression` is SQL over the staged columns.

    `clip` are bounds that take the place of what lies outside them, `fill` is what takes the place of null: told apart
    from the expression, so that what is known of its plain values need not be asked again.
    """

    @property
    def dialect(self) -> Dialect: ...

    @property
    def target(self) -> FittedTarget: ...

    def mean(self, expression: str, clip: Clip = None) -> float | None: ...

    def moments(self, expression: str, clip: Clip = None, fill: float | None = None) -> Moments: ...

    def quantiles(self, expression: str, probabilities: Sequence[float], clip: Clip = None) -> tuple[float, ...]: ...

    def most_frequent(self, expression: str) -> float | None: ...

    def categories(self, expression: str) -> list[tuple[str | None, int]]: ...

    def fold_sums(self, expression: str, folds: int) -> list[FoldSum]: ...


@dataclass(frozen=True)
class Lookup:
    """A small table joined on the category: encoded values by category or, out of fold, by category and fold.

    A row is (category, fold, values); its fold is None where it serves every split but training.
    """

    expression: str
    rows: tuple[tuple[str | None, int | None, tuple[float, ...]], ...]
    folds: int | None
    width: int = 1
    """How many values a row has."""


LOOKUP = "{lookup}"
"""In an output's SQL: what the names of the feature's columns in the joined lookup table start with."""


def looked_up(index: int = 0) -> str:
    """The joined row's value at `index`; null where the lookup has no row."""
    return f"{LOOKUP}_{index}"


@dataclass(frozen=True)
class Output:
    """One column of the feature table."""

    name: str
    sql: str


@dataclass(frozen=True)
class Count:
    """Rows to be counted in quality.json: those where the SQL condition holds.

    `training` says whether training rows are among them: a category unseen in training cannot be there.
    """

    name: str
    condition: str
    training: bool = False


@dataclass(frozen=True)
class Rendered:
    """What a feature adds to the transform statement and, counts and remarks on what was fitted, to quality.json."""

    outputs: tuple[Output, ...]
    lookup: Lookup | None = None
    counts: tuple[Count, ...] = ()
    remarks: tuple[str, ...] = ()


class CannotFit(Exception):
    """The training split does not hold what the transform needs; features.py adds the place in the recipe."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.what = what
        self.fix = fix


class Transform(Protocol):
    """Options of one feature."""

    @property
    def columns(self) -> tuple[Column, ...]:
        """The source columns it reads."""
        ...

    def fit(self, fitter: Fitter) -> Statistics: ...

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered: ...
