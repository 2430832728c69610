"""One HTTP request as S3 sees it: enters a WSGI environ, leaves bucket, key, query and headers, checked and decoded."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, unquote_to_bytes, urlsplit

from pipelines.local.s3.errors import StoreError
from pipelines.local.s3.names import is_bucket

Environ = dict[str, Any]
_LOCAL_HOST = re.compile(r"(?:(?P<bucket>.+)\.)?(?:127\.0\.0\.1|localhost)(?::\d+)?", re.IGNORECASE)
_SCOPE = re.compile(r"Credential=([^,\s]+)")
_FORM = "application/x-www-form-urlencoded"


@dataclass(frozen=True)
class Request:
    """`bucket` and `key` are "" where the request names none; header names are lower case, values as in WSGI."""

    method: str
    bucket: str
    key: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    environ: Environ

    @property
    def where(self) -> str:
        return f"s3://{self.bucket}/{self.key}" if self.key else f"s3://{self.bucket}"

    @property
    def region(self) -> str:
        """The region that the client signed for."""
        parts = _scope(self.environ).split("/")
        return parts[-3] if len(parts) >= 5 else "us-east-1"

    def number(self, name: str, default: int, most: int) -> int:
        """A count in the query, cut to `most`. Errors: InvalidArgument."""
        text = self.query.get(name, "")
        if not text:
            return default
        if not (text.isascii() and text.isdigit()) or len(text) > 10:
            raise StoreError("InvalidArgument", f"{name}={text[:40]} is no number", fix=f"give {name} as 0, 1, 2 …")
        return min(int(text), most)


def read_request(environ: Environ) -> Request:
    """Errors: InvalidURI when the path or query is not UTF-8."""
    path = _path(environ)
    bucket = _bucket_of_host(environ)
    if bucket:
        key = path.removeprefix("/")
    else:
        bucket, _, key = path.removeprefix("/").partition("/")
    headers = {name[5:].lower().replace("_", "-"): value for name, value in environ.items() if name[:5] == "HTTP_"}
    for name in ("CONTENT_TYPE", "CONTENT_LENGTH"):
        if environ.get(name):
            headers[name.lower().replace("_", "-")] = environ[name]
    return Request(environ["REQUEST_METHOD"], bucket, key, _query(environ), headers, environ)


def _path(environ: Environ) -> str:
    # RAW_URI (werkzeug, gunicorn) keeps what PATH_INFO may have lost: bytes that are not UTF-8.
    raw = environ.get("RAW_URI")
    try:
        if isinstance(raw, str):
            raw = raw if raw.startswith("/") else urlsplit(raw).path
            return unquote_to_bytes(raw.partition("?")[0].encode("latin-1")).decode("utf-8")
        return str(environ.get("PATH_INFO", "")).encode("latin-1").decode("utf-8")
    except ValueError as error:
        raise StoreError("InvalidURI", "the path is not UTF-8", fix="encode the key as UTF-8, then as %XX") from error


def _query(environ: Environ) -> dict[str, str]:
    try:
        pairs = parse_qsl(environ.get("QUERY_STRING", ""), keep_blank_values=True, max_num_fields=100, errors="strict")
    except ValueError as error:
        raise StoreError(
            "InvalidURI", "the query cannot be read", fix="encode its values as UTF-8, then as %XX"
        ) from error
    return dict(pairs)


def _bucket_of_host(environ: Environ) -> str:
    """The bucket of bucket.localhost, bucket.127.0.0.1 or bucket.s3.localhost; "" for the path style."""
    match = _LOCAL_HOST.fullmatch(environ.get("HTTP_HOST", ""))
    name = (match["bucket"] or "").removesuffix(".s3") if match else ""
    return name if is_bucket(name) else ""


def is_s3_request(environ: Environ) -> bool:
    """Whether the request is for S3: by its signature's scope, else (unsigned) by looking like nothing else."""
    if environ.get("HTTP_X_AMZ_ACCOUNT_ID") or environ.get("PATH_INFO", "").startswith("/v20180820/"):
        return False  # S3 Control, which signs for "s3" too
    if scope := _scope(environ):
        return scope.split("/")[-2:-1] == ["s3"]
    authorization, query = environ.get("HTTP_AUTHORIZATION", ""), environ.get("QUERY_STRING", "")
    if authorization.startswith("AWS ") or "AWSAccessKeyId=" in query:
        return True  # the old signature, which boto3's presigned URLs still use: only S3 takes it
    return not authorization and _looks_like_s3(environ, query)


def _looks_like_s3(environ: Environ, query: str) -> bool:
    if environ.get("HTTP_X_AMZ_TARGET") or environ.get("CONTENT_TYPE", "").startswith(_FORM):
        return False
    names = {pair.partition("=")[0] for pair in query.split("&")}
    if "Action" in names:
        return False
    named = environ.get("PATH_INFO", "").strip("/") or _bucket_of_host(environ)
    post = environ["REQUEST_METHOD"] == "POST" and names & {"uploads", "uploadId", "delete"}
    return bool(named) and bool(post or environ["REQUEST_METHOD"] in ("GET", "HEAD", "PUT", "DELETE"))


def _scope(environ: Environ) -> str:
    """The credential scope of a signature (header or presigned URL): KEY/date/region/service/aws4_request."""
    header = environ.get("HTTP_AUTHORIZATION", "")
    if header.startswith("AWS4-"):
        match = _SCOPE.search(header)
        return match[1] if match else ""
    query = environ.get("QUERY_STRING", "")
    if "X-Amz-Credential=" not in query:
        return ""
    pairs = (pair.partition("=") for pair in query.split("&"))
    return next((unquote_to_bytes(text).decode("latin-1") for name, _, text in pairs if name == "X-Amz-Credential"), "")
