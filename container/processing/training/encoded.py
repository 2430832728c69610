"""How target-encoded columns lie where they are encoded as the test split is: the reference of their drift.

In: the bytes of features.json. Out: a `Reference` for each such column. A training row is encoded out of fold, a test
row from the whole training split, so that the two differ by construction. Compared are the training rows' categories
under the encoding that the test split has: what is left is how the categories, and those never seen, have moved.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from processing.arrays import Array
from processing.fitted import FILE, Fitted, read_fitted
from processing.training.reference import SAMPLE, Reference, reference_of
from processing.transforms.target_encoding import TargetEncoding, encode


def encoded_references(features: bytes, most: int = SAMPLE) -> dict[str, Reference]:
    """By column, from at most `most` rows spread evenly; empty where nothing is target-encoded."""
    document: Any = json.loads(features)
    written = document.get("recipe", {}).get("features", {})
    if not any(one.get("transform") == "target_encoding" for one in written.values()):
        return {}
    fitted = read_fitted(features.decode(), FILE)
    found: dict[str, Reference] = {}
    for feature in fitted.recipe.features:
        if isinstance(feature.transform, TargetEncoding):
            names = [column.name for column in fitted.columns if column.feature == feature.name]
            values, rows = _outside(fitted, feature.name, feature.transform)
            found |= {name: _reference(values[:, index], rows, most) for index, name in enumerate(names)}
    return found


def _outside(fitted: Fitted, feature: str, transform: TargetEncoding) -> tuple[Array, Sequence[int]]:
    """The values of every category outside training, and its training rows."""
    statistics = fitted.statistics[feature]
    counts = statistics["counts"]
    if "classes" not in statistics:
        counts = [[value, rows, [[total] for total in totals]] for value, rows, totals in counts]
    counts = [one for one in counts if sum(one[1])]
    table, _ = encode(counts, 0, transform.smoothing)  # of no folds: nothing is left out
    # As the tables hold them: a value on an edge must fall to the same side.
    return np.array([values for _, _, values in table], dtype=np.float32), [sum(rows) for _, rows, _ in counts]


def _reference(values: Array, rows: Sequence[int], most: int) -> Reference:
    """Of the values, each of as many rows."""
    order = np.argsort(values, kind="stable")
    ends = np.cumsum(np.asarray(rows, dtype=np.int64)[order])
    count = int(min(ends[-1], most))
    places = (np.arange(count) * ends[-1] + ends[-1] // 2) // count
    return reference_of(values[order][np.searchsorted(ends, places, side="right")])
