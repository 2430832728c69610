"""Fits every feature on the training split, and tells of one that cannot be fitted where it stands in the recipe.

In: engine, recipe, the relation of clean rows. Out: statistics by feature, as JSON holds them.
"""

from __future__ import annotations

from collections.abc import Sequence

from processing.engine import Engine
from processing.errors import Problem, RecipeError
from processing.recipe.model import Recipe
from processing.sql import statistics as sql
from processing.sql.dialect import Dialect
from processing.transforms.interface import CannotFit, FoldCount, Moments, Statistics

MAX_CATEGORIES = 50_000
"""Of one feature: they are written into features.json, a row for each fold into a lookup table."""


class TrainingSplit:
    """Answers a transform's questions (interface.Fitter) from the training rows, and from no others."""

    def __init__(self, engine: Engine, clean: str) -> None:
        self._engine = engine
        self._relation = f"(SELECT * FROM {clean} WHERE {engine.dialect.name('_split')} = 'train') AS train"

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def moments(self, expression: str) -> Moments:
        """Exact: the same on every run, whatever the number of threads."""
        count, largest = self._engine.row(sql.extent_sql(expression, self._relation))
        if not count:
            return Moments(0, 0.0, 0.0)
        mean = self._mean(expression, largest, count)
        squares = sql.squares_sql(expression, mean, self.dialect)
        # A deviation is at most twice the largest magnitude.
        variance = self._mean(squares, 4 * largest * largest, count)
        return Moments(count, mean, variance**0.5)

    def _mean(self, expression: str, largest: float, count: int) -> float:
        power = sql.exponent(largest)
        (total,) = self._engine.row(sql.sum_sql(expression, self._relation, power, self.dialect))
        return sql.average(int(total), power, count)

    def quantiles(self, expression: str, probabilities: Sequence[float]) -> tuple[float, ...]:
        """Exact, with linear interpolation; empty when there is no value."""
        count, _ = self._engine.row(sql.extent_sql(expression, self._relation))
        if not count:
            return ()
        places = [sql.quantile_ranks(count, probability) for probability in probabilities]
        ranks = sorted({rank for low, high, _ in places for rank in (low, high)})
        values = dict(zip(ranks, self._engine.row(sql.ranks_sql(expression, self._relation, ranks)), strict=True))
        return tuple(values[low] + (values[high] - values[low]) * along for low, high, along in places)

    def categories(self, expression: str) -> list[tuple[str | None, int]]:
        """Each category and its rows; null first, then by text."""
        found = self._engine.rows(sql.categories_sql(expression, self._relation, MAX_CATEGORIES + 1))
        self._bound(len(found), expression)
        return sorted(((value, int(rows)) for value, rows in found), key=lambda pair: _order(pair[0]))

    def fold_counts(self, expression: str, folds: int) -> list[FoldCount]:
        """Rows and positives of each category in each fold, in a stable order."""
        limit = MAX_CATEGORIES * folds + 1
        found = self._engine.rows(sql.fold_counts_sql(expression, self._relation, folds, limit, self.dialect))
        self._bound(len({row[0] for row in found}), expression)
        counts = [FoldCount(value, int(fold), int(rows), int(positives)) for value, fold, rows, positives in found]
        return sorted(counts, key=lambda item: (_order(item.category), item.fold))

    def _bound(self, count: int, expression: str) -> None:
        if count > MAX_CATEGORIES:
            what = f"{expression} has more than {MAX_CATEGORIES} categories in the training split"
            raise CannotFit(what, "take a coarser column, or remove the feature")


def _order(category: str | None) -> tuple[bool, str]:
    return category is not None, category or ""


def fit(engine: Engine, recipe: Recipe, clean: str) -> dict[str, Statistics]:
    """The statistics of every feature; RecipeError for all that cannot be fitted."""
    split = TrainingSplit(engine, clean)
    fitted: dict[str, Statistics] = {}
    problems = []
    for feature in recipe.features:
        try:
            fitted[feature.name] = feature.transform.fit(split)
        except CannotFit as error:
            problems.append(Problem(str(feature.place), f"feature '{feature.name}': {error.what}", error.fix))
    if problems:
        raise RecipeError(problems)
    return fitted
