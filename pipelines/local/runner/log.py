"""Writes a container's output to its log file: one line each, with the time before it.

Takes a pipe and a file, gives lines like `2026-11-22T13:04:55.123Z text`. Memory is bounded whatever the job prints:
a line longer than `LONGEST` bytes is written in pieces.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

LONGEST = 64 * 1024


def _utc_now() -> datetime:
    return datetime.now(UTC)


class LogWriter:
    """Appends to a log file; bytes in, whole lines out."""

    def __init__(self, path: Path, now: Callable[[], datetime] = _utc_now) -> None:
        self._file = path.open("ab", buffering=0)
        self._now = now
        self._rest = b""
        self._lost = False

    def line(self, text: str) -> None:
        """A line of our own."""
        self.feed(text.encode(errors="replace") + b"\n")

    def feed(self, chunk: bytes) -> None:
        """Write the lines that `chunk` completes; keep what is left, up to a line's greatest length."""
        *lines, rest = (self._rest + chunk).split(b"\n")
        pieces = [piece for line in lines for piece in _pieces(line)]
        *full, self._rest = _pieces(rest)
        self._write([*pieces, *full])

    def close(self) -> None:
        """Write the last line, though nothing ended it."""
        if self._rest:
            self.feed(b"\n")
        self._file.close()

    def _write(self, lines: list[bytes]) -> None:
        if not lines or self._lost:
            return
        stamp = self._now().strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z "
        texts = (line.removesuffix(b"\r").decode(errors="replace") for line in lines)
        try:
            self._file.write("".join(f"{stamp}{text}\n" for text in texts).encode())
        except OSError:
            self._lost = True  # the disk is full: the job goes on, its output is dropped


def _pieces(line: bytes) -> list[bytes]:
    """A line in pieces of bounded size, never cut within a UTF-8 character; at least one piece."""
    pieces = []
    while len(line) > LONGEST:
        end = LONGEST
        while end > LONGEST - 4 and line[end] & 0xC0 == 0x80:
            end -= 1
        pieces.append(line[:end])
        line = line[end:]
    return [*pieces, line]


def pump(descriptor: int, writer: LogWriter) -> None:
    """Read until the last writer of the pipe is gone."""
    while chunk := os.read(descriptor, LONGEST):
        writer.feed(chunk)
