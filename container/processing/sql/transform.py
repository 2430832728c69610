"""The transform statement of one split, from the fitted features alone: features.json holds enough to make it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from processing.sql.dialect import Dialect
from processing.transforms.interface import LOOKUP, Lookup, Rendered


@dataclass(frozen=True)
class LookupTable:
    """The lookups of one category, as one small table: a join costs as much for one of them as for all."""

    expression: str
    folds: int | None
    lookups: Mapping[int, Lookup]
    """By the index of their features."""

    @property
    def name(self) -> str:
        return f"lookup_{min(self.lookups)}"

    def columns(self, dialect: Dialect) -> list[tuple[str, str]]:
        """Names and types: category, fold (-1 serves outside training), and the values of each feature."""
        encoded = [
            (f"{_encoded(at)}_{n}", dialect.double) for at, one in self.lookups.items() for n in range(one.width)
        ]
        return [("category", dialect.text_type), ("fold", "INT"), *encoded]

    def rows(self) -> list[tuple[str | float | None, ...]]:
        """Its rows; a null stands where a lookup has none of its own."""
        folds = [None, *range(self.folds or 0)]
        merged: dict[tuple[str | None, int | None], dict[int, tuple[float, ...]]] = {}
        for index, lookup in self.lookups.items():
            for category, fold, values in lookup.rows:
                for one in folds if lookup.folds is None else [fold]:
                    merged.setdefault((category, one), {})[index] = values
        missing = {index: (None,) * lookup.width for index, lookup in self.lookups.items()}
        return [
            (
                category,
                -1 if fold is None else fold,
                *(one for index in missing for one in held.get(index, missing[index])),
            )
            for (category, fold), held in merged.items()
        ]

    def join(self, dialect: Dialect) -> str:
        """A left join; null meets null, since a missing category is a category."""
        fold = "-1"
        if self.folds is not None:
            own = f"{dialect.name('_fold')} % {self.folds}"
            fold = f"CASE WHEN {dialect.name('_split')} = 'train' THEN {own} ELSE -1 END"
        on = f"{self.name}.category IS NOT DISTINCT FROM {self.expression} AND {self.name}.fold = {fold}"
        return f"LEFT JOIN {self.name} ON {on}"


def lookup_tables(rendered: Sequence[Rendered]) -> list[LookupTable]:
    """The tables that the statements join. A lookup without folds has room in one of the same category with folds."""
    found: dict[tuple[str, int | None], dict[int, Lookup]] = {}
    for index, item in enumerate(rendered):
        if item.lookup is not None:
            found.setdefault((item.lookup.expression, item.lookup.folds), {})[index] = item.lookup
    for expression, folds in list(found):
        host = next((key for key in found if key[0] == expression and key[1] is not None), None)
        if folds is None and host is not None:
            found[host] |= found.pop((expression, folds))
    return [LookupTable(expression, folds, lookups) for (expression, folds), lookups in found.items()]


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
    name, tables = dialect.name, lookup_tables(rendered)
    outputs = [(output, index) for index, item in enumerate(rendered) for output in item.outputs]
    columns = [f"{name(f'_{column}')} AS {name(column)}" for column in own]
    for (output, index), column in zip(outputs, names, strict=True):
        columns.append(f"CAST({_looked_up(output.sql, index, tables)} AS {dialect.float32}) AS {name(column)}")
    columns += [f"CAST({name(column)} AS {dialect.text_type}) AS {name(called)}" for column, called in texts]
    joins = [table.join(dialect) for table in tables]
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
    tables, asked = lookup_tables(rendered), set()
    sums, training = [], False
    for index, item in enumerate(rendered):
        for count in item.counts:
            condition = _looked_up(count.condition, index, tables)
            outside = "" if count.training else f" AND {split} <> 'train'"
            sums.append(f"coalesce(sum(CASE WHEN ({condition}){outside} THEN 1 ELSE 0 END), 0)")
            training = training or count.training
        if any(LOOKUP in count.condition for count in item.counts):
            asked.add(index)
    if not sums:
        return None
    lines = [f"SELECT {split}, {', '.join(sums)}", f"FROM {relation} AS staged"]
    lines += [table.join(dialect) for table in tables if asked & set(table.lookups)]
    lines += [] if training else [f"WHERE {split} <> 'train'"]
    return "\n".join([*lines, "GROUP BY 1"])


def _looked_up(text: str, index: int, tables: Sequence[LookupTable]) -> str:
    """The text with the columns of the feature's lookup, if it has one."""
    own = [table.name for table in tables if index in table.lookups]
    return text.replace(LOOKUP, f"{own[0]}.{_encoded(index)}") if own else text


def _encoded(index: int) -> str:
    return f"encoded_{index}"
