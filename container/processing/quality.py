"""The data-quality summary: every row and value that does not reach the features as it came, counted.

In: engine, recipe, the staged table. Out: a document for quality.json; DataError where no model could be trained.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from processing.columns import Column, ColumnType
from processing.database import Database
from processing.errors import DataError, Problem
from processing.fitted import Fitted
from processing.recipe.model import Recipe
from processing.settling import Settled
from processing.sources import Inventory
from processing.sql.target import finite
from processing.sql.transform import counts_sql
from processing.staging import Staged
from processing.task import Task

SPLITS = ("train", "validation", "test")

Summary = dict[str, Any]


def summarise(engine: Database, recipe: Recipe, staged: Staged, settled: Settled) -> Summary:
    """The counts; the rows read are the rows dropped plus the rows of the splits."""
    name = engine.dialect.name
    dropped = {"dropped": f"count(*) - count({name('_target')})"}
    found = _counts(engine, recipe, recipe.used(), settled.relation, dropped)
    unseen = sum(settled.unseen.values())
    summary = {
        "rows_read": found["rows"],
        "rows_dropped_for_null_target": found["dropped"] - unseen,
        **({"rows_dropped_for_unseen_class": dict(settled.unseen)} if unseen else {}),
        "splits": _splits(engine, settled),
        **_read(recipe, recipe.used(), found, staged),
    }
    if settled.cuts.times is not None:
        first, second = settled.cuts.times
        summary["split_times"] = {"validation_from": first, "test_from": second}
    _check(recipe, summary, found["dropped"], settled.target.task)
    return summary


def summarise_new(engine: Database, recipe: Recipe, staged: Staged) -> Summary:
    """The counts of rows that are to be scored."""
    used = recipe.used(labelled=False)
    found = _counts(engine, recipe, used, staged.relation, {})
    return {"rows_read": found["rows"], **_read(recipe, used, found, staged)}


def _counts(
    engine: Database, recipe: Recipe, used: Sequence[Column], relation: str, more: Mapping[str, str]
) -> dict[str, int]:
    """Rows, matches of joins, nulls and numbers that are none, in one scan."""
    name = engine.dialect.name
    counts = {"rows": "count(*)", **more}
    counts |= {f"matched.{j.source}": f"count(*) FILTER (WHERE {name(f'_matched.{j.source}')})" for j in recipe.joins}
    for column in used:
        value = name(str(column))
        counts[f"nulls.{column}"] = f"count(*) - count({value})"
        if column.type is ColumnType.NUMBER:
            counts[f"odd.{column}"] = f"count({value}) - count({finite(column, engine.dialect)})"
    values = engine.row(f"SELECT {', '.join(counts.values())} FROM {relation}")
    return dict(zip(counts, (int(value) for value in values), strict=True))


def _read(recipe: Recipe, used: Sequence[Column], found: Mapping[str, int], staged: Staged) -> Summary:
    """What was counted of joins, columns and sources."""
    return {
        "joins": {j.source: {"rows_without_match": found["rows"] - found[f"matched.{j.source}"]} for j in recipe.joins},
        "columns": {
            str(column): {"nulls": found[f"nulls.{column}"], "not_finite": found.get(f"odd.{column}", 0)}
            for column in used
        },
        "sources": {source: _files(inventory) for source, inventory in staged.inventories.items()},
    }


def _splits(engine: Database, settled: Settled) -> Mapping[str, Summary]:
    """Each split's rows, and what its targets are."""
    name = engine.dialect.name
    target, task, classes = name("_target"), settled.target.task, settled.target.classes
    match task:
        case Task.BINARY:
            facts = {"positives": f"coalesce(sum({target}), 0)"}
        case Task.MULTICLASS:
            facts = {one: f"count(*) FILTER (WHERE {target} = {index})" for index, one in enumerate(classes)}
        case Task.REGRESSION:
            facts = {"minimum": f"min({target})", "maximum": f"max({target})"}
    query = f"SELECT {name('_split')}, {', '.join([f'count({target})', *facts.values()])} "
    rows = {split: found for split, *found in engine.rows(f"{query} FROM {settled.relation} GROUP BY 1")}
    splits: dict[str, Summary] = {}
    for split in SPLITS:
        count, *found = rows.get(split, [0] * (1 + len(facts)))
        values = dict(zip(facts, found if task is Task.REGRESSION else map(int, found), strict=True))
        splits[split] = {"rows": int(count), **({"classes": values} if task is Task.MULTICLASS else values)}
    return splits


def count_treated(engine: Database, fitted: Fitted, clean: str, splits: Sequence[str] = SPLITS) -> Summary:
    """By feature: remarks on what was fitted, and rows treated in a way of their own (unseen categories, ...).

    The lookup tables have to be there. Features with nothing to tell are left out.
    """
    rendered = fitted.rendered(engine.dialect)
    query = counts_sql(rendered, clean, engine.dialect)
    rows = {split: list(map(int, found)) for split, *found in engine.rows(query)} if query else {}
    summary: Summary = {}
    place = 0
    for feature, item in zip(fitted.recipe.features, rendered, strict=True):
        told: Summary = {"remarks": list(item.remarks)} if item.remarks else {}
        for count in item.counts:
            by_split = {split: rows[split][place] for split in splits if split in rows and rows[split][place]}
            place += 1
            if by_split:
                told[count.name] = by_split
        if told:
            summary[feature.name] = told
    return summary


def _files(inventory: Inventory) -> Summary:
    return {
        "files": len(inventory.files),
        "header_only_files": len(inventory.header_only),
        "columns_not_read": list(inventory.not_read),
    }


def _check(recipe: Recipe, summary: Summary, dropped: int, task: Task) -> None:
    """No row is lost, and each split can be learned from or measured."""
    kept = sum(split["rows"] for split in summary["splits"].values())
    if kept + dropped != summary["rows_read"]:
        raise AssertionError(f"rows went missing: {summary}")
    where = f"target '{recipe.target.text}'"
    for name, split in summary["splits"].items():
        if not split["rows"]:
            what = f"the {name} split is empty: {kept} of {summary['rows_read']} rows have a target"
            raise DataError([Problem(where, what, "give more rows, or a larger fraction")])
        alike = _one_value(split, task)
        # A test split of one class or number can still be measured by accuracy or error; nothing learns from one.
        if alike is not None and (task is Task.BINARY or name == "train"):
            what = f"the {name} split has one {alike} of its {split['rows']} rows"
            raise DataError([Problem(where, what, "mend the target, or give more rows")])


def _one_value(split: Summary, task: Task) -> str | None:
    """How the targets of a split are all one and the same; None when they differ."""
    match task:
        case Task.BINARY if split["positives"] in (0, split["rows"]):
            return f"class only: the target holds for {'none' if not split['positives'] else 'all'}"
        case Task.MULTICLASS if sum(count > 0 for count in split["classes"].values()) < 2:
            return f"class only: '{next(iter(split['classes']))}' is the target"
        case Task.REGRESSION if split["minimum"] == split["maximum"]:
            return f"number only: {split['minimum']:g} is the target"
    return None
