"""Stages the input once: CSV files → one typed Parquet table with target, key hash and split; checks it.

In: engine, recipe, the inputs' folder. Out: `Staged`: the relation and what was counted. A record that cannot be
read, a null or repeated key, a join that would multiply rows: each is refused with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from processing.columns import Column
from processing.engine import Engine
from processing.errors import DataError, Problem, RecipeError
from processing.misfits import find_misfits
from processing.nearest import suggestion
from processing.recipe.model import Join, Recipe, Source
from processing.sources import Inventory, take_inventory
from processing.sql.stage import scan_of, source_sql, stage_sql


@dataclass(frozen=True)
class Staged:
    """The staged rows: all of them, those without a target included."""

    relation: str
    inventories: Mapping[str, Inventory]


def stage(engine: Engine, recipe: Recipe, folder_of: Callable[[str], Path], scratch: Path) -> Staged:
    """Read every source, join, and write the table."""
    wanted = _by_source(recipe)
    inventories = {
        name: take_inventory(source, folder_of(source.input), wanted[name]) for name, source in recipe.sources.items()
    }
    _check_known_after(recipe, inventories)
    joined = {}
    for join in recipe.joins:
        name = join.source
        query = _query(engine, recipe.sources[name], inventories[name], wanted[name])
        joined[name] = engine.write(query, scratch / f"{name}.parquet")
        _check_read(engine, recipe.sources[name], inventories[name], wanted[name], joined[name])
        _check_join(engine, join, joined[name])
    base = recipe.base
    query = stage_sql(recipe, _query(engine, base, inventories[base.name], wanted[base.name]), joined, engine.dialect)
    relation = engine.write(query, scratch / "staged.parquet")
    _check_read(engine, base, inventories[base.name], wanted[base.name], relation)
    _check_key(engine, recipe, relation)
    return Staged(relation, inventories)


def _by_source(recipe: Recipe) -> dict[str, list[Column]]:
    used = recipe.used()
    return {name: [column for column in used if column.source == name] for name in recipe.sources}


def _query(engine: Engine, source: Source, inventory: Inventory, wanted: Sequence[Column]) -> str:
    scans = [scan_of(source, header, [str(path) for path in paths], wanted) for header, paths in inventory.by_header]
    return source_sql(scans, wanted, source.name, engine.dialect)


def _check_known_after(recipe: Recipe, inventories: Mapping[str, Inventory]) -> None:
    """A misspelt name under known_after would guard nothing."""
    names = {name for inventory in inventories.values() for name in inventory.names}
    names |= {f"{source}.{name}" for source, inventory in inventories.items() for name in inventory.names}
    problems = [
        Problem(str(place), f"known_after names '{name}', which no file has", suggestion(name, names))
        for name, place in recipe.known_after
        if name not in names
    ]
    if problems:
        raise RecipeError(problems)


def _check_read(engine: Engine, source: Source, inventory: Inventory, wanted: Sequence[Column], relation: str) -> None:
    """Every record was read, and every text is of its declared type."""
    count, rejects = engine.rejects()
    if count:
        fix = "mend the file at this line, or the column's type in the recipe"
        problems = [
            Problem(f"{item.file}:{item.line}", f"column '{item.column}': {item.reason}", fix) for item in rejects
        ]
        raise DataError([*problems, _total(source, count)])
    (bad,) = engine.row(f"SELECT count(*) FROM {relation} WHERE {engine.dialect.name(f'_bad.{source.name}')}")
    if bad:
        problems = find_misfits(source, inventory.files, wanted)
        raise DataError([*problems, _total(source, bad)])


def _total(source: Source, count: int) -> Problem:
    what = f"{count} record(s) of source '{source.name}' do not hold what the recipe declares"
    return Problem(str(source.places[""]), what, "mend the files, or the types under 'columns'")


def _check_join(engine: Engine, join: Join, relation: str) -> None:
    """At most one row of the joined source for each row of the first."""
    columns = ", ".join(engine.dialect.name(str(right)) for _, right in join.on)
    present = " AND ".join(f"{engine.dialect.name(str(right))} IS NOT NULL" for _, right in join.on)
    found = engine.rows(
        f"SELECT {columns}, count(*) FROM {relation} WHERE {present} GROUP BY {columns} HAVING count(*) > 1 "
        f"ORDER BY {columns} LIMIT 1"
    )
    if found:
        *key, count = found[0]
        what = f"{count} rows have {_pairs([right for _, right in join.on], key)}: the join would multiply rows"
        fix = "add columns to 'on', or remove the repeated rows"
        raise DataError([Problem(f"source '{join.source}'", what, fix)])


def _check_key(engine: Engine, recipe: Recipe, relation: str) -> None:
    """No null and no repeated key: the key decides the split, and a repeated one names no row."""
    name = engine.dialect.name
    (nulls,) = engine.row(f"SELECT count(*) FROM {relation} WHERE {name('_key')} IS NULL")
    if nulls:
        counts = [f"count(*) - count({name(str(column))})" for column in recipe.key]
        missing = engine.row(f"SELECT {', '.join(counts)} FROM {relation}")
        each = ", ".join(f"{column.name}: {count}" for column, count in zip(recipe.key, missing, strict=True) if count)
        what = f"{nulls} row(s) have a null in the key ({each})"
        raise DataError([Problem(f"source '{recipe.base.name}'", what, "fill or remove them, or take another key")])
    repeated, surplus = engine.row(
        f"SELECT min(key), coalesce(sum(n) - count(*), 0) FROM (SELECT {name('_key')} AS key, count(*) AS n "
        f"FROM {relation} GROUP BY 1 HAVING count(*) > 1) AS d"
    )
    if surplus:
        what = f"{surplus} row(s) repeat the key of another, for example {_pairs(recipe.key, repeated.split(chr(31)))}"
        fix = "remove the repeated rows, or add a column to 'key' that tells them apart"
        raise DataError([Problem(f"source '{recipe.base.name}'", what, fix)])


def _pairs(columns: Sequence[Column], values: Sequence[object]) -> str:
    return ", ".join(f"{column.name}={value}" for column, value in zip(columns, values, strict=False))
