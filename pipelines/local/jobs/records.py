"""The payloads of a batch transform: an object's lines → requests of at most so many bytes; answers → its output.

Reads a stream as far as the next payload needs, so memory stays bounded whatever the object's size.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Final

LINE, NONE = "Line", "None"
MULTI, SINGLE = "MultiRecord", "SingleRecord"
MEBIBYTE: Final = 1 << 20


class RecordError(Exception):
    """The data cannot be sent as was asked; the text says why."""


@dataclass(frozen=True)
class Payload:
    """One request: its body, and the records in it without their line ends (the whole object is one record)."""

    records: tuple[bytes, ...]
    body: bytes


@dataclass(frozen=True)
class Splitting:
    """How an object becomes requests; `limit` is the largest body in bytes, 0 for none."""

    split: str = NONE
    strategy: str = MULTI
    limit: int = 6 * MEBIBYTE

    def payloads(self, stream: BinaryIO) -> Iterator[Payload]:
        """The payloads of an object, in its order. Raises `RecordError` for a record that is too large."""
        if self.split == NONE:
            whole = stream.read(self.limit + 1 if self.limit else -1)
            self._check(len(whole), "the object", "set SplitType, or a larger MaxPayloadInMB")
            yield Payload((whole,), whole)
        else:
            yield from self._batches(stream)

    def _batches(self, stream: BinaryIO) -> Iterator[Payload]:
        batch: list[bytes] = []
        size = 0
        for record in self._records(stream):
            if batch and (self.strategy == SINGLE or (self.limit and size + len(record) + 1 > self.limit)):
                yield _payload(batch)
                batch, size = [], 0
            batch.append(record)
            size += len(record) + 1
        if batch:
            yield _payload(batch)

    def _records(self, stream: BinaryIO) -> Iterator[bytes]:
        """The lines that hold anything; of a longer one than the limit no more is read than shows it."""
        number = 0
        while line := stream.readline(self.limit + 2 if self.limit else -1):
            number += 1
            record = line.removesuffix(b"\n")
            self._check(len(record), f"line {number}", "set a larger MaxPayloadInMB")
            if record.strip():
                yield record

    def _check(self, size: int, what: str, fix: str) -> None:
        if self.limit and size > self.limit:
            raise RecordError(f"{what} is larger than MaxPayloadInMB allows ({self.limit:,} bytes); fix: {fix}")


def _payload(records: list[bytes]) -> Payload:
    return Payload(tuple(records), b"".join(record + b"\n" for record in records))


def assembled(answer: bytes, assemble: str) -> bytes:
    """An answer as it goes into the output: with AssembleWith Line it ends a line."""
    return answer if assemble == NONE or answer.endswith(b"\n") else answer + b"\n"
