"""features.json: the recipe and the fitted statistics, from which the transform statement is made again.

In: a `Recipe` with its statistics, or the text of such a file. Out: `Fitted`: columns with their origin, SQL, JSON.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, Protocol

from processing.errors import ModelError, Problem
from processing.jsontext import to_json
from processing.recipe.check import SLICE
from processing.recipe.model import Recipe
from processing.recipe.reader import read_recipe
from processing.sql.dialect import Dialect, DuckDB
from processing.sql.transform import lookup_tables, transform_sql
from processing.task import FittedTarget, read_target
from processing.transforms.interface import Rendered, Statistics


class Keeper(Protocol):
    """The part of an engine that keeps small tables."""

    @property
    def dialect(self) -> Dialect: ...

    def keep(self, table: str, columns: Sequence[tuple[str, str]], rows: Sequence[Sequence[Any]]) -> None: ...


FORMAT = 2
FILE = "features.json"


@dataclass(frozen=True)
class FeatureColumn:
    """A column of the feature table: the feature it belongs to and every source column that reaches it."""

    name: str
    feature: str
    sources: tuple[str, ...]


@dataclass(frozen=True)
class Fitted:
    """A recipe with the statistics of its features, and its target as the training split settled it."""

    recipe: Recipe
    statistics: Mapping[str, Statistics]
    target: FittedTarget

    @cached_property
    def _rendered(self) -> dict[type[Dialect], list[Rendered]]:
        return {}

    def rendered(self, dialect: Dialect) -> list[Rendered]:
        """What each feature adds, made once: a large lookup takes a second."""
        kind = type(dialect)
        if kind not in self._rendered:
            self._rendered[kind] = [
                feature.transform.render(feature.name, self.statistics[feature.name], dialect)
                for feature in self.recipe.features
            ]
        return self._rendered[kind]

    @cached_property
    def columns(self) -> tuple[FeatureColumn, ...]:
        """The feature columns, in the order of the recipe."""
        found: list[FeatureColumn] = []
        for feature, rendered in zip(self.recipe.features, self.rendered(DuckDB()), strict=True):
            lineage = [origin for column in feature.transform.columns for origin in self.recipe.lineage(column)]
            sources = tuple(dict.fromkeys(str(column) for column in lineage))
            found += [FeatureColumn(output.name, feature.name, sources) for output in rendered.outputs]
        names = unique_names([column.name for column in found])
        return tuple(replace(column, name=name) for name, column in zip(names, found, strict=True))

    def keep_lookups(self, engine: Keeper) -> None:
        """Make the tables that the transform statement joins."""
        for table in lookup_tables(self.rendered(engine.dialect)):
            engine.keep(table.name, table.columns(engine.dialect), table.rows())

    def sql(
        self, relation: str, dialect: Dialect, own: Sequence[str] = ("key", "target"), *, slices: bool = False
    ) -> str:
        """The transform statement of all rows of a relation; `own` are the columns before the features'.

        With `slices`, the columns of the evaluation stand behind them; they are none of `columns`.
        """
        names = [column.name for column in self.columns]
        texts = [(str(column), f"{SLICE}{name}") for name, column in self.recipe.evaluation.slices] if slices else []
        return transform_sql(self.rendered(dialect), names, relation, dialect, own, texts)

    def to_json(self) -> str:
        """The file's text: the same for the same data, byte for byte."""
        columns = [{"name": "key", "type": "VARCHAR"}, {"name": "target", "type": self.target.sql_type}]
        features = [
            {"name": column.name, "type": "FLOAT", "feature": column.feature, "sources": list(column.sources)}
            for column in self.columns
        ]
        document = {
            "format": FORMAT,
            "target": self.target.document(),
            "columns": [*columns, *features],
            "statistics": dict(self.statistics),
            "recipe": self.recipe.plain,
        }
        return to_json(document)


def read_fitted(text: str, where: str) -> Fitted:
    """The fitted features in the text of a features.json."""
    fix = "take the features.json that the features step of this image wrote"
    try:
        document: Any = json.loads(text)
        version = document["format"]
        if version != FORMAT:
            raise ModelError([Problem(where, f"format {version} is not read; this image reads {FORMAT}", fix)])
        recipe, statistics, target = document["recipe"], document["statistics"], read_target(document["target"])
    except (ValueError, TypeError, KeyError) as error:
        raise ModelError([Problem(where, f"not a features.json: {error}", fix)]) from error
    return Fitted(read_recipe(json.dumps(recipe), where), statistics, target)


def unique_names(names: Sequence[str]) -> list[str]:
    """The names, a second one that differs in case alone (the same to SQL engines) told apart by '~2'."""
    taken = {"key", "target"}
    found = []
    for name in names:
        candidate, number = name, 1
        while candidate.lower() in taken:
            number += 1
            candidate = f"{name}~{number}"
        taken.add(candidate.lower())
        found.append(candidate)
    return found
