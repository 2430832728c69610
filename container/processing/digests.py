"""The digests of features.json that Parquet files carry: those of DuckDB as metadata of their own, Spark's otherwise.

Spark's writer takes no metadata of a file's. It writes its schema into each, as JSON, and that holds what the columns
carry: there the digest stands at the key's column. In: a DuckDB connection, files. Out: digests; a file may carry none.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from processing.database import DIGEST

if TYPE_CHECKING:
    import duckdb

SPARK_SCHEMA = "org.apache.spark.sql.parquet.row.metadata"


def digests(connection: duckdb.DuckDBPyConnection, paths: Sequence[Path]) -> set[str]:
    """All digests that the files carry."""
    query = "SELECT decode(key), decode(value) FROM parquet_kv_metadata(?)"
    found = (row for path in paths for row in connection.execute(query, [str(path)]).fetchall())
    return {digest for key, value in found for digest in _carried(key, value)}


def _carried(key: str, value: str) -> Iterator[str]:
    if key == DIGEST:
        yield value
    if key == SPARK_SCHEMA:
        for field in json.loads(value)["fields"]:
            if DIGEST in field["metadata"]:
                yield str(field["metadata"][DIGEST])
