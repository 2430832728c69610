"""Spark behind the same protocol as DuckDB (database.py): the only door to pyspark's session.

Relations are temporary views. Files lie on a volume that every host has (a replicated processing input) or at URIs
(remote.py), scratch tables on the cluster's own file system.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pyspark.errors import AnalysisException, ParseException  # type: ignore[import-not-found]
from pyspark.sql import DataFrame, SparkSession  # type: ignore[import-not-found]
from pyspark.sql.functions import broadcast  # type: ignore[import-not-found]

from processing.database import DIGEST, Reject
from processing.errors import DataError, Problem, RecipeError
from processing.recipe.model import Output
from processing.sql.dialect import Scan, Spark
from processing.sql.kinds import family

SETTINGS = {
    "spark.sql.session.timeZone": "UTC",
    "spark.sql.timestampType": "TIMESTAMP_NTZ",
    "spark.sql.ansi.enabled": "false",
    # A record is whole or not whichever columns are asked for.
    "spark.sql.csv.parser.columnPruning.enabled": "false",
    "spark.sql.sources.partitionColumnTypeInference.enabled": "false",
    "spark.sql.parquet.compression.codec": "zstd",
    "spark.sql.files.ignoreMissingFiles": "false",
    "spark.sql.files.ignoreCorruptFiles": "false",
    # Each host's part files go to its own output folder at once, not by way of the driver's.
    "spark.hadoop.mapreduce.fileoutputcommitter.algorithm.version": "2",
    "spark.hadoop.mapreduce.fileoutputcommitter.marksuccessfuljobs": "false",
}


class SparkEngine:
    """A session whose scratch tables lie below `scratch`, a URI that all hosts share.

    `uris` has those of the paths that stand for files and folders elsewhere (remote.py).
    """

    def __init__(self, session: SparkSession, scratch: str, uris: Mapping[str, str] | None = None) -> None:
        self._session = session
        self._uris = dict(uris or {})
        self._scratch = scratch.rstrip("/")
        self._numbers = itertools.count()
        self.dialect = Spark(self)
        for name, value in SETTINGS.items():
            if session.conf.isModifiable(name) or not name.startswith("spark.hadoop"):
                session.conf.set(name, value)

    def percent(self) -> float:
        """Spark's own log and history tell."""
        return -1.0

    def lock(self, folders: Sequence[Path]) -> None:
        """Spark has no such lock: a select is parsed as a subquery, which can only read."""

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        with _translated():
            return [tuple(row) for row in self._session.sql(statement).collect()]

    def row(self, statement: str) -> tuple[Any, ...]:
        (found,) = self.rows(statement)
        return found

    def keep(self, table: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> None:
        schema = ", ".join(f"{name} {kind}" for name, kind in columns)
        broadcast(self._session.createDataFrame([tuple(row) for row in rows], schema)).createOrReplaceTempView(table)

    def view(self, name: str, query: str) -> None:
        self._session.sql(query).createOrReplaceTempView(self.dialect.name(name))

    def write(self, query: str, folder: Path) -> str:
        target = f"{self._scratch}/{folder.name}"
        with _translated():
            self._session.sql(query).write.mode("overwrite").option("compression", "lz4").parquet(target)
        return self._named(self._session.read.parquet(target))

    def export(
        self,
        query: str,
        folder: Path,
        output: Output,
        ordered: bool,
        prefix: str = "part",  # noqa: ARG002
        digest: str = "",
    ) -> int:
        """Part files as Spark names them. In order, that is one file."""
        found = self._session.sql(query)
        if digest and output.format == "parquet":
            found = found.withMetadata("key", {DIGEST: digest})
        # A global sort gives ranges; one file of them keeps the order to its reader.
        writer = (found.coalesce(1) if ordered else found).write.mode("overwrite")
        with _translated():
            if output.format == "csv":
                writer.option("header", "false").option("emptyValue", "").csv(self._place(folder))
            else:
                writer.parquet(self._place(folder))
        return int(self._session.sql(f"SELECT count(*) FROM ({query})").collect()[0][0])

    def columns_of(self, select: str, where: str) -> list[str]:
        try:
            return list(self._session.sql(f"SELECT * FROM (\n{select}\n)").columns)
        except (AnalysisException, ParseException) as error:
            fix = "write one SELECT over the sources under 'from'"
            raise RecipeError([Problem(where, f"the select cannot run: {_first_line(error)}", fix)]) from error

    def layout(self, path: Path) -> tuple[tuple[tuple[str, str], ...], int]:
        try:
            frame = self._session.read.parquet(self._uri(path))
            rows = frame.limit(1).count()
        except Exception as error:
            raise DataError([_broken(path, error)]) from error
        return tuple((field.name, family(field.dataType.simpleString())) for field in frame.schema), rows

    def broken(self, path: Path) -> Problem | None:
        try:
            self._session.read.parquet(self._uri(path)).write.format("noop").mode("overwrite").save()
        except Exception as error:  # noqa: BLE001 - Java's errors have no common class
            return _broken(path, error)
        return None

    def rejects(self) -> tuple[int, list[Reject]]:
        """None apart: a record that cannot be read is marked in the staged table."""
        return 0, []

    # The dialect's reader.

    def csv(self, scan: Scan) -> str:
        reader = (
            self._session.read.schema(self._schema([name for name, _ in scan.columns]))
            .option("header", "true")
            .option("sep", scan.delimiter)
            .option("quote", '"')
            .option("escape", '"')
            .option("multiLine", "true")
            .option("mode", "PERMISSIVE")
            .option("columnNameOfCorruptRecord", self.dialect.corrupt)
        )
        return self._named(reader.csv([self._uri(path) for path in scan.files]))

    def json(self, files: Sequence[str], names: Sequence[str]) -> str:
        reader = self._session.read.schema(self._schema(names)).option("mode", "PERMISSIVE")
        reader = reader.option("columnNameOfCorruptRecord", self.dialect.corrupt)
        return self._named(reader.json([self._uri(path) for path in files]))

    def parquet(self, files: Sequence[str]) -> str:
        return self._named(self._session.read.parquet(*map(self._uri, files)))

    def _place(self, path: str | Path) -> str:
        """The URI of a path."""
        return self._uris.get(str(path), f"file://{path}")

    def _uri(self, path: str | Path) -> str:
        """The URI of a path to read; glob characters in a file's name are no pattern."""
        text = self._place(path)
        for sign in "\\{}[]*?":
            text = text.replace(sign, f"\\{sign}")
        return text

    def _schema(self, names: Sequence[str]) -> str:
        return ", ".join(f"{self.dialect.name(name)} STRING" for name in [*names, self.dialect.corrupt])

    def _named(self, frame: DataFrame) -> str:
        name = f"relation_{next(self._numbers)}"
        frame.createOrReplaceTempView(name)
        return name


@contextmanager
def _translated() -> Iterator[None]:
    """Errors of a job that the user can mend, as ours."""
    try:
        yield
    except (AnalysisException, ParseException):
        raise  # our own statement: a bug
    except Exception as error:
        text = str(error)
        told = {
            "No space left on device": "give the job a larger volume (volume_gb)",
            "OutOfMemoryError": "take instances with more memory, or more of them",
        }
        for sign, fix in told.items():
            if sign in text:
                raise DataError([Problem("Spark", f"{sign}: {_first_line(error)}", fix)]) from error
        if "FAILED_READ_FILE" in text or "Error while reading file" in text or "Could not read" in text:
            raise DataError(
                [Problem("Spark", f"cannot read: {_first_line(error)}", "upload the file again")]
            ) from error
        raise


def _broken(path: Path, error: Exception) -> Problem:
    fix = "write it again, and upload it again"
    return Problem(str(path), f"not a whole Parquet file: {_first_line(error)}", fix)


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0][:300]
