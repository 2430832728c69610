"""Which names may be buckets and keys, and the path of a key's file: S3's rules, and what a file system can hold.

Between two slashes a key may hold nothing, a path may not: an empty segment is the folder `%empty`. A segment that
reads so itself gets one % more, so that every key has a path of its own, and every path of names one key.
"""

from __future__ import annotations

import re

from pipelines.local.s3.errors import StoreError

MAX_KEY_BYTES = 1024  # S3's limit
MAX_SEGMENT_BYTES = 255  # the file systems' limit on one name
_EMPTY = "%empty"
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


def path_of(key: str) -> str:
    """The path below the bucket's folder; a closing slash stays."""
    if "//" not in key and key[:1] != "/" and _EMPTY not in key:
        return key
    *folders, last = key.split("/")
    return "/".join([*map(name_of, folders), name_of(last) if last else ""])


def name_of(segment: str) -> str:
    """The name on disk of what stands between two slashes."""
    if segment.endswith(_EMPTY) and not segment.removesuffix(_EMPTY).strip("%"):
        return f"%{segment}"
    return segment or _EMPTY


def segment_of(name: str) -> str:
    """The inverse of `name_of`."""
    if name.endswith(_EMPTY) and not name.removesuffix(_EMPTY).strip("%"):
        return name[1:] if name != _EMPTY else ""
    return name


def key_problem(key: str) -> tuple[str, str, str] | None:
    """Code, what and fix of a key that cannot be a file; None when it can."""
    try:
        size = len(key.encode("utf-8"))
    except UnicodeEncodeError:
        return "InvalidArgument", "the key is not UTF-8", "encode the key as UTF-8"
    if not key:
        return "InvalidArgument", "the key is empty", "name the object"
    names = path_of(key).removesuffix("/").split("/")
    if size > MAX_KEY_BYTES:
        return "KeyTooLongError", f"the key has {size} bytes, S3 allows {MAX_KEY_BYTES}", "shorten the key"
    if "\0" in key:
        return "InvalidArgument", "the key holds a NUL character, which no file name can", "leave the NUL out"
    if "." in names or ".." in names:
        what = "a key is the path of a file here, and this one has a . or .. between slashes"
        return "InvalidArgument", what, "write it without them"
    long = next((name for name in names if len(name.encode()) > MAX_SEGMENT_BYTES), None)
    if long is not None:
        what = f"{long[:20]}… has more than {MAX_SEGMENT_BYTES} bytes, the most that a file name can have"
        return "KeyTooLongError", what, "divide it with a /"
    return None


def check_key(bucket: str, key: str) -> None:
    """Errors: KeyTooLongError, InvalidArgument."""
    if problem := key_problem(key):
        code, what, fix = problem
        raise StoreError(code, what, where=f"s3://{bucket}/{key[:100]!r}", fix=fix)
