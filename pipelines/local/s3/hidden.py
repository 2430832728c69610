"""A bucket's files that are no objects, below `root/.s3/<bucket>/`: no bucket's name begins with a dot.

staging/    what is being written; a rename moves it into its place
headers/    content type and user metadata of the objects that have them, named by key and ETag
folders/    folder markers: the keys that end in "/"
uploads/    multipart uploads that are not complete yet
tags.json   the bucket's tags
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

NAME = ".s3"


@dataclass(frozen=True)
class Hidden:
    """The paths of one bucket's hidden folder; a key enters as its hash, so it cannot name another place."""

    folder: Path

    @property
    def staging(self) -> Path:
        return self.folder / "staging"

    @property
    def uploads(self) -> Path:
        return self.folder / "uploads"

    @property
    def tags(self) -> Path:
        return self.folder / "tags.json"

    def marker(self, key: str) -> Path:
        return self.folder / "folders" / _digest(key)

    def read_headers(self, key: str, etag: str) -> dict[str, str] | None:
        """What was given with this very version of the object; None when nothing was."""
        with suppress(FileNotFoundError):
            saved = json.loads(self._sidecar(key, etag).read_text(encoding="utf-8"))
            return {str(name): str(value) for name, value in saved["headers"].items()}
        return None

    def write_headers(self, key: str, etag: str, headers: Mapping[str, str]) -> None:
        sidecar = self._sidecar(key, etag)
        sidecar.parent.mkdir(parents=True, exist_ok=True)
        sidecar.write_text(json.dumps({"key": key, "headers": dict(headers)}), encoding="utf-8")

    def drop_headers(self, key: str, etag: str) -> None:
        self._sidecar(key, etag).unlink(missing_ok=True)

    def _sidecar(self, key: str, etag: str) -> Path:
        return self.folder / "headers" / f"{_digest(key)}.{etag}"


def _digest(key: str) -> str:
    return hashlib.blake2b(key.encode(), digest_size=20).hexdigest()
