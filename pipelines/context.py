"""The files of a local folder or file, as a build context or an asset: relative paths and content hashes.

Takes a folder that nothing may leave and a path in it; gives a `Context`. Caches and version control do not belong to
it, nor what a `.dockerignore` names.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from pipelines.dockerignore import read_rules

_NEVER = {
    ".git",
    ".hg",
    ".venv",
    ".pipelines",
    "__pycache__",
    ".DS_Store",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
}
_ALWAYS = {"Dockerfile", ".dockerignore", "Dockerfile.dockerignore"}  # Docker reads them itself, whatever the rules say


@dataclass(frozen=True)
class File:
    """A file: its path below the context (POSIX), and where it lies."""

    path: str
    source: Path

    @cached_property
    def sha256(self) -> str:
        with self.source.open("rb") as stream:
            return hashlib.file_digest(stream, "sha256").hexdigest()


@dataclass(frozen=True)
class Context:
    """Files in path order."""

    root: Path
    files: tuple[File, ...]

    @cached_property
    def hash(self) -> str:
        """SHA-256 over relative paths and contents: never over times, modes or the place on this machine."""
        digest = hashlib.sha256()
        for file in self.files:
            digest.update(f"{len(file.path.encode())}:{file.path}:{file.sha256};".encode())
        return digest.hexdigest()


def read_context(folder: Path, relative: str) -> Context:
    """The files at `relative`, a file or folder below `folder`.

    Raises `FileNotFoundError` when nothing is there and `ValueError` when it lies outside or holds no file.
    """
    root = folder / relative
    inside = folder.resolve()
    if not root.exists():
        raise FileNotFoundError(f"there is no file or folder {relative!r}")
    if not root.resolve().is_relative_to(inside):
        raise ValueError(f"{relative!r} lies outside of the folder of pipeline.yaml")
    if root.is_file():
        return Context(root, (File(root.name, root),))
    files = tuple(sorted(_walk(root, inside), key=lambda file: file.path))
    if not files:
        raise ValueError(f"the folder {relative!r} holds no file")
    return Context(root, files)


def _walk(root: Path, inside: Path) -> Iterator[File]:
    ignored = read_rules(root)
    for parent, folders, names in os.walk(root, onerror=_raise):
        folders[:] = [name for name in folders if name not in _NEVER]
        for name in [*names, *folders]:
            source = Path(parent, name)
            path = source.relative_to(root).as_posix()
            if name in _NEVER or name.endswith(".pyc") or (ignored(path) and path not in _ALWAYS):
                continue
            if source.is_symlink() and not source.resolve().is_relative_to(inside):
                raise ValueError(f"the link {path!r} points outside of the folder of pipeline.yaml")
            if source.is_symlink() and source.is_dir():
                raise ValueError(f"the link {path!r} points to a folder: put the files there, or ignore it")
            if source.is_file():  # editors leave links to nothing as locks; sockets have no content
                yield File(path, source)


def _raise(error: OSError) -> None:
    raise error
