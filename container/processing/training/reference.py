"""How values lie in bins that the training data made, so that later data can be compared with them (drift).

In: a sample of values. Out: `Reference`: edges, and the share of each bin and of nulls; it is kept in training.json.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from processing.arrays import Array, Features, Floats, Ints

SAMPLE = 200_000
"""Rows of a split that references are made from, spread evenly over it."""
_BINS = 10


@dataclass(frozen=True)
class Reference:
    """Bin i holds values up to edges[i] (and above the edge before); the one before the last is open, the last null."""

    edges: Floats
    shares: Floats
    rows: int

    def counts(self, values: Array) -> Ints:
        """Rows in each bin, nulls last."""
        null = np.isnan(values)
        bins = np.where(null, len(self.edges) + 1, np.searchsorted(self.edges, values))
        return np.bincount(bins, minlength=len(self.edges) + 2).astype(np.int64)

    def plain(self) -> dict[str, Any]:
        """As JSON holds it."""
        return {"edges": self.edges.tolist(), "shares": self.shares.tolist(), "rows": self.rows}


def read_reference(document: Mapping[str, Any]) -> Reference:
    """The reference in a training.json; ValueError, KeyError or TypeError where it is none."""
    edges = np.array(document["edges"], dtype=np.float64)
    shares = np.array(document["shares"], dtype=np.float64)
    if shares.shape != (len(edges) + 2,) or not np.isfinite(edges).all() or not np.isfinite(shares).all():
        raise ValueError("a reference's edges and shares do not fit")
    return Reference(edges, shares, int(document["rows"]))


def reference_of(values: Array) -> Reference:
    """Tenths of the values; each value its own bin where there are few."""
    present = values[~np.isnan(values)].astype(np.float64)
    few = np.unique(present)
    if len(few) <= _BINS:
        edges = few[:-1]
    else:
        edges = np.unique(np.quantile(present, np.arange(1, _BINS) / _BINS, method="lower"))
    empty = Reference(edges, np.zeros(len(edges) + 2), len(values))
    return Reference(edges, empty.counts(values) / max(len(values), 1), len(values))


def column_references(batches: Iterable[Features], names: Sequence[str], rows: int) -> dict[str, Reference]:
    """A reference for every column, from the batches of all rows."""
    stride = max(-(-rows // SAMPLE), 1)
    parts, skip = [], 0
    for features in batches:
        parts.append(features[skip::stride])
        skip = (skip - len(features)) % stride
    sample = np.concatenate(parts)
    return {name: reference_of(sample[:, index]) for index, name in enumerate(names)}
