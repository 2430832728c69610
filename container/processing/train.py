"""The training step: XGBoost with early stopping on the validation split (the training contract of SageMaker).

In: channels train, validation and features, hyperparameters. Out, below /opt/ml/model: model.ubj, features.json,
training.json (settings, rounds, measures, and the threshold with the best F1 on validation, which the evaluation
uses: chosen on the test split it would flatter the model).

Same data, settings and number of threads: the same model. Another number of threads may move its last digits.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import xgboost

from processing.contract import Paths, write_whole
from processing.errors import DataError, Problem
from processing.fitted import FILE, read_fitted
from processing.hyperparameters import Hyperparameters, load_hyperparameters
from processing.jsontext import to_json
from processing.matrix import Matrix, read_matrix
from processing.metrics import auc, best_threshold, curve_of

MODEL_FILE = "model.ubj"
TRAINING_FILE = "training.json"


@dataclass(frozen=True)
class Trained:
    """A model and what is to be remembered of its training."""

    booster: xgboost.Booster
    best_round: int
    validation_auc: float
    threshold: float


def run_train(paths: Paths) -> None:
    """Run the step below the root of `paths`."""
    started = time.monotonic()
    settings = load_hyperparameters(paths.hyperparameters)
    features = paths.channel("features") / FILE
    if not features.is_file():
        fix = "connect the channel 'features' to the output 'features' of the features step"
        raise DataError([Problem(str(features), "the channel 'features' lacks features.json", fix)])
    fitted = read_fitted(features.read_text(encoding="utf-8"), str(features))
    columns = [column.name for column in fitted.columns]
    train = _both_classes(read_matrix(paths.channel("train"), columns), paths.channel("train"))
    validation = _both_classes(read_matrix(paths.channel("validation"), columns), paths.channel("validation"))
    print(f"train: {len(train.labels)} rows, {len(columns)} features, {settings}", flush=True)
    trained = fit_model(train, validation, columns, settings)
    _write(trained, settings, features, paths.model)
    print(f"validation-auc: {trained.validation_auc:.6f}")
    print(f"train: best round {trained.best_round} in {time.monotonic() - started:.1f} s", flush=True)


def _both_classes(matrix: Matrix, where: Path) -> Matrix:
    if len(np.unique(matrix.labels)) < 2:
        what = f"all {len(matrix.labels)} rows have the target {matrix.labels[0]}"
        raise DataError([Problem(str(where), what, "mend the recipe's target, or give more rows")])
    return matrix


def fit_model(train: Matrix, validation: Matrix, columns: Sequence[str], settings: Hyperparameters) -> Trained:
    """Boost until the validation AUC has not risen for early_stopping_rounds."""
    names = safe_names(columns)
    training = xgboost.QuantileDMatrix(train.features, train.labels, feature_names=names, max_bin=settings.max_bin)
    held_out = xgboost.QuantileDMatrix(
        validation.features, validation.labels, feature_names=names, max_bin=settings.max_bin, ref=training
    )
    booster = xgboost.train(
        _parameters(settings),
        training,
        num_boost_round=settings.max_rounds,
        evals=[(held_out, "validation")],
        callbacks=[
            xgboost.callback.EarlyStopping(rounds=settings.early_stopping_rounds, save_best=True),
            MetricLines(),
        ],
        verbose_eval=False,
    )
    scores = booster.predict(held_out).astype(np.float64)
    curve = curve_of(validation.labels, scores)
    return Trained(booster, booster.num_boosted_rounds(), auc(curve), best_threshold(curve))


def _parameters(settings: Hyperparameters) -> dict[str, object]:
    taken = asdict(settings)
    for ours in ("max_rounds", "early_stopping_rounds"):
        del taken[ours]
    threads = len(os.sched_getaffinity(0))
    return taken | {"objective": "binary:logistic", "eval_metric": ["logloss", "auc"], "nthread": threads}


class MetricLines(xgboost.callback.TrainingCallback):  # type: ignore[misc]
    """A line for every round, for the job's metric definitions: `validation-auc=(.*?);`."""

    def after_iteration(self, _model: object, epoch: int, evals_log: dict[str, dict[str, list[float]]]) -> bool:
        measures = "; ".join(
            f"{data}-{name}={values[-1]:.6f}" for data, found in evals_log.items() for name, values in found.items()
        )
        print(f"round {epoch}: {measures};", flush=True)
        return False


def safe_names(columns: Sequence[str]) -> list[str]:
    """The columns' names without the characters that XGBoost refuses, still unique."""
    plain = [name.translate(str.maketrans("[]<", "()‹")) for name in columns]
    return [name if plain.count(name) == 1 else f"{name}~{index}" for index, name in enumerate(plain)]


def _write(trained: Trained, settings: Hyperparameters, features: Path, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    trained.booster.save_model(folder / MODEL_FILE)
    shutil.copyfile(features, folder / FILE)
    document = {
        "hyperparameters": asdict(settings),
        "best_round": trained.best_round,
        "validation_auc": trained.validation_auc,
        "threshold": trained.threshold,
    }
    write_whole(folder / TRAINING_FILE, to_json(document).encode())
