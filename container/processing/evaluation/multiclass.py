"""Several classes: the registry's multiclass_classification_metrics, and what it has no place for.

In: scored rows with a probability for each class. Out: plain data for evaluation.json. The class with the highest
probability is predicted, the first of equal ones.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from processing.arrays import Array, Floats, Ints
from processing.evaluation.binary import scores_and_labels
from processing.evaluation.confusion import class_rates, deviations, weighted_rates
from processing.evaluation.folds import EPSILON, Spread
from processing.evaluation.metric import Plain, registry_metric, with_normal
from processing.evaluation.ranking import Ranking, rank
from processing.evaluation.scored import TARGET, score_names, slice_column
from processing.evaluation.scorefile import ScoreFile
from processing.task import Task


@dataclass(frozen=True)
class Tally:
    """Counts [actual, predicted], and the logarithmic loss."""

    matrix: Ints
    log_loss: Spread


def tally(file: ScoreFile, classes: Sequence[str], where: tuple[str, int] | None = None) -> Tally:
    """The counts of all rows, or of those whose slice column has a code."""
    count = len(classes)
    found = Tally(np.zeros((count, count), dtype=np.int64), Spread())
    names = [TARGET, *score_names(Task.MULTICLASS, classes), *([slice_column(where[0])] if where else [])]
    for columns in file.read(names):
        kept = columns[count + 1] == where[1] if where else slice(None)
        targets = columns[0][kept].astype(np.int64)
        scores = np.stack(columns[1 : count + 1], axis=1)[kept]
        found.matrix[...] += np.bincount(targets * count + scores.argmax(axis=1), minlength=count * count).reshape(
            count, count
        )
        found.log_loss.add(losses(scores, targets), np.ones(len(targets), dtype=np.int64))
    return found


def losses(scores: Array, targets: Ints) -> Floats:
    """The logarithmic loss of each row."""
    return np.asarray(-np.log(np.clip(scores[np.arange(len(targets)), targets], EPSILON, 1.0)))


def registry(found: Tally, classes: Sequence[str]) -> Plain:
    """multiclass_classification_metrics, complete. The constant classifier says the most frequent class."""
    rows = int(found.matrix.sum())
    constant = np.zeros_like(found.matrix)
    constant[:, int(found.matrix.sum(axis=1).argmax())] = found.matrix.sum(axis=1)
    document: Plain = {
        "confusion_matrix": {
            actual: {predicted: int(found.matrix[i, j]) for j, predicted in enumerate(classes)}
            for i, actual in enumerate(classes)
        }
    }
    for matrix, suffix in ((found.matrix, ""), (constant, "_best_constant_classifier")):
        spread = deviations(matrix)
        document |= {
            f"{name}{suffix}": registry_metric(float(value), spread[name], rows)
            for name, value in weighted_rates(matrix).items()
        }
    return document


def one_vs_rest(file: ScoreFile, classes: Sequence[str], folder: Path) -> list[Ranking]:
    """The ranking of each class against all others."""
    return [rank(scores_and_labels(file, index, f"score {index}"), folder) for index in range(len(classes))]


def details(found: Tally, rankings: Sequence[Ranking], classes: Sequence[str]) -> Plain:
    """What the registry's layout has no place for."""
    by_class = class_rates(found.matrix)
    for row, ranking in zip(by_class, rankings, strict=True):
        row |= {"auc": with_normal(ranking.auc, ranking.auc_deviation, 0, 1)}  # type: ignore[dict-item]
    areas = [ranking.auc for ranking in rankings if ranking.auc is not None]
    spread = deviations(found.matrix)["accuracy"]
    return {
        "rows": {name: int(count) for name, count in zip(classes, found.matrix.sum(axis=1), strict=True)},
        "metrics": {
            "accuracy": with_normal(float(np.trace(found.matrix) / found.matrix.sum()), spread, 0, 1),
            "log_loss": with_normal(found.log_loss.mean(), found.log_loss.deviation_of_mean(), 0),
            "macro_auc": with_normal(float(np.mean(areas)) if areas else None, None),
        },
        "classes": dict(zip(classes, by_class, strict=True)),
        "curves": {
            name: _curve(ranking) for name, ranking in zip(classes, rankings, strict=True) if ranking.auc is not None
        },
    }


def _curve(ranking: Ranking) -> Plain:
    false_rates, true_rates = ranking.curves.roc()
    return {"false_positive_rates": false_rates.tolist(), "true_positive_rates": true_rates.tolist()}


def summary(found: Tally) -> Plain:
    """A line of a table of slices."""
    rows = int(found.matrix.sum())
    measures: Plain = {name: float(value) for name, value in weighted_rates(found.matrix).items()}
    share = measures["accuracy"]
    measures["accuracy"] = with_normal(share, math.sqrt(share * (1 - share) / max(rows, 1)), 0, 1)
    return {"rows": rows, **measures, "log_loss": found.log_loss.mean()}
