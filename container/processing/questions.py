"""What fitting asks of the training rows, and how a batch of questions is answered in few scans.

In: questions of many features at once. Out: their answers. All counts, extents and sums of a batch share one scan;
buckets, ranks and categories read their own column alone. Every question is a value: asked twice, answered once.
Extents, sums and ranks of a column whose values were counted (counted.py) are answered from the counts.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from processing.sql import statistics as sql
from processing.sql.dialect import Dialect

_COLUMNS_OF_A_SCAN = 300
"""Aggregates of one statement; more of them would make engines slow to plan it."""


class Source(Protocol):
    """The part of an engine that answers."""

    @property
    def dialect(self) -> Dialect: ...

    def rows(self, statement: str) -> list[tuple[Any, ...]]: ...


@dataclass(frozen=True)
class Values:
    """A relation of values; `rows` is the column that tells how many rows hold each, None where it is one."""

    relation: str
    rows: str | None = None


@dataclass(frozen=True)
class Extent:
    """(count, smallest, largest) of the values."""

    expression: str


@dataclass(frozen=True)
class Sum:
    """The exact sum of the values times 2**power."""

    expression: str
    power: int


@dataclass(frozen=True)
class Buckets:
    """Rows of (bucket, count, smallest, largest) between two values."""

    expression: str
    low: float
    high: float


@dataclass(frozen=True)
class Ranks:
    """The values at these ranks among those between two values."""

    expression: str
    low: float
    high: float
    ranks: tuple[int, ...]


@dataclass(frozen=True)
class MostFrequent:
    """The value of most rows, the smallest of equals; None when there is none."""

    expression: str


@dataclass(frozen=True)
class Categories:
    """Rows of (category, count), at most `limit`."""

    expression: str
    limit: int


@dataclass(frozen=True)
class FoldSums:
    """Rows of (category, fold, count, sum, …), at most `limit`; each sum is of one of `values` times 2**power."""

    expression: str
    folds: int
    values: tuple[str, ...]
    power: int | None
    limit: int


Question = Extent | Sum | Buckets | Ranks | MostFrequent | Categories | FoldSums


Find = Callable[[str], Values | None]
"""Where the values of an expression are already counted."""


def answer(
    source: Source, relation: str, questions: Sequence[Question], counted: Find = lambda _: None
) -> Mapping[Question, Any]:
    """The answer to each question about the rows of `relation`."""
    every = Values(relation)
    scanned: dict[Values, list[Extent | Sum]] = {}
    found: dict[Question, Any] = {}
    for question in questions:
        if isinstance(question, Extent | Sum):
            scanned.setdefault(counted(question.expression) or every, []).append(question)
    for values, asked in scanned.items():
        found |= dict(_scanned(source, values, asked))
    summed: dict[str, Sequence[tuple[Any, ...]]] = {}
    for question in sorted(questions, key=lambda one: not isinstance(one, FoldSums)):
        if isinstance(question, Categories) and question.expression in summed:
            found[question] = _categories(summed[question.expression])
        elif question not in found:
            own = counted(question.expression) if isinstance(question, Ranks) else None
            found[question] = _looked_up(source, own or every, question)
        if isinstance(question, FoldSums):
            summed[question.expression] = found[question]
    return found


def _categories(sums: Sequence[tuple[Any, ...]]) -> list[tuple[Any, int]]:
    """Rows of (category, count), of those of the categories' folds."""
    counts: dict[Any, int] = {}
    for value, _, rows, *_ in sums:
        counts[value] = counts.get(value, 0) + rows
    return list(counts.items())


def _scanned(
    source: Source, values: Values, questions: Sequence[Extent | Sum]
) -> Iterator[tuple[Question, tuple[Any, ...] | int]]:
    columns = {question: _columns(question, values.rows, source.dialect) for question in dict.fromkeys(questions)}
    for batch in _batches(columns):
        wanted = [column for question in batch for column in columns[question]]
        (held,) = source.rows(f"SELECT {', '.join(wanted)} FROM {values.relation}")
        taken = iter(held)
        for question in batch:
            own = tuple(next(taken) for _ in columns[question])
            yield question, _extent(own) if isinstance(question, Extent) else sql.joined(own[0], own[1])


def _extent(own: tuple[Any, ...]) -> tuple[Any, ...]:
    return int(own[0] or 0), own[1], own[2]


def _columns(question: Extent | Sum, rows: str | None, dialect: Dialect) -> list[str]:
    if isinstance(question, Extent):
        return sql.extent_columns(question.expression, rows)
    return sql.sum_columns(question.expression, question.power, dialect, rows)


def _batches(columns: Mapping[Extent | Sum, Sequence[str]]) -> Iterator[list[Extent | Sum]]:
    batch: list[Extent | Sum] = []
    size = 0
    for question, wanted in columns.items():
        if size + len(wanted) > _COLUMNS_OF_A_SCAN:
            yield batch
            batch, size = [], 0
        batch.append(question)
        size += len(wanted)
    if batch:
        yield batch


def _looked_up(source: Source, values: Values, question: Question) -> Any:
    dialect, relation = source.dialect, values.relation
    match question:
        case Buckets(expression, low, high):
            return source.rows(sql.buckets_sql(expression, relation, low, high, dialect))
        case Ranks(expression, low, high, ranks):
            return source.rows(sql.ranks_sql(expression, relation, low, high, ranks, dialect, values.rows))[0]
        case MostFrequent(expression):
            found = source.rows(sql.most_frequent_sql(expression, relation))
            return float(found[0][0]) if found else None
        case Categories(expression, limit):
            return source.rows(sql.categories_sql(expression, relation, limit))
        case FoldSums(expression, folds, summed, power, limit):
            return _fold_sums(source, relation, expression, folds, summed, power, limit)
    raise ValueError(f"not a question to look up: {question}")


def _fold_sums(
    source: Source, relation: str, expression: str, folds: int, values: Sequence[str], power: int | None, limit: int
) -> list[tuple[Any, ...]]:
    dialect = source.dialect
    if power is None:
        sums = [f"sum({value})" for value in values]
        return source.rows(sql.fold_sums_sql(expression, relation, folds, sums, limit, dialect))
    sums = [part for value in values for part in sql.sum_columns(value, power, dialect)]
    found = source.rows(sql.fold_sums_sql(expression, relation, folds, sums, limit, dialect))
    return [
        (category, fold, rows, *(sql.joined(*parts[place : place + 2]) for place in range(0, len(parts), 2)))
        for category, fold, rows, *parts in found
    ]
