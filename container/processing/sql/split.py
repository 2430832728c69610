"""Which split and which fold a row belongs to: from the hash of its key (or a part of it), a time, or a column.

Neither the files nor their order matter. The md5 of the key's text is compared as hex text, so DuckDB, Spark and
Python agree without number conversion. Two ways need a look at the staged rows first (settling.py): fractions of the
distinct times, and fractions within each class; what they find are literals (`Cuts`).
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from processing.columns import ColumnType
from processing.recipe.model import ColumnSplit, HashSplit, Split, TimeSplit
from processing.sql.dialect import Dialect

HEX = "0123456789abcdef"
SEPARATOR = "\x1f"
"""Stands between the columns of a key (ASCII's unit separator), so that ('a', 'bc') and ('ab', 'c') differ."""


@dataclass(frozen=True)
class Cuts:
    """What is compared with: the two times, or for each class the two hashes, below which a row is training, and
    below which it is validation."""

    times: tuple[str, str] | None = None
    hashes: Mapping[str, tuple[str, str]] | None = None
    stratum: str = "_target"
    """The staged column that holds the class."""


def is_static(split: Split) -> bool:
    """Whether a row's split follows from the row alone, with nothing to be looked up first."""
    match split:
        case HashSplit():
            return not split.stratify
        case TimeSplit():
            return split.cuts is not None
    return True


def thresholds(split: HashSplit) -> tuple[str, str]:
    """The first eight hex digits below which a row is training, and below which it is validation."""
    train, validation = round(split.train * 16**8), round((split.train + split.validation) * 16**8)
    return f"{train:08x}", f"{validation:08x}"


def key_sql(columns: Sequence[str], dialect: Dialect) -> str:
    """The key's text in SQL; null when one column is."""
    casts = [f"CAST({dialect.name(column)} AS {dialect.text_type})" for column in columns]
    return " || chr(31) || ".join(casts)


def hash_sql(split: Split, dialect: Dialect) -> str:
    """The row's hash: the hex digits of the md5 of the salt and what the split goes `by`."""
    key = key_sql([str(column) for column in split.by], dialect)
    return f"md5({dialect.text(split.salt)} || chr(31) || {key})"


def digest_sql(split: Split, dialect: Dialect) -> str:
    """The same over staged rows. Only where cuts are found among all hashes is it staged: else output in order alone
    asks for it, and making it again costs less than keeping it."""
    return dialect.name("_hash") if keeps_hash(split) else hash_sql(split, dialect)


def keeps_hash(split: Split) -> bool:
    return isinstance(split, HashSplit) and split.stratify


def split_sql(digest: str, split: Split, dialect: Dialect, cuts: Cuts | None = None) -> str:
    """The split's name; null where a time is null, or a column holds a text that names no split."""
    cuts = cuts or Cuts()
    match split:
        case HashSplit():
            return _by_hash(digest, split, cuts, dialect)
        case TimeSplit():
            times = split.cuts or cuts.times
            if times is None:
                raise ValueError("a split by fractions of the times needs its cuts")
            value = time_sql(split, dialect)
            first, second = (time_literal(split, time, dialect) for time in times)
            return _between(value, first, second)
        case ColumnSplit():
            value = f"CAST({dialect.name(str(split.column))} AS {dialect.text_type})"
            named = (("train", split.train), ("validation", split.validation), ("test", split.test))
            cases = [f"WHEN {value} IN ({', '.join(map(dialect.text, texts))}) THEN '{name}'" for name, texts in named]
            return f"CASE {' '.join(cases)} END"


def _between(value: str, first: str, second: str) -> str:
    """A null is in no split: `ELSE` would put it into test."""
    return (
        f"CASE WHEN {value} < {first} THEN 'train' WHEN {value} < {second} THEN 'validation' "
        f"WHEN {value} IS NOT NULL THEN 'test' END"
    )


def _by_hash(digest: str, split: HashSplit, cuts: Cuts, dialect: Dialect) -> str:
    train, validation = thresholds(split)
    plain = (
        f"CASE WHEN {digest} < '{train}' THEN 'train' WHEN {digest} < '{validation}' THEN 'validation' ELSE 'test' END"
    )
    if not split.stratify:
        return plain
    if cuts.hashes is None:
        raise ValueError("a stratified split needs its cuts")
    stratum = stratum_sql(cuts.stratum, dialect)
    cases = [
        f"WHEN {stratum} = {dialect.text(name)} THEN {_between(digest, *map(dialect.text, bounds))}"
        for name, bounds in cuts.hashes.items()
    ]
    # Rows without a target are dropped later; until then they are counted somewhere.
    return f"CASE {' '.join(cases)} ELSE {plain} END" if cases else plain


def stratum_sql(column: str, dialect: Dialect) -> str:
    """The text of the row's class."""
    return f"CAST({dialect.name(column)} AS {dialect.text_type})"


def time_sql(split: TimeSplit, dialect: Dialect) -> str:
    """The row's time."""
    names = [dialect.name(str(column)) for column in split.time]
    return dialect.date(*names) if len(names) == 3 else names[0]


def time_literal(split: TimeSplit, text: str, dialect: Dialect) -> str:
    """A time of the recipe as a literal of the column's type."""
    kind = ColumnType.DATE if len(split.time) == 3 else split.time[0].type
    match kind:
        case ColumnType.INTEGER:
            return str(int(text))
        case ColumnType.DATE:
            return f"CAST({dialect.text(text)} AS DATE)"
        case ColumnType.TIMESTAMP:
            return f"CAST({dialect.text(text)} AS TIMESTAMP)"
    raise ValueError(f"no time: {kind}")


def times_sql(split: TimeSplit, relation: str, dialect: Dialect) -> str:
    """How many distinct times there are."""
    return f"SELECT count(DISTINCT {time_sql(split, dialect)}) FROM {relation}"


def cut_times_sql(split: TimeSplit, relation: str, places: Sequence[int], dialect: Dialect) -> str:
    """The distinct times at these places, from 1."""
    time = time_sql(split, dialect)
    chosen = ", ".join(f"CAST(min(CASE WHEN place = {place} THEN t END) AS {dialect.text_type})" for place in places)
    return (
        f"SELECT {chosen} FROM (SELECT t, row_number() OVER (ORDER BY t) AS place "
        f"FROM (SELECT DISTINCT {time} AS t FROM {relation}) AS d WHERE t IS NOT NULL) AS n"
    )


def cut_hashes_sql(relation: str, target: str, split: HashSplit, dialect: Dialect) -> str:
    """For each class its rows, and the hashes of its first row after training and after validation (null: none)."""
    stratum = stratum_sql(target, dialect)
    ends = [f"round(n * {dialect.number(share)}) + 1" for share in (split.train, split.train + split.validation)]
    chosen = ", ".join(f"min(CASE WHEN place = {end} THEN h END)" for end in ends)
    return (
        f"SELECT c, max(n), {chosen} FROM (SELECT c, h, row_number() OVER (PARTITION BY c ORDER BY h) AS place, "
        f"count(*) OVER (PARTITION BY c) AS n FROM (SELECT {stratum} AS c, {digest_sql(split, dialect)} AS h "
        f"FROM {relation}) AS s WHERE c IS NOT NULL) AS p GROUP BY c ORDER BY c"
    )


def fold_sql(digest: str) -> str:
    """0 to 15: the ninth digit, which the split does not look at."""
    return f"CAST(instr('{HEX}', substr({digest}, 9, 1)) - 1 AS INT)"


def split_of(key: str, split: HashSplit) -> str:
    """The split of a key's text: the same rule in Python."""
    start = hashlib.md5(f"{split.salt}{SEPARATOR}{key}".encode(), usedforsecurity=False).hexdigest()[:8]
    train, validation = thresholds(split)
    if start < train:
        return "train"
    return "validation" if start < validation else "test"
