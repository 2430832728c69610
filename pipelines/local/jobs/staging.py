"""Objects → files before a job, files → objects after it.

`bring` puts the objects of an input below a folder, by hard links where the folder is only read (an overlay lies over
it) and else as copies; `upload` puts a folder's files into the store. Nothing leaves its folder: keys are checked by
the store, links are not followed. See docs/decisions/0010-staging-by-overlay.md.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, cast

from pipelines.local.jobs.parse import split_uri
from pipelines.local.jobs.source import InputError, Item
from pipelines.local.runner.scratch import walk
from pipelines.local.s3.disk import copy_range
from pipelines.local.s3.names import name_of
from pipelines.local.store import ObjectStore


def bring(store: ObjectStore, items: Iterable[Item], folder: Path, *, link: bool = False) -> None:
    """Put objects below `folder`; `link` only where nothing can write through the files. A later one of a path wins.

    Raises `InputError`, `StoreError` or `OSError`.
    """
    with _one_place(str(folder)):
        folder.mkdir(parents=True, exist_ok=True)
    made: set[str] = set()
    # Of an item whose key the store has listed or found, the folder alone is left to check, and once is enough.
    folder_of = functools.cache(lambda bucket, parent: str(store.path(bucket, f"{parent}x").parent))
    for item in items:
        target = folder / item.path
        with _one_place(item.path):
            if (parent := item.path.rpartition("/")[0]) not in made:
                target.parent.mkdir(parents=True, exist_ok=True)
                made.add(parent)
            above, slash, last = item.key.rpartition("/")
            if not (link and _link(f"{folder_of(item.bucket, above + slash)}/{name_of(last)}", target)):
                target.unlink(missing_ok=True)  # never written into: it may be a link to another object
                _copy(store, item, target)


@contextmanager
def _one_place(path: str) -> Iterator[None]:
    """Two objects may want one path to be a file and a folder."""
    try:
        yield
    except (FileExistsError, NotADirectoryError, IsADirectoryError) as error:
        what = f"{path} cannot be a file and a folder at once, and another object"
        raise InputError(
            f"{what} has made it the other; rename one, or give their inputs LocalPaths of their own"
        ) from error


def upload(store: ObjectStore, folder: Path, uri: str, *, keep: bool = False) -> int:
    """Put every file below `folder` under the URI, and with `keep` leave it there too; gives their number.

    Links are left out, as SageMaker does. Raises `BadUriError` or `StoreError`.
    """
    bucket, prefix = split_uri(uri)
    count = 0
    for file in _files(folder):
        key = key_below(prefix, file.relative_to(folder).as_posix())
        if keep:
            with file.open("rb") as stream:
                store.put(bucket, key, stream)
        else:
            store.adopt(bucket, key, file)
        count += 1
    return count


def key_below(prefix: str, relative: str) -> str:
    """The key of a file of an output whose URI has this key."""
    return f"{prefix.removesuffix('/')}/{relative}" if prefix else relative


def check_target(store: ObjectStore, uri: str) -> None:
    """Raises `BadUriError` or `StoreError` where nothing could be uploaded to: no such bucket, no legal key."""
    bucket, prefix = split_uri(uri)
    store.path(bucket, key_below(prefix, "x"))


def _files(folder: Path) -> Iterator[Path]:
    for parent, _, names in walk(folder):
        for name in names:
            file = Path(parent, name)
            if file.is_file() and not file.is_symlink():
                yield file


def _link(source: str, target: Path) -> bool:
    """A hard link; False where there can be none: another file system, another's file, too many links."""
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        target.unlink()
        return _link(source, target)
    except OSError:
        return False
    return True


def _copy(store: ObjectStore, item: Item, target: Path) -> None:
    """Copy within the kernel; file systems that can share blocks do so."""
    stored, _, source = store.open(item.bucket, item.key)
    with source, target.open("xb", buffering=0) as writer:
        for _ in copy_range(source, cast(BinaryIO, writer), 0, stored.size):
            pass
