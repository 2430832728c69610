"""The only door to DuckDB: settings that bound memory, statements, what could not be read, and its errors as ours."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import duckdb

from processing.errors import DataError, Problem, SettingError
from processing.sql.dialect import DuckDB

_SIZE = re.compile(r"\d+(\.\d+)?\s*[KMGT]i?B", re.IGNORECASE)


@dataclass(frozen=True)
class Limits:
    """What a run may take. Memory None leaves DuckDB's own choice: four fifths of the machine or the container."""

    memory: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.memory is not None and _SIZE.fullmatch(self.memory) is None:
            raise SettingError([Problem("--memory-limit", f"'{self.memory}' is no size", "write '--memory-limit 4GB'")])
        if self.threads is not None and self.threads < 1:
            raise SettingError([Problem("--threads", "at least one thread is needed", "write '--threads 2'")])


@dataclass(frozen=True)
class Reject:
    """A CSV record that could not be read."""

    file: str
    line: int
    column: str
    reason: str


class Engine:
    """A DuckDB connection with bounded memory that spills into `scratch`."""

    dialect = DuckDB()

    def __init__(self, scratch: Path, limits: Limits) -> None:
        self._connection = duckdb.connect()
        text = self.dialect.text
        self.run(f"SET threads = {limits.threads or len(os.sched_getaffinity(0))}")
        self.run(f"SET temp_directory = {text(str(scratch / 'spill'))}")
        # Keeping the order of unordered statements costs memory; the statements whose order matters have ORDER BY.
        self.run("SET preserve_insertion_order = false")
        self.run("SET TimeZone = 'UTC'")
        self.run("SET autoinstall_known_extensions = false")
        if limits.memory is not None:
            self.run(f"SET memory_limit = {text(limits.memory)}")

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        """All rows of a query that gives few."""
        with _translated():
            return list(self._connection.execute(statement).fetchall())

    def row(self, statement: str) -> tuple[Any, ...]:
        """The only row of a query."""
        (found,) = self.rows(statement)
        return found

    def run(self, statement: str) -> None:
        with _translated():
            self._connection.execute(statement)

    def write(self, query: str, path: Path) -> str:
        """The query's rows as a Parquet file; gives the relation that reads it back."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.run(f"COPY ({query}) TO {self.dialect.text(str(path))} (FORMAT parquet, COMPRESSION zstd)")
        return self.dialect.parquet([str(path)])

    def rejects(self) -> tuple[int, list[Reject]]:
        """How many CSV records the scans so far could not read, and the first of them."""
        if not self.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'reject_errors'"):
            return 0, []
        found = self.rows(
            "SELECT DISTINCT s.file_path, e.line, coalesce(e.column_name, ''), e.error_message FROM reject_errors e "
            "JOIN reject_scans s USING (scan_id, file_id) ORDER BY ALL LIMIT 5"
        )
        (count,) = self.row("SELECT count(*) FROM reject_errors")
        return int(count), [Reject(*row) for row in found]


@contextmanager
def _translated() -> Iterator[None]:
    """DuckDB's errors that the user can mend, as ours; any other is a bug of ours and keeps its type."""
    try:
        yield
    except duckdb.OutOfMemoryException as error:
        fix = "take a larger instance or a larger volume, or raise --memory-limit"
        raise DataError([Problem("DuckDB", f"out of memory or disk: {_first_line(error)}", fix)]) from error
    except duckdb.IOException as error:
        fix = "see that the file is whole and readable, and that the volume has room"
        raise DataError([Problem("DuckDB", f"cannot read or write: {_first_line(error)}", fix)]) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
