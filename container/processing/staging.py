"""Stages the input once: the recipe's files → one typed Parquet table with target, split and fold; checks it.

In: engine, recipe, the inputs' folder. Out: `Staged`: the relation and what was counted. A record that cannot be
read, a null or repeated key, a join that would multiply rows: each is refused with its place.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from processing.columns import Column, ColumnType
from processing.database import Database
from processing.errors import DataError, Problem, RecipeError
from processing.json_files import find_broken
from processing.misfits import find_misfits
from processing.nearest import suggestion
from processing.recipe.model import Join, Recipe, Source
from processing.sources import Inventory, find_files, take_inventory
from processing.sql.split import key_sql
from processing.sql.stage import raw_of, selected_sql, source_sql, stage_sql, table_sql

WIDEST = 64
"""Numbers that a key could be, for each row, up to which a bit for each takes less memory than the rows' own keys."""

MOST_BITS = 2**28
"""32 MB for each thread."""


@dataclass(frozen=True)
class Staged:
    """The staged rows: all of them, those without a target included."""

    relation: str
    inventories: Mapping[str, Inventory]


Choose = Callable[[list[Path]], list[Path]]


def stage(
    engine: Database,
    recipe: Recipe,
    folder_of: Callable[[str], Path],
    scratch: Path,
    choose: Choose | None = None,
) -> Staged:
    """Read every source, join, and write the table.

    With `choose`, the rows are new ones, to be scored: of the files it chooses of the first source, without target or
    split; their keys may repeat.
    """
    labelled = choose is None
    staging = _Staging(engine, recipe, folder_of, scratch, choose)
    base = recipe.base
    selected = {name for source in recipe.sources.values() for name in source.of}
    for name in selected:
        staging.keep_table(recipe.sources[name])
    joined = {join.source: staging.keep(recipe.sources[join.source]) for join in recipe.joins}
    for join in recipe.joins:
        _check_join(engine, join, joined[join.source])
    query = stage_sql(recipe, staging.query(base), joined, engine.dialect, labelled)
    relation = staging.write(base, query, "staged")
    _check_key(engine, recipe, relation)
    if labelled:
        _check_unique(engine, recipe, relation)
    return Staged(relation, staging.inventories)


class _Staging:
    """The sources of one recipe, on their way into scratch files."""

    def __init__(
        self,
        engine: Database,
        recipe: Recipe,
        folder_of: Callable[[str], Path],
        scratch: Path,
        choose: Choose | None,
    ) -> None:
        self._engine, self._scratch = engine, scratch
        self._wanted = _by_source(recipe, recipe.used(labelled=choose is None))
        self.inventories: dict[str, Inventory] = {}
        for name, source in recipe.sources.items():
            if not source.select:
                files = find_files(source, folder_of(source.input))
                chosen = choose(files) if choose is not None and name == recipe.base.name else files
                self.inventories[name] = take_inventory(source, chosen, self._wanted[name], engine)
        if choose is None:
            _check_known_after(recipe, self.inventories)

    def query(self, source: Source) -> str:
        """The typed rows of a source."""
        wanted, dialect = self._wanted[source.name], self._engine.dialect
        if source.select:
            self._check_select(source, wanted)
            return selected_sql(source, wanted, dialect)
        layouts = self.inventories[source.name].by_layout
        raws = [raw_of(source, layout, [str(path) for path in paths], wanted, dialect) for layout, paths in layouts]
        return source_sql(raws, wanted, source.name, dialect)

    def keep(self, source: Source) -> str:
        """The source's rows as a scratch file; gives its relation."""
        return self.write(source, self.query(source), f"source-{source.name}")

    def keep_table(self, source: Source) -> None:
        """The source as a table that a select names."""
        query = table_sql(self._wanted[source.name], self.keep(source), self._engine.dialect)
        self._engine.view(source.name, query)

    def write(self, source: Source, query: str, name: str) -> str:
        """The query's rows, which must all have been read from the source."""
        try:
            relation = self._engine.write(query, self._scratch / name)
        except DataError as error:
            raise self._placed(source, error) from error
        if not source.select:
            _check_read(self._engine, source, self.inventories[source.name], self._wanted[source.name], relation)
        return relation

    def _placed(self, source: Source, error: DataError) -> DataError:
        """The error, with the file (and line) at fault, which the engine does not always tell."""
        find: dict[str, Callable[[Path], Problem | None]] = {"json": find_broken, "parquet": self._engine.broken}
        if source.format in find and not source.select:
            for path in self.inventories[source.name].files:
                problem = find[source.format](path)
                if problem is not None:
                    return DataError([problem])
        return error

    def _check_select(self, source: Source, wanted: Sequence[Column]) -> None:
        """The select is one query that can be planned, and gives every column that is used."""
        where = str(source.places[""])
        columns = self._engine.columns_of(source.select, where)
        problems = [
            Problem(
                str(source.places[column.name]), f"the select gives no column '{column.name}'", _near(column, columns)
            )
            for column in wanted
            if column.name not in columns
        ]
        if problems:
            raise RecipeError(problems)


def _near(column: Column, columns: Sequence[str]) -> str:
    return suggestion(column.name, columns)


def _by_source(recipe: Recipe, used: Sequence[Column]) -> dict[str, list[Column]]:
    """The columns to read of each source; of one that a select reads, all that are declared."""
    selected = {name for source in recipe.sources.values() for name in source.of}
    return {
        name: list(source.columns.values()) if name in selected else [one for one in used if one.source == name]
        for name, source in recipe.sources.items()
    }


def _check_known_after(recipe: Recipe, inventories: Mapping[str, Inventory]) -> None:
    """A misspelt name under known_after would guard nothing."""
    names = {name for inventory in inventories.values() for name in inventory.names}
    selects = [source for source in recipe.sources.values() if source.select]
    names |= {one for source in selects for name in source.columns for one in (name, f"{source.name}.{name}")}
    names |= {f"{source}.{name}" for source, inventory in inventories.items() for name in inventory.names}
    problems = [
        Problem(str(place), f"known_after names '{name}', which no file has", suggestion(name, names))
        for name, place in recipe.known_after
        if name not in names
    ]
    if problems:
        raise RecipeError(problems)


def _check_read(
    engine: Database, source: Source, inventory: Inventory, wanted: Sequence[Column], relation: str
) -> None:
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
        problems = find_misfits(source, inventory, wanted)
        raise DataError([*problems, _total(source, bad)])


def _total(source: Source, count: int) -> Problem:
    what = f"{count} record(s) of source '{source.name}' do not hold what the recipe declares"
    return Problem(str(source.places[""]), what, "mend the files, or the types under 'columns'")


def _check_join(engine: Database, join: Join, relation: str) -> None:
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


def _check_key(engine: Database, recipe: Recipe, relation: str) -> None:
    """No null in the key: it names the row, and decides its split."""
    names = [engine.dialect.name(str(column)) for column in recipe.key]
    null = " OR ".join(f"{name} IS NULL" for name in names)
    (nulls,) = engine.row(f"SELECT count(*) FROM {relation} WHERE {null}")
    if nulls:
        counts = [f"count(*) - count({name})" for name in names]
        missing = engine.row(f"SELECT {', '.join(counts)} FROM {relation}")
        each = ", ".join(f"{column.name}: {count}" for column, count in zip(recipe.key, missing, strict=True) if count)
        what = f"{nulls} row(s) have a null in the key ({each})"
        raise DataError([Problem(f"source '{recipe.base.name}'", what, "fill or remove them, or take another key")])


def _check_unique(engine: Database, recipe: Recipe, relation: str) -> None:
    """No repeated key: it would name no row."""
    if _dense(engine, recipe, relation):
        return
    columns = [str(column) for column in recipe.key]
    names = ", ".join(map(engine.dialect.name, columns))
    repeated, surplus = engine.row(
        f"SELECT min({key_sql(columns, engine.dialect)}), coalesce(sum(n) - count(*), 0) FROM "
        f"(SELECT {names}, count(*) AS n FROM {relation} GROUP BY {names} HAVING count(*) > 1) AS d"
    )
    if surplus:
        what = f"{surplus} row(s) repeat the key of another, for example {_pairs(recipe.key, repeated.split(chr(31)))}"
        fix = "remove the repeated rows, or add a column to 'key' that tells them apart"
        raise DataError([Problem(f"source '{recipe.base.name}'", what, fix)])


def _dense(engine: Database, recipe: Recipe, relation: str) -> bool:
    """Whether the key is one whole number and all rows have another, told in a bit for each number it could be.

    False where that is not known: the numbers lie far apart, or one repeats.
    """
    (column, *others), dialect = recipe.key, engine.dialect
    if others or column.type is not ColumnType.INTEGER:
        return False
    value = dialect.name(str(column))
    rows, low, high = engine.row(f"SELECT count(*), min({value}), max({value}) FROM {relation}")
    if not rows or not rows <= high - low + 1 <= min(rows * WIDEST, MOST_BITS):
        return False
    query = dialect.distinct(value, low, high)
    return query is not None and engine.row(f"SELECT {query} FROM {relation}") == (rows,)


def _pairs(columns: Sequence[Column], values: Sequence[object]) -> str:
    return ", ".join(f"{column.name}={value}" for column, value in zip(columns, values, strict=False))
