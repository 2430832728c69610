"""The only door to DuckDB: settings that bound memory, statements, what could not be read, and its errors as ours."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb

from processing.database import DIGEST, Reject
from processing.errors import DataError, Problem, RecipeError
from processing.machine import Limits, processors
from processing.recipe.model import Output
from processing.sql.dialect import DuckDB
from processing.sql.kinds import family

SCRATCH_FORMAT = (
    "FORMAT parquet, COMPRESSION snappy, ROW_GROUP_SIZE 30720, DICTIONARY_SIZE_LIMIT 3000, FILE_SIZE_BYTES 268435456"
)
"""Groups small enough that the disk does not wait; a dictionary that holds a tenth of the rows costs more than it
saves; files of 256 MiB, since what a file says of its groups is held in memory whole, beside what the limit counts."""

TABLE_FORMAT = "FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1"
"""Level 3, the default, takes half as long again to write files that are a hundredth smaller."""

_OF_A_FILE = re.compile(r"\b(file|csv|json|parquet|snappy|zstd|gzip|line)\b", re.IGNORECASE)
_WHOLE = "see that the file is whole and readable, and upload it again"


class Engine:
    """A DuckDB connection with bounded memory that spills into `scratch`."""

    dialect = DuckDB()

    def __init__(self, scratch: Path, limits: Limits) -> None:
        self._connection = duckdb.connect()
        text = self.dialect.text
        self.run(f"SET threads = {limits.threads or processors()}")
        self.run(f"SET temp_directory = {text(str(scratch / 'spill'))}")
        # Keeping the order of unordered statements costs memory; the statements whose order matters have ORDER BY.
        self.run("SET preserve_insertion_order = false")
        # A copy of the files' content would fill the memory up to its limit; the system keeps one beside us anyway.
        self.run("SET enable_external_file_cache = false")
        self.run("SET TimeZone = 'UTC'")
        self.run("SET autoinstall_known_extensions = false")
        self.run("SET autoload_known_extensions = false")
        self.run("SET python_enable_replacements = false")
        self.run("SET enable_progress_bar = true")
        self.run("SET enable_progress_bar_print = false")
        self.run(f"SET memory_limit = {text(limits.memory_size)}")

    def lock(self, folders: Sequence[Path]) -> None:
        """From here on, statements reach the files below these folders and nothing else, and no setting changes."""
        self.run(f"SET allowed_directories = {self.dialect.texts([f'{folder}/' for folder in folders])}")
        self.run("SET enable_external_access = false")
        self.run("SET lock_configuration = true")

    def percent(self) -> float:
        """How far the statement at work is; below zero where nobody knows."""
        return float(self._connection.query_progress())

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

    def keep(self, table: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> None:
        """A small table from values: names and types of its columns, and its rows."""
        # One text rather than a parameter for each value: those are converted at 20 microseconds each.
        names = [name for name, _ in columns]
        text = json.dumps([dict(zip(names, row, strict=True)) for row in rows])
        shape = self.dialect.text(json.dumps([dict(columns)]))
        query = f"SELECT unnest(from_json(CAST(? AS JSON), {shape}), recursive := true)"
        with _translated():
            self._connection.execute(f"CREATE OR REPLACE TEMP TABLE {table} AS {query}", [text])

    def write(self, query: str, folder: Path) -> str:
        """The query's rows as a folder of scratch files; gives the relation that reads them back."""
        folder.mkdir(parents=True)
        self._copy(query, folder, SCRATCH_FORMAT)
        return self.dialect.parquet([str(file) for file in sorted(folder.iterdir())])

    def export(
        self, query: str, folder: Path, output: Output, ordered: bool, prefix: str = "part", digest: str = ""
    ) -> int:
        """The query's rows as the files part-00000, part-00001, … of a folder; gives how many rows.

        In order, that is one file: which rows a second one would hold depends on the threads.
        """
        folder.mkdir(parents=True, exist_ok=True)
        metadata = f", KV_METADATA {{{DIGEST}: {self.dialect.text(digest)}}}" if digest else ""
        options = {
            "parquet": f"{TABLE_FORMAT}, ROW_GROUP_SIZE {output.row_group}{metadata}",
            "csv": "FORMAT csv, HEADER false",
        }[output.format]
        if ordered:
            return self._copy(query, folder / f"{prefix}-00000.{output.format}", options)
        size = f"FILE_SIZE_BYTES {output.file_megabytes * 1024**2}, FILENAME_PATTERN 'draft-{{i}}'"
        rows = self._copy(query, folder, f"{options}, {size}, OVERWRITE_OR_IGNORE true")
        drafts = folder.glob(f"draft-*.{output.format}")
        numbered = sorted(drafts, key=lambda path: int(path.stem.removeprefix("draft-")))
        for number, path in enumerate(numbered):
            path.rename(folder / f"{prefix}-{number:05d}.{output.format}")
        return rows

    def _copy(self, query: str, target: Path, options: str) -> int:
        (count,) = self.row(f"COPY ({query}) TO {self.dialect.text(str(target))} ({options})")
        return int(count)

    def view(self, name: str, query: str) -> None:
        """A name for a query."""
        self.run(f"CREATE OR REPLACE TEMP VIEW {self.dialect.name(name)} AS {query}")

    def columns_of(self, select: str, where: str) -> list[str]:
        """The columns of a select from the recipe; RecipeError where it is no single query, or cannot be planned."""
        fix = "write one SELECT over the sources under 'from'"
        try:
            statements = self._connection.extract_statements(select)
            if len(statements) != 1 or statements[0].type != duckdb.StatementType.SELECT:
                raise RecipeError([Problem(where, "'select' is not one query that reads", fix)])
            return [row[0] for row in self._connection.execute(f"DESCRIBE SELECT * FROM (\n{select}\n)").fetchall()]
        except duckdb.Error as error:
            raise RecipeError([Problem(where, f"the select cannot run: {_first_line(error)}", fix)]) from error

    def layout(self, path: Path) -> tuple[tuple[tuple[str, str], ...], int]:
        """Names and kinds of a Parquet file's columns, and its rows."""
        name = self.dialect.text(str(path))
        try:
            held = self._connection.execute(f"DESCRIBE SELECT * FROM {self.dialect.parquet([str(path)])}").fetchall()
            (rows,) = self._connection.execute(f"SELECT num_rows FROM parquet_file_metadata({name})").fetchall()
        except duckdb.Error as error:
            raise DataError([_broken(path, error)]) from error
        return tuple((row[0], family(row[1])) for row in held), int(rows[0])

    def broken(self, path: Path) -> Problem | None:
        """What is wrong with a Parquet file that cannot be read to its end; None when it can."""
        try:
            self._connection.execute(f"SELECT count(COLUMNS(*)) FROM {self.dialect.parquet([str(path)])}").fetchall()
        except duckdb.Error as error:
            return _broken(path, error)
        return None

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
    except (duckdb.OutOfMemoryException, duckdb.IOException) as error:
        raise DataError([_told(_first_line(error))]) from error
    except (duckdb.InvalidInputException, duckdb.ConversionException) as error:
        # Only where a file is at fault: a corrupt page, a field beyond the reader's limits.
        if not _OF_A_FILE.search(str(error)):
            raise
        raise DataError([Problem("DuckDB", f"cannot read: {_first_line(error)}", _WHOLE)]) from error
    except duckdb.Error as error:
        if type(error) is not duckdb.Error:
            raise
        # Thrift's and the decompressors' own errors come without a class.
        raise DataError([Problem("DuckDB", f"cannot read: {_first_line(error)}", _WHOLE)]) from error


def _broken(path: Path, error: Exception) -> Problem:
    fix = "write it again, and upload it again"
    return Problem(str(path), f"not a whole Parquet file: {_first_line(error)}", fix)


def _told(text: str) -> Problem:
    """Disk full, memory short, or a file that cannot be read."""
    lower = text.lower()
    if "no space left" in lower or "max_temp_directory_size" in lower or "disk" in lower:
        return Problem("DuckDB", f"the disk is full: {text}", "give the job a larger volume (volume_gb)")
    if "out of memory" in lower or "allocate" in lower:
        fix = "take an instance with more memory, raise --memory-limit, or lower --threads"
        return Problem("DuckDB", f"out of memory: {text}", fix)
    return Problem("DuckDB", f"cannot read or write: {text}", _WHOLE)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
