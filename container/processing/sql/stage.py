"""The staging statements: CSV → one typed table with the joined columns, target, key, hash, split and fold.

Columns keep the name `source.column`; those of our own start with an underscore. Text that is not of the declared
type becomes null with `_bad` set, and is refused by stage.py of the step; it never passes silently.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from processing.columns import Column, ColumnType
from processing.recipe.model import Recipe, Source
from processing.sql.dialect import Dialect, Scan
from processing.sql.split import fold_sql, hash_sql, is_static, key_sql, split_sql
from processing.sql.target import finite, target_name, target_sql

DATE_FORM = r"\d{4}-\d{2}-\d{2}"
TIMESTAMP_FORM = r"\d{4}-\d{2}-\d{2}([T ]\d{2}:\d{2}(:\d{2}(\.\d{1,6})?)?Z?)?"
"""With or without a Z. Another offset is refused: the engines read it differently, or drop it."""

_READ_TYPED = {ColumnType.NUMBER: "DOUBLE", ColumnType.BOOLEAN: "BOOLEAN"}
"""Types that the CSV reader converts by itself. The others are read as text: `2.7` would pass for the integer 3."""


def scan_of(source: Source, header: Sequence[str], files: Sequence[str], wanted: Sequence[Column]) -> Scan:
    """How to read files of one header: the wanted columns as declared, the others as text that nobody looks at."""
    kinds = {column.name: _READ_TYPED.get(column.type, "VARCHAR") for column in wanted}
    columns = tuple((name, kinds.get(name, "VARCHAR")) for name in header)
    return Scan(tuple(files), columns, source.null, source.delimiter)


def source_sql(scans: Sequence[Scan], wanted: Sequence[Column], name: str, dialect: Dialect) -> str:
    """The typed rows of one source: its wanted columns and `_bad`."""
    values = [f"{_value(column, dialect)} AS {dialect.name(str(column))}" for column in wanted]
    bad = " OR ".join(filter(None, (_bad(column, dialect) for column in wanted))) or "false"
    chosen = ",\n  ".join([*values, f"coalesce({bad}, false) AS {dialect.name(f'_bad.{name}')}"])
    return "\nUNION ALL\n".join(f"SELECT\n  {chosen}\nFROM {dialect.scan(scan)}" for scan in scans)


def _value(column: Column, dialect: Dialect) -> str:
    raw = dialect.name(column.name)
    match column.type:
        case ColumnType.INTEGER:
            return f"TRY_CAST({raw} AS {dialect.integer})"
        case ColumnType.DATE:
            return f"TRY_CAST({raw} AS DATE)"
        case ColumnType.TIMESTAMP:
            return f"TRY_CAST(replace(replace({raw}, 'T', ' '), 'Z', '') AS TIMESTAMP)"
    return raw


def _bad(column: Column, dialect: Dialect) -> str | None:
    """Where the text is not of the declared type; null where the text is null. None when the reader sees to it."""
    raw, value = dialect.name(column.name), _value(column, dialect)
    match column.type:
        case ColumnType.INTEGER:
            # The round trip refuses 2.7, 1e3, 007 and ' 5', which the engines convert each in its own way.
            return f"({raw} IS NOT NULL AND coalesce(CAST({value} AS {dialect.text_type}) <> {raw}, true))"
        case ColumnType.DATE:
            return f"({raw} IS NOT NULL AND ({value} IS NULL OR NOT {dialect.matches(raw, DATE_FORM)}))"
        case ColumnType.TIMESTAMP:
            return f"({raw} IS NOT NULL AND ({value} IS NULL OR NOT {dialect.matches(raw, TIMESTAMP_FORM)}))"
    return None


def stage_sql(recipe: Recipe, base: str, joined: Mapping[str, str], dialect: Dialect) -> str:
    """The table of all rows. `base` is the first source's query, `joined` the staged relation of each other one."""
    name = dialect.name
    first = name(recipe.base.name)
    key, by = (key_sql([str(column) for column in columns], dialect) for columns in (recipe.key, recipe.split.by))
    joins, matched = [], []
    for join in recipe.joins:
        other = name(join.source)
        on = " AND ".join(f"{first}.{name(str(left))} = {other}.{name(str(right))}" for left, right in join.on)
        joins.append(f"LEFT JOIN {joined[join.source]} AS {other} ON {on}")
        matched.append(f"{other}.{name(str(join.on[0][1]))} IS NOT NULL AS {name(f'_matched.{join.source}')}")
    lines = [
        f"WITH {first} AS (\n{base}\n),",
        f"joined AS (SELECT {', '.join(['*', *matched])} FROM {first} {' '.join(joins)}),",
        f"keyed AS (SELECT *, {key} AS {name('_key')} FROM joined),",
        f"hashed AS (SELECT *, {hash_sql(by, recipe.split.salt, dialect)} AS {name('_hash')} FROM keyed)",
        f"SELECT *, {', '.join(_own(recipe, dialect))} FROM hashed",
    ]
    return "\n".join(lines)


def _own(recipe: Recipe, dialect: Dialect) -> list[str]:
    """Target, fold and split; the last only where it follows from the row alone (settling.py adds it otherwise)."""
    name = dialect.name
    own = [f"{target_sql(recipe.target, dialect)} AS {name(target_name(recipe.target))}"]
    own.append(f"{fold_sql(name('_hash'))} AS {name('_fold')}")
    if is_static(recipe.split):
        own.append(f"{split_sql(name('_hash'), recipe.split, dialect)} AS {name('_split')}")
    return own


def clean_sql(recipe: Recipe, relation: str, dialect: Dialect) -> str:
    """The staged rows that have a target, with every number finite or null."""
    names = [*(f"{finite(c, dialect)} AS {dialect.name(str(c))}" for c in recipe.used())]
    own = [dialect.name(name) for name in ("_key", "_hash", "_target", "_split", "_fold")]
    chosen = ",\n  ".join([*names, *own])
    return f"SELECT\n  {chosen}\nFROM {relation} WHERE {dialect.name('_target')} IS NOT NULL"
