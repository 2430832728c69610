"""The queries that fit: exact sums, exact quantiles, category counts. Equal on every run, engine and thread count.

Sums of doubles depend on their order, so parallel engines give another last digit each time. These sums are of whole
numbers: a value times a power of two, cut to 86 bits, as two numbers of 52 and 34 bits that both engines sum exactly.
No quantile function either: its state would not spill. A long column is counted in buckets first, and only the
buckets that hold a wanted rank are looked into.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from fractions import Fraction

from processing.sql.dialect import Dialect

HIGH_BITS, LOW_BITS = 52, 34
BITS = HIGH_BITS + LOW_BITS
"""A sum of 2**40 whole numbers of 52 bits fits any engine's 128 bits with room to spare."""

BUCKETS = 4096


def exponent(largest: float) -> int:
    """The power of two that brings numbers up to `largest` just below 2**BITS; bounded so that it is a double."""
    return max(-900, min(900, BITS - math.frexp(largest)[1])) if largest else 0


def extent_columns(expression: str, rows: str | None = None) -> list[str]:
    """Count of values, the smallest, the largest; `rows` is the column that tells how often each stands there."""
    count = f"count({expression})" if rows is None else f"sum(CASE WHEN ({expression}) IS NOT NULL THEN {rows} END)"
    return [count, f"min({expression})", f"max({expression})"]


def sum_columns(expression: str, power: int, dialect: Dialect, rows: str | None = None) -> list[str]:
    """The two parts of the sum of the values times 2**power."""
    scaled = f"({expression}) * {dialect.number(2.0 ** (power - LOW_BITS))}"
    rest = f"({scaled} - floor({scaled})) * {dialect.number(2.0**LOW_BITS)}"
    return [f"sum({_times(dialect.whole(part), rows)})" for part in (scaled, rest)]


def _times(whole: str, rows: str | None) -> str:
    """A whole number of 52 bits times a number of rows, as a type that both engines sum exactly."""
    return whole if rows is None else f"CAST({whole} AS DECIMAL(20, 0)) * CAST({rows} AS DECIMAL(18, 0))"


def joined(high: int | None, low: int | None) -> int:
    """The sum from its two parts; 0 where there was no value."""
    return (int(high or 0) << LOW_BITS) + int(low or 0)


def scaled(value: float, power: int) -> int:
    """What one value adds to the sum: the same arithmetic on doubles as in `sum_columns`."""
    whole = value * 2.0 ** (power - LOW_BITS)
    high = math.floor(whole)
    return joined(high, math.floor((whole - high) * 2.0**LOW_BITS))


def clipped(value: float, clip: Sequence[float] | None) -> float:
    """The value, or the bound that it passed."""
    if clip is None:
        return value
    low, high = clip
    return low if value < low else high if value > high else value


def clipped_sql(value: str, clip: Sequence[float] | None, dialect: Dialect) -> str:
    """The same in SQL. CASE rather than least and greatest: those would turn null into a bound."""
    if clip is None:
        return value
    low, high = map(dialect.number, clip)
    return f"CASE WHEN {value} < {low} THEN {low} WHEN {value} > {high} THEN {high} ELSE {value} END"


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


def divisible(low: float, high: float) -> bool:
    """Whether an interval can be cut into buckets by arithmetic on doubles."""
    width = high - low
    return math.isfinite(width) and width > 1e-290


def buckets_sql(expression: str, relation: str, low: float, high: float, dialect: Dialect) -> str:
    """Rows, smallest and largest value of each bucket of the values from `low` to `high`.

    Every step is monotone in the value, so buckets never overlap, however the arithmetic rounds.
    """
    number = dialect.number
    place = f"least({number(BUCKETS - 1)}, floor((x - {number(low)}) * {number(BUCKETS / (high - low))}))"
    return (
        f"SELECT CAST({place} AS INT) AS b, count(*), min(x), max(x) FROM (SELECT {expression} AS x FROM {relation}) "
        f"AS v WHERE x BETWEEN {number(low)} AND {number(high)} GROUP BY 1"
    )


def ranks_sql(
    expression: str,
    relation: str,
    low: float,
    high: float,
    ranks: Sequence[int],
    dialect: Dialect,
    rows: str | None = None,
) -> str:
    """The values at these ranks among those from `low` to `high`: counts by value, then a running total."""
    chosen = ", ".join(f"min(CASE WHEN upto >= {rank} THEN x END)" for rank in ranks)
    count, held = ("count(*)", "") if rows is None else ("sum(r)", f", {rows} AS r")
    return (
        f"WITH counted AS (SELECT x, {count} AS n FROM (SELECT {expression} AS x{held} FROM {relation}) AS v "
        f"WHERE x BETWEEN {dialect.number(low)} AND {dialect.number(high)} GROUP BY x), "
        "running AS (SELECT x, sum(n) OVER (ORDER BY x ROWS BETWEEN UNBOUNDED "
        f"PRECEDING AND CURRENT ROW) AS upto FROM counted) SELECT {chosen} FROM running"
    )


def windows(
    buckets: Sequence[tuple[int, int, float, float]], ranks: Sequence[int]
) -> Mapping[tuple[float, float, int], list[int]]:
    """The bucket of each rank, as (smallest, largest, rows): the ranks that lie in it, counted from its start."""
    found: dict[tuple[float, float, int], list[int]] = {}
    before, wanted = 0, sorted(ranks)
    for _, rows, low, high in sorted(buckets):
        inside = [rank - before for rank in wanted if before < rank <= before + rows]
        if inside:
            found[(low, high, rows)] = inside
        before += rows
    return found


def categories_sql(expression: str, relation: str, limit: int) -> str:
    return f"SELECT {expression} AS x, count(*) FROM {relation} GROUP BY 1 LIMIT {limit}"


def most_frequent_sql(expression: str, relation: str) -> str:
    """The value with the most rows; the smallest of equals."""
    return (
        f"SELECT x FROM (SELECT {expression} AS x FROM {relation}) AS v WHERE x IS NOT NULL "
        "GROUP BY x ORDER BY count(*) DESC, x LIMIT 1"
    )


def fold_sums_sql(expression: str, relation: str, folds: int, sums: Sequence[str], limit: int, dialect: Dialect) -> str:
    """Category, fold, rows, and each of the sums."""
    return (
        f"SELECT {expression} AS x, {dialect.name('_fold')} % {folds} AS fold, {', '.join(['count(*)', *sums])} "
        f"FROM {relation} GROUP BY 1, 2 LIMIT {limit}"
    )
