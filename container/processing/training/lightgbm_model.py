"""LightGBM: the same interface, data and settings as XGBoost, in its own words.

Imported only when it is chosen. It needs the system library libgomp.so.1 (Debian's libgomp1), which XGBoost's wheel
brings along and LightGBM's does not. `deterministic` and row-wise histograms make two runs write the same bytes. So
does a run that goes on from a checkpoint, unless subsample is below 1: its draws of rows begin anew there.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from processing.arrays import Features, Floats
from processing.errors import Problem, SettingError
from processing.machine import processors
from processing.matrix import Batch, Split
from processing.task import Task
from processing.training.checkpoint import Course
from processing.training.interface import Lesson
from processing.training.limits import telling_limits

FILE = "model.txt"

_TREES = re.compile(r"^Tree=\d+\n(.*?)(?=^Tree=\d+$|^end of trees$)", re.MULTILINE | re.DOTALL)

_OBJECTIVES: Mapping[Task, tuple[str, list[str]]] = {
    # Early stopping goes by the first measure.
    Task.BINARY: ("binary", ["auc", "binary_logloss"]),
    Task.MULTICLASS: ("multiclass", ["multi_logloss", "multi_error"]),
    Task.REGRESSION: ("regression", ["rmse", "mae"]),
}
_NAMES = {
    "learning_rate": "learning_rate",
    "max_depth": "max_depth",
    "max_bin": "max_bin",
    "num_leaves": "num_leaves",
    "min_child_weight": "min_sum_hessian_in_leaf",
    "subsample": "bagging_fraction",
    "colsample_bytree": "feature_fraction",
    "reg_lambda": "lambda_l2",
    "reg_alpha": "lambda_l1",
    "seed": "seed",
}


def library(importing: Callable[[str], Any] = importlib.import_module) -> Any:
    """The module, or what is missing."""
    try:
        return importing("lightgbm")
    except OSError as error:
        fix = "install libgomp1 in the Dockerfile, or set algorithm to xgboost"
        raise SettingError([Problem("algorithm", f"lightgbm cannot be loaded: {error}", fix)]) from error
    except ImportError as error:
        fix = "add lightgbm to the image's requirements, or set algorithm to xgboost"
        raise SettingError([Problem("algorithm", f"lightgbm is not in this image: {error}", fix)]) from error


class LightGBMModel:
    """A booster."""

    def __init__(self, booster: Any) -> None:
        self._booster = booster

    @property
    def rounds(self) -> int:
        return int(self._booster.current_iteration())

    def predict(self, features: Features) -> Floats:
        return np.asarray(self._booster.predict(features), dtype=np.float64)

    def gains(self, columns: Sequence[str]) -> Mapping[str, float]:
        found = self._booster.feature_importance(importance_type="gain")
        return {column: float(gain) for column, gain in zip(columns, found, strict=True)}

    def save(self, path: Path) -> None:
        path.write_text(self._booster.model_to_string(), encoding="utf-8")


def load(path: Path) -> LightGBMModel:
    """The model in a file; ValueError where it is none."""
    lightgbm = library()
    text = path.read_text(encoding="utf-8")
    if not text.startswith("tree\n"):
        raise ValueError("not a LightGBM model")
    try:
        return LightGBMModel(lightgbm.Booster(model_str=text))
    except lightgbm.basic.LightGBMError as error:
        raise ValueError(str(error)) from error


def fit(lesson: Lesson) -> LightGBMModel:
    """Boost until the first measure on validation has not improved for early_stopping_rounds."""
    lightgbm, course = library(), lesson.rounds()
    earlier = course.model.decode() if course.model is not None else ""
    with telling_limits():
        text = earlier if course.ended else _boosted(lightgbm, lesson, course, earlier)
    # Only the rounds up to the best are kept: the file holds no more than is used.
    best = lightgbm.Booster(model_str=text).model_to_string(num_iteration=course.standing.best_round)
    return LightGBMModel(lightgbm.Booster(model_str=best))


def _boosted(lightgbm: Any, lesson: Lesson, course: Course, earlier: str) -> str:
    """The model's text: the trees of `earlier`, where there is one, and those of all rounds from there to the end."""
    before = lightgbm.Booster(model_str=earlier) if earlier else None
    training = _dataset(lightgbm, lesson.train, lesson, before)
    held_out = _dataset(lightgbm, lesson.validation, lesson, before, reference=training)

    def whole(booster: Any) -> str:
        # What it is told to do in one go is no part of the model.
        rounds = f"[num_iterations: {lesson.settings.max_rounds}]"
        return joined(earlier, re.sub(r"\[num_iterations: \d+\]", rounds, booster.model_to_string(num_iteration=-1)))

    def before_round(found: Any) -> None:
        seed = (lesson.settings.seed + course.standing.rounds) % 2**31
        found.model.reset_parameter({"feature_fraction_seed": seed})

    def after_round(found: Any) -> None:
        told = [(f"{data}-{name}", value) for data, name, value, *_ in found.evaluation_result_list]
        measures = "; ".join(f"{name}={value:.6f}" for name, value in told)
        print(f"round {course.standing.rounds}: {measures};", flush=True)
        course.round_done(told[0][1], told[0][0].endswith("auc"), lambda: whole(found.model).encode())
        if course.ended:
            raise lightgbm.EarlyStopException(found.iteration, [])

    before_round.before_iteration = True  # type: ignore[attr-defined]
    booster = lightgbm.train(
        _parameters(lesson),
        training,
        num_boost_round=lesson.settings.max_rounds - course.standing.rounds,
        valid_sets=[held_out],
        valid_names=["validation"],
        # Its draws of rows cannot be told a seed for each round.
        callbacks=[after_round, *([before_round] if lesson.settings.subsample == 1 else [])],
    )
    return whole(booster)


def joined(earlier: str, later: str) -> str:
    """The text of a model with the trees of both; without their sizes, which are worked out when it is read."""
    if not earlier:
        return later
    trees = [tree for text in (earlier, later) for tree in _TREES.findall(text)]
    start, end = (re.search(sign, later, re.MULTILINE) for sign in (r"^(Tree=0|end of trees)$", "^end of trees$"))
    if start is None or end is None:
        raise ValueError("not the text of a LightGBM model")
    head = re.sub(r"^tree_sizes=.*\n", "", later[: start.start()], flags=re.MULTILINE)
    return head + "".join(f"Tree={number}\n{tree}" for number, tree in enumerate(trees)) + later[end.start() :]


def _parameters(lesson: Lesson) -> dict[str, Any]:
    objective, measures = _OBJECTIVES[lesson.task]
    found: dict[str, Any] = {theirs: getattr(lesson.settings, ours) for ours, theirs in _NAMES.items()}
    found |= {"objective": objective, "metric": measures, "num_threads": processors()}
    found |= {"deterministic": True, "force_row_wise": True, "verbosity": -1, "bagging_freq": 1}
    return found | ({"num_class": lesson.classes} if lesson.task is Task.MULTICLASS else {})


def _dataset(lightgbm: Any, split: Split, lesson: Lesson, before: Any, reference: Any = None) -> Any:
    """LightGBM's binned data, filled from batches; `before` is the model whose trees are there already."""

    class Rows(lightgbm.Sequence):  # type: ignore[misc]
        """A split, a range of rows at a time; LightGBM asks for them in ascending order."""

        batch_size = 50_000

        def __init__(self) -> None:
            self._window = Window(split)

        def __len__(self) -> int:
            return split.rows

        def __getitem__(self, wanted: Any) -> Any:
            if isinstance(wanted, slice):
                return self._window.rows(wanted.start or 0, split.rows if wanted.stop is None else wanted.stop)
            return self._window.rows(int(wanted), int(wanted) + 1)[0]

    targets = np.concatenate([batch.targets for batch in split.batches()])
    weights = None if reference is not None else lesson.row_weights(targets)
    scores = [before.predict(batch.features, raw_score=True) for batch in split.batches()] if before else None
    parameters = {"max_bin": lesson.settings.max_bin, "seed": lesson.settings.seed, "verbosity": -1}
    return lightgbm.Dataset(
        Rows(),
        label=targets,
        weight=weights,
        init_score=None if scores is None else np.concatenate(scores),
        reference=reference,
        params=parameters,
    )


class Window:
    """Rows of a split by their numbers, read forward; it starts again when asked for what has passed."""

    def __init__(self, split: Split) -> None:
        self._split = split
        self._restart()

    def _restart(self) -> None:
        self._batches = self._split.batches()
        self._held: list[Batch] = []
        self._first = self._last = 0

    def rows(self, first: int, last: int) -> Floats:
        """The features of rows `first` to `last`, without the last."""
        last = min(last, self._split.rows)
        if first < self._first:
            self._restart()
        while self._last < last:
            while self._held and self._first + len(self._held[0].targets) <= first:
                self._first += len(self._held.pop(0).targets)
            self._held.append(next(self._batches))
            self._last += len(self._held[-1].targets)
        parts, start = [], self._first
        for batch in self._held:
            parts.append(batch.features[max(first - start, 0) : max(last - start, 0)])
            start += len(batch.targets)
        # LightGBM takes sampled rows as doubles alone.
        found: Floats = np.concatenate(parts).astype(np.float64)
        return found
