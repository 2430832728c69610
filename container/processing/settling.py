"""Settles what only the staged rows can tell: the cuts of a split by time or class, and the classes of the target.

In: engine, recipe, the staged relation. Out: `Settled`: the same rows with `_split` and `_target` in place, the target
as features.json holds it, the cuts, and what was left out. A row that belongs to no split is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from processing.columns import ColumnType
from processing.database import Database
from processing.errors import DataError, Problem
from processing.recipe.model import ColumnSplit, HashSplit, Recipe, TimeSplit
from processing.sql.split import (
    Cuts,
    cut_hashes_sql,
    cut_times_sql,
    digest_sql,
    is_static,
    split_sql,
    stratum_sql,
    time_sql,
    times_sql,
)
from processing.sql.target import LABEL, class_sql, target_name
from processing.task import FittedTarget, Task

MAX_CLASSES = 1000
_AFTER_ALL = "g"
"""Above every hex text: the bound where no row is left for the later splits."""


@dataclass(frozen=True)
class Settled:
    """The rows, each with its split, and the target."""

    relation: str
    target: FittedTarget
    cuts: Cuts
    unseen: Mapping[str, int] = field(default_factory=dict)
    """Rows left out by class, because training has no row of that class."""


def settle(engine: Database, recipe: Recipe, relation: str) -> Settled:
    """Look up what the recipe leaves to the data."""
    cuts = _cuts(engine, recipe, relation)
    if not is_static(recipe.split):
        split = split_sql(digest_sql(recipe.split, engine.dialect), recipe.split, engine.dialect, cuts)
        relation = f"(SELECT *, {split} AS {engine.dialect.name('_split')} FROM {relation}) AS placed"
    _check_placed(engine, recipe, relation)
    target = recipe.target
    plain = FittedTarget(target.task, str(target.column), target.text)
    if target.task is not Task.MULTICLASS:
        return Settled(relation, plain, cuts)
    classes = _classes(engine, recipe, relation)
    unseen = _unseen(engine, recipe, relation, classes)
    indexed = f"(SELECT *, {class_sql(classes, engine.dialect)} AS {engine.dialect.name('_target')} FROM {relation})"
    fitted = FittedTarget(target.task, str(target.column), target.text, classes)
    return Settled(f"{indexed} AS indexed", fitted, cuts, unseen)


def _cuts(engine: Database, recipe: Recipe, relation: str) -> Cuts:
    match recipe.split:
        case TimeSplit(cuts=None) as split:
            return Cuts(times=_times(engine, split, relation))
        case TimeSplit(cuts=cuts):
            return Cuts(times=cuts)
        case HashSplit(stratify=True) as split:
            stratum = target_name(recipe.target)
            found = engine.rows(cut_hashes_sql(relation, stratum, split, engine.dialect))
            hashes = {name: (first or _AFTER_ALL, second or _AFTER_ALL) for name, _, first, second in found}
            return Cuts(hashes=hashes, stratum=stratum)
    return Cuts()


def _times(engine: Database, split: TimeSplit, relation: str) -> tuple[str, str]:
    """The first times of validation and of test: each split gets its fraction of the distinct times, one at least."""
    (count,) = engine.row(times_sql(split, relation, engine.dialect))
    if count < 3:
        what = f"the split needs three distinct times at least; '{split.time[0]}' has {count}"
        raise DataError([Problem("split", what, "split by another column, or by the key's hash (leave 'time' out)")])
    train, validation, _ = split.fractions
    first = min(max(1, round(count * train)), count - 2)
    second = min(max(first + 1, round(count * (train + validation))), count - 1)
    found = engine.row(cut_times_sql(split, relation, (first + 1, second + 1), engine.dialect))
    return str(found[0]), str(found[1])


def _check_placed(engine: Database, recipe: Recipe, relation: str) -> None:
    """No row without a split: its time is null, or the column holds a text that the recipe does not name."""
    name, dialect = engine.dialect.name, engine.dialect
    match recipe.split:
        case HashSplit():
            return
        case TimeSplit() as split:
            value, wanted = time_sql(split, dialect), "fill or remove them: a row without a time belongs to no split"
        case ColumnSplit() as split:
            value, wanted = name(str(split.column)), "name it under 'train', 'validation' or 'test' of 'split'"
    held = f"min(CAST({value} AS {dialect.text_type}))"
    count, example = engine.row(f"SELECT count(*), {held} FROM {relation} WHERE {name('_split')} IS NULL")
    if count:
        column = recipe.split.columns[0]
        holds = "holds null" if example is None else f"holds '{example}'"
        what = f"{count} row(s) belong to no split: '{column}' {holds}"
        raise DataError([Problem("split", what, wanted)])


def _classes(engine: Database, recipe: Recipe, relation: str) -> tuple[str, ...]:
    """The classes of the training split in the order of their text (numbers: of their size), or as declared."""
    name = engine.dialect.name
    found = engine.rows(
        f"SELECT DISTINCT {name(LABEL)} FROM {relation} WHERE {name('_split')} = 'train' "
        f"AND {name(LABEL)} IS NOT NULL LIMIT {MAX_CLASSES + 1}"
    )
    whole = recipe.target.column.type is ColumnType.INTEGER
    seen = sorted((str(row[0]) for row in found), key=lambda one: (int(one), "") if whole else (0, one))
    where = f"target '{recipe.target.text}'"
    if len(seen) > MAX_CLASSES:
        fix = "predict a coarser column, or a number ('task: regression')"
        raise DataError([Problem(where, f"the training split has more than {MAX_CLASSES} classes", fix)])
    declared = recipe.target.classes
    if not declared:
        return tuple(seen)
    foreign, missing = sorted(set(seen) - set(declared)), [one for one in declared if one not in seen]
    if foreign:
        fix = f"add '{foreign[0]}' to 'classes', or mend the data"
        raise DataError([Problem(where, f"the training split holds '{foreign[0]}', which is no class", fix)])
    if missing:
        fix = f"take '{missing[0]}' out of 'classes', give more rows, or 'split: {{…, stratify: true}}'"
        raise DataError([Problem(where, f"the training split has no row of class '{missing[0]}'", fix)])
    return declared


def _unseen(engine: Database, recipe: Recipe, relation: str, classes: tuple[str, ...]) -> dict[str, int]:
    """Rows of classes that training lacks: refused, or counted where the recipe drops them."""
    dialect = engine.dialect
    label = stratum_sql(LABEL, dialect)
    known = f"{label} IN ({', '.join(map(dialect.text, classes))})" if classes else "false"
    rows = engine.rows(
        f"SELECT {label}, count(*), min({dialect.name('_split')}) FROM {relation} "
        f"WHERE {label} IS NOT NULL AND NOT ({known}) GROUP BY 1 ORDER BY 1 LIMIT {MAX_CLASSES}"
    )
    if rows and not recipe.target.drop_unseen:
        label_text, count, split = rows[0]
        what = f"{count} row(s) of the {split} split have class '{label_text}', which the training split does not have"
        fix = "give more rows, 'split: {…, stratify: true}', or 'target: {…, unseen: drop}' (they are then counted)"
        raise DataError([Problem(f"target '{recipe.target.text}'", what, fix)])
    return {str(name): int(count) for name, count, _ in rows}
