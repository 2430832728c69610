"""`target_encoding`: the smoothed share of positives among the training rows of the row's category.

A training row is encoded out of fold: from the training rows outside its own hash fold, so that its own label never
reaches its feature. Rows of the other splits are encoded from the whole training split.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from processing.columns import Column
from processing.recipe.fields import Fields
from processing.recipe.scope import Scope
from processing.sql.dialect import Dialect
from processing.transforms.categories import DISCRETE, category
from processing.transforms.interface import LOOKUP_VALUE, Fitter, FoldCount, Lookup, Output, Rendered, Statistics

FOLDS = ("2", "4", "8", "16")
"""Folds come from one hex digit of the key's hash, so they divide sixteen."""


@dataclass(frozen=True)
class TargetEncoding:
    """(positives + smoothing * prior) / (rows + smoothing), over hash folds."""

    column: Column
    smoothing: float
    folds: int

    @classmethod
    def read(cls, fields: Fields, scope: Scope) -> TargetEncoding:
        column = scope.column(fields, "column", DISCRETE)
        smoothing = fields.number("smoothing", 20.0, low=0.0, high=1e12)
        return cls(column, smoothing, int(fields.choice("folds", FOLDS, "8")))

    @property
    def columns(self) -> tuple[Column, ...]:
        return (self.column,)

    def fit(self, fitter: Fitter) -> Statistics:
        counts = fitter.fold_counts(category(self.column, fitter.dialect), self.folds)
        return {"counts": [[value, rows, positives] for value, rows, positives in per_category(counts, self.folds)]}

    def render(self, name: str, statistics: Statistics, dialect: Dialect) -> Rendered:
        rows, priors = encode(statistics["counts"], self.folds, self.smoothing)
        output = Output(name, f"coalesce({LOOKUP_VALUE}, {_prior(priors, self.folds, dialect)})")
        return Rendered((output,), Lookup(category(self.column, dialect), tuple(rows), self.folds))


def per_category(counts: Sequence[FoldCount], folds: int) -> list[tuple[str | None, list[int], list[int]]]:
    """Rows and positives of each category, by fold."""
    table: dict[str | None, tuple[list[int], list[int]]] = {}
    for item in counts:
        rows, positives = table.setdefault(item.category, ([0] * folds, [0] * folds))
        rows[item.fold] += item.rows
        positives[item.fold] += item.positives
    return [(value, rows, positives) for value, (rows, positives) in table.items()]


def encode(
    counts: Sequence[tuple[str | None, Sequence[int], Sequence[int]]], folds: int, smoothing: float
) -> tuple[list[tuple[str | None, int | None, float]], dict[int | None, float]]:
    """(category, fold, value) of every category seen outside the fold, and each fold's prior for the others.

    Fold None serves the splits that are not training: nothing is left out for them.
    """
    table: list[tuple[str | None, int | None, float]] = []
    priors: dict[int | None, float] = {}
    for fold in [*range(folds), None]:
        total = sum(_outside(rows, fold) for _, rows, _ in counts)
        prior = sum(_outside(positives, fold) for _, _, positives in counts) / total if total else 0.0
        priors[fold] = prior
        for value, rows, positives in counts:
            seen = _outside(rows, fold)
            if seen:
                table.append((value, fold, (_outside(positives, fold) + smoothing * prior) / (seen + smoothing)))
    return table, priors


def _outside(numbers: Sequence[int], fold: int | None) -> int:
    return sum(numbers) - (numbers[fold] if fold is not None else 0)


def _prior(priors: dict[int | None, float], folds: int, dialect: Dialect) -> str:
    cases = " ".join(f"WHEN {fold} THEN {dialect.number(priors[fold])}" for fold in range(folds))
    inside = f"CASE {dialect.name('_fold')} % {folds} {cases} END"
    split = dialect.name("_split")
    return f"CASE WHEN {split} = 'train' THEN {inside} ELSE {dialect.number(priors[None])} END"
