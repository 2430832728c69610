"""Which names may be buckets and keys: S3's rules for buckets, and for keys what can safely be a path of a file."""

from __future__ import annotations

import re

from pipelines.local.s3.errors import StoreError

MAX_KEY_BYTES = 1024  # S3's limit
MAX_SEGMENT_BYTES = 255  # the file systems' limit on one name
_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_ADDRESS = re.compile(r"\d+(\.\d+){3}")
_RESERVED_START = ("xn--", "sthree-", "amzn-s3-demo-")
_RESERVED_END = ("-s3alias", "--ol-s3", ".mrap", "--x-s3", "--table-s3")


def is_bucket(name: str) -> bool:
    """S3's rules for general purpose buckets."""
    legal = _BUCKET.fullmatch(name) and ".." not in name and not _ADDRESS.fullmatch(name)
    return bool(legal) and not name.startswith(_RESERVED_START) and not name.endswith(_RESERVED_END)


def check_bucket(name: str) -> None:
    """Errors: InvalidBucketName."""
    if not is_bucket(name):
        what = f"{name!r} is no bucket name"
        fix = "use 3 to 63 of a-z, 0-9, hyphen and dot, a letter or digit at both ends, no reserved prefix or suffix"
        raise StoreError("InvalidBucketName", what, where=f"s3://{name}", fix=fix)


def key_problem(key: str) -> tuple[str, str, str] | None:
    """Code, what and fix of a key that cannot be a file; None when it can."""
    try:
        size = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        return "InvalidArgument", "the key is not UTF-8", "encode the key as UTF-8"
    segments = key.removesuffix("/").split("/")
    if size > MAX_KEY_BYTES:
        return "KeyTooLongError", f"the key has {size} bytes, S3 allows {MAX_KEY_BYTES}", "shorten the key"
    if "\0" in key:
        return "InvalidArgument", "the key holds a NUL character, which no file name can", "leave the NUL out"
    if any(segment in ("", ".", "..") for segment in segments):
        fix = "write it without a leading or double /, and without . or .. between slashes"
        return "InvalidArgument", "a key is the path of a file here, and this one has an empty, . or .. segment", fix
    long = next((segment for segment in segments if len(segment.encode()) > MAX_SEGMENT_BYTES), None)
    if long is not None:
        what = f"{long[:20]}… has more than {MAX_SEGMENT_BYTES} bytes, the most that a file name can have"
        return "KeyTooLongError", what, "divide it with a /"
    return None


def check_key(bucket: str, key: str) -> None:
    """Errors: KeyTooLongError, InvalidArgument."""
    if problem := key_problem(key):
        code, what, fix = problem
        raise StoreError(code, what, where=f"s3://{bucket}/{key[:100]!r}", fix=fix)
