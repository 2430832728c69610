"""The weights of training rows, by class.

In: the hyperparameter class_weight, the classes and their rows. Out: a weight for each class, or None for none.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

import numpy as np

from processing.arrays import Floats
from processing.errors import Problem, SettingError
from processing.nearest import suggestion

_WHERE = "hyperparameters.json"


def class_weights(setting: str, classes: Sequence[str], rows: Sequence[int]) -> Floats | None:
    """`balanced` gives every class the same sum of weights, and the rows together their number."""
    if setting == "none":
        return None
    if not classes:
        fix = "remove class_weight: a regression has no classes"
        raise SettingError([Problem(_WHERE, f"class_weight is '{setting}', but the target is a number", fix)])
    if setting == "balanced":
        present = np.asarray(rows, dtype=np.float64)
        seen = present > 0
        return np.where(seen, present.sum() / (seen.sum() * np.maximum(present, 1)), 1.0)
    given = {str(name): float(weight) for name, weight in json.loads(setting).items()}
    unknown = [name for name in given if name not in classes]
    if unknown:
        what = f"class_weight names '{unknown[0]}', which is no class of the target"
        raise SettingError([Problem(_WHERE, what, suggestion(unknown[0], classes))])
    return np.array([given.get(name, 1.0) for name in classes])
