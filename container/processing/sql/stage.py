"""The staging statements: files → one typed table with the joined columns, target, split and fold.

Columns keep the name `source.column`; those of our own start with an underscore. What is not of the declared type
becomes null with `_bad` set, and is refused by staging.py; it never passes silently.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from processing.columns import Column, ColumnType
from processing.recipe.model import Recipe, Source
from processing.sql.dialect import Dialect, Scan
from processing.sql.kinds import bad_sql, value_sql
from processing.sql.split import digest_sql, fold_sql, hash_sql, is_static, keeps_hash, key_sql, split_sql
from processing.sql.target import finite, target_name, target_sql

NEW = "new"
"""The split of rows that are to be scored."""


@dataclass(frozen=True)
class Raw:
    """Files of one layout as a relation, the kind of each column, and the texts that still have to become null."""

    relation: str
    kinds: Mapping[str, str]
    null: tuple[str, ...] = ()
    bad: str | None = None
    """Where a record could not be read, if the reader does not reject it itself."""


def raw_of(
    source: Source, layout: Sequence[tuple[str, str]], files: Sequence[str], wanted: Sequence[Column], dialect: Dialect
) -> Raw:
    """How to read files of one layout."""
    kinds = dict(layout)
    match source.format:
        case "csv":
            types = {column.name: dialect.read_typed.get(column.type, dialect.text_type) for column in wanted}
            columns = tuple((name, types.get(name, dialect.text_type)) for name in kinds)
            scan = Scan(tuple(files), columns, source.null, source.delimiter)
            null = () if dialect.reads_null else source.null
            return Raw(dialect.scan(scan), kinds, null, dialect.spoilt([column.name for column in wanted]))
        case "json":
            names = [column.name for column in wanted]
            return Raw(dialect.json(files, names), kinds, source.null, dialect.spoilt(names))
        case "parquet":
            return Raw(dialect.parquet(files), kinds, source.null)
    raise ValueError(f"unknown format {source.format}")


def source_sql(raws: Sequence[Raw], wanted: Sequence[Column], name: str, dialect: Dialect) -> str:
    """The typed rows of one source: its wanted columns and `_bad`."""
    return "\nUNION ALL\n".join(_typed_rows(raw, wanted, name, dialect) for raw in raws)


def _typed_rows(raw: Raw, wanted: Sequence[Column], name: str, dialect: Dialect) -> str:
    values = [f"{value_sql(one, raw.kinds[one.name], dialect)} AS {dialect.name(str(one))}" for one in wanted]
    bad = (
        " OR ".join(filter(None, [raw.bad, *(bad_sql(one, raw.kinds[one.name], dialect) for one in wanted)])) or "false"
    )
    chosen = ",\n  ".join([*values, f"coalesce({bad}, false) AS {dialect.name(f'_bad.{name}')}"])
    return f"SELECT\n  {chosen}\nFROM {with_nulls(raw, wanted, dialect)}"


def with_nulls(raw: Raw, wanted: Sequence[Column], dialect: Dialect) -> str:
    """The relation with every null text a null, where the reader does not see to that itself."""
    texts = [column.name for column in wanted if raw.kinds[column.name] in ("csv", "text")]
    if not raw.null or not texts:
        return raw.relation
    null = ", ".join(map(dialect.text, raw.null))
    others = [dialect.name(column.name) for column in wanted if column.name not in texts]
    columns = [*others, *([dialect.name(dialect.corrupt)] if raw.bad else [])]
    for column in map(dialect.name, texts):
        columns.append(f"CASE WHEN {column} IN ({null}) THEN NULL ELSE {column} END AS {column}")
    return f"(SELECT {', '.join(columns)} FROM {raw.relation}) AS raw"


def selected_sql(source: Source, wanted: Sequence[Column], dialect: Dialect) -> str:
    """The typed rows of a source that is a select."""
    types = {
        ColumnType.STRING: dialect.text_type,
        ColumnType.INTEGER: dialect.integer,
        ColumnType.NUMBER: dialect.double,
        ColumnType.BOOLEAN: "BOOLEAN",
        ColumnType.DATE: "DATE",
        ColumnType.TIMESTAMP: dialect.time,
    }
    values = [f"CAST({dialect.name(one.name)} AS {types[one.type]}) AS {dialect.name(str(one))}" for one in wanted]
    bad = f"false AS {dialect.name(f'_bad.{source.name}')}"
    return f"SELECT\n  {', '.join([*values, bad])}\nFROM (\n{source.select}\n) AS selected"


def table_sql(columns: Sequence[Column], relation: str, dialect: Dialect) -> str:
    """A staged source as a select names it: its columns under their own names."""
    named = [f"{dialect.name(str(column))} AS {dialect.name(column.name)}" for column in columns]
    return f"SELECT {', '.join(named)} FROM {relation}"


def stage_sql(recipe: Recipe, base: str, joined: Mapping[str, str], dialect: Dialect, labelled: bool = True) -> str:
    """The table of all rows. `base` is the first source's query, `joined` the staged relation of each other one."""
    name = dialect.name
    first = name(recipe.base.name)
    joins, matched = [], []
    for join in recipe.joins:
        other = name(join.source)
        on = " AND ".join(f"{first}.{name(str(left))} = {other}.{name(str(right))}" for left, right in join.on)
        joins.append(f"LEFT JOIN {joined[join.source]} AS {other} ON {on}")
        matched.append(f"{other}.{name(str(join.on[0][1]))} IS NOT NULL AS {name(f'_matched.{join.source}')}")
    lines = [
        f"WITH {first} AS (\n{base}\n),",
        f"joined AS (SELECT {', '.join(['*', *matched])} FROM {first} {' '.join(joins)}),",
        f"hashed AS (SELECT *, {hash_sql(recipe.split, dialect)} AS {name('_hash')} FROM joined)",
    ]
    kept = [str(column) for column in recipe.used(labelled)]
    kept += [f"_bad.{recipe.base.name}", *(f"_matched.{join.source}" for join in recipe.joins)]
    own = _own(recipe, dialect) if labelled else _new(dialect)
    return "\n".join([*lines, f"SELECT {', '.join([*map(name, kept), *own])} FROM hashed"])


def _own(recipe: Recipe, dialect: Dialect) -> list[str]:
    """Target, fold and split; the last only where it follows from the row alone (settling.py adds it otherwise)."""
    name = dialect.name
    own = [f"{target_sql(recipe.target, dialect)} AS {name(target_name(recipe.target))}"]
    own.append(f"{fold_sql(name('_hash'))} AS {name('_fold')}")
    if is_static(recipe.split):
        own.append(f"{split_sql(name('_hash'), recipe.split, dialect)} AS {name('_split')}")
    if keeps_hash(recipe.split):
        own.append(f"substr({name('_hash')}, 1, 16) AS {name('_hash')}")
    return own


def _new(dialect: Dialect) -> list[str]:
    """Rows to be scored are outside training: encodings take the value that the whole training split gives."""
    return [f"{dialect.text(NEW)} AS {dialect.name('_split')}", f"0 AS {dialect.name('_fold')}"]


def clean_sql(
    recipe: Recipe, relation: str, dialect: Dialect, labelled: bool = True, sound: Collection[str] = ()
) -> str:
    """The staged rows that have a target (all, where they are to be scored), with every number finite or null.

    Columns that are known to be so (`sound`) are taken as they are: the check would cost time in every scan.
    """
    names = [
        f"{dialect.name(str(c)) if str(c) in sound else finite(c, dialect)} AS {dialect.name(str(c))}"
        for c in recipe.used(labelled)
    ]
    names += [f"{key_sql([str(c) for c in recipe.key], dialect)} AS {dialect.name('_key')}"]
    if labelled:
        names += [f"{digest_sql(recipe.split, dialect)} AS {dialect.name('_hash')}", dialect.name("_target")]
    chosen = ",\n  ".join([*names, dialect.name("_split"), dialect.name("_fold")])
    where = f" WHERE {dialect.name('_target')} IS NOT NULL" if labelled else ""
    return f"SELECT\n  {chosen}\nFROM {relation}{where}"
