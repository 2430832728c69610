"""Exact measures: against their definitions and scikit-learn, in one run or in many, and in the registry's layout."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from processing.errors import DataError
from processing.evaluation import binary, multiclass, regression
from processing.evaluation.confusion import Confusion, deviations, rates, weighted_rates
from processing.evaluation.ranking import Ranking, rank
from processing.evaluation.runs import KeyRuns, number_keys, numbers_of
from processing.evaluation.scorefile import ScoreFile
from processing.jsontext import to_json

ROWS = st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40).filter(
    lambda rows: len({label for label, _ in rows}) == 2
)


def arrays(rows: list[tuple[bool, int]]) -> tuple[Any, Any]:
    return np.array([int(label) for label, _ in rows]), np.array([score / 5 for _, score in rows])


def drawn(count: int, seed: int = 1) -> tuple[Any, Any]:
    """Labels and the probabilities that made them, some of them equal."""
    draw = np.random.default_rng(seed)
    scores = np.round(draw.random(count), 4)
    return (draw.random(count) < scores).astype(np.int64), scores


def batches(labels: Any, scores: Any, size: int = 700) -> Iterator[tuple[Any, Any]]:
    for first in range(0, len(labels), size):
        yield scores[first : first + size], labels[first : first + size]


def plain(ranking: Ranking) -> Any:
    return binary.registry(ranking), binary.details(ranking, 0.5)


def rounded(value: Any) -> Any:
    """Numbers to ten digits: sums in another order differ in their last ones."""
    match value:
        case float():
            return round(value, 10)
        case dict():
            return {key: rounded(item) for key, item in value.items()}
        case list() | tuple():
            return [rounded(item) for item in value]
        case _:
            return value


@given(ROWS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_auc_is_the_share_of_pairs_in_the_right_order(tmp_path: Path, rows: list[tuple[bool, int]]) -> None:
    labels, scores = arrays(rows)
    pairs = [(p > n) + (p == n) / 2 for p in scores[labels == 1] for n in scores[labels == 0]]
    assert rank([(scores, labels)], tmp_path).auc == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


@given(ROWS)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_the_best_threshold_has_the_best_f1_of_all(tmp_path: Path, rows: list[tuple[bool, int]]) -> None:
    labels, scores = arrays(rows)
    f1 = {t: float(rates(rank([(scores, labels)], tmp_path, t).confusion.as_array())["f1"]) for t in scores}
    found = rank([(scores, labels)], tmp_path).thresholds
    assert f1[found.best_threshold] == pytest.approx(max(f1.values()))
    assert found.best_f1 == pytest.approx(max(f1.values()))


@given(ROWS, st.integers(1, 7))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_the_size_of_runs_changes_nothing(tmp_path: Path, rows: list[tuple[bool, int]], size: int) -> None:
    labels, scores = arrays(rows)
    whole = rank([(scores, labels)], tmp_path)
    parts = rank(batches(labels, scores, 3), tmp_path, size=size)
    assert rounded(plain(parts)) == rounded(plain(whole))
    assert list(tmp_path.glob("run-*")) == []


def test_every_measure_is_scikit_learns(tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    calibration = pytest.importorskip("sklearn.calibration")
    labels, scores = drawn(30_000)
    found = rank(batches(labels, scores), tmp_path, 0.37, size=4096)
    false, true, _ = metrics.roc_curve(labels, scores)
    expected = {
        "auc": metrics.roc_auc_score(labels, scores),
        "average precision": metrics.average_precision_score(labels, scores),
        "ks": np.max(true - false),
        "brier": metrics.brier_score_loss(labels, scores),
        "log loss": metrics.log_loss(labels, scores),
        "f2": metrics.fbeta_score(labels, scores >= 0.37, beta=2),
    }
    told = {
        "auc": found.auc,
        "average precision": found.thresholds.average_precision,
        "ks": found.thresholds.kolmogorov_smirnov,
        "brier": found.errors.brier.mean(),
        "log loss": found.errors.log_loss.mean(),
        "f2": rates(found.confusion.as_array())["f2"],
    }
    assert told == pytest.approx(expected, abs=1e-12)
    shares, means = calibration.calibration_curve(labels, scores, n_bins=20, strategy="quantile")
    assert binary.calibration(found)["positive_shares"] == pytest.approx(shares, abs=1e-12)
    assert binary.calibration(found)["mean_scores"] == pytest.approx(means, abs=1e-12)


def test_the_deviations_are_those_of_repeated_samples(tmp_path: Path) -> None:
    found = [plain(rank([drawn(400, seed)[::-1]], tmp_path)) for seed in range(150)]
    for name in ("auc", "average_precision", "brier", "log_loss"):
        values = [details["metrics"][name]["value"] for _, details in found]
        told = np.mean([details["metrics"][name]["standard_deviation"] for _, details in found])
        assert told == pytest.approx(np.std(values), rel=0.2), name
        intervals = [details["metrics"][name]["interval"] for _, details in found]
        covered = [low <= np.mean(values) <= high for low, high in intervals]
        assert 0.88 <= np.mean(covered) <= 0.99, name


def test_curves_are_bounded_exact_and_keep_their_ends(tmp_path: Path) -> None:
    labels, scores = drawn(60_000)
    found = rank([(scores, labels)], tmp_path)
    false, true = found.curves.roc()
    precisions, recalls = found.curves.precision_recall()
    assert 100 < len(false) <= 210
    assert 100 < len(recalls) <= 250
    assert (false[0], true[0], false[-1], true[-1]) == (0, 0, 1, 1)
    assert (precisions[0], recalls[0], recalls[-1]) == (1, 0, 1)
    assert (np.diff(false) >= 0).all()
    assert (np.diff(recalls) >= 0).all()
    exact = {((scores >= t) & (labels == 0)).sum() / (labels == 0).sum() for t in np.unique(scores)}
    assert set(false[1:].tolist()) <= {float(value) for value in exact}


SCALARS = {
    *("recall", "precision", "accuracy", "f0_5", "f1", "f2", "auc"),
    *(f"{kind}_{rate}_rate" for kind in ("true", "false") for rate in ("positive", "negative")),
    *(f"{name}_best_constant_classifier" for name in ("recall", "precision", "accuracy", "f0_5", "f1", "f2")),
}


def test_two_classes_have_the_layout_of_the_registry(tmp_path: Path) -> None:
    measures = json.loads(to_json(binary.registry(rank([drawn(5000)[::-1]], tmp_path))))
    curves = {"receiver_operating_characteristic_curve", "precision_recall_curve"}
    assert set(measures) == SCALARS | curves | {"confusion_matrix"}
    for name in SCALARS:
        assert set(measures[name]) == {"value", "standard_deviation"}
        assert 0 <= measures[name]["value"] <= 1
        assert 0 <= measures[name]["standard_deviation"] < 0.1
    roc, recall = (measures[name] for name in sorted(curves, reverse=True))
    assert set(roc) == {"false_positive_rates", "true_positive_rates"}
    assert set(recall) == {"precisions", "recalls"}


def test_the_documented_example_of_the_constant_classifier_and_confusion(tmp_path: Path) -> None:
    """Model Monitor's page: of four rows one is positive; three are called positive."""
    labels, scores = np.array([0, 0, 0, 1]), np.array([0.1, 0.6, 0.7, 0.8])
    measures = binary.registry(rank([(scores, labels)], tmp_path))
    assert measures["confusion_matrix"] == {"0": {"0": 1, "1": 2}, "1": {"0": 0, "1": 1}}
    assert measures["precision"] == {"value": 1 / 3, "standard_deviation": "NaN"}
    assert measures["accuracy_best_constant_classifier"]["value"] == 0.25
    assert measures["f0_5"]["value"] == pytest.approx(0.3846153846153846)


def test_no_nan_where_nothing_is_predicted_positive(tmp_path: Path) -> None:
    text = to_json(plain(rank([drawn(500)[::-1]], tmp_path, 99.0)))
    assert "NaN" not in text
    assert json.loads(text)[0]["precision"]["value"] == 0.0


def score_file(folder: Path, **columns: Any) -> ScoreFile:
    file = ScoreFile(folder / "scored", dict.fromkeys((name.replace("_", " ") for name in columns), "f8"))
    file.append({name.replace("_", " "): np.asarray(values, dtype=np.float64) for name, values in columns.items()})
    return file


@pytest.mark.parametrize("label", [0, 1])
def test_one_class_only_is_refused(tmp_path: Path, label: int) -> None:
    kind = ["negative", "positive"][label]
    file = score_file(tmp_path, target=np.full(5, label), score=np.arange(5) / 5)
    with pytest.raises(DataError, match=f"{kind} rows only, so there is no AUC\n  fix: give more rows"):
        binary.rank_or_refuse(file, tmp_path, 0.5, "test")


def test_several_classes_have_the_layout_of_the_registry_and_scikit_learns_values(tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(2)
    scores = draw.dirichlet([1, 1, 1], size=4000)
    labels = np.array([draw.choice(3, p=row) for row in scores])
    file = score_file(tmp_path, target=labels, score_0=scores[:, 0], score_1=scores[:, 1], score_2=scores[:, 2])
    classes = ("a", "b", "c")
    tally = multiclass.tally(file, classes)
    measures = json.loads(to_json(multiclass.registry(tally, classes)))
    names = ["accuracy", *(f"weighted_{name}" for name in ("recall", "precision", "f0_5", "f1", "f2"))]
    assert list(measures) == ["confusion_matrix", *names, *(f"{name}_best_constant_classifier" for name in names)]
    predicted = scores.argmax(axis=1)
    assert measures["confusion_matrix"]["a"]["c"] == int(((labels == 0) & (predicted == 2)).sum())
    assert measures["weighted_f2"]["value"] == pytest.approx(
        metrics.fbeta_score(labels, predicted, beta=2, average="weighted"), abs=1e-12
    )
    assert measures["accuracy_best_constant_classifier"]["value"] == pytest.approx(np.bincount(labels).max() / 4000)
    details = multiclass.details(tally, multiclass.one_vs_rest(file, classes, tmp_path), classes)
    assert details["metrics"]["log_loss"]["value"] == pytest.approx(metrics.log_loss(labels, scores), abs=1e-12)
    assert details["metrics"]["macro_auc"]["value"] == pytest.approx(
        metrics.roc_auc_score(labels, scores, multi_class="ovr"), abs=1e-12
    )


def test_a_class_without_rows_has_no_auc_and_no_nan(tmp_path: Path) -> None:
    scores = np.random.default_rng(0).dirichlet([1, 1, 1], size=300)
    file = score_file(tmp_path, target=np.arange(300) % 2, **{f"score_{i}": scores[:, i] for i in range(3)})
    tally = multiclass.tally(file, "abc")
    details = multiclass.details(tally, multiclass.one_vs_rest(file, "abc", tmp_path), "abc")
    assert details["classes"]["c"]["auc"]["value"] is None
    assert "NaN" not in to_json([details, multiclass.registry(tally, "abc")])


def test_numbers_have_the_layout_of_the_registry_and_scikit_learns_values(tmp_path: Path) -> None:
    metrics = pytest.importorskip("sklearn.metrics")
    draw = np.random.default_rng(4)
    targets = 1e6 + draw.normal(size=3000)
    scores = targets + draw.normal(size=3000) * 0.3
    file = score_file(tmp_path, target=targets, score=scores)
    sums = regression.sums(file)
    measures = json.loads(to_json(regression.registry(sums, file.rows)))
    assert list(measures) == ["mae", "mse", "rmse", "r2"]
    assert measures["mae"]["value"] == pytest.approx(metrics.mean_absolute_error(targets, scores), rel=1e-9)
    assert measures["mse"]["value"] == pytest.approx(metrics.mean_squared_error(targets, scores), rel=1e-9)
    assert measures["r2"]["value"] == pytest.approx(metrics.r2_score(targets, scores), rel=1e-9)
    assert measures["mae"]["standard_deviation"] == pytest.approx(np.abs(scores - targets).std() / 3000**0.5, rel=0.1)
    found = regression.details(sums, file, tmp_path)["residual_quantiles"]
    assert found["values"] == pytest.approx(np.quantile(scores - targets, found["probabilities"]).tolist(), abs=1e-12)
    assert regression.registry(sums, 199)["mse"]["standard_deviation"] == "NaN"


def test_a_constant_target_is_refused(tmp_path: Path) -> None:
    file = score_file(tmp_path, target=np.full(9, 4.5), score=np.arange(9))
    message = "all 9 rows of the test split have the target 4.5, so there is no R²\n  fix: give"
    with pytest.raises(DataError, match=re.escape(message)):
        regression.refuse_constant(file, "test")


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32), min_size=1, max_size=60), st.integers(1, 9))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow], deadline=None)
def test_quantiles_of_runs_are_numpys(tmp_path: Path, numbers: list[float], size: int) -> None:
    values = np.array(numbers)
    assert (numbers_of(number_keys(values)) == values).all()
    runs = KeyRuns(tmp_path, size)
    runs.add(number_keys(values))
    expected = np.quantile(values, [0.0, 0.3, 0.5, 1.0])
    assert regression.quantiles(runs, (0.0, 0.3, 0.5, 1.0)) == pytest.approx(expected.tolist(), rel=1e-12, abs=1e-30)


def test_the_bootstrap_of_a_confusion_is_seeded_and_right() -> None:
    counts = Confusion(500, 100, 80, 320).as_array()
    assert deviations(counts) == deviations(counts)
    assert deviations(counts)["accuracy"] == pytest.approx((0.82 * 0.18 / 1000) ** 0.5, rel=0.15)
    assert deviations(counts.reshape(2, 2))["accuracy"] == pytest.approx((0.82 * 0.18 / 1000) ** 0.5, rel=0.15)
    assert float(weighted_rates(np.zeros((2, 2), dtype=np.int64))["accuracy"]) == 0.0
