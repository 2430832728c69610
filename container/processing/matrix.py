"""A split's Parquet files in batches of numpy arrays, in the order of the files' names and rows.

In: a folder and the schema of features.json. Out: `Split`, read as often as needed; a batch is all that is in memory.
Batches are ranges of rows within a file: DuckDB skips the row groups outside, so that a pass reads each once, and no
Arrow library is needed (pyarrow would add 150 MB to the image).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import duckdb
import numpy as np

from processing.arrays import Array, Codes, Features, Floats, Keys
from processing.digests import digests
from processing.errors import DataError, Problem
from processing.nearest import nearest
from processing.sql.dialect import DuckDB
from processing.task import Task
from processing.training.schema import NOT_FEATURES, Schema

BATCH_VALUES = 8_000_000
"""Feature values in a batch: 32 MB of them, whatever the number of columns."""
BATCH_ROWS = 100_000
_AGAIN = "take data and features of one run of the features step"


@dataclass(frozen=True)
class Batch:
    """Some rows: features (null is NaN), targets, columns asked for besides as whole numbers, hashes of the keys."""

    features: Features
    targets: Floats
    codes: Mapping[str, Codes] = field(default_factory=dict)
    keys: Keys = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))


@dataclass(frozen=True)
class Split:
    """The rows below a folder that fit a schema; `others` are the columns that are no features."""

    folder: Path
    schema: Schema
    files: tuple[tuple[Path, int], ...]
    others: tuple[str, ...]

    @property
    def rows(self) -> int:
        return sum(rows for _, rows in self.files)

    def batches(self, codings: Mapping[str, Sequence[str]] | None = None, *, keys: bool = False) -> Iterator[Batch]:
        """Every row once. `codings`: for each column besides, the texts whose place (from 1) is given; 0 is another."""
        names = [*self.schema.columns, "target"]
        coded = {column: _coded(column, texts) for column, texts in (codings or {}).items()}
        chosen = ", ".join(
            [*(_name(name) for name in names), *coded.values(), *(["hash(key) AS keys"] if keys else [])]
        )
        step = max(1_000, min(BATCH_ROWS, BATCH_VALUES // len(names)))
        with _reading(self.folder) as connection:
            for path, rows in self.files:
                relation = f"read_parquet({_text(path)}, file_row_number = true, hive_partitioning = false)"
                for first in range(0, rows, step):
                    within = f"file_row_number >= {first} AND file_row_number < {first + step}"
                    found = connection.execute(f"SELECT {chosen} FROM {relation} WHERE {within}").fetchnumpy()
                    yield self._batch(found, list(coded))

    def _batch(self, found: Mapping[str, Array], coded: Sequence[str]) -> Batch:
        targets = _filled(found["target"], np.float64)
        features = np.empty((len(targets), len(self.schema.columns)), dtype=np.float32)
        for index, name in enumerate(self.schema.columns):
            features[:, index] = _filled(found[name], np.float32)
        _check_targets(self, targets)
        codes = {name: _filled(found[f"code of {name}"], np.uint8) for name in coded}
        keys = _filled(found["keys"], np.uint64) if "keys" in found else np.zeros(0, dtype=np.uint64)
        return Batch(features, targets, codes, keys)

    def texts(self, column: str, most: int) -> list[str]:
        """The texts of a column with the most rows, the most frequent first; null is not among them."""
        relation = DuckDB().parquet([str(path) for path, _ in self.files])
        text = f"CAST({_name(column)} AS VARCHAR)"
        query = (
            f"SELECT {text} AS t FROM {relation} WHERE t IS NOT NULL GROUP BY t ORDER BY count(*) DESC, t LIMIT {most}"
        )
        with _reading(self.folder) as connection:
            return [str(row[0]) for row in connection.execute(query).fetchall()]


def open_split(folder: Path, schema: Schema) -> Split:
    """The split below `folder`; DataError where it holds no rows, or other features than the schema's."""
    paths = sorted(folder.glob("**/*.parquet"))
    if not paths:
        fix = "connect it to the output of the same name of the features step"
        raise DataError([Problem(str(folder), "no Parquet file in this input", fix)])
    with _reading(folder) as connection:
        relation = DuckDB().parquet([str(path) for path in paths])
        held = [str(row[0]) for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
        query = "SELECT num_rows FROM parquet_file_metadata(?)"
        files = tuple((path, int(connection.execute(query, [str(path)]).fetchall()[0][0])) for path in paths)
        carried = digests(connection, paths)
    _check_columns(folder, held, [*schema.columns, "target"])
    _check_digest(folder, carried, schema)
    if not sum(rows for _, rows in files):
        raise DataError([Problem(str(folder), "the split has no rows", "run the features step with more data")])
    return Split(folder, schema, files, tuple(name for name in held if name not in (*schema.columns, *NOT_FEATURES)))


def _check_digest(folder: Path, carried: set[str], schema: Schema) -> None:
    if carried - {schema.digest}:
        what = "the files were written with other features than this features.json (their digests differ)"
        raise DataError([Problem(str(folder), what, _AGAIN)])


def _check_columns(folder: Path, held: Sequence[str], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in held]
    if missing:
        close = nearest(missing[0], [name for name in held if name not in wanted])
        what = f"{len(missing)} column(s) of features.json are missing, first '{missing[0]}'"
        hint = f" (there is '{close}')" if close else ""
        raise DataError([Problem(str(folder), what + hint, _AGAIN)])


def _check_targets(split: Split, targets: Floats) -> None:
    """Finite numbers; for classes, their whole numbers."""
    classes = len(split.schema.classes)
    fits = (
        np.isfinite(targets) if not classes else (targets >= 0) & (targets < classes) & (targets == np.floor(targets))
    )
    if not fits.all():
        wrong = float(targets[~fits][0])
        shown = "null or not a number" if np.isnan(wrong) else f"{wrong:g}"
        meant = "a finite number" if split.schema.target.task is Task.REGRESSION else f"a class from 0 to {classes - 1}"
        raise DataError([Problem(str(split.folder), f"a target is {shown}, not {meant}", _AGAIN)])


@contextmanager
def _reading(folder: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """A connection of its own; a file that cannot be read is told."""
    with duckdb.connect() as connection:
        try:
            connection.execute("SET autoinstall_known_extensions = false")
            yield connection
        except duckdb.OutOfMemoryException as error:
            fix = "take a larger instance"
            raise DataError([Problem(str(folder), f"out of memory: {_first_line(error)}", fix)]) from error
        except (duckdb.InvalidInputException, duckdb.IOException, duckdb.ConversionException) as error:
            what = f"not readable as Parquet: {_first_line(error)}"
            raise DataError([Problem(str(folder), what, "run the features step again")]) from error


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]


def _filled(array: Array, kind: type[np.generic]) -> Array:
    """The array as that kind; null is NaN, or 0 where there is none."""
    missing = np.nan if issubclass(kind, np.floating) else 0
    return np.asarray(np.ma.filled(array.astype(kind), missing))


def _coded(column: str, texts: Sequence[str]) -> str:
    place = f"list_position({DuckDB().texts(texts)}, CAST({_name(column)} AS VARCHAR))" if texts else "NULL"
    return f"CAST(coalesce({place}, 0) AS UTINYINT) AS {_name(f'code of {column}')}"


def _name(identifier: str) -> str:
    return DuckDB().name(identifier)


def _text(path: Path) -> str:
    return DuckDB().text(str(path))
