"""The files of a local folder or file, as a build context or an asset: relative path, content hash.

Takes a folder that nothing may leave and a path in it; gives a `Context`. Caches and version control do not belong to
it, nor what a `.dockerignore` names.
"""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

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
    ignored = ignore_rules(root / ".dockerignore")
    for parent, folders, names in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _NEVER)
        for name in names:
            source = Path(parent, name)
            path = source.relative_to(root).as_posix()
            if name in _NEVER or name.endswith(".pyc") or ignored(path) or not source.is_file():
                continue
            if not source.resolve().is_relative_to(inside):
                raise ValueError(f"the link {path!r} points outside of the folder of pipeline.yaml")
            yield File(path, source)


def ignore_rules(file: Path) -> Callable[[str], bool]:
    """What a `.dockerignore` leaves out: a test for paths below its folder. The last rule that matches decides."""
    if not file.is_file():
        return lambda _path: False
    rules: list[tuple[re.Pattern[str], bool]] = []
    for line in file.read_text(encoding="utf-8").splitlines():
        rule = line.strip()
        if rule and not rule.startswith("#"):
            keep = rule.startswith("!")
            rules.append((_pattern(rule.removeprefix("!").strip()), not keep))

    def ignored(path: str) -> bool:
        result = False
        for pattern, leaves_out in rules:
            if pattern.fullmatch(path):
                result = leaves_out
        return result

    return ignored


def _pattern(rule: str) -> re.Pattern[str]:
    """A `.dockerignore` rule as a pattern over whole paths: it matches the entry and all below it."""
    parts = PurePosixPath(rule.strip("/")).parts
    pieces = [r"(?:[^/]+/)*" if part == "**" else _segment(part) + "/" for part in parts]
    return re.compile("".join(pieces).removesuffix("/") + r"(?:/.*)?" if pieces else r"(?!)")


def _segment(part: str) -> str:
    return "".join({"*": "[^/]*", "?": "[^/]"}.get(char) or re.escape(char) for char in part)
