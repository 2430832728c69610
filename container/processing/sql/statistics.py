"""The queries that fit: exact moments, exact quantiles, category counts. Equal on every run, whatever the threads.

Sums of doubles depend on their order, so parallel engines give another last digit each time. These sums are of whole
numbers: a value times a power of two, cut to 86 bits. No quantile function either: its state would not spill.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from fractions import Fraction

from processing.sql.dialect import Dialect

BITS = 86
"""A sum of 2**40 whole numbers of 86 bits fits the 126 bits that HUGEINT and DECIMAL(38, 0) hold."""


def exponent(largest: float) -> int:
    """The power of two that brings numbers up to `largest` just below 2**BITS; bounded so that it is a double."""
    return max(-900, min(900, BITS - math.frexp(largest)[1])) if largest else 0


def extent_sql(expression: str, relation: str) -> str:
    """Count of values, and their largest magnitude."""
    return f"SELECT count(x), max(abs(x)) FROM (SELECT {expression} AS x FROM {relation}) AS v"


def scaled_sql(expression: str, power: int, dialect: Dialect) -> str:
    """The expression times 2**power, cut to a whole number."""
    return f"CAST(({expression}) * {dialect.number(2.0**power)} AS {dialect.exact})"


def sum_sql(expression: str, relation: str, power: int, dialect: Dialect) -> str:
    """The sum of the values times 2**power, in whole numbers."""
    return f"SELECT sum({scaled_sql('x', power, dialect)}) FROM (SELECT {expression} AS x FROM {relation}) AS v"


def squares_sql(expression: str, mean: float, dialect: Dialect) -> str:
    """The squared deviation of a value, as an expression to sum."""
    centred = f"(({expression}) - {dialect.number(mean)})"
    return f"{centred} * {centred}"


def average(total: int, power: int, count: int) -> float:
    """The exact mean of a scaled sum, rounded once."""
    return float(Fraction(total, count) / Fraction(2) ** power)


def quantile_ranks(count: int, probability: float) -> tuple[int, int, float]:
    """The two ranks, from 1, between which a quantile lies, and how far along (R's type 7)."""
    place = (count - 1) * probability
    low = math.floor(place)
    return low + 1, min(low + 2, count), place - low


def ranks_sql(expression: str, relation: str, ranks: Sequence[int]) -> str:
    """The values at these ranks: counts by value, then a running total."""
    chosen = ", ".join(f"min(CASE WHEN upto >= {rank} THEN x END)" for rank in ranks)
    return (
        f"WITH counted AS (SELECT x, count(*) AS n FROM (SELECT {expression} AS x FROM {relation}) AS v "
        "WHERE x IS NOT NULL GROUP BY x), running AS (SELECT x, sum(n) OVER (ORDER BY x ROWS BETWEEN UNBOUNDED "
        f"PRECEDING AND CURRENT ROW) AS upto FROM counted) SELECT {chosen} FROM running"
    )


def categories_sql(expression: str, relation: str, limit: int) -> str:
    return f"SELECT {expression} AS x, count(*) FROM {relation} GROUP BY 1 LIMIT {limit}"


def most_frequent_sql(expression: str, relation: str) -> str:
    """The value with the most rows; the smallest of equals."""
    return (
        f"SELECT x FROM (SELECT {expression} AS x FROM {relation}) AS v WHERE x IS NOT NULL "
        "GROUP BY x ORDER BY count(*) DESC, x LIMIT 1"
    )


def fold_sums_sql(expression: str, relation: str, folds: int, sums: Sequence[str], limit: int, dialect: Dialect) -> str:
    """Category, fold, rows, and the sum of each expression in `sums` (whole numbers)."""
    totals = ", ".join(f"sum({value})" for value in sums)
    return (
        f"SELECT {expression} AS x, {dialect.name('_fold')} % {folds} AS fold, count(*), {totals} FROM {relation} "
        f"GROUP BY 1, 2 LIMIT {limit}"
    )
