"""SQL that several transforms share: a column as a double, its missing flag, a circle, a 32-bit bound."""

from __future__ import annotations

import math

from processing.columns import Column, ColumnType
from processing.sql.dialect import FLOAT_BOUND, Dialect
from processing.transforms.interface import Output

NUMBERS = (ColumnType.NUMBER, ColumnType.INTEGER, ColumnType.BOOLEAN)
ALL = tuple(ColumnType)


def double(column: Column, dialect: Dialect) -> str:
    return f"CAST({dialect.name(str(column))} AS {dialect.double})"


def missing(column: Column, dialect: Dialect) -> str:
    """1 where the column is null."""
    return f"CASE WHEN {dialect.name(str(column))} IS NULL THEN 1 ELSE 0 END"


def circle(name: str, value: str, period: float, dialect: Dialect) -> tuple[Output, Output]:
    """Sine and cosine of a value with a period."""
    angle = f"{dialect.number(2 * math.pi / period)} * ({value})"
    return Output(f"{name}_sin", f"sin({angle})"), Output(f"{name}_cos", f"cos({angle})")


def held(value: str, dialect: Dialect) -> str:
    """The value where a 32-bit float can hold it, the bound it passed where not; null stays null."""
    bound = dialect.number(FLOAT_BOUND)
    return f"CASE WHEN {value} > {bound} THEN {bound} WHEN {value} < -{bound} THEN -{bound} ELSE {value} END"
