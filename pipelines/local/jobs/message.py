"""The message that a program leaves about its end: its first KB, whole characters."""

from __future__ import annotations

from pathlib import Path

LIMIT = 1024  # bytes (CONTRACT.md section 3.2)


def read_message(file: Path) -> str:
    """The first KB of a UTF-8 file; empty when it is not there. Never follows a link out of the job's folder."""
    if file.is_symlink() or not file.is_file():
        return ""
    with file.open("rb") as stream:
        return stream.read(LIMIT).decode("utf-8", errors="ignore").strip()
