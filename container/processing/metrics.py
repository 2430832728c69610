"""Measures of a binary classifier, in numpy: exact AUC, curves, threshold measures and their standard deviations.

In: labels (0 or 1) and scores. Out: plain numbers and arrays. Ties between scores are counted, never broken.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

FEWEST = 200
"""Model Monitor gives a standard deviation from this many samples up."""

_DRAWS = 400


@dataclass(frozen=True)
class Confusion:
    """Counts by actual and predicted class."""

    true_negatives: int
    false_positives: int
    false_negatives: int
    true_positives: int

    @property
    def total(self) -> int:
        return self.true_negatives + self.false_positives + self.false_negatives + self.true_positives

    def as_array(self) -> Ints:
        counts = [self.true_negatives, self.false_positives, self.false_negatives, self.true_positives]
        return np.array(counts, dtype=np.int64)


@dataclass(frozen=True)
class Curve:
    """Counts of rows at or above each distinct score, from the highest down; the first point is above all scores."""

    scores: Floats
    true_positives: Ints
    false_positives: Ints

    @property
    def positives(self) -> int:
        return int(self.true_positives[-1])

    @property
    def negatives(self) -> int:
        return int(self.false_positives[-1])


def curve_of(labels: Ints, scores: Floats) -> Curve:
    """The curve over the distinct scores: everything below is read from it."""
    distinct, place = np.unique(scores, return_inverse=True)
    positives = np.bincount(place, weights=labels, minlength=len(distinct)).astype(np.int64)
    rows = np.bincount(place, minlength=len(distinct)).astype(np.int64)
    true = np.concatenate([[0], np.cumsum(positives[::-1])]).astype(np.int64)
    false = np.concatenate([[0], np.cumsum((rows - positives)[::-1])]).astype(np.int64)
    return Curve(np.concatenate([[np.inf], distinct[::-1]]), true, false)


def auc(curve: Curve) -> float:
    """The share of (positive, negative) pairs that the score orders right, a tie counting half. Exact."""
    wins = np.diff(curve.false_positives) * (curve.true_positives[:-1] + curve.true_positives[1:])
    # Python's integers do not overflow: twice the number of pairs may exceed 64 bits on large data.
    doubled = int(wins.sum()) if curve.positives * curve.negatives < 2**61 else sum(map(int, wins))
    return doubled / (2 * curve.positives * curve.negatives)


def auc_deviation(curve: Curve) -> float:
    """The standard deviation of the AUC (DeLong, DeLong and Clarke-Pearson 1988), ties counting half."""
    positives, negatives = np.diff(curve.true_positives), np.diff(curve.false_positives)
    # For each distinct score: the share of negatives below it, and the share of positives above it.
    below = 1 - (curve.false_positives[:-1] + negatives / 2) / curve.negatives
    above = (curve.true_positives[:-1] + positives / 2) / curve.positives
    variance = _variance(below, positives) / curve.positives + _variance(above, negatives) / curve.negatives
    return float(np.sqrt(variance))


def _variance(values: Floats, weights: Ints) -> float:
    count = int(weights.sum())
    if count < 2:
        return 0.0
    mean = float((values * weights).sum() / count)
    return float((weights * (values - mean) ** 2).sum() / (count - 1))


def best_threshold(curve: Curve) -> float:
    """The score at and above which to predict 1 for the best F1; the highest of equal ones."""
    true, false = curve.true_positives[1:], curve.false_positives[1:]
    f1 = 2 * true / (true + false + curve.positives)
    return float(curve.scores[1:][int(np.argmax(f1))])


def confusion_at(labels: Ints, scores: Floats, threshold: float) -> Confusion:
    predicted = scores >= threshold
    actual = labels == 1
    return Confusion(
        int(np.sum(~predicted & ~actual)),
        int(np.sum(predicted & ~actual)),
        int(np.sum(~predicted & actual)),
        int(np.sum(predicted & actual)),
    )


def rates(counts: NDArray[np.int64]) -> dict[str, Floats]:
    """Every measure of one or many confusions (rows of TN, FP, FN, TP); a share of nothing is 0."""
    tn, fp, fn, tp = (counts[..., index].astype(np.float64) for index in range(4))
    recall, precision = _share(tp, tp + fn), _share(tp, tp + fp)
    found = {
        "recall": recall,
        "precision": precision,
        "accuracy": _share(tp + tn, tp + tn + fp + fn),
        "true_positive_rate": recall,
        "true_negative_rate": _share(tn, tn + fp),
        "false_positive_rate": _share(fp, fp + tn),
        "false_negative_rate": _share(fn, fn + tp),
    }
    for name, beta in (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0)):
        square = beta * beta
        found[name] = _share((1 + square) * tp, (1 + square) * tp + square * fn + fp)
    return found


def _share(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def deviations(confusion: Confusion) -> dict[str, float]:
    """The standard deviation of every measure, by bootstrap: resampling rows is resampling the four counts.

    The seed is fixed, so that the same data give the same file.
    """
    counts = confusion.as_array()
    draws = np.random.default_rng(0).multinomial(confusion.total, counts / confusion.total, size=_DRAWS)
    return {name: float(np.std(values, ddof=1)) for name, values in rates(draws).items()}


def thin(x: Floats, y: Floats, points: int) -> tuple[list[float], list[float]]:
    """At most `points` points of a curve, the ends among them, evenly along its length."""
    if len(x) <= points:
        return [float(value) for value in x], [float(value) for value in y]
    length = np.concatenate([[0.0], np.cumsum(np.abs(np.diff(x)) + np.abs(np.diff(y)))])
    chosen = np.unique(np.searchsorted(length, np.linspace(0, length[-1], points)).clip(0, len(x) - 1))
    chosen[0], chosen[-1] = 0, len(x) - 1
    return [float(value) for value in x[chosen]], [float(value) for value in y[chosen]]
