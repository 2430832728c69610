"""Small values of job requests, parsed."""

from __future__ import annotations

import re

_URI = re.compile(r"s3://([^/]+)/?(.*)", re.DOTALL)


class BadUriError(ValueError):
    """Not an S3 URI."""


def split_uri(uri: str) -> tuple[str, str]:
    """Bucket and key of an S3 URI. Raises `BadUriError`."""
    match = _URI.fullmatch(uri)
    if not match:
        raise BadUriError(f"{uri!r} is not an S3 URI (s3://BUCKET/KEY)")
    return match[1], match[2]
