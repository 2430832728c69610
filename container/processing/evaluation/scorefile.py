"""Scored rows on disk, a file of plain numbers for each column: written once in batches, read often in batches.

In: arrays by column. Out: the same, in the same order. It lies in the scratch folder below OPT_ML, 8 bytes a number.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

import numpy as np

from processing.arrays import Array

ROWS = 1 << 20
"""Rows in a batch that is read."""


class ScoreFile:
    """Columns of equal length below a folder; `kinds` are their numpy types by name."""

    def __init__(self, folder: Path, kinds: Mapping[str, str]) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._paths = {name: folder / f"{index}.column" for index, name in enumerate(kinds)}
        self._kinds = {name: np.dtype(kind) for name, kind in kinds.items()}
        for path in self._paths.values():
            path.write_bytes(b"")
        self.rows = 0

    def append(self, columns: Mapping[str, Array]) -> None:
        """Write rows of every column."""
        lengths = {len(columns[name]) for name in self._paths}
        if len(lengths) != 1:
            raise ValueError(f"columns of different lengths: {lengths}")
        for name, path in self._paths.items():
            with path.open("ab") as stream:
                columns[name].astype(self._kinds[name], copy=False).tofile(stream)
        self.rows += lengths.pop()

    def read(self, names: Sequence[str]) -> Iterator[list[Array]]:
        """The columns asked for, in batches."""
        for first in range(0, self.rows, ROWS):
            count = min(ROWS, self.rows - first)
            yield [self._part(name, first, count) for name in names]

    def _part(self, name: str, first: int, count: int) -> Array:
        kind = self._kinds[name]
        return np.fromfile(self._paths[name], dtype=kind, count=count, offset=first * kind.itemsize)
