"""The message that a program leaves about its end: its first KB, whole characters."""

from __future__ import annotations

import codecs
from pathlib import Path

LIMIT = 1024  # bytes (CONTRACT.md section 3.2)


class NotTextError(Exception):
    """The message is not UTF-8."""


def read_message(root: Path, name: str) -> str:
    """The first KB of a UTF-8 file below `root`; empty when it is not there. Follows no link. Raises `NotTextError`."""
    file = root / name
    if crosses_link(root, file) or not file.is_file():
        return ""
    with file.open("rb") as stream:
        start, more = stream.read(LIMIT), stream.read(1)
    try:
        return _decoded(start, whole=not more)
    except UnicodeDecodeError as error:
        raise NotTextError(f"/opt/ml/{name} is not UTF-8: {error.reason} at byte {error.start}") from error


def first_kilobyte(text: str) -> str:
    """As much of a text as a message holds, in whole characters."""
    encoded = text.encode()
    return _decoded(encoded[:LIMIT], whole=len(encoded) <= LIMIT)


def _decoded(start: bytes, *, whole: bool) -> str:
    """The last character of a text that goes on may be cut."""
    return codecs.getincrementaldecoder("utf-8")().decode(start, final=whole).strip()


def crosses_link(root: Path, path: Path) -> bool:
    """Whether a symbolic link lies on the way from `root` to a path below it, or is its end.

    A program may have put one in place of any folder of its own; it would lead to the machine's files.
    """
    steps = path.relative_to(root).parts
    return any(root.joinpath(*steps[: index + 1]).is_symlink() for index in range(len(steps)))
