"""GetObject, HeadObject, PutObject, CopyObject, DeleteObject(s) and GetObjectTagging: a request to a response."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import BinaryIO, cast
from urllib.parse import parse_qsl, unquote

from pipelines.local.s3.body import Body, read_document
from pipelines.local.s3.conditions import allow_write, check_copy_source, check_read
from pipelines.local.s3.disk import PIECE, copy_range
from pipelines.local.s3.errors import StoreError
from pipelines.local.s3.request import Request
from pipelines.local.s3.response import FilePiece, Headers, Response, empty, http_date, iso_date, latin, xml
from pipelines.local.s3.xml import Node, printable, text_of
from pipelines.local.store import ObjectStore, Stored

MAX_COPY = 5 << 30
_MAX_METADATA = 2048
_DEFAULT_TYPE = "binary/octet-stream"
_KEPT = ("cache-control", "content-disposition", "content-encoding", "content-language", "content-type", "expires")
_RANGE = re.compile(r"bytes=(\d{0,18})-(\d{0,18})")


def put_object(store: ObjectStore, request: Request) -> Response:
    body = Body(request)
    stored = store.put(request.bucket, request.key, body, kept_headers(request), allow_write(request))
    return empty(200, {"ETag": f'"{stored.etag}"', **body.verified()})


def kept_headers(request: Request) -> Headers:
    """What the request says of the object beside its bytes. Errors: MetadataTooLarge."""
    kept = {name: value for name, value in request.headers.items() if name in _KEPT and value}
    codings = [coding.strip() for coding in kept.pop("content-encoding", "").split(",")]
    if encoding := ",".join(coding for coding in codings if coding and coding.lower() != "aws-chunked"):
        kept["content-encoding"] = encoding
    if kept.get("content-type") == _DEFAULT_TYPE:
        del kept["content-type"]
    metadata = {name: value for name, value in request.headers.items() if name.startswith("x-amz-meta-")}
    if sum(len(name) - len("x-amz-meta-") + len(value) for name, value in metadata.items()) > _MAX_METADATA:
        what, fix = f"the user metadata has more than {_MAX_METADATA} bytes", "put it into an object of its own"
        raise StoreError("MetadataTooLarge", what, where=request.where, fix=fix)
    if tags := request.headers.get("x-amz-tagging"):
        kept["x-amz-tagging"] = tags
    return {**kept, **metadata}


def get_object(store: ObjectStore, request: Request) -> Response:
    """The bytes, streamed. Never with a checksum: what a range would need is not what a whole object has."""
    _refuse_version(request.query.get("versionId", "null"), request.where)
    stored, kept, file = store.open(request.bucket, request.key)
    try:
        check_read(request.headers, stored, request.where)
        _refuse_parts(request)
        part = _range(request, stored.size)
        headers = _describe(request, stored, kept)
    except BaseException:
        file.close()
        raise
    start, count = part or (0, stored.size)
    headers["Content-Length"] = str(count)
    if part:
        headers["Content-Range"] = f"bytes {start}-{start + count - 1}/{stored.size}"
    status = 206 if part else 200
    if request.method == "HEAD":
        file.close()
        return Response(status, headers)
    wrap = request.environ.get("wsgi.file_wrapper")
    if wrap and not part:  # a server that brings one sends the file to its end, inside the kernel if it can
        return Response(status, headers, wrap(file, PIECE))
    return Response(status, headers, FilePiece(file, start, count))


def _describe(request: Request, stored: Stored, kept: Mapping[str, str]) -> Headers:
    headers = {
        "Content-Type": _DEFAULT_TYPE,
        "ETag": f'"{stored.etag}"',
        "Last-Modified": http_date(stored.mtime),
        "Accept-Ranges": "bytes",
    }
    headers |= {name.title(): value for name, value in kept.items() if name in _KEPT}
    headers |= {name: value for name, value in kept.items() if name.startswith("x-amz-meta-")}
    if tags := kept.get("x-amz-tagging"):
        headers["x-amz-tagging-count"] = str(len(parse_qsl(tags, keep_blank_values=True)))
    for name in _KEPT:
        if value := request.query.get(f"response-{name}"):
            if not value.isprintable():
                fix = "leave them out"
                raise StoreError("InvalidArgument", f"response-{name} holds control characters", fix=fix)
            headers[name.title()] = latin(value)
    return headers


def _range(request: Request, size: int) -> tuple[int, int] | None:
    """First byte and count; None for no Range, or one that S3 ignores (several, backwards). Errors: InvalidRange."""
    match = _RANGE.fullmatch(request.headers.get("range", "").replace(" ", ""))
    if not match or match[0] == "bytes=-":
        return None
    first, last = (int(text) if text else None for text in match.groups())
    if first is None:
        start, end = max(size - (last or 0), 0), size
    elif last is None:
        start, end = first, size
    elif first > last:
        return None
    else:
        start, end = first, min(last + 1, size)
    if start >= end:
        what = f"the object has {size} bytes, and {match[0]} lies beyond them"
        raise StoreError("InvalidRange", what, where=request.where, fix="ask for bytes that are there")
    return start, end - start


def _refuse_version(version: str, where: str) -> None:
    if version != "null":
        what, fix = f"there is no version {version[:100]}: files have none", "leave the version out"
        raise StoreError("NoSuchVersion", what, where=where, fix=fix)


def _refuse_parts(request: Request) -> None:
    if request.query.get("partNumber", "1") != "1":
        fix = "ask for the object, or a Range of it; its parts are not kept apart"
        raise StoreError("InvalidPartNumber", "the object has one part", where=request.where, fix=fix)


def delete_object(store: ObjectStore, request: Request) -> Response:
    _refuse_version(request.query.get("versionId", "null"), request.where)
    store.delete(request.bucket, request.key, allow_write(request))
    return empty(204)


def delete_objects(store: ObjectStore, request: Request) -> Response:
    """Up to 1,000 keys; each is answered by itself."""
    root = read_document(request)
    store.bucket(request.bucket)
    entries = root.findall("Object")
    if root.tag != "Delete" or not 1 <= len(entries) <= 1000:
        raise StoreError("MalformedXML", "Delete takes 1 to 1000 objects", where=request.where, fix="divide the list")
    quiet = root.findtext("Quiet", "").lower() == "true"
    nodes: list[Node] = []
    for key, version in [(text_of(entry, "Key"), entry.findtext("VersionId") or "null") for entry in entries]:
        try:
            _refuse_version(version, f"s3://{request.bucket}/{key}")
            store.delete(request.bucket, key)
        except StoreError as error:
            nodes.append(("Error", [("Key", key), ("Code", error.code), ("Message", printable(error.message))]))
        else:
            nodes += [] if quiet else [("Deleted", [("Key", key)])]
    return xml("DeleteResult", nodes)


def copy_object(store: ObjectStore, request: Request) -> Response:
    """Errors: InvalidRequest for a copy onto itself that changes nothing, and for more than 5 GiB, as on S3."""
    bucket, key = copy_source(request)
    replaces = request.headers.get("x-amz-metadata-directive", "COPY").upper() == "REPLACE"
    if (bucket, key) == (request.bucket, request.key) and not replaces:
        what, fix = "the copy would change nothing", "say MetadataDirective=REPLACE, with the new metadata"
        raise StoreError("InvalidRequest", what, where=request.where, fix=fix)
    stored, kept, file = store.open(bucket, key)
    with file, store.staged(request.bucket) as temporary:
        check_copy_source(request.headers, stored, f"s3://{bucket}/{key}")
        if stored.size > MAX_COPY:
            fix = "copy it in parts: UploadPartCopy, as the copy() of boto3 does"
            what = f"the source has more than {MAX_COPY} bytes"
            raise StoreError("InvalidRequest", what, where=request.where, fix=fix)
        with store.disk(request.where), temporary.open("xb", buffering=0) as target:
            for _ in copy_range(file, cast(BinaryIO, target), 0, stored.size):
                pass
        headers = kept_headers(request) if replaces else kept
        done = store.commit(request.bucket, request.key, temporary, headers, allow_write(request))
    return xml("CopyObjectResult", [("ETag", f'"{done.etag}"'), ("LastModified", iso_date(done.mtime))])


def copy_source(request: Request) -> tuple[str, str]:
    """Bucket and key of x-amz-copy-source. Errors: InvalidArgument, NoSuchVersion."""
    text, _, version = request.headers.get("x-amz-copy-source", "").partition("?versionId=")
    try:
        bucket, slash, key = unquote(text, errors="strict").removeprefix("/").partition("/")
    except UnicodeDecodeError:
        bucket = slash = key = ""
    if not slash or not key:
        what, fix = "x-amz-copy-source does not name an object", "write it as bucket/key, the key URL-encoded"
        raise StoreError("InvalidArgument", what, where=request.where, fix=fix)
    if version not in ("", "null"):
        raise StoreError("NoSuchVersion", "files have no versions", where=request.where, fix="leave versionId out")
    return bucket, key


def get_object_tagging(store: ObjectStore, request: Request) -> Response:
    """The tags that were given with the object."""
    _, kept, file = store.open(request.bucket, request.key)
    file.close()
    pairs = parse_qsl(kept.get("x-amz-tagging", ""), keep_blank_values=True)
    tags: list[Node] = [("Tag", [("Key", key), ("Value", value)]) for key, value in pairs]
    return xml("Tagging", [("TagSet", tags)])
