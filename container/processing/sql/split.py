"""Which split and which fold a row belongs to: from the hash of its key (or a part of it) alone.

Neither the files nor their order matter. The md5 of the key's text is compared as hex text, so DuckDB, Spark and
Python agree without number conversion.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from processing.recipe.model import Split
from processing.sql.dialect import Dialect

HEX = "0123456789abcdef"
SEPARATOR = "\x1f"
"""Stands between the columns of a key (ASCII's unit separator), so that ('a', 'bc') and ('ab', 'c') differ."""


def thresholds(split: Split) -> tuple[str, str]:
    """The first eight hex digits below which a row is training, and below which it is validation."""
    train, validation = round(split.train * 16**8), round((split.train + split.validation) * 16**8)
    return f"{train:08x}", f"{validation:08x}"


def key_text(parts: Sequence[str]) -> str:
    """The text of a key, from its columns' texts."""
    return SEPARATOR.join(parts)


def key_sql(columns: Sequence[str], dialect: Dialect) -> str:
    """The key's text in SQL; null when one column is."""
    casts = [f"CAST({dialect.name(column)} AS {dialect.text_type})" for column in columns]
    return " || chr(31) || ".join(casts)


def hash_sql(key: str, salt: str, dialect: Dialect) -> str:
    """The first 16 hex digits of the salted key's md5."""
    return f"substr(md5({dialect.text(salt)} || chr(31) || {key}), 1, 16)"


def split_sql(digest: str, split: Split) -> str:
    train, validation = thresholds(split)
    start = f"substr({digest}, 1, 8)"
    return f"CASE WHEN {start} < '{train}' THEN 'train' WHEN {start} < '{validation}' THEN 'validation' ELSE 'test' END"


def fold_sql(digest: str) -> str:
    """0 to 15: the ninth digit, which the split does not look at."""
    return f"CAST(instr('{HEX}', substr({digest}, 9, 1)) - 1 AS INT)"


def split_of(key: str, split: Split) -> str:
    """The split of a key's text: the same rule in Python."""
    start = hashlib.md5(f"{split.salt}{SEPARATOR}{key}".encode(), usedforsecurity=False).hexdigest()[:8]
    train, validation = thresholds(split)
    if start < train:
        return "train"
    return "validation" if start < validation else "test"
