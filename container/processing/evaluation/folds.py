"""The measures of a binary score, each as a fold over its distinct values, ascending: exact, one pass, little memory.

In: pieces (`Piece`): distinct scores with their positives and negatives, and the counts below. Out: numbers. Ties
between scores are counted, never broken. To predict 1 is to have a score at or above a threshold.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from processing.arrays import Floats, Ints

EPSILON = float(np.finfo(np.float64).eps)
"""Probabilities are kept this far from 0 and 1 under the logarithm, as in scikit-learn."""


@dataclass(frozen=True)
class Totals:
    """Rows of each class in all."""

    positives: int
    negatives: int

    @property
    def rows(self) -> int:
        return self.positives + self.negatives


@dataclass(frozen=True)
class Piece:
    """Neighbouring distinct scores, ascending, with the rows of each class at them and below them."""

    scores: Floats
    positives: Ints
    negatives: Ints
    positives_below: Ints
    negatives_below: Ints
    totals: Totals

    @cached_property
    def rows_below(self) -> Ints:
        return self.positives_below + self.negatives_below

    @cached_property
    def true_positives(self) -> Ints:
        """Positives at or above each score."""
        return self.totals.positives - self.positives_below

    @cached_property
    def predicted(self) -> Ints:
        """Rows at or above each score."""
        return self.totals.rows - self.rows_below

    @cached_property
    def true_rates(self) -> Floats:
        return self.true_positives / max(self.totals.positives, 1)

    @cached_property
    def false_rates(self) -> Floats:
        return (self.totals.negatives - self.negatives_below) / max(self.totals.negatives, 1)


class Pairs:
    """The AUC: the share of (positive, negative) pairs in the right order, a tie counting half; DeLong's deviation."""

    def __init__(self) -> None:
        self._doubled = 0
        self._positives, self._negatives = Spread(), Spread()

    def add(self, piece: Piece) -> None:
        totals = piece.totals
        if not totals.positives or not totals.negatives:
            return
        doubled = 2 * piece.negatives_below + piece.negatives
        # Python's integers do not overflow; a piece's sum stays below 2**63.
        self._doubled += int((piece.positives * doubled).sum())
        self._positives.add(doubled / (2 * totals.negatives) - 0.5, piece.positives)
        above = 2 * piece.true_positives - piece.positives
        self._negatives.add(above / (2 * totals.positives) - 0.5, piece.negatives)

    def auc(self, totals: Totals) -> float | None:
        """None where a class has no row."""
        pairs = totals.positives * totals.negatives
        return self._doubled / (2 * pairs) if pairs else None

    def deviation(self, totals: Totals) -> float | None:
        """The standard deviation of the AUC (DeLong, DeLong and Clarke-Pearson 1988)."""
        if totals.positives < 2 or totals.negatives < 2:
            return None
        variance = self._positives.variance() / totals.positives + self._negatives.variance() / totals.negatives
        return math.sqrt(variance)


class Spread:
    """Count, mean and variance of weighted values."""

    def __init__(self) -> None:
        self._count, self._sum, self._squares = 0, 0.0, 0.0

    def add(self, values: Floats, rows: Ints) -> None:
        weighed = values * rows
        self._count += int(rows.sum())
        self._sum += float(weighed.sum())
        self._squares += float((weighed * values).sum())

    def mean(self) -> float:
        return self._sum / self._count if self._count else 0.0

    def variance(self) -> float:
        """Of the values, unbiased."""
        if self._count < 2:
            return 0.0
        return max(self._squares - self._sum**2 / self._count, 0.0) / (self._count - 1)

    def deviation_of_mean(self) -> float:
        return math.sqrt(self.variance() / self._count) if self._count else 0.0


class Thresholds:
    """What the choice of a threshold gives: average precision, Kolmogorov-Smirnov, the best F1 and where it is."""

    def __init__(self) -> None:
        self.average_precision = self.kolmogorov_smirnov = self.best_f1 = 0.0
        self.best_threshold = 0.0

    def add(self, piece: Piece) -> None:
        precisions = piece.true_positives / piece.predicted
        self.average_precision += float((piece.positives * precisions).sum()) / max(piece.totals.positives, 1)
        gap = np.abs(piece.true_rates - piece.false_rates)
        self.kolmogorov_smirnov = max(self.kolmogorov_smirnov, float(gap.max()))
        f1 = 2 * piece.true_positives / (piece.predicted + piece.totals.positives)
        best = float(f1.max())
        if best >= self.best_f1:
            self.best_f1 = best
            # The highest of equal ones.
            self.best_threshold = float(piece.scores[np.flatnonzero(f1 == best)[-1]])


class Errors:
    """Of probabilities: the Brier score and the logarithmic loss, with the deviations of these means."""

    def __init__(self) -> None:
        self.brier, self.log_loss = Spread(), Spread()

    def add(self, piece: Piece) -> None:
        scores = piece.scores
        self.brier.add(np.square(1.0 - scores), piece.positives)
        self.brier.add(np.square(scores), piece.negatives)
        kept = np.clip(scores, EPSILON, 1.0 - EPSILON)
        self.log_loss.add(-np.log(kept), piece.positives)
        self.log_loss.add(-np.log(1.0 - kept), piece.negatives)


class ConfusionAt:
    """Positives and negatives below a threshold."""

    def __init__(self, threshold: float) -> None:
        self._threshold = threshold
        self.positives_below = self.negatives_below = 0

    def add(self, piece: Piece) -> None:
        place = int(np.searchsorted(piece.scores, self._threshold))
        if place:
            self.positives_below = int(piece.positives_below[place - 1] + piece.positives[place - 1])
            self.negatives_below = int(piece.negatives_below[place - 1] + piece.negatives[place - 1])


class Curves:
    """Points of the ROC and the precision-recall curve, thinned to a grid: exact points, a bounded number of them."""

    def __init__(self, grid: int = 100) -> None:
        self._grid = grid
        self._last = (-1, -1, -1)
        self._roc: list[NDArray[np.float64]] = []
        self._recall: list[NDArray[np.float64]] = []

    def add(self, piece: Piece) -> None:
        along = np.floor((piece.true_rates + piece.false_rates) * self._grid).astype(np.int64)
        recall = np.floor(piece.true_rates * self._grid).astype(np.int64)
        # Where few rows are predicted the curve moves fastest: four points for every doubling of them.
        size = np.floor(4 * np.log2(piece.predicted)).astype(np.int64)
        roc = _changes(along, self._last[0])
        both = _changes(recall, self._last[1]) | _changes(size, self._last[2])
        self._last = (int(along[-1]), int(recall[-1]), int(size[-1]))
        precisions = piece.true_positives[both] / piece.predicted[both]
        self._roc.append(np.stack([piece.false_rates[roc], piece.true_rates[roc], piece.scores[roc]]))
        self._recall.append(np.stack([piece.true_rates[both], precisions, piece.scores[both]]))

    def roc(self) -> tuple[Floats, Floats]:
        """False and true positive rates from (0, 0) to (1, 1)."""
        points = np.concatenate(self._roc, axis=1)[:, ::-1]
        return np.append(0.0, points[0]), np.append(0.0, points[1])

    def precision_recall(self) -> tuple[Floats, Floats]:
        """Precisions and recalls, by rising recall. Where nothing is predicted, no prediction is wrong: (1, 0)."""
        points = np.concatenate(self._recall, axis=1)[:, ::-1]
        return np.append(1.0, points[1]), np.append(0.0, points[0])


def _changes(values: Ints, before: int) -> NDArray[np.bool_]:
    return np.asarray(np.diff(values, prepend=before) != 0)


class Bins:
    """Rows, positives and summed scores in bins of (nearly) equal rows; equal scores are never parted.

    The bins are those that numpy.percentile's edges make, as in scikit-learn's calibration_curve with 'quantile'.
    """

    def __init__(self, count: int, totals: Totals) -> None:
        self._cuts = (np.arange(1, count) * (max(totals.rows, 1) - 1)) // count
        self.rows, self.positives = (np.zeros(count, dtype=np.int64) for _ in range(2))
        self.scores = np.zeros(count)
        self.lowest = np.full(count, np.inf)
        """The lowest score in each bin; infinity where it is empty."""

    def add(self, piece: Piece) -> None:
        # A bin's number is how many cuts lie below the first row of the score.
        starts = np.concatenate([[0], np.searchsorted(piece.rows_below, self._cuts, side="right"), [len(piece.scores)]])
        filled = np.flatnonzero(np.diff(starts))
        first = starts[filled]
        rows = piece.positives + piece.negatives
        self.rows[filled] += np.add.reduceat(rows, first)
        self.positives[filled] += np.add.reduceat(piece.positives, first)
        self.scores[filled] += np.add.reduceat(piece.scores * rows, first)
        self.lowest[filled] = np.minimum(self.lowest[filled], piece.scores[first])

    def joined(self, count: int) -> tuple[Ints, Ints, Floats]:
        """Rows, positives and summed scores of fewer bins, without the empty ones."""
        shape = (count, -1)
        found = [array.reshape(shape).sum(axis=1) for array in (self.rows, self.positives, self.scores)]
        filled = found[0] > 0
        return found[0][filled], found[1][filled], found[2][filled]


class Histogram:
    """Rows of each class by score, in bins of equal width from 0 to 1."""

    def __init__(self, count: int = 40) -> None:
        self._edges = np.linspace(0, 1, count + 1)[1:-1]
        self.positives, self.negatives = (np.zeros(count, dtype=np.int64) for _ in range(2))

    def add(self, piece: Piece) -> None:
        starts = np.concatenate([[0], np.searchsorted(piece.scores, self._edges), [len(piece.scores)]])
        filled = np.flatnonzero(np.diff(starts))
        self.positives[filled] += np.add.reduceat(piece.positives, starts[filled])
        self.negatives[filled] += np.add.reduceat(piece.negatives, starts[filled])
