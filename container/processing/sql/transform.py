"""The transform statement of one split, from the fitted features alone: features.json holds enough to make it."""

from __future__ import annotations

from collections.abc import Sequence

from processing.sql.dialect import Dialect
from processing.transforms.interface import LOOKUP_VALUE, Lookup, Output, Rendered


def transform_sql(
    rendered: Sequence[Rendered], names: Sequence[str], relation: str, split: str, dialect: Dialect
) -> str:
    """Key, target and every feature of a split's rows, in the order of the key's hash.

    `names` are the columns' final names, in order (output.py). The order makes two runs give the same rows in the
    same places, and is a shuffle besides.
    """
    name = dialect.name
    outputs = [(output, index) for index, item in enumerate(rendered) for output in item.outputs]
    columns = [f"{name('_key')} AS {name('key')}", f"{name('_target')} AS {name('target')}"]
    for (output, index), column in zip(outputs, names, strict=True):
        value = _looked_up(output, index, dialect) if rendered[index].lookup else output.sql
        columns.append(f"CAST({value} AS {dialect.float32}) AS {name(column)}")
    joins = [_join(item.lookup, index, dialect) for index, item in enumerate(rendered) if item.lookup is not None]
    return "\n".join(
        [
            "SELECT\n  " + ",\n  ".join(columns),
            f"FROM {relation} AS staged",
            *joins,
            f"WHERE {name('_split')} = {dialect.text(split)}",
            f"ORDER BY {name('_hash')}, {name('_key')}",
        ]
    )


def _looked_up(output: Output, index: int, dialect: Dialect) -> str:
    return output.sql.replace(LOOKUP_VALUE, f"{dialect.name(f'lookup_{index}')}.encoded")


def _join(lookup: Lookup, index: int, dialect: Dialect) -> str:
    """A left join with the lookup's rows; null meets null, since a missing category is a category."""
    alias = dialect.name(f"lookup_{index}")
    values = ", ".join(_row(row, dialect) for row in lookup.rows)
    fold = "-1"
    if lookup.folds is not None:
        own = f"{dialect.name('_fold')} % {lookup.folds}"
        fold = f"CASE WHEN {dialect.name('_split')} = 'train' THEN {own} ELSE -1 END"
    return (
        f"LEFT JOIN (VALUES {values}) AS {alias}(category, fold, encoded) "
        f"ON {alias}.category IS NOT DISTINCT FROM {lookup.expression} AND {alias}.fold = {fold}"
    )


def _row(row: tuple[str | None, int | None, float], dialect: Dialect) -> str:
    category, fold, value = row
    return f"({dialect.text(category)}, {-1 if fold is None else fold}, {dialect.number(value)})"
