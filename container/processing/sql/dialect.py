"""What SQL engines spell differently: quoting, literals, casts, weekday, reading CSV.

Everything else this package emits lies in the subset that DuckDB and Spark share. Spark's dialect is to be
another class with these names; the statements stay the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from processing.columns import ColumnType

FLOAT_BOUND = 3.4028234663852886e38
"""The largest number a 32-bit float holds: the features are written as such."""


@dataclass(frozen=True)
class Scan:
    """CSV files with one and the same header: every column in the file's order with the type to read it as."""

    files: tuple[str, ...]
    columns: tuple[tuple[str, str], ...]
    null: tuple[str, ...]
    delimiter: str


class DuckDB:
    """DuckDB 1.5's spelling."""

    double = "DOUBLE"
    float32 = "FLOAT"
    time = "TIMESTAMP"
    integer = "BIGINT"
    text_type = "VARCHAR"
    reads_null = True
    """The CSV reader makes nulls of the null texts."""
    read_typed: Mapping[ColumnType, str] = {ColumnType.NUMBER: "DOUBLE", ColumnType.BOOLEAN: "BOOLEAN"}
    """Types that the CSV reader converts by itself. The others are read as text: 2.7 would pass for the integer 3."""

    def whole(self, number: str) -> str:
        """The whole part of a double below 2**53, as a type whose sum is exact (HUGEINT here)."""
        return f"CAST(floor({number}) AS BIGINT)"

    def name(self, identifier: str) -> str:
        """A quoted identifier."""
        return '"' + identifier.replace('"', '""') + '"'

    def text(self, value: str | None) -> str:
        """A string literal, or a null that is known to be text."""
        return f"CAST(NULL AS {self.text_type})" if value is None else "'" + value.replace("'", "''") + "'"

    def number(self, value: float) -> str:
        """A double literal. Always with an exponent: a bare 0.1 is a DECIMAL on both engines."""
        if not math.isfinite(value):
            raise ValueError(f"no SQL literal for {value}")
        digits = repr(float(value))
        return digits if "e" in digits else f"{digits}e0"

    def weekday(self, date: str) -> str:
        """1 for Monday to 7 for Sunday."""
        return f"isodow({date})"

    def date(self, year: str, month: str, day: str) -> str:
        """A date from three integers; null where there is no such day (make_date would fail)."""
        parts = f"CAST({year} AS VARCHAR) || '-' || CAST({month} AS VARCHAR) || '-' || CAST({day} AS VARCHAR)"
        return f"TRY_CAST({parts} AS DATE)"

    def timestamp(self, text: str) -> str:
        """The text's time; null where it is none. Its form is checked apart (kinds.py)."""
        return f"TRY_CAST({text} AS TIMESTAMP)"

    def matches(self, text: str, pattern: str) -> str:
        """The whole text matches the pattern."""
        return f"regexp_full_match({text}, {self.text(pattern)})"

    def scan(self, scan: Scan) -> str:
        """A table function over CSV files. Bad rows land in reject_errors with file, line and column (engine.py)."""
        columns = ", ".join(f"{self.text(name)}: {self.text(kind)}" for name, kind in scan.columns)
        return (
            f"read_csv({self.texts(scan.files)}, columns = {{{columns}}}, header = true, auto_detect = false, "
            f"delim = {self.text(scan.delimiter)}, quote = '\"', escape = '\"', nullstr = {self.texts(scan.null)}, "
            "hive_partitioning = false, store_rejects = true, rejects_limit = 1000)"
        )

    def json(self, files: Sequence[str], names: Sequence[str]) -> str:
        """A table function over JSON lines, every column as text."""
        columns = ", ".join(f"{self.text(name)}: 'VARCHAR'" for name in names)
        return f"read_json({self.texts(files)}, format = 'newline_delimited', columns = {{{columns}}})"

    def parquet(self, files: Sequence[str]) -> str:
        return f"read_parquet({self.texts(files)}, hive_partitioning = false)"

    def texts(self, values: Sequence[str]) -> str:
        return "[" + ", ".join(self.text(value) for value in values) + "]"


Dialect = DuckDB
"""The type of a dialect, until there is a second one."""
