"""The measures against their definitions, and the Model Registry's layout."""

from __future__ import annotations

import json
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing.errors import DataError
from processing.evaluation import CURVE_POINTS, evaluate_scores
from processing.jsontext import to_json
from processing.metrics import auc, auc_deviation, best_threshold, confusion_at, curve_of, rates, thin
from processing.report import report_html

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def arrays(rows: list[tuple[bool, int]]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([int(label) for label, _ in rows]), np.array([score / 5 for _, score in rows])


@given(ROWS)
def test_auc_is_the_share_of_pairs_in_the_right_order(rows: list[tuple[bool, int]]) -> None:
    labels, scores = arrays(rows)
    pairs = [(p > n) + (p == n) / 2 for p in scores[labels == 1] for n in scores[labels == 0]]
    assert auc(curve_of(labels, scores)) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


@given(ROWS)
def test_the_best_threshold_has_the_best_f1_of_all(rows: list[tuple[bool, int]]) -> None:
    labels, scores = arrays(rows)
    f1 = {t: float(rates(confusion_at(labels, scores, t).as_array())["f1"]) for t in scores}
    assert f1[best_threshold(curve_of(labels, scores))] == pytest.approx(max(f1.values()))


def test_the_deviation_of_the_auc_is_that_of_repeated_samples() -> None:
    draw = np.random.default_rng(3)
    sample = [(labels := draw.random(400) < 0.3, draw.normal(size=400) + labels) for _ in range(300)]
    curves = [curve_of(labels.astype(np.int64), scores) for labels, scores in sample]
    told = np.mean([auc_deviation(curve) for curve in curves])
    assert told == pytest.approx(np.std([auc(curve) for curve in curves]), rel=0.15)


@given(st.integers(2, 3000), st.integers(2, 50))
def test_a_thinned_curve_is_bounded_and_keeps_its_ends(count: int, points: int) -> None:
    x = np.linspace(0, 1, count)
    found, other = thin(x, x**2, points)
    assert len(found) == len(other) <= points
    assert (found[0], found[-1]) == (0.0, 1.0)


def scored(count: int) -> tuple[np.ndarray, np.ndarray]:
    draw = np.random.default_rng(1)
    labels = (draw.random(count) < 0.3).astype(np.int64)
    return labels, draw.normal(size=count) + labels


SCALARS = {
    *("recall", "precision", "accuracy", "f0_5", "f1", "f2", "auc"),
    *(f"{kind}_{rate}_rate" for kind in ("true", "false") for rate in ("positive", "negative")),
    *(f"{name}_best_constant_classifier" for name in ("recall", "precision", "accuracy", "f0_5", "f1", "f2")),
}


def test_the_evaluation_has_the_layout_of_the_registry() -> None:
    document = json.loads(to_json(evaluate_scores(*scored(5000), 0.5, "test")))
    (measures,) = document.values()
    assert list(document) == ["binary_classification_metrics"]
    curves = {"receiver_operating_characteristic_curve", "precision_recall_curve"}
    assert set(measures) == SCALARS | curves | {"confusion_matrix"}
    for name in SCALARS:
        assert set(measures[name]) == {"value", "standard_deviation"}
        assert 0 <= measures[name]["value"] <= 1
        assert 0 <= measures[name]["standard_deviation"] < 0.1
    roc, recall = (measures[name] for name in sorted(curves, reverse=True))
    assert set(roc) == {"false_positive_rates", "true_positive_rates"}
    assert set(recall) == {"precisions", "recalls"}
    assert 50 < len(roc["false_positive_rates"]) <= CURVE_POINTS


def test_the_documented_example_of_the_constant_classifier_and_confusion() -> None:
    """Model Monitor's page: of four rows one is positive; three are called positive."""
    labels, scores = np.array([0, 0, 0, 1]), np.array([0.1, 0.6, 0.7, 0.8])
    measures = evaluate_scores(labels, scores, 0.5, "test")["binary_classification_metrics"]
    assert measures["confusion_matrix"] == {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 1}}
    assert measures["precision"] == {"value": 1 / 3, "standard_deviation": "NaN"}
    assert measures["accuracy_best_constant_classifier"]["value"] == 0.25
    assert measures["f0_5"]["value"] == pytest.approx(0.3846153846153846)


def test_no_nan_where_nothing_is_predicted_positive() -> None:
    text = to_json(evaluate_scores(*scored(500), 99.0, "test"))
    assert "NaN" not in text
    assert json.loads(text)["binary_classification_metrics"]["precision"]["value"] == 0.0


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only_is_refused(label: int) -> None:
    kind = ["negative", "positive"][label]
    with pytest.raises(DataError, match=f"{kind} rows only, so there is no AUC\n  fix: give more rows"):
        evaluate_scores(np.full(5, label), np.arange(5.0), 0.5, "test")


def test_the_report_stands_alone_and_escapes_what_it_is_told() -> None:
    page = report_html(evaluate_scores(*scored(500), 0.5, "test"), [("Target", "a < b & <script>")])
    assert "a &lt; b &amp; &lt;script&gt;" in page
    assert not re.search(r"<script|<link|src=|href=|https?:|url\(", page)
    assert page.count("<polyline") == 1
    assert "color-scheme: light dark" in page
