"""Measures of a confusion of two classes or of many, and their standard deviations.

In: counts by actual and predicted class. Out: plain numbers. A share of nothing is 0.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from processing.arrays import Floats, Ints

_DRAWS = 400
BETAS = (("f0_5", 0.5), ("f1", 1.0), ("f2", 2.0))


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


def rates(counts: NDArray[np.int64]) -> dict[str, Floats]:
    """Every measure of one or many confusions (rows of TN, FP, FN, TP)."""
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
    return found | {name: _f(beta, tp, fp, fn) for name, beta in BETAS}


def weighted_rates(matrices: NDArray[np.int64]) -> dict[str, Floats]:
    """Measures of one or many matrices [..., actual, predicted], weighted by the rows of each actual class."""
    tp = np.diagonal(matrices, axis1=-2, axis2=-1).astype(np.float64)
    actual, predicted = matrices.sum(axis=-1).astype(np.float64), matrices.sum(axis=-2).astype(np.float64)
    total = actual.sum(axis=-1)
    by_class = {"weighted_recall": _share(tp, actual), "weighted_precision": _share(tp, predicted)}
    by_class |= {f"weighted_{name}": _f(beta, tp, predicted - tp, actual - tp) for name, beta in BETAS}
    found = {"accuracy": _share(tp.sum(axis=-1), total)}
    return found | {name: _share((values * actual).sum(axis=-1), total) for name, values in by_class.items()}


def class_rates(matrix: NDArray[np.int64]) -> list[dict[str, float]]:
    """Rows, recall, precision and F1 of each class of a matrix [actual, predicted]."""
    tp = np.diagonal(matrix).astype(np.float64)
    actual, predicted = matrix.sum(axis=1).astype(np.float64), matrix.sum(axis=0).astype(np.float64)
    columns = {
        "recall": _share(tp, actual),
        "precision": _share(tp, predicted),
        "f1": _f(1.0, tp, predicted - tp, actual - tp),
    }
    rows = [{"rows": int(count)} for count in actual]
    return [row | {name: float(values[i]) for name, values in columns.items()} for i, row in enumerate(rows)]


def deviations(counts: NDArray[np.int64]) -> dict[str, float]:
    """Of `rates` or, for a square matrix, of `weighted_rates`: by bootstrap, resampling rows being resampling counts.

    The seed is fixed, so that the same data give the same file.
    """
    measure = weighted_rates if counts.ndim == 2 else rates
    flat = counts.reshape(-1)
    total = int(flat.sum())
    draws = np.random.default_rng(0).multinomial(total, flat / total, size=_DRAWS)
    return {n: float(np.std(v, ddof=1)) for n, v in measure(draws.reshape(_DRAWS, *counts.shape)).items()}


def _f(beta: float, tp: Floats, fp: Floats, fn: Floats) -> Floats:
    square = beta * beta
    return _share((1 + square) * tp, (1 + square) * tp + square * fn + fp)


def _share(part: Floats, whole: Floats) -> Floats:
    part, whole = np.broadcast_arrays(part, whole)
    return np.divide(part, whole, out=np.zeros(part.shape), where=whole > 0)
