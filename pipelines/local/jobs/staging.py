"""Objects → files before a job, files → objects after it.

`download` puts the objects of an S3 URI (S3Prefix semantics, CONTRACT.md section 3.3) below a folder; `upload` puts a
folder's files into the store. Nothing leaves its folder: keys are checked by the store, links are not followed.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NoReturn, cast

from pipelines.local.jobs.parse import split_uri
from pipelines.local.s3.disk import copy_range
from pipelines.local.store import ObjectStore, StoreError


class NothingThereError(Exception):
    """No object's key begins with the URI's."""


def download(store: ObjectStore, uri: str, folder: Path) -> int:
    """Put every object whose key begins with the URI's key below `folder`; gives their number.

    Raises `NothingThereError`, `BadUriError` or `StoreError`.
    """
    bucket, prefix = split_uri(uri)
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        for stored in store.objects(bucket, prefix):
            if not stored.key.endswith("/"):
                _fetch(store, bucket, stored.key, folder / relative_key(stored.key, prefix))
                count += 1
    except StoreError as error:
        if error.code == "NoSuchBucket":
            raise NothingThereError(f"there is no bucket {bucket}") from error
        raise
    if count == 0:
        raise NothingThereError(f"No S3 objects found under S3 URL {uri}")
    return count


def relative_key(key: str, prefix: str) -> str:
    """Where an object lies below the folder: an object named whole by its file name, others by the path below."""
    if key.startswith(f"{prefix}/"):
        return key[len(prefix) + 1 :]
    return key[prefix.rfind("/") + 1 :]


def upload(store: ObjectStore, folder: Path, uri: str, *, keep: bool = False) -> int:
    """Put every file below `folder` under the URI, and with `keep` leave it there too; gives their number.

    Links are left out, as SageMaker does. Raises `BadUriError` or `StoreError`.
    """
    bucket, prefix = split_uri(uri)
    base = prefix.rstrip("/")
    count = 0
    for file in _files(folder):
        relative = file.relative_to(folder).as_posix()
        key = f"{base}/{relative}" if base else relative
        if keep:
            with file.open("rb") as stream:
                store.put(bucket, key, stream)
        else:
            store.adopt(bucket, key, file)
        count += 1
    return count


def check_target(store: ObjectStore, uri: str) -> None:
    """Raises `BadUriError` or `StoreError` where nothing could be uploaded to: no such bucket, no legal key."""
    bucket, prefix = split_uri(uri)
    store.path(bucket, f"{prefix.rstrip('/')}/x".lstrip("/"))


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in os.walk(folder, onerror=_refuse):
        for name in sorted(names):
            file = Path(parent, name)
            if file.is_file() and not file.is_symlink():
                yield file


def _refuse(error: OSError) -> NoReturn:
    raise error


def _fetch(store: ObjectStore, bucket: str, key: str, target: Path) -> None:
    """Copy within the kernel; file systems that can share blocks do so."""
    target.parent.mkdir(parents=True, exist_ok=True)
    stored, _, source = store.open(bucket, key)
    with source, target.open("wb", buffering=0) as writer:
        for _ in copy_range(source, cast(BinaryIO, writer), 0, stored.size):
            pass
