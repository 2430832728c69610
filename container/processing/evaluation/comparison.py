"""The new model against a champion on the same rows: the difference of the main measure with its interval, paired.

In: the rows as both scored them. Out: plain data for evaluation.json. Paired means that what a row does to both models
cancels out, so that the interval is far narrower than two intervals side by side. AUC: DeLong's covariance, over bins
of a thousandth of the rows each (exact up to that many distinct scores). Accuracy and RMSE: the mean of differences.
"""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np

from processing.arrays import Array, Floats, Ints
from processing.errors import DataError, Problem
from processing.evaluation.binary import scores_and_labels
from processing.evaluation.folds import Spread
from processing.evaluation.metric import CONFIDENCE, Plain, with_normal
from processing.evaluation.ranking import BINS, Ranking, rank
from processing.evaluation.scored import KEY, TARGET, Scored
from processing.evaluation.scorefile import ScoreFile
from processing.task import Task

MEASURES = {Task.BINARY: ("auc", True), Task.MULTICLASS: ("accuracy", True), Task.REGRESSION: ("rmse", False)}
"""The main measure of each task, and whether more is better."""


def compare(new: Scored, champion: Scored, folder: Path) -> Plain:
    """The difference, new minus champion."""
    _refuse_other_rows(new, champion)
    measure, more = MEASURES[new.task]
    mine, theirs, deviation, method = _COMPARISONS[new.task](new.file, champion.file, folder, len(new.classes))
    found = with_normal(mine - theirs, deviation)
    low, high = found["interval"]
    better, worse = (low > 0, high < 0) if more else (high < 0, low > 0)
    return {
        "metric": measure,
        "new": mine,
        "champion": theirs,
        "difference": found,
        "confidence": CONFIDENCE,
        "method": method,
        "verdict": "better" if better else "worse" if worse else "no difference shown",
    }


def _refuse_other_rows(new: Scored, champion: Scored) -> None:
    """Same targets and, where both have them, same keys, row by row."""
    fix = "write both from the same rows: the champion's features.json applied to the data of this test split"
    if (new.task, new.classes) != (champion.task, champion.classes):
        what = f"the champion has another target: {champion.task} of {', '.join(champion.classes) or 'a number'}"
        raise DataError([Problem("champion", what, "compare with a model of the same target, or disconnect it")])
    if new.file.rows != champion.file.rows:
        what = f"it has {champion.file.rows} rows, the test split {new.file.rows}"
        raise DataError([Problem(champion.where, what, fix)])
    for name in (TARGET, KEY):
        for (mine,), (theirs,) in zip(new.file.read([name]), champion.file.read([name]), strict=True):
            if not np.array_equal(mine, theirs):
                raise DataError([Problem(champion.where, f"its rows have other {name}s than the test split's", fix)])


Compared = tuple[float, float, float, str]
"""The measure of the new model and of the champion, the deviation of their difference, the method."""


def _aucs(new: ScoreFile, champion: ScoreFile, folder: Path, _classes: int) -> Compared:
    mine, theirs = (rank(scores_and_labels(file), folder) for file in (new, champion))
    deviation = math.sqrt(_paired_variance(new, champion, mine, theirs))
    return mine.auc or 0.0, theirs.auc or 0.0, deviation, "DeLong, paired"


def _paired_variance(new: ScoreFile, champion: ScoreFile, mine: Ranking, theirs: Ranking) -> float:
    """Of the difference of the AUCs: from the counts of rows in each pair of bins."""
    edges = [ranking.bins.lowest[np.isfinite(ranking.bins.lowest)][1:] for ranking in (mine, theirs)]
    counts: Ints = np.zeros((2, BINS * BINS), dtype=np.int64)
    for (targets, a), (b,) in zip(new.read([TARGET, "score"]), champion.read(["score"]), strict=True):
        places = [np.searchsorted(edge, s, side="right") for edge, s in zip(edges, (a, b), strict=True)]
        cells = places[0] * BINS + places[1]
        for label in (0, 1):
            counts[label] += np.bincount(cells[targets == label], minlength=BINS * BINS)
    tables = counts.reshape(2, BINS, BINS)
    variance = 0.0
    for label in (0, 1):
        rows = int(tables[label].sum())
        if rows < 2:
            return 0.0
        # For each bin, the share of rows of the other class on the right side of it, ties half.
        first, second = (_placements(tables[1 - label].sum(axis=axis)) for axis in (1, 0))
        gap = first[:, None] - second[None, :]
        mean = float((gap * tables[label]).sum()) / rows
        variance += float((np.square(gap - mean) * tables[label]).sum()) / (rows - 1) / rows
    return variance


def _placements(counts: Ints) -> Floats:
    return (np.cumsum(counts) - counts / 2) / max(int(counts.sum()), 1)


def _accuracies(new: ScoreFile, champion: ScoreFile, _folder: Path, classes: int) -> Compared:
    names = [TARGET, *(f"score {index}" for index in range(classes))]
    right, gaps = [0, 0], Spread()
    for mine, theirs in zip(new.read(names), champion.read(names), strict=True):
        hits = [np.stack(columns[1:]).argmax(axis=0) == mine[0] for columns in (mine, theirs)]
        right = [right[index] + int(hits[index].sum()) for index in (0, 1)]
        gaps.add(hits[0].astype(np.float64) - hits[1], _ones(mine[0]))
    return right[0] / new.rows, right[1] / new.rows, gaps.deviation_of_mean(), "paired, normal"


def _errors(new: ScoreFile, champion: ScoreFile, _folder: Path, _classes: int) -> Compared:
    squares = [Spread(), Spread()]
    for (targets, a), (b,) in zip(new.read([TARGET, "score"]), champion.read(["score"]), strict=True):
        for spread, scores in zip(squares, (a, b), strict=True):
            spread.add(np.square(scores - targets), _ones(targets))
    mine, theirs = (math.sqrt(spread.mean()) for spread in squares)
    gaps = Spread()
    for (targets, a), (b,) in zip(new.read([TARGET, "score"]), champion.read(["score"]), strict=True):
        # The delta method: what a squared error moves the root of their mean by.
        moved = [np.square(s - targets) / (2 * rmse) if rmse else s * 0 for s, rmse in ((a, mine), (b, theirs))]
        gaps.add(moved[0] - moved[1], _ones(targets))
    return mine, theirs, gaps.deviation_of_mean(), "paired, delta method"


_COMPARISONS = {Task.BINARY: _aucs, Task.MULTICLASS: _accuracies, Task.REGRESSION: _errors}


def _ones(values: Array) -> Ints:
    return np.ones(len(values), dtype=np.int64)
