"""Every measure of a binary score in one pass over its distinct values.

In: batches of scores (probabilities) and labels. Out: `Ranking`. Exact, whatever the number of rows; memory is that of
a piece of runs.py.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processing.arrays import Floats
from processing.evaluation.confusion import Confusion
from processing.evaluation.folds import (
    Bins,
    ConfusionAt,
    Curves,
    Errors,
    Histogram,
    Pairs,
    Piece,
    Thresholds,
    Totals,
)
from processing.evaluation.runs import RUN, KeyRuns, score_keys

BINS = 1000
"""Bins of equal rows that stand for the scores where an estimate is enough: bootstrap, paired comparison."""


@dataclass(frozen=True)
class Ranking:
    """The measures of one score on one set of rows."""

    totals: Totals
    pairs: Pairs
    thresholds: Thresholds
    errors: Errors
    curves: Curves
    bins: Bins
    histogram: Histogram
    below: ConfusionAt

    @property
    def auc(self) -> float | None:
        return self.pairs.auc(self.totals)

    @property
    def auc_deviation(self) -> float | None:
        return self.pairs.deviation(self.totals)

    @property
    def confusion(self) -> Confusion:
        """At the threshold that was given."""
        missed, right = self.below.positives_below, self.below.negatives_below
        return Confusion(right, self.totals.negatives - right, missed, self.totals.positives - missed)


def rank(
    batches: Iterable[tuple[Floats, NDArray[np.generic]]], folder: Path, threshold: float = 0.5, size: int = RUN
) -> Ranking:
    """The measures of (scores, labels); scores are finite and not negative, labels 0 or 1."""
    runs = KeyRuns(folder, size)
    positives = 0
    try:
        for scores, labels in batches:
            runs.add(score_keys(scores, labels))
            positives += int(labels.sum())
        totals = Totals(positives, runs.rows - positives)
        found = Ranking(
            totals,
            Pairs(),
            Thresholds(),
            Errors(),
            Curves(),
            Bins(BINS, totals),
            Histogram(),
            ConfusionAt(threshold),
        )
        folds = (found.pairs, found.thresholds, found.errors, found.curves, found.bins, found.histogram, found.below)
        for piece in _pieces(runs, totals):
            for fold in folds:
                fold.add(piece)
    finally:
        runs.close()
    return found


def _pieces(runs: KeyRuns, totals: Totals) -> Iterator[Piece]:
    positives_before = negatives_before = 0
    for keys, counts in runs.pieces():
        bits = keys >> np.uint64(1)
        first = np.flatnonzero(np.append(True, bits[1:] != bits[:-1]))
        positives = np.add.reduceat(counts * (keys & np.uint64(1)).astype(np.int64), first)
        negatives = np.add.reduceat(counts, first) - positives
        positives_through, negatives_through = np.cumsum(positives), np.cumsum(negatives)
        yield Piece(
            scores=bits[first].view(np.float64),
            positives=positives,
            negatives=negatives,
            positives_below=positives_through - positives + positives_before,
            negatives_below=negatives_through - negatives + negatives_before,
            totals=totals,
        )
        positives_before += int(positives_through[-1])
        negatives_before += int(negatives_through[-1])
