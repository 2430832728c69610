"""A split's Parquet files as numpy arrays for XGBoost.

In: a folder and the feature columns of features.json. Out: 32-bit features (null is NaN) and labels. The whole split
is in memory, 4 bytes a value; reading it in batches belongs to the version for larger data.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import duckdb
import numpy as np
from numpy.typing import NDArray

from processing.errors import DataError, Problem
from processing.nearest import nearest
from processing.sql.dialect import DuckDB


@dataclass(frozen=True)
class Matrix:
    """Features, a row for each of the split, and labels."""

    features: NDArray[np.float32]
    labels: NDArray[np.int64]


def read_matrix(folder: Path, columns: Sequence[str]) -> Matrix:
    """The rows below `folder`, its files in the order of their names."""
    files = sorted(folder.glob("**/*.parquet"))
    if not files:
        fix = "connect it to the output of the same name of the features step"
        raise DataError([Problem(str(folder), "no Parquet file in this input", fix)])
    dialect = DuckDB()
    relation = dialect.parquet([str(path) for path in files])
    with duckdb.connect() as connection:
        try:
            held = [row[0] for row in connection.execute(f"DESCRIBE SELECT * FROM {relation}").fetchall()]
            _check(folder, held, [*columns, "target"])
            chosen = ", ".join(dialect.name(name) for name in ["target", *columns])
            arrays = connection.execute(f"SELECT {chosen} FROM {relation}").fetchnumpy()
        except (duckdb.InvalidInputException, duckdb.IOException) as error:
            what = f"not readable as Parquet: {str(error).splitlines()[0]}"
            raise DataError([Problem(str(folder), what, "run the features step again")]) from error
    labels = np.asarray(arrays["target"], dtype=np.int64)
    if not len(labels):
        raise DataError([Problem(str(folder), "the split has no rows", "run the features step with more data")])
    features = np.empty((len(labels), len(columns)), dtype=np.float32)
    for index, name in enumerate(columns):
        features[:, index] = np.ma.filled(arrays[name].astype(np.float32), np.nan)
    return Matrix(features, labels)


def _check(folder: Path, held: Sequence[str], wanted: Sequence[str]) -> None:
    missing = [name for name in wanted if name not in held]
    if missing:
        close = nearest(missing[0], held)
        what = f"{len(missing)} column(s) of features.json are missing, first '{missing[0]}'"
        hint = f" (there is '{close}')" if close else ""
        raise DataError([Problem(str(folder), what + hint, "take data and features of one run of the features step")])
