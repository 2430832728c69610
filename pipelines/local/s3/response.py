"""What a handler answers: a status, headers and a body in pieces. XML, errors and the bytes of an object."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import formatdate
from http import HTTPStatus
from typing import BinaryIO
from urllib.parse import quote

from pipelines.local.s3.disk import PIECE
from pipelines.local.s3.errors import StoreError
from pipelines.local.s3.request import Request
from pipelines.local.s3.xml import DECLARATION, Content, Node, printable, write_xml

Headers = dict[str, str]


@dataclass(frozen=True)
class Response:
    """`headers` are complete but for Server and Date, which the server adds."""

    status: int = 200
    headers: Headers = field(default_factory=dict)
    body: Iterable[bytes] = ()

    @property
    def status_line(self) -> str:
        return f"{self.status} {HTTPStatus(self.status).phrase}"


def empty(status: int = 200, headers: Headers | None = None) -> Response:
    """An answer without a body; 204 and 304 have no length."""
    length = {} if status in (204, 304) else {"Content-Length": "0"}
    return Response(status, {**length, **(headers or {})})


def xml(name: str, content: Content, *, status: int = 200, namespace: bool = True) -> Response:
    """An S3 document."""
    data = DECLARATION + write_xml(name, content, namespace=namespace)
    return Response(status, {"Content-Type": "application/xml", "Content-Length": str(len(data))}, (data,))


def error_nodes(error: StoreError, request: Request | None) -> list[Node]:
    """The children of S3's <Error>."""
    nodes: list[Node] = [("Code", error.code), ("Message", printable(error.message))]
    if request and request.bucket:
        nodes.append(("BucketName", printable(request.bucket)))
        if request.key:
            nodes.append(("Key", printable(request.key)))
    resource = f"/{request.bucket}/{request.key}" if request else ""
    return [*nodes, ("Resource", printable(resource)), ("RequestId", uuid.uuid4().hex[:16].upper())]


def error_response(error: StoreError, request: Request | None) -> Response:
    """S3's error document; a 304 has none."""
    if error.status == 304:
        return empty(304)
    return xml("Error", error_nodes(error, request), status=error.status, namespace=False)


class FilePiece:
    """A stretch of an open file, in pieces of 1 MiB; closes the file."""

    def __init__(self, file: BinaryIO, start: int, count: int) -> None:
        self._file, self._left = file, count
        file.seek(start)

    def __iter__(self) -> Iterator[bytes]:
        while self._left and (data := self._file.read(min(PIECE, self._left))):
            self._left -= len(data)
            yield data

    def close(self) -> None:
        self._file.close()


def http_date(seconds: float) -> str:
    return formatdate(seconds, usegmt=True)


def iso_date(seconds: float) -> str:
    """S3's time in XML: UTC with milliseconds."""
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def latin(text: str) -> str:
    """Text for a header: WSGI wants its UTF-8 bytes as Latin-1."""
    return text.encode("utf-8").decode("latin-1")


def url(text: str) -> str:
    """As `encoding-type=url` wants it."""
    return quote(text, safe="/")
