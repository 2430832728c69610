"""`target_encoding`: the smoothed mean target of the training rows of the row's category.

A training row is encoded out of fold: from the training rows outside its own hash fold, so that its own label never
reaches its feature. Rows of the other splits are encoded from the whole training split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import fsum
from typing import TypeVar

from processing.recipe.options import ChoiceNumber, Real, option
from processing.sql.dialect import Dialect
from processing.task import Task
from processing.transforms.categories import Categorical
from processing.transforms.interface import (
    CannotFit,
    Count,
    Fitter,
    FoldSum,
    Lookup,
    Output,
    Rendered,
    Statistics,
    looked_up,
)

FOLDS = ("2", "4", "8", "16")
"""Folds come from one hex digit of the key's hash, so they divide sixteen."""
MAX_ENCODED = 200_000
"""Categories times classes: each is written into features.json and, for each fold, into a lookup table."""


T = TypeVar("T")


@dataclass(frozen=True, kw_only=True)
class TargetEncoding(Categorical):
    """The mean target of the category's training rows, drawn to the mean of all: (sum + smoothing * mean) / (rows +
    smoothing). Binary: the share of positives. Multiclass: a column `…=class` for each class. Regression: the number.

    Out of fold for training rows. A category that training never saw (`unseen` in quality.json) gets the mean.
    """

    smoothing: float = option(Real(0, 1e12), "How many rows the mean of all counts for.", default=20.0)
    folds: int = option(ChoiceNumber(FOLDS), "How many hash folds a training row may come from.", default=8)

    def fit(self, fitter: Fitter) -> Statistics:
        filled = self.filled(fitter)
        counts = per_category(fitter.fold_sums(self.value(filled, fitter.dialect), self.folds), self.folds)
        if len(counts) * max(1, len(fitter.target.classes)) > MAX_ENCODED:
            what = f"'{self.column}' has {len(counts)} categories for {len(fitter.target.classes)} classes"
            raise CannotFit(what, "take a coarser column, or use 'transform: hashing'")
        if fitter.target.task is Task.MULTICLASS:
            every = [[value, rows, totals] for value, rows, totals in counts]
            return {**filled, "classes": list(fitter.target.classes), "counts": every}
        return {**filled, "counts": [[value, rows, [one for (one,) in totals]] for value, rows, totals in counts]}

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        classes = statistics.get("classes")
        counts = statistics["counts"]
        if classes is None:
            counts = [[value, rows, [[total] for total in totals]] for value, rows, totals in counts]
        rows, priors = encode(counts, self.folds, self.smoothing)
        names = [name] if classes is None else [f"{name}={one}" for one in classes]
        outputs = [
            Output(one, f"coalesce({looked_up(index)}, {_prior(priors, index, self.folds, dialect)})")
            for index, one in enumerate(names)
        ]
        lookup = Lookup(self.value(statistics, dialect), tuple(rows), self.folds, len(names))
        unseen = Count("unseen", f"{looked_up()} IS NULL")
        return Rendered(tuple(outputs), lookup, (unseen,), self.remarks(len(counts)))


Counts = tuple[str | None, Sequence[int], Sequence[Sequence[float]]]
"""A category, its rows by fold, its target sums by fold."""


def per_category(sums: Sequence[FoldSum], folds: int) -> list[tuple[str | None, list[int], list[list[float]]]]:
    """Rows and target sums of each category, by fold."""
    width = len(sums[0].sums) if sums else 1
    table: dict[str | None, tuple[list[int], list[list[float]]]] = {}
    for item in sums:
        rows, totals = table.setdefault(item.category, ([0] * folds, [[0] * width for _ in range(folds)]))
        rows[item.fold] = item.rows
        totals[item.fold] = list(item.sums)
    return [(value, rows, totals) for value, (rows, totals) in table.items()]


def encode(
    counts: Sequence[Counts], folds: int, smoothing: float
) -> tuple[list[tuple[str | None, int | None, tuple[float, ...]]], dict[int | None, tuple[float, ...]]]:
    """(category, fold, values) of every category seen outside the fold, and each fold's prior for the others.

    Fold None serves the splits that are not training: nothing is left out for them.
    """
    table: list[tuple[str | None, int | None, tuple[float, ...]]] = []
    priors: dict[int | None, tuple[float, ...]] = {}
    width = len(counts[0][2][0]) if counts else 1
    for fold in [*range(folds), None]:
        total = sum(sum(_outside(rows, fold)) for _, rows, _ in counts)
        # fsum rounds once, so that the order of the categories does not matter.
        sums = [fsum(t[i] for _, _, totals in counts for t in _outside(totals, fold)) for i in range(width)]
        prior = tuple(one / total if total else 0.0 for one in sums)
        priors[fold] = prior
        for value, rows, totals in counts:
            seen = sum(_outside(rows, fold))
            if seen:
                own = [fsum(one[index] for one in _outside(totals, fold)) for index in range(width)]
                encoded = tuple((s + smoothing * p) / (seen + smoothing) for s, p in zip(own, prior, strict=True))
                table.append((value, fold, encoded))
    return table, priors


def _outside(by_fold: Sequence[T], fold: int | None) -> list[T]:
    return [one for index, one in enumerate(by_fold) if index != fold]


def _prior(priors: dict[int | None, tuple[float, ...]], index: int, folds: int, dialect: Dialect) -> str:
    cases = " ".join(f"WHEN {fold} THEN {dialect.number(priors[fold][index])}" for fold in range(folds))
    inside = f"CASE {dialect.name('_fold')} % {folds} {cases} END"
    split = dialect.name("_split")
    return f"CASE WHEN {split} = 'train' THEN {inside} ELSE {dialect.number(priors[None][index])} END"
