"""The recipe as typed, frozen values; recipe/reader.py makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from processing.columns import Column, Place
from processing.transforms.interface import Transform


@dataclass(frozen=True)
class Source:
    """CSV files of one processing input: globs, null texts, and the columns that may be used, with their types."""

    name: str
    input: str
    files: tuple[str, ...]
    null: tuple[str, ...]
    delimiter: str
    columns: Mapping[str, Column]
    places: Mapping[str, Place]
    """Where the source ('') and each column stand."""


@dataclass(frozen=True)
class Join:
    """A left join of the first source with another: pairs of (column of the first, column of the other)."""

    source: str
    on: tuple[tuple[Column, Column], ...]


@dataclass(frozen=True)
class Target:
    """The label: 1 where the comparison holds, 0 where not, no row where the column is null."""

    column: Column
    operator: str
    value: bool | float | str
    text: str


@dataclass(frozen=True)
class Split:
    """Fractions, cut by a hash of the columns `by`; the salt makes another cut of the same sizes.

    `by` is the key, or a part of it whose rows belong together: all flights of a day, all visits of a patient.
    """

    train: float
    validation: float
    test: float
    salt: str
    by: tuple[Column, ...]


@dataclass(frozen=True)
class Feature:
    name: str
    transform: Transform
    place: Place


@dataclass(frozen=True)
class Recipe:
    """Everything the feature step does, as data. `plain` is the file's own content, for features.json."""

    sources: Mapping[str, Source]
    joins: tuple[Join, ...]
    key: tuple[Column, ...]
    target: Target
    known_after: tuple[tuple[str, Place], ...]
    split: Split
    features: tuple[Feature, ...]
    plain: Mapping[str, object]

    @property
    def base(self) -> Source:
        """The source whose rows are the rows of the table: the first."""
        return next(iter(self.sources.values()))

    def lineage(self, column: Column) -> tuple[Column, ...]:
        """The column and, when it is joined in, the columns of the first source that choose its row."""
        joins = [join for join in self.joins if join.source == column.source]
        return (column, *(left for join in joins for left, _ in join.on))

    def used(self) -> tuple[Column, ...]:
        """Every column that is read, each once, in a stable order: key, target, joins, features."""
        wanted = [*self.key, self.target.column]
        wanted += [column for join in self.joins for pair in join.on for column in pair]
        wanted += [column for feature in self.features for column in feature.transform.columns]
        return tuple(dict.fromkeys(wanted))
