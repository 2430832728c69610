"""Two models on the same rows: paired intervals against their definitions."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from processing.errors import DataError
from processing.evaluation.comparison import compare
from processing.evaluation.drift import BinCounts, psi
from processing.evaluation.scored import Scored
from processing.evaluation.scorefile import ScoreFile
from processing.task import Task
from processing.training.reference import reference_of

CLASSES = {Task.BINARY: ("0", "1"), Task.MULTICLASS: ("a", "b", "c"), Task.REGRESSION: ()}


def scored(folder: Path, task: Task, targets: Any, *scores: Any) -> Scored:
    names = [f"score {index}" for index in range(len(scores))] if task is Task.MULTICLASS else ["score"]
    columns = {"target": targets, **dict(zip(names, scores, strict=True)), "key": np.arange(len(targets))}
    file = ScoreFile(folder, {name: "u8" if name == "key" else "f8" for name in columns})
    file.append(columns)
    return Scored(file, task, CLASSES[task], "champion_test", {}, BinCounts({}), BinCounts({}))


def delong(labels: Any, first: Any, second: Any) -> float:
    """The deviation of the difference by DeLong's definition, all pairs written out."""
    parts = []
    for scores in (first, second):
        wins = (scores[labels == 1][:, None] > scores[labels == 0]) + 0.5 * (
            scores[labels == 1][:, None] == scores[labels == 0]
        )
        parts.append((wins.mean(axis=1), wins.mean(axis=0)))
    gaps = [parts[0][side] - parts[1][side] for side in (0, 1)]
    return float(np.sqrt(sum(gap.var(ddof=1) / len(gap) for gap in gaps)))


def test_the_paired_interval_of_the_auc_is_delongs(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    labels = (draw.random(600) < 0.3).astype(np.float64)
    signal = labels + draw.normal(size=600)
    first, second = (1 / (1 + np.exp(-signal - 0.8 * draw.normal(size=600) * k)) for k in (0.4, 1.0))
    new, champion = (
        scored(tmp_path / name, Task.BINARY, labels, np.round(scores, 2))
        for name, scores in (("new", first), ("champion", second))
    )
    found = compare(new, champion, tmp_path)
    assert found["difference"]["standard_deviation"] == pytest.approx(
        delong(labels, np.round(first, 2), np.round(second, 2)), rel=1e-9
    )
    assert found["metric"] == "auc"
    assert found["difference"]["value"] == pytest.approx(found["new"] - found["champion"])


def test_the_same_model_shows_no_difference_and_an_empty_interval(tmp_path: Path) -> None:
    draw = np.random.default_rng(0)
    labels, scores = (draw.random(5000) < 0.3).astype(np.float64), draw.random(5000)
    pair = [scored(tmp_path / name, Task.BINARY, labels, scores) for name in ("a", "b")]
    found = compare(pair[0], pair[1], tmp_path)
    assert found["difference"] == {"value": 0.0, "standard_deviation": 0.0, "interval": [0.0, 0.0]}
    assert found["verdict"] == "no difference shown"


def test_accuracy_is_compared_row_by_row(tmp_path: Path) -> None:
    draw = np.random.default_rng(1)
    labels = draw.integers(0, 3, 1000)
    good, bad = (np.eye(3)[labels] + draw.random((1000, 3)) * spread for spread in (1.2, 4))
    pair = [scored(tmp_path / str(spread), Task.MULTICLASS, labels, *s.T) for spread, s in ((1, good), (2, bad))]
    found = compare(pair[0], pair[1], tmp_path)
    gaps = (good.argmax(axis=1) == labels).astype(float) - (bad.argmax(axis=1) == labels)
    assert found["verdict"] == "better"
    assert found["difference"]["value"] == pytest.approx(gaps.mean())
    assert found["difference"]["standard_deviation"] == pytest.approx(gaps.std(ddof=1) / 1000**0.5)


def test_a_lower_rmse_is_better_and_its_deviation_is_that_of_repeated_samples(tmp_path: Path) -> None:
    found = []
    for seed in range(60):
        draw = np.random.default_rng(seed)
        targets = draw.normal(size=400)
        noise = draw.normal(size=400)
        pair = [
            scored(
                tmp_path / f"{seed}-{k}", Task.REGRESSION, targets, targets + noise * k + 0.1 * draw.normal(size=400)
            )
            for k in (0.5, 0.7)
        ]
        found.append(compare(pair[0], pair[1], tmp_path))
    assert {item["verdict"] for item in found} == {"better"}
    values = [item["difference"]["value"] for item in found]
    told = np.mean([item["difference"]["standard_deviation"] for item in found])
    assert told == pytest.approx(np.std(values), rel=0.3)


def test_a_champion_of_another_target_is_refused(tmp_path: Path) -> None:
    targets = np.arange(4.0) % 2
    new = scored(tmp_path / "a", Task.BINARY, targets, targets)
    with pytest.raises(DataError, match="the champion has another target: regression of a number\n  fix: compare with"):
        compare(new, scored(tmp_path / "b", Task.REGRESSION, targets, targets), tmp_path)
    with pytest.raises(DataError, match="its rows have other targets than the test split's"):
        compare(new, scored(tmp_path / "c", Task.BINARY, 1 - targets, targets), tmp_path)


def test_drift_is_the_population_stability_index_and_chance_is_no_drift() -> None:
    assert psi(np.array([0.5, 0.5]), np.array([0.5, 0.5])) == 0
    assert psi(np.array([0.5, 0.5]), np.array([0.9, 0.1])) == pytest.approx(0.4 * np.log(1.8) - 0.4 * np.log(0.2))
    draw = np.random.default_rng(0)
    reference = reference_of(draw.normal(size=10_000))
    for rows, shift, level in ((30, 0.0, "small"), (5000, 0.0, "small"), (5000, 0.4, "moderate"), (5000, 2.0, "large")):
        counts = BinCounts({"x": reference})
        counts.add({"x": draw.normal(size=rows) + shift, "unknown": np.zeros(rows)})
        (found,) = counts.drift()
        assert (found["name"], found["level"]) == ("x", level), (rows, shift, found)
