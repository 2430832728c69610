"""The recipe as typed, frozen values; recipe/reader.py makes them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from processing.columns import Column, Place
from processing.task import Task
from processing.transforms.interface import Transform


@dataclass(frozen=True)
class Source:
    """Files of one processing input, or a select over other sources (`of`), and the columns that may be used."""

    name: str
    input: str
    files: tuple[str, ...]
    null: tuple[str, ...]
    delimiter: str
    columns: Mapping[str, Column]
    places: Mapping[str, Place]
    """Where the source ('') and each column stand."""
    format: str = "csv"
    select: str = ""
    of: tuple[str, ...] = ()


@dataclass(frozen=True)
class Output:
    """How the tables are written; see recipe/sections.py."""

    format: str = "parquet"
    order: str = "auto"
    row_group: int = 30_720
    file_megabytes: int = 256


@dataclass(frozen=True)
class Evaluation:
    """What the evaluation is told: columns by which it is broken down, each under the name that the recipe gives it."""

    slices: tuple[tuple[str, Column], ...] = ()
    place: Place | None = None


@dataclass(frozen=True)
class Join:
    """A left join of the first source with another: pairs of (column of the first, column of the other)."""

    source: str
    on: tuple[tuple[Column, Column], ...]


@dataclass(frozen=True)
class Target:
    """What is learned; a row whose column is null has no target, and is dropped and counted.

    Binary: 1 where the comparison with `value` holds, 0 where not. Multiclass: the column's text; `classes` is their
    declared order, () for the order of their text. Regression: the column's number.
    """

    task: Task
    column: Column
    text: str
    operator: str = "="
    value: bool | float | str = True
    classes: tuple[str, ...] = ()
    drop_unseen: bool = False
    """Drop, and count, rows outside training whose class training does not have; refuse them otherwise."""


@dataclass(frozen=True)
class HashSplit:
    """Fractions, cut by a hash of the columns `by`; the salt makes another cut of the same sizes.

    `by` is the key, or a part of it whose rows belong together: all flights of a day, all visits of a patient.
    Stratified: the fractions hold within each class of the target (to a row), in the order of the same hash.
    """

    train: float
    validation: float
    test: float
    salt: str
    by: tuple[Column, ...]
    stratify: bool = False

    @property
    def columns(self) -> tuple[Column, ...]:
        return ()


@dataclass(frozen=True)
class TimeSplit:
    """Training is what lies before `cuts[0]`, validation before `cuts[1]`, test the rest.

    Without cuts, `fractions` of the distinct times choose them. Rows of one time are never parted.
    """

    time: tuple[Column, ...]
    """One column, or the three of year, month and day."""
    cuts: tuple[str, str] | None
    fractions: tuple[float, float, float]
    salt: str
    by: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return self.time


@dataclass(frozen=True)
class ColumnSplit:
    """A column says it: the texts that mean each split."""

    column: Column
    train: tuple[str, ...]
    validation: tuple[str, ...]
    test: tuple[str, ...]
    salt: str
    by: tuple[Column, ...]

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)


Split = HashSplit | TimeSplit | ColumnSplit
"""`salt` and `by` give every row its hash: the order of rows and the folds come from it, whatever the split."""


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
    output: Output = Output()
    evaluation: Evaluation = Evaluation()

    @property
    def base(self) -> Source:
        """The source whose rows are the rows of the table: the first."""
        return next(iter(self.sources.values()))

    def lineage(self, column: Column) -> tuple[Column, ...]:
        """The column and, when it is joined in, the columns of the first source that choose its row."""
        joins = [join for join in self.joins if join.source == column.source]
        return (column, *(left for join in joins for left, _ in join.on))

    def used(self, labelled: bool = True) -> tuple[Column, ...]:
        """Every column that is read, each once, in a stable order: key, target, split, joins, features, slices.

        New data to be scored has no target, and belongs to no split; no evaluation follows.
        """
        wanted = [*self.key, *([self.target.column, *self.split.columns] if labelled else [])]
        wanted += [column for join in self.joins for pair in join.on for column in pair]
        wanted += [column for feature in self.features for column in feature.transform.columns]
        wanted += [column for _, column in self.evaluation.slices] if labelled else []
        return tuple(dict.fromkeys(wanted))
