"""The data-quality summary: every row and value that does not reach the features as it came, counted.

In: engine, recipe, the staged table. Out: a document for quality.json; DataError where no model could be trained.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from processing.columns import ColumnType
from processing.engine import Engine
from processing.errors import DataError, Problem
from processing.recipe.model import Recipe
from processing.sources import Inventory
from processing.sql.stage import finite
from processing.staging import Staged

SPLITS = ("train", "validation", "test")

Summary = dict[str, Any]


def summarise(engine: Engine, recipe: Recipe, staged: Staged) -> Summary:
    """The counts; the rows read are the rows dropped plus the rows of the splits."""
    name = engine.dialect.name
    used = recipe.used()
    counts = {"rows": "count(*)", "dropped": f"count(*) - count({name('_target')})"}
    counts |= {f"matched.{j.source}": f"count(*) FILTER ({name(f'_matched.{j.source}')})" for j in recipe.joins}
    for column in used:
        value = name(str(column))
        counts[f"nulls.{column}"] = f"count(*) - count({value})"
        if column.type is ColumnType.NUMBER:
            counts[f"odd.{column}"] = f"count({value}) - count({finite(column, engine.dialect)})"
    values = engine.row(f"SELECT {', '.join(counts.values())} FROM {staged.relation}")
    found = dict(zip(counts, (int(value) for value in values), strict=True))
    splits = _splits(engine, staged)
    summary = {
        "rows_read": found["rows"],
        "rows_dropped_for_null_target": found["dropped"],
        "splits": splits,
        "joins": {j.source: {"rows_without_match": found["rows"] - found[f"matched.{j.source}"]} for j in recipe.joins},
        "columns": {
            str(column): {"nulls": found[f"nulls.{column}"], "not_finite": found.get(f"odd.{column}", 0)}
            for column in used
        },
        "sources": {source: _files(inventory) for source, inventory in staged.inventories.items()},
    }
    _check(recipe, summary)
    return summary


def _splits(engine: Engine, staged: Staged) -> Mapping[str, Mapping[str, int]]:
    name = engine.dialect.name
    rows = engine.rows(
        f"SELECT {name('_split')}, count({name('_target')}), coalesce(sum({name('_target')}), 0) "
        f"FROM {staged.relation} GROUP BY 1"
    )
    found = {split: {"rows": int(count), "positives": int(positives)} for split, count, positives in rows}
    return {split: found.get(split, {"rows": 0, "positives": 0}) for split in SPLITS}


def _files(inventory: Inventory) -> Summary:
    return {
        "files": len(inventory.files),
        "header_only_files": len(inventory.header_only),
        "columns_not_read": list(inventory.not_read),
    }


def _check(recipe: Recipe, summary: Summary) -> None:
    """No row is lost, and each split can be learned from or measured."""
    kept = sum(split["rows"] for split in summary["splits"].values())
    if kept + summary["rows_dropped_for_null_target"] != summary["rows_read"]:
        raise AssertionError(f"rows went missing: {summary}")
    for name, split in summary["splits"].items():
        if not split["rows"]:
            what = f"the {name} split is empty: {kept} of {summary['rows_read']} rows have a target"
            raise DataError([Problem(f"target '{recipe.target.text}'", what, "give more rows, or a larger fraction")])
        if split["positives"] in (0, split["rows"]):
            held = "holds for none" if not split["positives"] else "holds for all"
            what = f"the {name} split has one class only: the target {held} of its {split['rows']} rows"
            raise DataError([Problem(f"target '{recipe.target.text}'", what, "mend the comparison, or give more rows")])
