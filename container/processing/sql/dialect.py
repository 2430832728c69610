"""What SQL engines spell differently: quoting, literals, casts, weekday, reading CSV.

Everything else this package emits lies in the subset that DuckDB and Spark share: the statements are the same.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

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
    corrupt = "_corrupt"
    """The column that holds a record which could not be read, where `spoilt` looks for it."""
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

    def distinct(self, whole: str, low: int, high: int) -> str | None:
        """How many whole numbers between two there are, by a bit for each; None where the engine has no such way."""
        return f"bit_count(bitstring_agg({whole}, {low}, {high}))"

    def spoilt(self, _names: Sequence[str]) -> str | None:
        """Where a record could not be read; None where the reader itself rejects such records."""
        return None

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


class Reader(Protocol):
    """The part of an engine that opens files which its SQL cannot describe; gives a relation."""

    def csv(self, scan: Scan) -> str: ...

    def json(self, files: Sequence[str], names: Sequence[str]) -> str: ...

    def parquet(self, files: Sequence[str]) -> str: ...


class Spark(DuckDB):
    """Spark 3.5's spelling, with `spark.sql.timestampType` TIMESTAMP_NTZ, the time zone UTC and ANSI mode off.

    Every column of a CSV file is read as text, and the declared types are made of it by the statements: Spark's own
    conversion takes '1.0d' for a number and replaces broken characters without a word.
    """

    text_type = "STRING"
    reads_null = False
    read_typed: Mapping[ColumnType, str] = {}
    replacement = "\ufffd"

    def __init__(self, reader: Reader | None = None) -> None:
        self._reader = reader

    def whole(self, number: str) -> str:
        """As a decimal: a sum of BIGINT would wrap around."""
        return f"CAST(floor({number}) AS DECIMAL(20, 0))"

    def name(self, identifier: str) -> str:
        return "`" + identifier.replace("`", "``") + "`"

    def text(self, value: str | None) -> str:
        """Backslash escapes; two literals side by side would be joined, so a quote cannot be doubled."""
        if value is None:
            return f"CAST(NULL AS {self.text_type})"
        return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"

    def weekday(self, date: str) -> str:
        return f"extract(DAYOFWEEK_ISO FROM {date})"

    def date(self, year: str, month: str, day: str) -> str:
        parts = ", ".join(f"TRY_CAST({part} AS INT)" for part in (year, month, day))
        return f"make_date({parts})"

    def timestamp(self, text: str) -> str:
        return f"TRY_CAST(replace(replace({text}, 'T', ' '), 'Z', '') AS TIMESTAMP)"

    def matches(self, text: str, pattern: str) -> str:
        whole = rf"\A(?:{pattern})\z"
        return f"({text} RLIKE {self.text(whole)})"

    def distinct(self, _whole: str, _low: int, _high: int) -> str | None:
        return None

    def spoilt(self, names: Sequence[str]) -> str | None:
        """Where a record could not be read as its file's format, or one of its texts is no UTF-8."""
        broken = [f"coalesce(instr({self.name(one)}, {self.text(self.replacement)}) > 0, false)" for one in names]
        return " OR ".join([f"{self.name(self.corrupt)} IS NOT NULL", *broken])

    def scan(self, scan: Scan) -> str:
        return self._open().csv(scan)

    def json(self, files: Sequence[str], names: Sequence[str]) -> str:
        return self._open().json(files, names)

    def parquet(self, files: Sequence[str]) -> str:
        return self._open().parquet(files)

    def _open(self) -> Reader:
        if self._reader is None:
            raise ValueError("this dialect has no reader: it can only render statements over relations")
        return self._reader


Dialect = DuckDB
"""The type of a dialect: DuckDB's names, which Spark's class overrides where it spells differently."""
