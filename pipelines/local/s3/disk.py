"""What the store asks of the file system: read a folder in key order, copy inside the kernel, remove empty folders."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from errno import EINVAL, ENAMETOOLONG, ENOENT, ENOSYS, ENOTDIR, EOPNOTSUPP, EXDEV
from pathlib import Path
from typing import BinaryIO

from pipelines.local.s3.names import segment_of

PIECE = 1 << 20
_KERNEL_PIECE = 64 << 20
_KERNEL_CANNOT = (EXDEV, ENOSYS, EINVAL, EOPNOTSUPP)


def is_folder(path: Path) -> bool:
    """A real folder, not a link to one."""
    with suppress(OSError):
        return stat.S_ISDIR(path.lstat().st_mode)
    return False


def is_link(path: Path) -> bool:
    """A symbolic link, wherever it points."""
    with suppress(OSError):
        return stat.S_ISLNK(path.lstat().st_mode)
    return False


def read_folder(path: Path) -> Iterator[tuple[str, os.DirEntry[str] | None]]:
    """Files ("segment", entry) and folders ("segment/", None) as keys have them, in UTF-8 order of keys.

    A folder sorts by its name with the slash, as the keys below it do: "a-b" < "a/x" < "a0". Links, names that are
    not UTF-8 and files whose name stands for an empty segment are left out.
    """
    found: list[tuple[str, os.DirEntry[str] | None]] = []
    with _folder_there(), os.scandir(path) as entries:
        for entry in entries:
            segment = segment_of(entry.name)
            if entry.is_dir(follow_symlinks=False):
                found.append((f"{segment}/", None))
            elif segment and entry.is_file(follow_symlinks=False):
                found.append((segment, entry))
    # Code points sort as UTF-8 bytes do, once what is no UTF-8 (surrogates) is out.
    yield from sorted((pair for pair in found if _is_utf8(pair[0])), key=lambda pair: pair[0])


@contextmanager
def _folder_there() -> Iterator[None]:
    """A folder that is not there, or could not be by the length of its path, holds nothing."""
    try:
        yield
    except OSError as error:
        if error.errno not in (ENOENT, ENOTDIR, ENAMETOOLONG):
            raise


def _is_utf8(name: str) -> bool:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


def remove_empty(folder: Path) -> bool:
    """Remove a tree that holds nothing but folders; False when something else is in it."""
    with suppress(OSError):
        for below, _, _ in os.walk(folder, topdown=False):
            Path(below).rmdir()
        return True
    return False


def copy_range(source: BinaryIO, target: BinaryIO, start: int, count: int) -> Iterator[int]:
    """Append `count` bytes from `start` to `target` (opened unbuffered); yields the bytes of each piece.

    The kernel copies, or shares the blocks where the file system can; else pieces of 1 MiB go through memory.
    """
    end = start + count
    while start < end:
        copied = _kernel_copy(source, target, start, min(end - start, _KERNEL_PIECE))
        copied = copied or _plain_copy(source, target, start, min(end - start, PIECE))
        if not copied:
            raise OSError(EINVAL, "the file became shorter while it was copied", source.name)
        start += copied
        yield copied


def _kernel_copy(source: BinaryIO, target: BinaryIO, start: int, count: int) -> int:
    if not hasattr(os, "copy_file_range"):  # Linux only
        return 0
    try:
        return os.copy_file_range(source.fileno(), target.fileno(), count, offset_src=start)
    except OSError as error:
        if error.errno in _KERNEL_CANNOT:
            return 0
        raise


def _plain_copy(source: BinaryIO, target: BinaryIO, start: int, count: int) -> int:
    return target.write(os.pread(source.fileno(), count, start))
