"""If-Match, If-None-Match and their kin: checks of an object that raise S3's PreconditionFailed, or NotModified."""

from __future__ import annotations

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from pipelines.local.s3.errors import StoreError, missing_key
from pipelines.local.s3.request import Request
from pipelines.local.store import Allow, Stored

_COPY = "x-amz-copy-source-"


def check_read(headers: Mapping[str, str], stored: Stored, where: str) -> None:
    """Errors: PreconditionFailed, NotModified (RFC 9110, 13.2.2: a date counts only without its ETag)."""
    if "if-match" in headers:
        if not _matches(headers["if-match"], stored):
            raise _failed(where, "If-Match")
    elif (date := _date(headers, "if-unmodified-since")) is not None and int(stored.mtime) > date:
        raise _failed(where, "If-Unmodified-Since")
    if "if-none-match" in headers:
        if _matches(headers["if-none-match"], stored):
            raise StoreError("NotModified", "the object is the one you have", where=where)
    elif (date := _date(headers, "if-modified-since")) is not None and int(stored.mtime) <= date:
        raise StoreError("NotModified", "the object did not change since", where=where)


def check_copy_source(headers: Mapping[str, str], stored: Stored, where: str) -> None:
    """The same for x-amz-copy-source-if-…, where nothing is "not modified": it is PreconditionFailed."""
    own = {name.removeprefix(_COPY): value for name, value in headers.items() if name.startswith(_COPY)}
    try:
        check_read(own, stored, where)
    except StoreError as error:
        raise _failed(where, "x-amz-copy-source-if-…") from error


def allow_write(request: Request) -> Allow | None:
    """A check for the store to make while nobody else can write the key."""
    match, none_match = request.headers.get("if-match"), request.headers.get("if-none-match")
    if match is None and none_match is None:
        return None

    def allow(now: Stored | None) -> None:
        if match is not None and now is None:
            raise missing_key(request.bucket, request.key)
        if match is not None and now is not None and not _matches(match, now):
            raise _failed(request.where, "If-Match")
        if none_match is not None and now is not None and _matches(none_match, now):
            raise _failed(request.where, "If-None-Match")

    return allow


def _matches(value: str, stored: Stored) -> bool:
    tags = {tag.strip().removeprefix("W/").strip('"') for tag in value.split(",")}
    return bool(tags & {"*", stored.etag})


def _date(headers: Mapping[str, str], name: str) -> float | None:
    try:
        return parsedate_to_datetime(headers[name]).timestamp() if name in headers else None
    except ValueError:
        return None  # as HTTP wants it: a date that cannot be read is no condition


def _failed(where: str, condition: str) -> StoreError:
    fix = "read the object again (its ETag says which version you have), then decide"
    return StoreError("PreconditionFailed", f"the condition {condition} does not hold", where=where, fix=fix)
