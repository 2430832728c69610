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
from processing.task import FittedTarget, Task
from processing.transforms.interface import CannotFit, FoldSum, Moments, Statistics

MAX_CATEGORIES = 50_000
"""Of one feature: they are written into features.json, a row for each fold into a lookup table."""


class TrainingSplit:
    """Answers a transform's questions (interface.Fitter) from the training rows, and from no others."""

    def __init__(self, engine: Engine, clean: str, target: FittedTarget | None = None) -> None:
        self._engine = engine
        self.target = target or FittedTarget()
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

    def most_frequent(self, expression: str) -> float | None:
        """The value of most rows, the smallest of equals; None when there is no value."""
        found = self._engine.rows(sql.most_frequent_sql(expression, self._relation))
        return float(found[0][0]) if found else None

    def fold_sums(self, expression: str, folds: int) -> list[FoldSum]:
        """Rows and target sums of each category in each fold, in a stable order."""
        values, power = self._summed()
        limit = MAX_CATEGORIES * folds + 1
        found = self._engine.rows(sql.fold_sums_sql(expression, self._relation, folds, values, limit, self.dialect))
        self._bound(len({row[0] for row in found}), expression)
        sums = [FoldSum(value, int(fold), int(rows), _unscaled(totals, power)) for value, fold, rows, *totals in found]
        return sorted(sums, key=lambda item: (_order(item.category), item.fold))

    def _summed(self) -> tuple[list[str], int | None]:
        """The whole numbers to sum for the task's target, and the power of two that a number was scaled by."""
        target = self.dialect.name("_target")
        match self.target.task:
            case Task.BINARY:
                return [target], None
            case Task.MULTICLASS:
                indices = range(len(self.target.classes))
                return [f"CASE WHEN {target} = {index} THEN 1 ELSE 0 END" for index in indices], None
        _, largest = self._engine.row(sql.extent_sql(target, self._relation))
        power = sql.exponent(largest or 0.0)
        return [sql.scaled_sql(target, power, self.dialect)], power

    def _bound(self, count: int, expression: str) -> None:
        if count > MAX_CATEGORIES:
            what = f"{expression} has more than {MAX_CATEGORIES} categories in the training split"
            raise CannotFit(what, "take a coarser column, or remove the feature")


def _unscaled(totals: Sequence[int], power: int | None) -> tuple[float, ...]:
    return tuple(int(total) if power is None else sql.average(int(total), power, 1) for total in totals)


def _order(category: str | None) -> tuple[bool, str]:
    return category is not None, category or ""


def fit(engine: Engine, recipe: Recipe, clean: str, target: FittedTarget) -> dict[str, Statistics]:
    """The statistics of every feature; RecipeError for all that cannot be fitted."""
    split = TrainingSplit(engine, clean, target)
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
