"""What the feature step asks of an engine: DuckDB's (engine.py) and Spark's (spark/engine.py) both answer.

A relation is text that stands behind FROM.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from processing.errors import Problem
from processing.recipe.model import Output
from processing.sql.dialect import Dialect

DIGEST = "features_sha256"
"""The key under which Parquet files carry the digest of the features.json that they were made with; see digests.py."""


@dataclass(frozen=True)
class Reject:
    """A record that could not be read."""

    file: str
    line: int
    column: str
    reason: str


class Database(Protocol):
    """Statements in, rows and files out."""

    @property
    def dialect(self) -> Dialect: ...

    def percent(self) -> float:
        """How far the statement at work is; below zero where nobody knows."""
        ...

    def lock(self, folders: Sequence[Path]) -> None:
        """From here on, statements reach the files below these folders and nothing else."""
        ...

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """All rows of a query that gives few."""
        ...

    def row(self, statement: str) -> tuple[Any, ...]:
        """The only row of a query."""
        ...

    def keep(self, table: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> None:
        """A small table from values: names and types of its columns, and its rows."""
        ...

    def view(self, name: str, query: str) -> None:
        """A name for a query."""
        ...

    def write(self, query: str, folder: Path) -> str:
        """The query's rows as a scratch table in a new folder; gives the relation that reads it back."""
        ...

    def export(
        self, query: str, folder: Path, output: Output, ordered: bool, prefix: str = "part", digest: str = ""
    ) -> int:
        """The query's rows as the files of a folder; gives how many rows.

        `digest` names the features.json that they were made with; Parquet files carry it.
        """
        ...

    def columns_of(self, select: str, where: str) -> list[str]:
        """The columns of a select from the recipe; RecipeError where it is no single query, or cannot be planned."""
        ...

    def layout(self, path: Path) -> tuple[tuple[tuple[str, str], ...], int]:
        """Names and kinds of a Parquet file's columns, and its rows (0, or more than 0)."""
        ...

    def broken(self, path: Path) -> Problem | None:
        """What is wrong with a Parquet file that cannot be read to its end; None when it can."""
        ...

    def rejects(self) -> tuple[int, list[Reject]]:
        """How many CSV records the scans so far could not read, and the first of them."""
        ...
