"""What fitting asks of the training rows, and how a batch of questions is answered in few scans.

In: questions of many features at once. Out: their answers. All counts, extents and sums of a batch share one scan;
buckets, ranks and categories read their own column alone. Every question is a value: asked twice, answered once.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
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


def answer(source: Source, relation: str, questions: Sequence[Question]) -> Mapping[Question, Any]:
    """The answer to each question about the rows of `relation`."""
    found: dict[Question, Any] = dict(_scanned(source, relation, [q for q in questions if isinstance(q, Extent | Sum)]))
    for question in questions:
        if question not in found:
            found[question] = _looked_up(source, relation, question)
    return found


def _scanned(
    source: Source, relation: str, questions: Sequence[Extent | Sum]
) -> Iterator[tuple[Question, tuple[Any, ...] | int]]:
    columns = {question: _columns(question, source.dialect) for question in dict.fromkeys(questions)}
    for batch in _batches(columns):
        wanted = [column for question in batch for column in columns[question]]
        (values,) = source.rows(f"SELECT {', '.join(wanted)} FROM {relation}")
        taken = iter(values)
        for question in batch:
            own = tuple(next(taken) for _ in columns[question])
            yield question, own if isinstance(question, Extent) else sql.joined(own[0], own[1])


def _columns(question: Extent | Sum, dialect: Dialect) -> list[str]:
    if isinstance(question, Extent):
        return sql.extent_columns(question.expression)
    return sql.sum_columns(question.expression, question.power, dialect)


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


def _looked_up(source: Source, relation: str, question: Question) -> Any:
    dialect = source.dialect
    match question:
        case Buckets(expression, low, high):
            return source.rows(sql.buckets_sql(expression, relation, low, high, dialect))
        case Ranks(expression, low, high, ranks):
            return source.rows(sql.ranks_sql(expression, relation, low, high, ranks, dialect))[0]
        case MostFrequent(expression):
            found = source.rows(sql.most_frequent_sql(expression, relation))
            return float(found[0][0]) if found else None
        case Categories(expression, limit):
            return source.rows(sql.categories_sql(expression, relation, limit))
        case FoldSums(expression, folds, values, power, limit):
            return _fold_sums(source, relation, expression, folds, values, power, limit)
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
