"""How a raw column becomes its declared type, and where it cannot: one pair of expressions for each kind of column.

Kinds: `csv` (as the dialect's CSV reader gives it), `text`, `whole`, `number`, `flag`, `date`, `time`; `other` is
refused before. A value that does not fit becomes null with its `bad` true: it is refused later, never passed over.
"""

from __future__ import annotations

from processing.columns import Column, ColumnType
from processing.sql.dialect import Dialect

DATE_FORM = r"\d{4}-\d{2}-\d{2}"
TIMESTAMP_FORM = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z?)?"
"""With or without a Z. Another offset is refused: the engines read it differently, or drop it."""
NUMBER_FORM = r"(?i)[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?|[-+]?(nan|inf|infinity)"
"""What both engines read alike: Java would take '1.0d' and '0x1p3' for numbers, too."""
FLAGS = {"true": ("true", "t", "1", "yes", "y"), "false": ("false", "f", "0", "no", "n")}


def family(sql_type: str) -> str:
    """The kind of a column from the engine's name of its type."""
    head = sql_type.lower().split("(")[0].strip()
    if head.endswith(("int", "integer")) or head in ("long", "short", "byte"):
        return "whole"
    if head in ("double", "float", "real", "decimal"):
        return "number"
    if head.startswith("timestamp"):
        return "time"
    return {"varchar": "text", "string": "text", "enum": "text", "boolean": "flag", "date": "date"}.get(head, "other")


def value_sql(column: Column, kind: str, dialect: Dialect) -> str:
    """The typed value; null where it does not fit."""
    raw = dialect.name(column.name)
    match column.type:
        case ColumnType.STRING:
            return raw if kind in ("csv", "text") else f"CAST({raw} AS {dialect.text_type})"
        case ColumnType.INTEGER:
            return f"TRY_CAST({raw} AS {dialect.integer})"
        case ColumnType.NUMBER:
            return raw if _typed(column, kind, dialect) else _number(raw, kind, dialect)
        case ColumnType.BOOLEAN:
            return raw if kind == "flag" or _typed(column, kind, dialect) else _flag(raw, dialect)
        case ColumnType.DATE:
            return f"TRY_CAST({raw} AS DATE)"
        case ColumnType.TIMESTAMP:
            return dialect.timestamp(raw) if kind in ("csv", "text") else f"CAST({raw} AS {dialect.time})"
    raise ValueError(f"unknown type {column.type}")


def bad_sql(column: Column, kind: str, dialect: Dialect) -> str | None:
    """Where the value is there but does not fit; None where that cannot be, or the reader sees to it."""
    raw, value = dialect.name(column.name), value_sql(column, kind, dialect)
    if _typed(column, kind, dialect) or column.type is ColumnType.STRING:
        return None
    if kind in ("csv", "text"):
        return _bad_text(column.type, raw, value, dialect)
    if column.type is ColumnType.INTEGER:
        # 2.7 in a column of doubles is no whole number; 3.0 is.
        cast = f"CAST({value} AS {dialect.double})"
        return f"({raw} IS NOT NULL AND coalesce({cast} <> CAST({raw} AS {dialect.double}), true))"
    return None


def _bad_text(kind: ColumnType, raw: str, value: str, dialect: Dialect) -> str:
    match kind:
        case ColumnType.INTEGER:
            # The round trip refuses 2.7, 1e3, 007 and ' 5', which the engines convert each in its own way.
            return f"({raw} IS NOT NULL AND coalesce(CAST({value} AS {dialect.text_type}) <> {raw}, true))"
        case ColumnType.DATE:
            return f"({raw} IS NOT NULL AND ({value} IS NULL OR NOT {dialect.matches(raw, DATE_FORM)}))"
        case ColumnType.TIMESTAMP:
            return f"({raw} IS NOT NULL AND ({value} IS NULL OR NOT {dialect.matches(raw, TIMESTAMP_FORM)}))"
    return f"({raw} IS NOT NULL AND {value} IS NULL)"


def _typed(column: Column, kind: str, dialect: Dialect) -> bool:
    """Whether the CSV reader itself converts, and rejects, this column."""
    return kind == "csv" and column.type in dialect.read_typed


def _number(raw: str, kind: str, dialect: Dialect) -> str:
    if kind not in ("csv", "text"):
        return f"CAST({raw} AS {dialect.double})"
    return f"CASE WHEN {dialect.matches(raw, NUMBER_FORM)} THEN TRY_CAST({raw} AS {dialect.double}) END"


def _flag(raw: str, dialect: Dialect) -> str:
    cases = [
        f"WHEN lower({raw}) IN ({', '.join(map(dialect.text, texts))}) THEN {flag}" for flag, texts in FLAGS.items()
    ]
    return f"CASE {' '.join(cases)} END"
