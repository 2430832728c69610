"""The requests of a multipart upload: create, upload or copy a part, complete, abort, list."""

from __future__ import annotations

import re
from collections.abc import Iterator

from pipelines.local.s3.body import Body, read_document
from pipelines.local.s3.conditions import allow_write, check_copy_source
from pipelines.local.s3.errors import StoreError
from pipelines.local.s3.listing import encoder
from pipelines.local.s3.objects import MAX_COPY, copy_source, kept_headers
from pipelines.local.s3.request import Request
from pipelines.local.s3.response import Response, empty, error_nodes, iso_date, xml
from pipelines.local.s3.uploads import MAX_PARTS, Upload, Uploads
from pipelines.local.s3.xml import DECLARATION, Node, text_of, write_xml
from pipelines.local.store import ObjectStore, Stored

# Beyond this a join may take longer than a client waits (botocore: 60 s), so that its answer begins at once.
SLOW_JOIN = 2 << 30
_COPY_RANGE = re.compile(r"bytes=(\d{1,18})-(\d{1,18})")


def create_multipart_upload(store: ObjectStore, request: Request) -> Response:
    upload = Uploads(store, request.bucket).create(request.key, kept_headers(request))
    return xml("InitiateMultipartUploadResult", [*_names(request), ("UploadId", upload.upload_id)])


def upload_part(store: ObjectStore, request: Request) -> Response:
    uploads, upload = _upload(store, request)
    body = Body(request)
    part = uploads.put(upload, _part_number(request), body)
    return empty(200, {"ETag": f'"{part.etag}"', **body.verified()})


def upload_part_copy(store: ObjectStore, request: Request) -> Response:
    uploads, upload = _upload(store, request)
    number, (bucket, key) = _part_number(request), copy_source(request)
    stored, _, file = store.open(bucket, key)
    with file:
        check_copy_source(request.headers, stored, f"s3://{bucket}/{key}")
        start, count = _copy_range(request, stored.size)
        part = uploads.copy(upload, number, file, start, count)
    return xml("CopyPartResult", [("ETag", f'"{part.etag}"'), ("LastModified", iso_date(part.mtime))])


def _copy_range(request: Request, size: int) -> tuple[int, int]:
    text = request.headers.get("x-amz-copy-source-range")
    match = _COPY_RANGE.fullmatch(text) if text else None
    start, end = (int(match[1]), int(match[2]) + 1) if match else (0, size)
    if (text and not match) or (match and start >= end) or end > size or end - start > MAX_COPY:
        what = f"{text or 'the whole source'} is no range of up to {MAX_COPY} of its {size} bytes"
        raise StoreError("InvalidArgument", what, where=request.where, fix="write it as bytes=FIRST-LAST, both inside")
    return start, end - start


def complete_multipart_upload(store: ObjectStore, request: Request) -> Response:
    """Errors: those of `Uploads.check`. A large object is answered while it is joined, as S3 does: 200, then blanks."""
    uploads, upload = _upload(store, request)
    wanted = [
        _wanted(text_of(part, "PartNumber"), text_of(part, "ETag")) for part in read_document(request).findall("Part")
    ]
    size = uploads.check(upload, wanted)
    steps = uploads.complete(upload, [number for number, _ in wanted], allow_write(request))
    if size > SLOW_JOIN:
        return Response(200, {"Content-Type": "application/xml"}, _answer_slowly(request, steps))
    return xml("CompleteMultipartUploadResult", _completed(request, next(filter(None, steps))))


def _answer_slowly(request: Request, steps: Iterator[Stored | None]) -> Iterator[bytes]:
    yield DECLARATION
    try:
        for stored in steps:
            yield write_xml("CompleteMultipartUploadResult", _completed(request, stored)) if stored else b" "
    except StoreError as error:
        yield write_xml("Error", error_nodes(error, request), namespace=False)


def _completed(request: Request, stored: Stored) -> list[Node]:
    return [("Location", f"/{request.bucket}/{request.key}"), *_names(request), ("ETag", f'"{stored.etag}"')]


def _wanted(number: str, etag: str) -> tuple[int, str]:
    if not (number.isascii() and number.isdigit()) or len(number) > 5:
        raise StoreError("MalformedXML", f"PartNumber {number[:20]} is no number", fix="number parts from 1")
    return int(number), etag.strip('"')


def abort_multipart_upload(store: ObjectStore, request: Request) -> Response:
    uploads, upload = _upload(store, request)
    uploads.abort(upload)
    return empty(204)


def list_parts(store: ObjectStore, request: Request) -> Response:
    uploads, upload = _upload(store, request)
    marker, most = request.number("part-number-marker", 0, MAX_PARTS), request.number("max-parts", 1000, 1000)
    later = [(number, part) for number, part in uploads.parts(upload) if number > marker]
    shown = later[:most]
    nodes = [*_names(request), ("UploadId", upload.upload_id), ("PartNumberMarker", marker), ("MaxParts", most)]
    nodes.append(("NextPartNumberMarker", shown[-1][0] if shown else 0))
    nodes.append(("IsTruncated", "true" if len(later) > len(shown) else "false"))
    return xml("ListPartsResult", [*nodes, *(_part_node(number, part) for number, part in shown)])


def _part_node(number: int, part: Stored) -> Node:
    facts: list[Node] = [("PartNumber", number), ("LastModified", iso_date(part.mtime))]
    return "Part", [*facts, ("ETag", f'"{part.etag}"'), ("Size", part.size)]


def list_multipart_uploads(store: ObjectStore, request: Request) -> Response:
    if request.query.get("delimiter"):
        fix = "leave the delimiter out"
        raise StoreError("NotImplemented", "ListMultipartUploads takes no delimiter here", where=request.where, fix=fix)
    prefix, encode = request.query.get("prefix", ""), encoder(request)
    most = request.number("max-uploads", 1000, 1000)
    later = [upload for upload in Uploads(store, request.bucket).all() if upload.key.startswith(prefix)]
    later = later[_beginning(request, later) :]
    shown = later[:most]
    nodes: list[Node] = [("Bucket", request.bucket), ("Prefix", encode(prefix)), ("MaxUploads", most)]
    nodes.append(("KeyMarker", encode(request.query.get("key-marker", ""))))
    nodes.append(("UploadIdMarker", request.query.get("upload-id-marker", "")))
    if len(later) > len(shown) and shown:
        nodes += [("NextKeyMarker", encode(shown[-1].key)), ("NextUploadIdMarker", shown[-1].upload_id)]
    nodes.append(("IsTruncated", "true" if len(later) > len(shown) else "false"))
    for upload in shown:
        initiated = iso_date(upload.initiated)
        nodes.append(
            ("Upload", [("Key", encode(upload.key)), ("UploadId", upload.upload_id), ("Initiated", initiated)])
        )
    return xml("ListMultipartUploadsResult", nodes)


def _beginning(request: Request, uploads: list[Upload]) -> int:
    """The index of the first upload after the two markers."""
    key, upload_id = request.query.get("key-marker", ""), request.query.get("upload-id-marker", "")
    ids = [(upload.key, upload.upload_id) for upload in uploads]
    if (key, upload_id) in ids:
        return ids.index((key, upload_id)) + 1
    return sum(1 for upload in uploads if upload.key <= key) if key else 0


def _upload(store: ObjectStore, request: Request) -> tuple[Uploads, Upload]:
    uploads = Uploads(store, request.bucket)
    return uploads, uploads.find(request.key, request.query.get("uploadId", ""))


def _part_number(request: Request) -> int:
    number = request.number("partNumber", 0, MAX_PARTS + 1)
    if not 1 <= number <= MAX_PARTS:
        what = f"a part number lies between 1 and {MAX_PARTS}"
        raise StoreError("InvalidArgument", what, where=request.where, fix="number parts from 1")
    return number


def _names(request: Request) -> list[Node]:
    return [("Bucket", request.bucket), ("Key", request.key)]
