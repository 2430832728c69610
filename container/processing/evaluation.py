"""evaluation.json in the Model Registry's layout for binary classification (Model Monitor's model-quality metrics).

In: labels, scores, a threshold. Out: the document. A standard deviation that cannot be given is the string "NaN",
as documented; any other NaN or infinity is refused when the text is made (jsontext.py).
"""

from __future__ import annotations

from typing import Any

import numpy as np

from processing.errors import DataError, Problem
from processing.metrics import (
    FEWEST,
    Confusion,
    Curve,
    Floats,
    Ints,
    auc,
    auc_deviation,
    confusion_at,
    curve_of,
    deviations,
    rates,
    thin,
)

CURVE_POINTS = 201
_CONSTANT = ("recall", "precision", "accuracy", "f0_5", "f1", "f2")

Document = dict[str, Any]


def evaluate_scores(labels: Ints, scores: Floats, threshold: float, where: str) -> Document:
    """The document; DataError where one class only leaves the AUC undefined."""
    curve = curve_of(labels, scores)
    if not curve.positives or not curve.negatives:
        what = f"the test split holds {'positive' if curve.positives else 'negative'} rows only, so there is no AUC"
        raise DataError([Problem(where, what, "give more rows, or a larger 'test' fraction in the recipe")])
    confusion = confusion_at(labels, scores, threshold)
    return {"binary_classification_metrics": _measures(curve, confusion)}


def _measures(curve: Curve, confusion: Confusion) -> Document:
    found: Document = {
        "confusion_matrix": {
            "0": {"0": confusion.true_negatives, "1": confusion.false_positives},
            "1": {"0": confusion.false_negatives, "1": confusion.true_positives},
        }
    }
    found |= _with_deviation(confusion)
    found["auc"] = _metric(auc(curve), auc_deviation(curve), confusion.total)
    # Like Model Monitor's, the constant classifier says 1 to every row.
    constant = _with_deviation(Confusion(0, curve.negatives, 0, curve.positives))
    found |= {f"{name}_best_constant_classifier": constant[name] for name in _CONSTANT}
    return found | _curves(curve)


def _with_deviation(confusion: Confusion) -> Document:
    spread = deviations(confusion)
    values = rates(confusion.as_array())
    return {name: _metric(float(value), spread[name], confusion.total) for name, value in values.items()}


def _metric(value: float, deviation: float, samples: int) -> Document:
    return {"value": value, "standard_deviation": deviation if samples >= FEWEST else "NaN"}


def _curves(curve: Curve) -> Document:
    recall = curve.true_positives / curve.positives
    false_rates, true_rates = thin(curve.false_positives / curve.negatives, recall, CURVE_POINTS)
    predicted = curve.true_positives + curve.false_positives
    # Where nothing is predicted yet, no prediction is wrong: the curve starts at precision 1.
    precision = np.divide(curve.true_positives, predicted, out=np.ones_like(recall), where=predicted > 0)
    recalls, precisions = thin(recall, precision, CURVE_POINTS)
    return {
        "receiver_operating_characteristic_curve": {
            "false_positive_rates": false_rates,
            "true_positive_rates": true_rates,
        },
        "precision_recall_curve": {"precisions": precisions, "recalls": recalls},
    }
