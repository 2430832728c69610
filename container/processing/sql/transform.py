"""The transform statement of one split, from the fitted features alone: features.json holds enough to make it."""

from __future__ import annotations

from collections.abc import Sequence

from processing.sql.dialect import Dialect
from processing.transforms.interface import LOOKUP, Lookup, Rendered


def lookup_table(index: int) -> str:
    """The name of the table that holds the lookup of the feature at `index`."""
    return f"lookup_{index}"


def lookup_columns(lookup: Lookup, dialect: Dialect) -> list[tuple[str, str]]:
    """Names and types of a lookup table: category, fold (-1 serves outside training), encoded_0, …"""
    encoded = [(f"encoded_{index}", dialect.double) for index in range(lookup.width)]
    return [("category", dialect.text_type), ("fold", "INT"), *encoded]


def lookup_rows(lookup: Lookup) -> list[tuple[str | float | None, ...]]:
    """Its rows."""
    return [(category, -1 if fold is None else fold, *values) for category, fold, values in lookup.rows]


def transform_sql(
    rendered: Sequence[Rendered],
    names: Sequence[str],
    relation: str,
    dialect: Dialect,
    own: Sequence[str] = ("key", "target"),
    texts: Sequence[tuple[str, str]] = (),
) -> str:
    """Key, target and every feature of the rows. `names` are the features' final names, in order.

    `texts` are further columns, as texts behind them: names of the relation's columns, and their names here.
    """
    name = dialect.name
    outputs = [(output, index) for index, item in enumerate(rendered) for output in item.outputs]
    columns = [f"{name(f'_{column}')} AS {name(column)}" for column in own]
    for (output, index), column in zip(outputs, names, strict=True):
        value = _looked_up(output.sql, index) if rendered[index].lookup else output.sql
        columns.append(f"CAST({value} AS {dialect.float32}) AS {name(column)}")
    columns += [f"CAST({name(column)} AS {dialect.text_type}) AS {name(called)}" for column, called in texts]
    joins = [_join(item.lookup, index, dialect) for index, item in enumerate(rendered) if item.lookup is not None]
    return "\n".join(["SELECT\n  " + ",\n  ".join(columns), f"FROM {relation} AS staged", *joins])


def split_rows(split: str, ordered: bool, dialect: Dialect) -> str:
    """The end of a transform statement that writes one split.

    The order of the key's hash makes two runs give the same rows in the same places, and is a shuffle besides.
    """
    name = dialect.name
    order = f"\nORDER BY {name('_hash')}, {name('_key')}" if ordered else ""
    return f"\nWHERE {name('_split')} = {dialect.text(split)}{order}"


def counts_sql(rendered: Sequence[Rendered], relation: str, dialect: Dialect) -> str | None:
    """By split: the rows of every feature's counts (interface.Count), in their order; None when there are none.

    Training is read only where a count asks for it.
    """
    split = dialect.name("_split")
    sums, tables, training = [], [], False
    for index, item in enumerate(rendered):
        for count in item.counts:
            condition = _looked_up(count.condition, index) if item.lookup else count.condition
            outside = "" if count.training else f" AND {split} <> 'train'"
            sums.append(f"coalesce(sum(CASE WHEN ({condition}){outside} THEN 1 ELSE 0 END), 0)")
            training = training or count.training
        if item.lookup is not None and any(LOOKUP in count.condition for count in item.counts):
            tables.append(_join(item.lookup, index, dialect))
    if not sums:
        return None
    lines = [f"SELECT {split}, {', '.join(sums)}", f"FROM {relation} AS staged", *tables]
    lines += [] if training else [f"WHERE {split} <> 'train'"]
    return "\n".join([*lines, "GROUP BY 1"])


def _looked_up(text: str, index: int) -> str:
    return text.replace(LOOKUP, lookup_table(index))


def _join(lookup: Lookup, index: int, dialect: Dialect) -> str:
    """A left join with the lookup's table; null meets null, since a missing category is a category."""
    table = lookup_table(index)
    fold = "-1"
    if lookup.folds is not None:
        own = f"{dialect.name('_fold')} % {lookup.folds}"
        fold = f"CASE WHEN {dialect.name('_split')} = 'train' THEN {own} ELSE -1 END"
    on = f"{table}.category IS NOT DISTINCT FROM {lookup.expression} AND {table}.fold = {fold}"
    return f"LEFT JOIN {table} ON {on}"
