"""Drift: how far the test split's columns and scores lie from the training data's, by the population stability index.

In: references (training/reference.py) and batches. Out: for each column the PSI, the change of its nulls, and what
chance alone would give at these numbers of rows. PSI = sum of (q - p) ln(q / p) over the bins.
A target-encoded column is compared with the training rows as the test rows are encoded (training/encoded.py).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from processing.arrays import Array, Ints
from processing.training.reference import Reference

FLOOR = 1e-4
"""A share under the logarithm is at least this: an empty bin would give infinity."""
MODERATE, LARGE = 0.1, 0.25
"""The usual reading of the index."""


class BinCounts:
    """Counts values into the bins of the references."""

    def __init__(self, references: Mapping[str, Reference]) -> None:
        self._references = references
        self._counts: dict[str, Ints] = {
            name: np.zeros(len(item.shares), dtype=np.int64) for name, item in references.items()
        }

    def add(self, columns: Mapping[str, Array]) -> None:
        """Count a batch; columns without a reference are passed over."""
        for name, values in columns.items():
            if name in self._references:
                self._counts[name] += self._references[name].counts(values)

    def drift(self) -> list[dict[str, Any]]:
        """Every column, the most moved first."""
        found = [_drift(name, item, self._counts[name]) for name, item in self._references.items()]
        return sorted(found, key=lambda item: -item["psi"])


def _drift(name: str, reference: Reference, counts: Ints) -> dict[str, Any]:
    rows = max(int(counts.sum()), 1)
    shares = counts / rows
    filled = int(((reference.shares > 0) | (shares > 0)).sum())
    chance = max(filled - 1, 0) * (1 / rows + 1 / max(reference.rows, 1))
    # Half a row: with few rows, an empty bin says no more.
    index = psi(reference.shares, shares, max(FLOOR, 0.5 / min(rows, max(reference.rows, 1))))
    level = "large" if index >= LARGE else "moderate" if index >= MODERATE else "small"
    return {
        "name": name,
        "psi": index,
        "expected_by_chance": chance,
        # Few rows move the index by themselves: three times what chance gives is no drift yet.
        "level": level if index > 3 * chance else "small",
        "nulls_in_training": float(reference.shares[-1]),
        "nulls_in_test": float(shares[-1]),
    }


def psi(expected: Array, actual: Array, floor: float = FLOOR) -> float:
    """The population stability index of two lists of shares; a share counts as at least `floor`."""
    p, q = np.maximum(expected, floor), np.maximum(actual, floor)
    return float(((q - p) * np.log(q / p)).sum())
