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

Statistics = Mapping[str, Any]
"""Fitted values, as JSON holds them."""


@dataclass(frozen=True)
class Moments:
    """Of the non-null values: how many, their mean, their population standard deviation."""

    count: int
    mean: float
    deviation: float


@dataclass(frozen=True)
class FoldCount:
    """Training rows of one category in one hash fold, and how many of them are positive."""

    category: str | None
    fold: int
    rows: int
    positives: int


class Fitter(Protocol):
    """Questions about the training split; `expression` is SQL over the staged columns."""

    @property
    def dialect(self) -> Dialect: ...

    def moments(self, expression: str) -> Moments: ...

    def quantiles(self, expression: str, probabilities: Sequence[float]) -> tuple[float, ...]: ...

    def categories(self, expression: str) -> list[tuple[str | None, int]]: ...

    def fold_counts(self, expression: str, folds: int) -> list[FoldCount]: ...


@dataclass(frozen=True)
class Lookup:
    """A small table joined on the category: (category, encoded value) or, out of fold, one row per fold as well.

    `fold` of a row is None where the row serves every split but training.
    """

    expression: str
    rows: tuple[tuple[str | None, int | None, float], ...]
    folds: int | None


@dataclass(frozen=True)
class Output:
    """One column of the feature table. In `sql`, LOOKUP_VALUE stands for the joined value of the feature's lookup."""

    name: str
    sql: str


@dataclass(frozen=True)
class Rendered:
    """What a feature adds to the transform statement."""

    outputs: tuple[Output, ...]
    lookup: Lookup | None = None


LOOKUP_VALUE = "{lookup}"


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
