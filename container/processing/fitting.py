"""Fits every feature on the training split, and tells of one that cannot be fitted where it stands in the recipe.

In: engine, recipe, the relation of clean rows. Out: statistics by feature, as JSON holds them.

A transform's `fit` asks one question after another. To answer those of all features together, each fit is run until
it asks something that nobody knows yet (`Unanswered`), the questions are answered in a batch, and the fits that are
not through are run again from their start with what is known by then. A fit is a function of its answers alone, so
the last run, which asks nothing new, is the result. Rounds: as many as the longest chain of questions.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from processing.columns import Column
from processing.counted import Counted, Keeper
from processing.errors import Problem, RecipeError
from processing.questions import (
    Buckets,
    Categories,
    Extent,
    FoldSums,
    MostFrequent,
    Question,
    Ranks,
    Source,
    Sum,
    Values,
    answer,
)
from processing.recipe.model import Feature, Recipe
from processing.sql import statistics as sql
from processing.sql.dialect import Dialect
from processing.task import FittedTarget, Task
from processing.transforms.interface import CannotFit, Clip, FoldSum, Moments, Statistics

MAX_CATEGORIES = 50_000
"""Of one feature: they are written into features.json, a row for each fold into a lookup table."""

LONG = 50_000
"""Values beyond which a quantile is found by way of buckets: counting each distinct value takes memory, and at 800,000
distinct ones five times as long."""

ROW = "1"
"""An expression that every row has a value of."""

REFINEMENTS = 3
"""How often a bucket that is still long is cut again; after that its values are counted, spilling if need be."""


class Unanswered(Exception):
    """A fit needs an answer that is not known yet."""


class TrainingSplit:
    """Answers a transform's questions (interface.Fitter) from the training rows, and from no others."""

    def __init__(self, engine: Source, clean: str, target: FittedTarget | None = None, long: int = LONG) -> None:
        self._counted: Counted | None = None
        self._engine = engine
        self._long = long
        self.target = target or FittedTarget()
        self._relation = f"(SELECT * FROM {clean} WHERE {engine.dialect.name('_split')} = 'train') AS train"
        self._known: dict[Question, Any] = {}
        self._open: dict[Question, None] = {}

    def count(self, engine: Keeper, columns: Sequence[Column], scratch: Path) -> None:
        """From here on, columns that hold few different values are counted once, in scratch tables."""
        self._counted = Counted(engine, self._relation, columns, scratch)

    @property
    def dialect(self) -> Dialect:
        return self._engine.dialect

    def answer(self) -> None:
        """Answer what was asked since the last time."""
        if self._counted is not None:
            self._counted.prepare(one.expression for one in self._open if isinstance(one, Extent))
        self._known |= answer(self._engine, self._relation, list(self._open), self._values)
        self._open.clear()

    def _values(self, expression: str) -> Values | None:
        return None if self._counted is None else self._counted.values(expression)

    def _ask(self, *questions: Question) -> list[Any]:
        unknown = [question for question in questions if question not in self._known]
        if unknown:
            self._open |= dict.fromkeys(unknown)
            raise Unanswered
        return [self._known[question] for question in questions]

    def mean(self, expression: str, clip: Clip = None) -> float | None:
        """Exact: the same on every run, whatever the number of threads. None when there is no value."""
        ((count, low, high),) = self._ask(Extent(expression))
        if not count:
            return None
        largest = max(abs(sql.clipped(value, clip)) for value in (low, high))
        return self._mean(sql.clipped_sql(expression, clip, self.dialect), largest, count)

    def moments(self, expression: str, clip: Clip = None, fill: float | None = None) -> Moments:
        """Exact, as the mean is."""
        ((count, low, high),) = self._ask(Extent(expression))
        filled = self._ask(Extent(ROW))[0][0] - count if fill is not None else 0
        if not count + filled:
            return Moments(0, 0.0, 0.0)
        values = [sql.clipped(value, clip) for value in (low, high)] if count else []
        largest = max(map(abs, [*values, fill] if filled and fill is not None else values))
        shaped = sql.clipped_sql(expression, clip, self.dialect)
        mean = self._mean(shaped, largest, count, fill or 0.0, filled)
        # A deviation is at most twice the largest magnitude.
        squares = sql.squares_sql(shaped, mean, self.dialect)
        apart = (fill or 0.0) - mean
        variance = self._mean(squares, 4 * largest * largest, count, apart * apart, filled)
        return Moments(count + filled, mean, variance**0.5)

    def _mean(self, expression: str, largest: float, count: int, fill: float = 0.0, filled: int = 0) -> float:
        """Of the expression's values, and of `filled` times the same value."""
        power = sql.exponent(largest)
        (total,) = self._ask(Sum(expression, power))
        return sql.average(total + filled * sql.scaled(fill, power), power, count + filled)

    def quantiles(self, expression: str, probabilities: Sequence[float], clip: Clip = None) -> tuple[float, ...]:
        """Exact, with linear interpolation; empty when there is no value. Clipped values keep their ranks."""
        ((count, low, high),) = self._ask(Extent(expression))
        if not count:
            return ()
        places = [sql.quantile_ranks(count, probability) for probability in probabilities]
        ranks = sorted({rank for first, second, _ in places for rank in (first, second)})
        values = [sql.clipped(one, clip) for one in self._at(expression, (low, high, count), ranks, REFINEMENTS)]
        found = dict(zip(ranks, values, strict=True))
        return tuple(
            found[first] + (found[second] - found[first]) * along if along else found[first]
            for first, second, along in places
        )

    def _at(
        self, expression: str, window: tuple[float, float, int], ranks: Sequence[int], refinements: int
    ) -> list[float]:
        """The values at these ranks of the window's values."""
        low, high, count = window
        if low == high:
            return [low] * len(ranks)
        short = count <= self._long or self._values(expression) is not None
        if short or not refinements or not sql.divisible(low, high):
            (found,) = self._ask(Ranks(expression, low, high, tuple(ranks)))
            return list(found)
        (buckets,) = self._ask(Buckets(expression, low, high))
        values: list[float] = []
        unanswered = False
        for inner, own in sql.windows(buckets, ranks).items():
            try:
                values += self._at(expression, inner, own, refinements - 1)
            except Unanswered:  # ask for the other windows, too, before the next batch
                unanswered = True
        if unanswered:
            raise Unanswered
        return values

    def categories(self, expression: str) -> list[tuple[str | None, int]]:
        """Each category and its rows; null first, then by text."""
        (found,) = self._ask(Categories(expression, MAX_CATEGORIES + 1))
        self._bound(len(found), expression)
        return sorted(((value, int(rows)) for value, rows in found), key=lambda pair: _order(pair[0]))

    def most_frequent(self, expression: str) -> float | None:
        """The value of most rows, the smallest of equals; None when there is no value."""
        (found,) = self._ask(MostFrequent(expression))
        return None if found is None else float(found)

    def fold_sums(self, expression: str, folds: int) -> list[FoldSum]:
        """Rows and target sums of each category in each fold, in a stable order."""
        values, power = self._summed()
        (found,) = self._ask(FoldSums(expression, folds, tuple(values), power, MAX_CATEGORIES * folds + 1))
        self._bound(len({row[0] for row in found}), expression)
        sums = [FoldSum(value, int(fold), int(rows), _unscaled(totals, power)) for value, fold, rows, *totals in found]
        return sorted(sums, key=lambda item: (_order(item.category), item.fold))

    def _summed(self) -> tuple[list[str], int | None]:
        """The expressions to sum for the task's target, and the power of two that a number is scaled by."""
        target = self.dialect.name("_target")
        match self.target.task:
            case Task.BINARY:
                return [target], None
            case Task.MULTICLASS:
                indices = range(len(self.target.classes))
                return [f"CASE WHEN {target} = {index} THEN 1 ELSE 0 END" for index in indices], None
        ((count, low, high),) = self._ask(Extent(target))
        return [target], sql.exponent(max(abs(low), abs(high)) if count else 0.0)

    def _bound(self, count: int, expression: str) -> None:
        if count > MAX_CATEGORIES:
            what = f"{expression} has more than {MAX_CATEGORIES} categories in the training split"
            raise CannotFit(what, "take a coarser column, or remove the feature")


def _unscaled(totals: Sequence[int], power: int | None) -> tuple[float, ...]:
    return tuple(int(total) if power is None else sql.average(int(total), power, 1) for total in totals)


def _order(category: str | None) -> tuple[bool, str]:
    return category is not None, category or ""


def fit(
    engine: Keeper, recipe: Recipe, clean: str, target: FittedTarget, scratch: Path | None = None
) -> dict[str, Statistics]:
    """The statistics of every feature; RecipeError for all that cannot be fitted."""
    split = TrainingSplit(engine, clean, target)
    if scratch is not None:
        split.count(engine, recipe.used(), scratch)
    fitted: dict[str, Statistics] = {}
    problems = []
    waiting: list[Feature] = list(recipe.features)
    while waiting:
        unanswered = []
        for feature in waiting:
            try:
                fitted[feature.name] = feature.transform.fit(split)
            except Unanswered:
                unanswered.append(feature)
            except CannotFit as error:
                problems.append(Problem(str(feature.place), f"feature '{feature.name}': {error.what}", error.fix))
        if unanswered:
            split.answer()
        waiting = unanswered
    if problems:
        raise RecipeError(problems)
    return {feature.name: fitted[feature.name] for feature in recipe.features}


def ask_all(split: TrainingSplit, question: Any) -> Any:
    """The result of a function of the split, however many rounds it takes."""
    while True:
        try:
            return question(split)
        except Unanswered:
            split.answer()
