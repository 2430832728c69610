"""ListObjectsV2 and ListObjects: keys in UTF-8 order, a page at a time, grouped by a delimiter where one is given."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from itertools import islice

from pipelines.local.s3.errors import StoreError
from pipelines.local.s3.request import Request
from pipelines.local.s3.response import Response, iso_date, url, xml
from pipelines.local.s3.xml import Node
from pipelines.local.store import ObjectStore, Start, Stored

MAX_KEYS = 1000


def list_objects_v2(store: ObjectStore, request: Request) -> Response:
    """Errors: InvalidArgument for a continuation token that is not ours."""
    token, after = request.query.get("continuation-token"), request.query.get("start-after", "")
    entries, more, nodes = _page(store, request, Start(after) if token is None else _read_token(token))
    encode = encoder(request)
    nodes += [("KeyCount", len(entries))]
    if token is not None:
        nodes.append(("ContinuationToken", token))
    if after:
        nodes.append(("StartAfter", encode(after)))
    if more:
        nodes.append(("NextContinuationToken", _write_token(entries[-1])))
    return xml("ListBucketResult", nodes)


def list_objects(store: ObjectStore, request: Request) -> Response:
    """The first version: `marker` instead of a token."""
    marker, delimiter = request.query.get("marker", ""), request.query.get("delimiter", "")
    # The NextMarker of a page that ended in a common prefix: the next one begins beyond all that shares it.
    whole = bool(marker and delimiter) and group(marker, request.query.get("prefix", ""), delimiter) == marker
    entries, more, nodes = _page(store, request, Start(marker, whole))
    encode = encoder(request)
    nodes.append(("Marker", encode(marker)))
    if more and delimiter:
        nodes.append(("NextMarker", encode(_name(entries[-1]))))
    return xml("ListBucketResult", nodes)


def _page(store: ObjectStore, request: Request, start: Start) -> tuple[list[Stored | str], bool, list[Node]]:
    prefix, delimiter = request.query.get("prefix", ""), request.query.get("delimiter", "")
    most, encode = request.number("max-keys", MAX_KEYS, MAX_KEYS), encoder(request)
    found = list(islice(_entries(store, request.bucket, prefix, delimiter, start), most + 1)) if most else []
    store.bucket(request.bucket)
    entries, more = found[:most], len(found) > most
    nodes: list[Node] = [("Name", request.bucket), ("Prefix", encode(prefix)), ("MaxKeys", most)]
    nodes.append(("IsTruncated", "true" if more else "false"))
    if delimiter:
        nodes.append(("Delimiter", encode(delimiter)))
    if encode is url:
        nodes.append(("EncodingType", "url"))
    return entries, more, nodes + [_node(entry, encode) for entry in entries]


def _entries(store: ObjectStore, bucket: str, prefix: str, delimiter: str, start: Start) -> Iterator[Stored | str]:
    """Objects, and as strings the prefixes that several of them share up to the delimiter."""
    if delimiter == "/":
        yield from store.level(bucket, prefix, start)
        return
    last = ""
    for stored in store.objects(bucket, prefix, start):
        shared = group(stored.key, prefix, delimiter) if delimiter else ""
        if not shared:
            yield stored
        elif shared != last:
            yield shared
        last = shared


def group(key: str, prefix: str, delimiter: str) -> str:
    """The key up to the first delimiter beyond the prefix; "" where there is none."""
    index = key.find(delimiter, len(prefix)) if key.startswith(prefix) else -1
    return key[: index + len(delimiter)] if index >= 0 else ""


def _node(entry: Stored | str, encode: Callable[[str], str]) -> Node:
    if isinstance(entry, str):
        return "CommonPrefixes", [("Prefix", encode(entry))]
    return "Contents", [
        ("Key", encode(entry.key)),
        ("LastModified", iso_date(entry.mtime)),
        ("ETag", f'"{entry.etag}"'),
        ("Size", entry.size),
        ("StorageClass", "STANDARD"),
    ]


def encoder(request: Request) -> Callable[[str], str]:
    """How names leave: as they are, or for `encoding-type=url` encoded. Errors: InvalidArgument."""
    match request.query.get("encoding-type", ""):
        case "":
            return str
        case "url":
            return url
    raise StoreError("InvalidArgument", "encoding-type is not known", where=request.where, fix="say encoding-type=url")


def _name(entry: Stored | str) -> str:
    return entry if isinstance(entry, str) else entry.key


def _write_token(entry: Stored | str) -> str:
    kind = "p" if isinstance(entry, str) else "k"
    return base64.urlsafe_b64encode((kind + _name(entry)).encode()).decode()


def _read_token(token: str) -> Start:
    try:
        text = base64.b64decode(token, altchars=b"-_", validate=True).decode("utf-8")
        return Start(text[1:], {"k": False, "p": True}[text[:1]])
    except (ValueError, KeyError) as error:
        fix = "give the NextContinuationToken of the page before"
        raise StoreError("InvalidArgument", "the continuation token is not one of ours", fix=fix) from error
