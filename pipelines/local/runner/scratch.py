"""Folders that a job has written into, removed whatever it did to them."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from pathlib import Path


def remove(folder: Path) -> None:
    """Remove a folder of a job's, also when the job took the write permission from a directory of its own."""
    for parent, names, _ in os.walk(folder):
        for name in names:
            path = Path(parent) / name
            if not path.is_symlink():
                with suppress(OSError):
                    path.chmod(0o700)
    shutil.rmtree(folder, ignore_errors=True)
