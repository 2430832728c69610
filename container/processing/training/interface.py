"""What a boosting library gives: a fit on batches, and a model that scores, weighs its columns and is saved.

In: splits, settings, weights. Out: `Model`. xgboost_model.py and lightgbm_model.py are the two; the second library is
imported only when it is chosen.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np

from processing.arrays import Features, Floats
from processing.hyperparameters import Hyperparameters
from processing.matrix import Split
from processing.task import Task
from processing.training.checkpoint import Course


@dataclass(frozen=True)
class Lesson:
    """Everything a fit needs."""

    train: Split
    validation: Split
    weights: Floats | None
    """By class."""
    settings: Hyperparameters
    pages: Path | None = None
    """Where XGBoost keeps its histograms on disk, when memory would not hold them."""
    course: Course | None = None
    """The rounds, when they are to be kept on the way."""

    @property
    def task(self) -> Task:
        return self.train.schema.target.task

    @property
    def classes(self) -> int:
        return len(self.train.schema.classes)

    def rounds(self) -> Course:
        """The rounds of the fit."""
        return self.course or Course(self.settings.max_rounds, self.settings.early_stopping_rounds)

    def row_weights(self, targets: Floats) -> Floats | None:
        """The weight of each row, by its class."""
        return None if self.weights is None else self.weights[targets.astype(np.int64)]


class Model(Protocol):
    """A trained model of either library."""

    @property
    def rounds(self) -> int: ...

    def predict(self, features: Features) -> Floats:
        """Binary: the probability of 1. Multiclass: a column of probabilities for each class. Regression: the value."""
        ...

    def gains(self, columns: Sequence[str]) -> Mapping[str, float]:
        """By column: by how much its splits lowered the loss, in all."""
        ...

    def save(self, path: Path) -> None: ...
