"""Counts the values of columns that hold few different ones, so that their statistics need not read every row again.

In: engine, the training rows, the expressions that questions are about. Out: `Counted`: for an expression over one
such column, a scratch table of its values with their rows. Exact sums, extents and ranks are the same from either.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Protocol

from processing.columns import Column, ColumnType
from processing.questions import Source, Values

SAMPLE = 100_000
"""Rows that are looked at to tell whether a column is worth counting. Fewer in all: reading them again is cheap."""

FEW = SAMPLE // 10

ROWS = "_rows"


class Keeper(Source, Protocol):
    """The part of an engine that also keeps a scratch table."""

    def write(self, query: str, folder: Path) -> str: ...


class Counted:
    """The counted columns of one relation; a column is looked at when it is first asked for."""

    def __init__(self, engine: Keeper, relation: str, columns: Sequence[Column], scratch: Path) -> None:
        self._engine, self._relation, self._scratch = engine, relation, scratch
        name = engine.dialect.name
        self._numbers = {name(str(one)): place for place, one in enumerate(columns) if one.type is ColumnType.NUMBER}
        self._others = [name(str(one)) for one in columns if one.type is not ColumnType.NUMBER]
        self._tables: dict[str, str | None] = {}

    def prepare(self, expressions: Iterable[str]) -> None:
        """Count the columns of these expressions that are worth it."""
        found = dict.fromkeys(self._column(one) for one in expressions)
        new = [column for column in found if column is not None and column not in self._tables]
        if not new:
            return
        chosen = ", ".join(new)
        distinct = ", ".join(f"count(DISTINCT {column})" for column in new)
        sample = f"(SELECT {chosen} FROM {self._relation} LIMIT {SAMPLE}) AS sample"
        ((rows, *counts),) = self._engine.rows(f"SELECT count(*), {distinct} FROM {sample}")
        for column, count in zip(new, counts, strict=True):
            self._tables[column] = self._write(column) if rows == SAMPLE and count <= FEW else None

    def _write(self, column: str) -> str:
        query = f"SELECT {column}, count(*) AS {ROWS} FROM {self._relation} GROUP BY {column}"
        return self._engine.write(query, self._scratch / f"counted-{self._numbers[column]}")

    def values(self, expression: str) -> Values | None:
        """The values of the expression's column with their rows, if they were counted."""
        column = self._column(expression)
        table = self._tables.get(column) if column is not None else None
        return None if table is None else Values(f"{table} AS counted", ROWS)

    def _column(self, expression: str) -> str | None:
        """The only column in an expression, if it is a number. A name within a text counts, which does no harm."""
        if "_target" in expression or any(name in expression for name in self._others):
            return None
        found = [name for name in self._numbers if name in expression]
        return found[0] if len(found) == 1 else None
