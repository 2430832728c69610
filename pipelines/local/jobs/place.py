"""One host of a job on this machine: its folders and its log. Nothing that its program does to them leads elsewhere."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any


@dataclass(frozen=True)
class Place:
    """`ml` is what the program finds as /opt/ml and writes to; the files of `staged`, laid out alike, lie beneath."""

    host: str
    folder: Path
    log: Path

    @property
    def ml(self) -> Path:
        return self.folder / "ml"

    @property
    def staged(self) -> Path:
        return self.folder / "staged"

    def write(self, name: str, content: Any) -> None:
        """Write a JSON file below /opt/ml, before the program runs."""
        file = self.ml / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(json.dumps(content, indent=1), encoding="utf-8")


def host_names(count: int) -> tuple[str, ...]:
    """algo-1 … algo-n."""
    return tuple(f"algo-{number}" for number in range(1, count + 1))


def below(first: PurePosixPath, second: PurePosixPath) -> bool:
    """Whether one of two folders holds the other, or they are the same."""
    return first.is_relative_to(second) or second.is_relative_to(first)


def outermost(paths: set[PurePosixPath]) -> list[PurePosixPath]:
    """The folders that lie in none of the others."""
    return sorted(path for path in paths if not any(path != other and path.is_relative_to(other) for other in paths))


def open_folder(top: Path, relative: PurePosixPath) -> int:
    """A descriptor of a folder below `top`, also while a program changes it: no link on the way is followed.

    Raises `OSError`: it is not there, or is no folder, or a link.
    """
    descriptor = os.open(top, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    for name in relative.parts:
        try:
            inner = os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=descriptor)
        finally:
            os.close(descriptor)
        descriptor = inner
    return descriptor
