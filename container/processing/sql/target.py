"""The target in SQL: a comparison or a flag as 0 and 1, a number as it is, a class as its text and then its index."""

from __future__ import annotations

from collections.abc import Sequence

from processing.columns import Column, ColumnType
from processing.recipe.model import Target
from processing.sql.dialect import FLOAT_BOUND, Dialect
from processing.task import Task

LABEL = "_label"
"""The staged class text of a multiclass target, until the training split has settled the classes (settling.py)."""


def finite(column: Column, dialect: Dialect) -> str:
    """The column's value; null for a number that a 32-bit float cannot hold (nan, inf and beyond)."""
    value = dialect.name(str(column))
    if column.type is not ColumnType.NUMBER:
        return value
    bound = dialect.number(FLOAT_BOUND)
    return f"CASE WHEN {value} BETWEEN -{bound} AND {bound} THEN {value} END"


def target_name(target: Target) -> str:
    """The staged column that holds the target."""
    return LABEL if target.task is Task.MULTICLASS else "_target"


def target_sql(target: Target, dialect: Dialect) -> str:
    """1, 0 or null (binary); a number or null (regression); the class's text or null (multiclass)."""
    value = finite(target.column, dialect)
    match target.task:
        case Task.REGRESSION:
            return f"CAST({value} AS {dialect.double})"
        case Task.MULTICLASS:
            return f"CAST({value} AS {dialect.text_type})"
    holds = f"({value}) {target.operator} {_literal(target, dialect)}"
    return f"CAST(CASE WHEN ({value}) IS NULL THEN NULL WHEN {holds} THEN 1 ELSE 0 END AS INT)"


def _literal(target: Target, dialect: Dialect) -> str:
    match target.value:
        case bool():
            return "true" if target.value else "false"
        case str():
            return dialect.text(target.value)
    return dialect.number(target.value)


def class_sql(classes: Sequence[str], dialect: Dialect) -> str:
    """The index of the row's class; null where it has none of these."""
    cases = " ".join(f"WHEN {dialect.text(name)} THEN {index}" for index, name in enumerate(classes))
    return f"CAST(CASE {dialect.name(LABEL)} {cases} END AS INT)"
