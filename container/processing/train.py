"""The training step: boosting with early stopping on the validation split (the training contract of SageMaker).

In: channels train, validation and features, hyperparameters. Out, below /opt/ml/model: the booster, features.json, and
training.json (settings, rounds, measures, how the columns lay, and the threshold with the best F1 on validation, which
the evaluation uses: chosen on the test split it would flatter the model).

Same data, settings and number of threads: the same bytes. Another number of threads may move the last digits of sums.
A stop (SIGTERM) ends the job with its reason and leaves no model: one of fewer rounds than asked for could not be told
from a whole one afterwards. With a CheckpointConfig it leaves a checkpoint, after the round at work, and the next job
goes on from there to the model that this one would have made (training/checkpoint.py).
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import asdict, replace
from importlib.metadata import PackageNotFoundError, version
from typing import Any

import numpy as np

from processing.arrays import Floats, Ints
from processing.contract import Paths
from processing.errors import DataError, Problem
from processing.evaluation.ranking import rank
from processing.hyperparameters import Hyperparameters, load_hyperparameters
from processing.machine import memory_bytes
from processing.matrix import Split, open_split
from processing.scratch import scratch_folder
from processing.stopping import Stop
from processing.task import Task
from processing.training import lightgbm_model, modelfile, xgboost_model
from processing.training.checkpoint import Course
from processing.training.encoded import encoded_references
from processing.training.interface import Lesson, Model
from processing.training.limits import telling_limits
from processing.training.reference import SAMPLE, column_references, reference_of
from processing.training.schema import FEATURES_FILE, load_schema
from processing.training.weights import class_weights

_FITS: Mapping[str, Callable[[Lesson], Model]] = {"xgboost": xgboost_model.fit, "lightgbm": lightgbm_model.fit}


def run_train(paths: Paths, stop: Stop | None = None) -> None:
    """Run the step below the root of `paths`."""
    started = time.monotonic()
    settings = load_hyperparameters(paths.hyperparameters)
    schema = load_schema(paths.channel("features"))
    features = (paths.channel("features") / FEATURES_FILE).read_bytes()
    with telling_limits():
        lesson, rows = prepare(open_split(paths.channel("train"), schema), paths, settings)
        print(f"train: {lesson.train.rows} rows, {len(schema.columns)} features, {settings}", flush=True)
        model = _fit(lesson, paths, stop or Stop())
        found = judge(model, lesson.validation, paths)
        document = {
            "task": str(lesson.task),
            "classes": list(schema.classes),
            "features_sha256": schema.digest,
            "hyperparameters": asdict(settings),
            "rows": {"train": lesson.train.rows, "validation": lesson.validation.rows, "train_by_class": rows},
            "rounds": model.rounds,
            "libraries": _versions(settings.algorithm),
            **found,
            "columns": _lying(lesson.train, features),
        }
        modelfile.save(paths.model, model, settings.algorithm, features, document)
    for name, value in found["validation"].items():
        print(f"validation-{name}: {value:.6f}")
    print(f"train: best round {model.rounds} in {time.monotonic() - started:.1f} s", flush=True)


def _fit(lesson: Lesson, paths: Paths, stop: Stop) -> Model:
    """The model; XGBoost works from disk where its histograms would take more than half of the memory."""
    settings = lesson.settings
    values = (lesson.train.rows + lesson.validation.rows) * len(lesson.train.schema.columns)
    large = values * xgboost_model.VALUE_BYTES > memory_bytes() // 2
    with ExitStack() as stack:
        if large and settings.algorithm == "xgboost":
            print("train: more than half of the memory: XGBoost works from disk, which takes longer", flush=True)
            lesson = replace(lesson, pages=stack.enter_context(scratch_folder(paths)))
        if paths.checkpoints.is_dir():
            about: dict[str, Any] = {"features": lesson.train.schema.digest, "settings": asdict(settings)}
            about |= {"rows": [lesson.train.rows, lesson.validation.rows], "libraries": _versions(settings.algorithm)}
            course = Course(settings.max_rounds, settings.early_stopping_rounds, paths.checkpoints, about, stop)
            stack.enter_context(stop.saves())
            lesson = replace(lesson, course=course)
        return _FITS[settings.algorithm](lesson)


def prepare(train: Split, paths: Paths, settings: Hyperparameters) -> tuple[Lesson, dict[str, int]]:
    """The data of both splits, checked, and the training rows of each class."""
    validation = open_split(paths.channel("validation"), train.schema)
    rows = _varied(train)
    _varied(validation)
    classes = train.schema.classes
    for name, count in rows.items():
        if not count:
            print(f"train: no training row has the class '{name}'; it will never be predicted", file=sys.stderr)
    weights = class_weights(settings.class_weight, classes, list(rows.values()))
    return Lesson(train, validation, weights, settings), rows


def _varied(split: Split) -> dict[str, int]:
    """Rows by class; DataError where the target never varies."""
    classes = split.schema.classes
    counts: Ints = np.zeros(len(classes), dtype=np.int64)
    low, high = np.inf, -np.inf
    for batch in split.batches():
        low, high = min(low, float(batch.targets.min())), max(high, float(batch.targets.max()))
        if classes:
            counts += np.bincount(batch.targets.astype(np.int64), minlength=len(classes))
    if low == high:
        shown = f"{classes[int(low)]}" if classes else f"{low:g}"
        what = f"all {split.rows} rows have the target {shown}"
        raise DataError([Problem(str(split.folder), what, "mend the recipe's target, or give more rows")])
    return {name: int(count) for name, count in zip(classes, counts, strict=True)}


def judge(model: Model, validation: Split, paths: Paths) -> dict[str, Any]:
    """Measures on validation, the threshold, and how the scores lie."""
    parts, targets = [], []
    for batch in validation.batches():
        parts.append(model.predict(batch.features))
        targets.append(batch.targets)
    scores, labels = np.concatenate(parts), np.concatenate(targets)
    task = validation.schema.target.task
    threshold, measures = 0.5, _measures(task, scores, labels)
    if task is Task.BINARY:
        with scratch_folder(paths) as scratch:
            ranking = rank([(scores, labels)], scratch)
        measures = {"auc": ranking.auc or 0.0, "logloss": ranking.errors.log_loss.mean()}
        threshold = ranking.thresholds.best_threshold
    sample = scores[:: -(-len(labels) // SAMPLE)].reshape(-1, 1 if scores.ndim == 1 else scores.shape[1])
    names = validation.schema.classes if task is Task.MULTICLASS else ("score",)
    lying = {name: reference_of(sample[:, index]).plain() for index, name in enumerate(names)}
    return {"validation": measures, "threshold": threshold, "scores": lying}


def _lying(split: Split, features: bytes) -> dict[str, Any]:
    """How the columns of the training split lie, as JSON holds it; the target-encoded ones as they lie elsewhere."""
    batches = (batch.features for batch in split.batches())
    found = column_references(batches, split.schema.columns, split.rows) | encoded_references(features)
    return {name: item.plain() for name, item in found.items()}


def _measures(task: Task, scores: Floats, labels: Floats) -> dict[str, float]:
    match task:
        case Task.BINARY:
            return {}
        case Task.MULTICLASS:
            right = scores[np.arange(len(labels)), labels.astype(np.int64)]
            loss = -np.log(np.clip(right, np.finfo(np.float64).eps, 1))
            return {"accuracy": float((scores.argmax(axis=1) == labels).mean()), "logloss": float(loss.mean())}
        case Task.REGRESSION:
            errors = scores - labels
            return {"rmse": float(np.sqrt(np.square(errors).mean())), "mae": float(np.abs(errors).mean())}


def _versions(algorithm: str) -> dict[str, str]:
    found = {}
    for name in ("numpy", algorithm, f"{algorithm}-cpu"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found
