"""XGBoost: trained on histograms that are built from batches; from disk where memory would not hold them.

Same data, settings and number of threads: the same bytes of model.ubj, whether trained at once or from a checkpoint on.
Another number of threads may move the last digits of sums, and with them the model. Every round tells its measures in a
line for the job's metric definitions: `validation-auc=(.*?);`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xgboost

from processing.arrays import Features, Floats
from processing.machine import processors
from processing.matrix import Batch, Split
from processing.task import Task
from processing.training.interface import Lesson
from processing.training.limits import telling_limits

FILE = "model.ubj"
UNREADABLE = (xgboost.core.XGBoostError, ValueError)

KEPT_VALUES = 32_000_000
"""Up to this many feature values (128 MB) the batches of a split are kept between XGBoost's passes over it."""

VALUE_BYTES = 6
"""Of memory that XGBoost takes for a feature value at the peak (measured: 5 to 6, with 256 bins)."""

_OBJECTIVES: Mapping[Task, tuple[str, list[str]]] = {
    # Early stopping goes by the last measure.
    Task.BINARY: ("binary:logistic", ["logloss", "auc"]),
    Task.MULTICLASS: ("multi:softprob", ["merror", "mlogloss"]),
    Task.REGRESSION: ("reg:squarederror", ["mae", "rmse"]),
}
_NAMES = (
    *("learning_rate", "max_depth", "max_bin", "min_child_weight", "subsample", "colsample_bytree"),
    *("reg_lambda", "reg_alpha", "seed"),
)


class XGBoostModel:
    """A booster."""

    def __init__(self, booster: xgboost.Booster) -> None:
        self._booster = booster

    @property
    def rounds(self) -> int:
        return int(self._booster.num_boosted_rounds())

    def predict(self, features: Features) -> Floats:
        if self._booster.num_features() != features.shape[1]:
            raise ValueError(f"the model has {self._booster.num_features()} features, the data {features.shape[1]}")
        return np.asarray(self._booster.inplace_predict(features, validate_features=False), dtype=np.float64)

    def gains(self, columns: Sequence[str]) -> Mapping[str, float]:
        found = self._booster.get_score(importance_type="total_gain")
        return {column: float(found.get(name, 0.0)) for name, column in zip(safe_names(columns), columns, strict=True)}

    def save(self, path: Path) -> None:
        # XGBoost's own writer does not tell that a disk is full.
        path.write_bytes(self._booster.save_raw("ubj"))


def load(path: Path) -> XGBoostModel:
    """The model in a file; one of UNREADABLE where it is none."""
    booster = xgboost.Booster()
    booster.load_model(path)
    return XGBoostModel(booster)


def fit(lesson: Lesson) -> XGBoostModel:
    """Boost until the last measure on validation has not improved for early_stopping_rounds."""
    bins, pages, course = lesson.settings.max_bin, lesson.pages, lesson.rounds()
    matrix = xgboost.QuantileDMatrix if pages is None else xgboost.ExtMemQuantileDMatrix
    with telling_limits():
        training = matrix(Rows(lesson.train, lesson.row_weights, pages=pages), max_bin=bins)
        held_out = matrix(Rows(lesson.validation, None, pages=pages), max_bin=bins, ref=training)
        booster = xgboost.Booster(_parameters(lesson), [training, held_out], model_file=_model_file(course.model))
        while not course.ended:
            done = course.standing.rounds
            # With updaters of their own, the draws of a round come from the seed and its number, and from no round
            # before: a training that goes on from a checkpoint makes the same model.
            booster.load_config(booster.save_config())
            booster.update(training, iteration=done)
            measures = _measures(booster.eval_set([(held_out, "validation")], done))
            print(f"round {done}: {'; '.join(f'{name}={value:.6f}' for name, value in measures)};", flush=True)
            name, value = measures[-1]
            course.round_done(value, name.endswith("auc"), lambda: bytes(booster.save_raw("ubj")))
    return XGBoostModel(booster[: course.standing.best_round])


def _model_file(model: bytes | None) -> bytearray | None:
    return None if model is None else bytearray(model)


def _measures(told: str) -> list[tuple[str, float]]:
    """`[3]\tvalidation-logloss:0.5\tvalidation-auc:0.7` as names and values."""
    pairs = [word.rpartition(":") for word in told.split("\t")[1:]]
    return [(name, float(value)) for name, _, value in pairs]


class Rows(xgboost.DataIter):  # type: ignore[misc]
    """A split, as often as XGBoost asks for it; `pages` is the folder of an external matrix."""

    def __init__(
        self,
        split: Split,
        weigh: Callable[[Floats], Floats | None] | None,
        most: int = KEPT_VALUES,
        pages: Path | None = None,
    ) -> None:
        super().__init__(cache_prefix=None if pages is None else str(pages / split.folder.name))
        self._split, self._weigh = split, weigh
        self._names = safe_names(split.schema.columns)
        small = pages is None and split.rows * len(self._names) <= most
        self._kept: list[Batch] | None = list(split.batches()) if small else None
        self.reset()

    def reset(self) -> None:
        """Back to the first row."""
        self._batches: Iterator[Batch] = iter(self._kept) if self._kept is not None else self._split.batches()

    def next(self, input_data: Callable[..., None]) -> bool:
        """Hand over the next batch; False where there is none."""
        batch = next(self._batches, None)
        if batch is None:
            return False
        weight = self._weigh(batch.targets) if self._weigh else None
        input_data(data=batch.features, label=batch.targets, weight=weight, feature_names=self._names)
        return True


def _parameters(lesson: Lesson) -> dict[str, Any]:
    objective, measures = _OBJECTIVES[lesson.task]
    settings = lesson.settings
    found: dict[str, Any] = {name: getattr(settings, name) for name in _NAMES}
    found |= {"objective": objective, "eval_metric": measures, "nthread": processors()}
    found["seed_per_iteration"] = True
    return found | ({"num_class": lesson.classes} if lesson.task is Task.MULTICLASS else {})


def safe_names(columns: Sequence[str]) -> list[str]:
    """The columns' names without the characters that XGBoost refuses, still unique."""
    plain = [name.translate(str.maketrans("[]<", "()‹")) for name in columns]
    return [name if plain.count(name) == 1 else f"{name}~{index}" for index, name in enumerate(plain)]
