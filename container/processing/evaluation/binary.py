"""Two classes: the registry's binary_classification_metrics, and what it has no place for.

In: a ranking. Out: plain data for evaluation.json. Deviations: DeLong's for the AUC, of a mean for losses, bootstrap
for the rest: of the confusion's counts, and of the curve in bins of a thousandth of the rows each.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from processing.arrays import Array, Floats
from processing.errors import DataError, Problem
from processing.evaluation.confusion import Confusion, deviations, rates
from processing.evaluation.metric import Plain, registry_metric, with_draws, with_normal
from processing.evaluation.ranking import Ranking, rank
from processing.evaluation.scored import TARGET
from processing.evaluation.scorefile import ScoreFile

_CONSTANT = ("recall", "precision", "accuracy", "f0_5", "f1", "f2")
_DRAWS = 300
_CALIBRATION_BINS = 20


def scores_and_labels(file: ScoreFile, label: int = 1, score: str = "score") -> Iterator[tuple[Floats, Array]]:
    """Batches for `rank`: the scores of a column, and whether the target is that class."""
    for targets, scores in file.read([TARGET, score]):
        yield scores, targets == label


def rank_or_refuse(file: ScoreFile, folder: Path, threshold: float, where: str) -> Ranking:
    """The ranking; DataError where one class only leaves the AUC undefined."""
    ranking = rank(scores_and_labels(file), folder, threshold)
    totals = ranking.totals
    if not totals.positives or not totals.negatives:
        what = f"the test split holds {'positive' if totals.positives else 'negative'} rows only, so there is no AUC"
        raise DataError([Problem(where, what, "give more rows, or a larger 'test' fraction in the recipe")])
    return ranking


def registry(ranking: Ranking) -> Plain:
    """binary_classification_metrics, complete."""
    confusion, totals = ranking.confusion, ranking.totals
    found: Plain = {
        "confusion_matrix": {
            "0": {"0": confusion.true_negatives, "1": confusion.false_positives},
            "1": {"0": confusion.false_negatives, "1": confusion.true_positives},
        }
    }
    found |= _with_deviation(confusion)
    found["auc"] = registry_metric(ranking.auc or 0.0, ranking.auc_deviation, totals.rows)
    # Like Model Monitor's, the constant classifier says 1 to every row.
    constant = _with_deviation(Confusion(0, totals.negatives, 0, totals.positives))
    found |= {f"{name}_best_constant_classifier": constant[name] for name in _CONSTANT}
    false_rates, true_rates = ranking.curves.roc()
    precisions, recalls = ranking.curves.precision_recall()
    found["receiver_operating_characteristic_curve"] = {
        "false_positive_rates": false_rates.tolist(),
        "true_positive_rates": true_rates.tolist(),
    }
    found["precision_recall_curve"] = {"precisions": precisions.tolist(), "recalls": recalls.tolist()}
    return found


def _with_deviation(confusion: Confusion) -> Plain:
    spread = deviations(confusion.as_array())
    values = rates(confusion.as_array())
    return {name: registry_metric(float(value), spread[name], confusion.total) for name, value in values.items()}


def details(ranking: Ranking, threshold: float) -> Plain:
    """What the registry's layout has no place for."""
    errors, found = ranking.errors, ranking.thresholds
    precision_draws, gap_draws = curve_draws(ranking)
    return {
        "rows": {"0": ranking.totals.negatives, "1": ranking.totals.positives},
        "threshold": {"value": threshold, "chosen_by": "best F1 on the validation split"},
        "metrics": {
            "auc": with_normal(ranking.auc, ranking.auc_deviation, 0, 1),
            "average_precision": with_draws(found.average_precision, precision_draws, 0, 1),
            "kolmogorov_smirnov": with_draws(found.kolmogorov_smirnov, gap_draws, 0, 1),
            "brier": with_normal(errors.brier.mean(), errors.brier.deviation_of_mean(), 0, 1),
            "log_loss": with_normal(errors.log_loss.mean(), errors.log_loss.deviation_of_mean(), 0),
            "expected_calibration_error": with_normal(calibration_error(ranking), None),
        },
        "calibration": calibration(ranking),
        "thresholds": thresholds(ranking),
        "score_histogram": {
            "0": ranking.histogram.negatives.tolist(),
            "1": ranking.histogram.positives.tolist(),
        },
    }


def calibration(ranking: Ranking) -> Plain:
    """Mean score and share of positives in bins of equal rows."""
    rows, positives, scores = ranking.bins.joined(_CALIBRATION_BINS)
    return {
        "rows": rows.tolist(),
        "mean_scores": (scores / rows).tolist(),
        "positive_shares": (positives / rows).tolist(),
    }


def thresholds(ranking: Ranking) -> Plain:
    """Precision, recall and the share predicted 1 at a hundred thresholds, each about a hundredth of the rows apart."""
    bins, totals = ranking.bins, ranking.totals
    filled = np.flatnonzero(bins.rows > 0)
    rows, positives = (np.cumsum(array[filled][::-1])[::-1] for array in (bins.rows, bins.positives))
    chosen = np.unique(np.linspace(0, len(filled) - 1, 100).astype(np.int64))
    return {
        "thresholds": bins.lowest[filled][chosen].tolist(),
        "precisions": (positives / rows)[chosen].tolist(),
        "recalls": (positives / max(totals.positives, 1))[chosen].tolist(),
        "predicted_shares": (rows / totals.rows)[chosen].tolist(),
    }


def calibration_error(ranking: Ranking) -> float:
    """The mean distance of score and share over those bins, weighed by rows."""
    rows, positives, scores = ranking.bins.joined(_CALIBRATION_BINS)
    return float(np.abs(scores - positives).sum() / rows.sum())


def curve_draws(ranking: Ranking) -> tuple[Floats, Floats]:
    """Bootstrap draws of average precision and of Kolmogorov-Smirnov: Poisson counts for the rows of each bin."""
    generator = np.random.default_rng(0)
    bins = ranking.bins
    filled = bins.rows > 0
    # From the highest scores down.
    positives, rows = bins.positives[filled][::-1], bins.rows[filled][::-1]
    shape = (_DRAWS, len(rows))
    true = np.cumsum(drawn := generator.poisson(positives, shape), axis=1)
    false = np.cumsum(generator.poisson(rows - positives, shape), axis=1)
    kept = (true[:, -1] > 0) & (false[:, -1] > 0)
    true, false, drawn = true[kept], false[kept], drawn[kept]
    precisions = np.divide(true, true + false, out=np.zeros(true.shape), where=true + false > 0)
    gaps = np.abs(true / true[:, -1:] - false / false[:, -1:]).max(axis=1)
    return (drawn * precisions).sum(axis=1) / true[:, -1], gaps


def summary(ranking: Ranking) -> dict[str, Any]:
    """A line of a table of slices; null where a measure needs two classes."""
    totals, confusion = ranking.totals, ranking.confusion
    both = bool(totals.positives and totals.negatives)
    found = rates(confusion.as_array())
    return {
        "rows": totals.rows,
        "positive_share": totals.positives / max(totals.rows, 1),
        "mean_score": float(ranking.bins.scores.sum() / max(totals.rows, 1)),
        "auc": with_normal(ranking.auc, ranking.auc_deviation, 0, 1),
        "average_precision": ranking.thresholds.average_precision if both else None,
        "log_loss": ranking.errors.log_loss.mean(),
        "brier": ranking.errors.brier.mean(),
        **{name: float(found[name]) for name in ("precision", "recall", "f1", "accuracy")},
    }
