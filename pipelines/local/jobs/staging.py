"""Objects → files before a job, files → objects after it.

`download` puts the objects of an S3 URI (S3Prefix semantics, CONTRACT.md section 3.3) below a folder; `upload` moves a
folder's files into the store. Nothing leaves its folder: keys are checked by the store, links are not followed.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

from pipelines.local.jobs.parse import split_uri
from pipelines.local.store import ObjectStore, StoreError


class NothingThereError(Exception):
    """No object's key begins with the URI's."""


def download(store: ObjectStore, uri: str, folder: Path) -> int:
    """Put every object whose key begins with the URI's key below `folder`; gives their number."""
    bucket, prefix = split_uri(uri)
    folder.mkdir(parents=True, exist_ok=True)
    count = 0
    try:
        for stored in store.objects(bucket, prefix):
            if stored.key.endswith("/"):
                continue
            target = folder / relative_key(stored.key, prefix)
            target.parent.mkdir(parents=True, exist_ok=True)
            _copy(store.path(bucket, stored.key), target)
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
    if prefix.endswith("/") or not prefix:
        return key[len(prefix) :]
    if key.startswith(f"{prefix}/"):
        return key[len(prefix) + 1 :]
    return key[prefix.rfind("/") + 1 :]


def upload(store: ObjectStore, folder: Path, uri: str) -> int:
    """Move every file below `folder` under the URI; gives their number. Links are left out, as SageMaker does."""
    bucket, prefix = split_uri(uri)
    base = prefix.rstrip("/")
    count = 0
    for parent, _, names in os.walk(folder):
        for name in sorted(names):
            file = Path(parent, name)
            if file.is_symlink() or not file.is_file():
                continue
            relative = file.relative_to(folder).as_posix()
            store.adopt(bucket, f"{base}/{relative}" if base else relative, file)
            count += 1
    return count


def _copy(source: Path, target: Path) -> None:
    """Copy within the kernel; file systems that can share blocks do so."""
    with source.open("rb") as reader, target.open("wb") as writer:
        left = os.fstat(reader.fileno()).st_size
        try:
            while left > 0:
                done = os.copy_file_range(reader.fileno(), writer.fileno(), left)
                if done == 0:
                    break
                left -= done
        except (OSError, AttributeError):  # not on this system, or across file systems that refuse it
            reader.seek(writer.tell())
            shutil.copyfileobj(reader, writer, 1 << 20)
