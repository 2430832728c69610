"""The bytes that a client sends: aws-chunked framing taken off, length and checksums verified while they stream.

Enters a request; leaves a reader for `ObjectStore.put`, which raises at its end if the body is not what was announced,
so that nothing is stored. Checksums of the standard library are verified (CRC32, SHA-1, SHA-256, MD5); CRC32C and
CRC64NVME need a compiled package and are read over. x-amz-content-sha256 belongs to the signature, which nobody checks.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import io
import zlib
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Protocol
from xml.etree.ElementTree import Element

from pipelines.local.s3.errors import StoreError
from pipelines.local.s3.request import Request
from pipelines.local.s3.xml import MAX_XML, read_xml

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

MAX_PUT = 5 << 30  # S3's limit for one PutObject or UploadPart
_MAX_LINE = 4096
_PIECE = 1 << 20


class _Sum(Protocol):
    def update(self, data: bytes, /) -> None: ...
    def digest(self) -> bytes: ...


class _Crc32:
    def __init__(self) -> None:
        self._value = 0

    def update(self, data: bytes, /) -> None:
        self._value = zlib.crc32(data, self._value)

    def digest(self) -> bytes:
        return self._value.to_bytes(4, "big")


class _Readable(Protocol):
    def read(self, size: int, /) -> bytes: ...


class _Lines(_Readable, Protocol):
    def readline(self, size: int, /) -> bytes: ...


_SUMS: dict[str, Callable[[], _Sum]] = {
    "content-md5": lambda: hashlib.md5(usedforsecurity=False),
    "x-amz-checksum-crc32": _Crc32,
    "x-amz-checksum-sha1": lambda: hashlib.sha1(usedforsecurity=False),
    "x-amz-checksum-sha256": hashlib.sha256,
}


class Body:
    """`read(size)` gives the object's bytes; the last, empty read verifies. Errors: see the functions below."""

    def __init__(self, request: Request, most: int = MAX_PUT) -> None:
        headers = request.headers
        self._where, self._left_to_most = request.where, most
        self._expected = {name: headers[name] for name in _SUMS if name in headers}
        announced = [name.strip().lower() for name in headers.get("x-amz-trailer", "").split(",")]
        self._trailing = {name for name in announced if name in _SUMS}
        self._sums = {name: _SUMS[name]() for name in {*self._expected, *self._trailing}}
        self._length = _number(headers, "x-amz-decoded-content-length")
        self._read_bytes = 0
        wire = _Wire(request, self._where)
        self._chunks = _Chunks(io.BufferedReader(wire, _PIECE), self._where) if _is_framed(request) else None
        self._source: _Readable = self._chunks or wire

    def read(self, size: int = _PIECE, /) -> bytes:
        piece = self._source.read(size)
        self._read_bytes += len(piece)
        if self._read_bytes > self._left_to_most:
            fix = "send it in parts, as upload_file does"
            raise StoreError("EntityTooLarge", f"more than {self._left_to_most} bytes", where=self._where, fix=fix)
        for each in self._sums.values():
            each.update(piece)
        if not piece:
            self._verify()
        return piece

    def verified(self) -> dict[str, str]:
        """The checksums that were given and hold, for S3's answer."""
        return {name: value for name, value in self._expected.items() if name != "content-md5"}

    def _verify(self) -> None:
        if self._length is not None and self._read_bytes != self._length:
            raise incomplete(self._where, f"{self._read_bytes} bytes came, {self._length} were announced")
        if self._chunks:
            trailers = self._chunks.trailers
            if lost := sorted(self._trailing - trailers.keys()):
                raise StoreError("MalformedTrailerError", f"the trailer {lost[0]} is missing", where=self._where)
            self._expected |= {name: trailers[name] for name in self._trailing}
        for name, value in self._expected.items():
            if _decode(name, value, self._where) != self._sums[name].digest():
                what, fix = f"the bytes that came do not have the {name} {value}", "send it again"
                raise StoreError("BadDigest", what, where=self._where, fix=fix)


class _Wire(io.RawIOBase):
    """The request's body as the server gives it, up to Content-Length."""

    def __init__(self, request: Request, where: str) -> None:
        self._input, self._where = request.environ["wsgi.input"], where
        self._left = _number(request.headers, "content-length")
        if request.environ.get("wsgi.input_terminated") and "transfer-encoding" in request.headers:
            self._left = None  # the server ends the stream by itself
        elif self._left is None:
            fix = "send Content-Length, or Transfer-Encoding: chunked"
            raise StoreError("MissingContentLength", "the length of the body is not given", where=where, fix=fix)

    def readable(self) -> bool:
        return True

    def read(self, size: int = _PIECE, /) -> bytes:
        wanted = size if self._left is None else min(size, self._left)
        try:
            data: bytes = self._input.read(wanted) if wanted else b""
        except OSError as error:
            raise incomplete(self._where, "the connection broke") from error
        if self._left is not None:
            if wanted and not data:
                raise incomplete(self._where, f"the body ended {self._left} bytes early")
            self._left -= len(data)
        return data

    def readinto(self, buffer: WriteableBuffer, /) -> int:
        view = memoryview(buffer)
        data = self.read(len(view))
        view[: len(data)] = data
        return len(data)


class _Chunks:
    """aws-chunked: `SIZE[;chunk-signature=…]`, the bytes, …, `0`, then `name:value` trailers and an empty line."""

    def __init__(self, wire: _Lines, where: str) -> None:
        self._wire, self._where = wire, where
        self._left, self._ended = 0, False
        self.trailers: dict[str, str] = {}

    def read(self, size: int, /) -> bytes:
        if not self._left and not self._ended:
            self._left = self._size()
            if not self._left:
                self._read_trailers()
        piece = self._wire.read(min(size, self._left))
        if self._left and not piece:
            raise incomplete(self._where, "the body ended within a chunk")
        self._left -= len(piece)
        if piece and not self._left and self._line():
            raise incomplete(self._where, "a chunk is longer than its size says")
        return piece

    def _size(self) -> int:
        text = self._line().partition(b";")[0].strip()
        try:
            if not text.isalnum() or len(text) > 16:
                raise ValueError(text)
            return int(text, 16)
        except ValueError as error:
            raise incomplete(self._where, "a chunk has no size") from error

    def _read_trailers(self) -> None:
        self._ended = True
        while line := self._line(last=True):
            name, _, value = line.partition(b":")
            self.trailers[name.strip().lower().decode("latin-1")] = value.strip().decode("latin-1")
            if len(self.trailers) > 20:
                raise incomplete(self._where, "more than 20 trailers")

    def _line(self, *, last: bool = False) -> bytes:
        line = self._wire.readline(_MAX_LINE)
        if not line.endswith(b"\n") and not (last and not line):
            raise incomplete(self._where, "the body ended within its framing")
        return line.rstrip(b"\r\n")


def read_document(request: Request) -> Element:
    """The request's XML. Errors: MalformedXML, EntityTooLarge (8 MiB), and those of the body."""
    body, data = Body(request, MAX_XML), bytearray()
    while piece := body.read():
        data += piece
    return read_xml(bytes(data))


def incomplete(where: str, what: str) -> StoreError:
    return StoreError("IncompleteBody", what, where=where, fix="send it again; nothing was stored")


def _is_framed(request: Request) -> bool:
    encodings = request.headers.get("content-encoding", "").lower()
    return "aws-chunked" in encodings or request.headers.get("x-amz-content-sha256", "").startswith("STREAMING-")


def _number(headers: Mapping[str, str], name: str) -> int | None:
    text = headers.get(name, "")
    if not text:
        return None
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise StoreError("InvalidArgument", f"{name}: {text[:40]} is no number", fix="give the number of bytes")
    return int(text)


def _decode(name: str, value: str, where: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (binascii.Error, ValueError) as error:
        raise StoreError("InvalidDigest", f"{name}: {value[:100]} is not base64", where=where) from error
