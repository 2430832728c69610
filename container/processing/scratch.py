"""The scratch folder of a step: on the volume that holds the data (or in TMPDIR), removed at the end.

A stopped step leaves by os._exit, past every `finally`: `sweep` removes what is still there.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processing.contract import Paths

_live: set[Path] = set()


@contextmanager
def scratch_folder(paths: Paths) -> Iterator[Path]:
    """A folder that is gone afterwards. Not in /tmp by default: a container's may be small or read-only."""
    parent = paths.temporary or paths.root
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=parent))
    _live.add(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        _live.discard(folder)


def sweep() -> None:
    """Remove the folders of a step that is being stopped; an engine may be writing still, so twice."""
    for folder in (*_live, *_live):
        shutil.rmtree(folder, ignore_errors=True)
