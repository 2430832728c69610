"""Multipart uploads as files: one folder per upload, one file per part, joined inside the kernel when complete.

Enters: parts as streams or stretches of objects. Leaves: the object, by one rename; the parts stay until then, so that
a completion that failed (a full disk) can be tried again.
"""

from __future__ import annotations

import json
import re
import shutil
import time
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, cast

from pipelines.local.s3.disk import PIECE, copy_range
from pipelines.local.s3.errors import StoreError
from pipelines.local.store import Allow, ObjectStore, Readable, Stored, describe

MIN_PART = 5 << 20  # S3's limit, for all parts but the last
MAX_PARTS = 10_000
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True)
class Upload:
    """One upload that is not complete yet."""

    key: str
    upload_id: str
    initiated: float
    headers: Mapping[str, str]
    folder: Path

    def part(self, number: int) -> Path:
        return self.folder / f"part-{number:05}"


class Uploads:
    """The uploads of one bucket. Errors of all methods: NoSuchBucket, NoSuchUpload."""

    def __init__(self, store: ObjectStore, bucket: str) -> None:
        store.bucket(bucket)
        self._store, self._bucket = store, bucket
        self._root = store.hidden(bucket).uploads

    def create(self, key: str, headers: Mapping[str, str]) -> Upload:
        self._store.path(self._bucket, key)
        upload = Upload(key, uuid.uuid4().hex, time.time(), headers, Path())
        facts = {"key": key, "initiated": upload.initiated, "headers": dict(headers)}
        with self._store.disk(self._where(key)):
            folder = self._root / upload.upload_id
            folder.mkdir(parents=True)
            (folder / "upload.json").write_text(json.dumps(facts), encoding="utf-8")
        return upload

    def find(self, key: str, upload_id: str) -> Upload:
        with suppress(FileNotFoundError):
            if _ID.fullmatch(upload_id) and (upload := self._read(upload_id)).key == key:
                return upload
        raise self._missing(key)

    def all(self) -> list[Upload]:
        """By key, then by time."""
        uploads = []
        for folder in self._root.glob("*"):
            with suppress(FileNotFoundError, json.JSONDecodeError):  # being made or removed at this moment
                uploads.append(self._read(folder.name))
        return sorted(uploads, key=lambda upload: (upload.key, upload.initiated, upload.upload_id))

    def put(self, upload: Upload, number: int, source: Readable) -> Stored:
        """Store a part; one of the same number is replaced."""
        with self._store.staged(self._bucket) as temporary:
            with self._store.disk(self._where(upload.key)), temporary.open("xb") as target:
                while piece := source.read(PIECE):
                    target.write(piece)
            return self._keep(upload, number, temporary)

    def copy(self, upload: Upload, number: int, source: BinaryIO, start: int, count: int) -> Stored:
        """Store a stretch of an open file as a part."""
        with self._store.staged(self._bucket) as temporary, self._store.disk(self._where(upload.key)):
            with temporary.open("xb", buffering=0) as target:
                for _ in copy_range(source, cast(BinaryIO, target), start, count):
                    pass
            return self._keep(upload, number, temporary)

    def parts(self, upload: Upload) -> list[tuple[int, Stored]]:
        """Number and facts of each part, by number."""
        found = []
        for path in sorted(upload.folder.glob("part-*")):
            if stored := _facts(path):
                found.append((int(path.name.removeprefix("part-")), stored))
        return found

    def check(self, upload: Upload, wanted: Sequence[tuple[int, str]]) -> int:
        """The bytes that the parts will make. Errors: InvalidPartOrder, InvalidPart, EntityTooSmall."""
        where, there = self._where(upload.key), dict(self.parts(upload))
        numbers = [number for number, _ in wanted]
        if not numbers or numbers != sorted(set(numbers)):
            fix = "list every part once, in ascending order"
            raise StoreError("InvalidPartOrder", "the parts are not in order", where=where, fix=fix)
        for number, etag in wanted:
            if number not in there or there[number].etag != etag:
                what, fix = f"part {number} is not there with ETag {etag[:80]}", "upload it again"
                raise StoreError("InvalidPart", what, where=where, fix=fix)
            if number != numbers[-1] and there[number].size < MIN_PART:
                what = f"part {number} has {there[number].size} bytes; all but the last need {MIN_PART}"
                raise StoreError("EntityTooSmall", what, where=where, fix="upload larger parts")
        return sum(there[number].size for number in numbers)

    def complete(self, upload: Upload, numbers: Sequence[int], allow: Allow | None) -> Iterator[Stored | None]:
        """Join the parts that `check` has passed; gives None while it works, the object at last."""
        with self._store.staged(self._bucket) as temporary:
            with self._store.disk(self._where(upload.key)), temporary.open("xb", buffering=0) as target:
                for number in numbers:
                    with self._open(upload, number) as part:
                        size = part.seek(0, 2)
                        yield from (None for _ in copy_range(part, cast(BinaryIO, target), 0, size))
            stored = self._store.commit(self._bucket, upload.key, temporary, upload.headers, allow)
        self.abort(upload)
        yield stored

    def abort(self, upload: Upload) -> None:
        shutil.rmtree(upload.folder, ignore_errors=True)

    def _open(self, upload: Upload, number: int) -> BinaryIO:
        try:
            return upload.part(number).open("rb")
        except FileNotFoundError as error:
            raise self._missing(upload.key) from error

    def _keep(self, upload: Upload, number: int, temporary: Path) -> Stored:
        with self._store.disk(self._where(upload.key)):
            try:
                temporary.replace(upload.part(number))
            except FileNotFoundError as error:  # aborted meanwhile
                raise self._missing(upload.key) from error
            if stored := _facts(upload.part(number)):
                return stored
        raise self._missing(upload.key)

    def _read(self, upload_id: str) -> Upload:
        folder = self._root / upload_id
        facts = json.loads((folder / "upload.json").read_text(encoding="utf-8"))
        return Upload(facts["key"], upload_id, facts["initiated"], facts["headers"], folder)

    def _missing(self, key: str) -> StoreError:
        what, fix = "there is no such upload: it was completed or aborted", "begin the upload again"
        return StoreError("NoSuchUpload", what, where=self._where(key), fix=fix)

    def _where(self, key: str) -> str:
        return f"s3://{self._bucket}/{key}"


def _facts(path: Path) -> Stored | None:
    with suppress(FileNotFoundError):
        return describe(path.name, path.lstat())
    return None
