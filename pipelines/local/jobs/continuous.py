"""Uploads what a program writes while it still runs: outputs of mode Continuous, and checkpoints.

A file is uploaded once it has kept its size and time from one look to the next, and again when it has changed since;
the last look, after the program's end, takes whatever is new. Files that the program removes stay in the store.
"""

from __future__ import annotations

import logging
import os
import stat
import threading
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from errno import ELOOP, ENAMETOOLONG, ENOENT, ENOTDIR, ENXIO
from io import FileIO
from pathlib import Path, PurePosixPath

from pipelines.local.jobs.parse import split_uri
from pipelines.local.jobs.place import open_folder
from pipelines.local.jobs.staging import key_below
from pipelines.local.s3.names import MAX_KEY_BYTES
from pipelines.local.store import ObjectStore, StoreError

LOOK_SECONDS = 1.0
_NO_FILE = (ENOENT, ENOTDIR, ELOOP, ENXIO)  # gone meanwhile, or a link or a socket
_log = logging.getLogger(__name__)

Signature = tuple[int, int, int]
"""Size, time of change and inode: a file that keeps them is taken for unchanged."""


@dataclass
class Watch:
    """One folder of one host that goes to a URI; `top` is the host's /opt/ml."""

    top: Path
    folder: PurePosixPath
    uri: str
    _seen: dict[str, Signature] = field(default_factory=dict)
    _uploaded: dict[str, Signature] = field(default_factory=dict)

    def look(self, store: ObjectStore, *, last: bool = False) -> None:
        """Upload the files that have come to rest; at the `last` look all that are new. Raises `StoreError`."""
        bucket, prefix = split_uri(self.uri)
        for name, descriptor in _files(self.top, self.folder):
            with FileIO(descriptor) as stream:
                signature = _signature(descriptor)
                before, self._seen[name] = self._seen.get(name), signature
                if self._uploaded.get(name) == signature or not (last or before == signature):
                    continue
                with suppress(_ChangedError):
                    store.put(bucket, key_below(prefix, name), _Steady(stream, signature))
                    self._uploaded[name] = signature

    def known(self) -> None:
        """Take the files that lie there for uploaded: they came from the store."""
        for name, descriptor in _files(self.top, self.folder):
            self._uploaded[name] = _signature(descriptor)
            os.close(descriptor)


class Watcher:
    """Looks at several folders again and again, from `start` to `close`."""

    def __init__(self, store: ObjectStore, watches: Sequence[Watch]) -> None:
        self._store = store
        self._watches = watches
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._look, name="continuous", daemon=True)

    def start(self) -> None:
        if self._watches:
            self._thread.start()

    def close(self) -> None:
        """The last look, when the program has ended. Raises `StoreError` or `OSError`."""
        self._closed.set()
        if self._thread.is_alive():
            self._thread.join()
        for watch in self._watches:
            watch.look(self._store, last=True)

    def _look(self) -> None:
        while not self._closed.wait(LOOK_SECONDS):
            for watch in self._watches:
                try:
                    watch.look(self._store)
                except (StoreError, OSError) as error:  # the last look tries again, and tells
                    _log.warning("upload to %s: %s", watch.uri, error)


class _ChangedError(StoreError):
    """The file was written to while it was read: nothing is stored."""


class _Steady:
    """A file that must not change until it has been read."""

    def __init__(self, stream: FileIO, signature: Signature) -> None:
        self._stream = stream
        self._signature = signature

    def read(self, size: int, /) -> bytes:
        piece = self._stream.read(size)
        if not piece and _signature(self._stream.fileno()) != self._signature:
            raise _ChangedError("InternalError", "the file changed while it was uploaded")
        return piece


def _signature(descriptor: int) -> Signature:
    info = os.fstat(descriptor)
    return info.st_size, info.st_mtime_ns, info.st_ino


def _files(top: Path, folder: PurePosixPath) -> Iterator[tuple[str, int]]:
    """Each regular file below the folder, with a descriptor to read it; links are left out, whatever swaps them in."""
    try:
        descriptor = open_folder(top, folder)
    except OSError:
        return  # the program removed it, or put a link there
    yield from _below(descriptor, "")


def _below(folder: int, path: str) -> Iterator[tuple[str, int]]:
    """Closes `folder` at its end. Raises `OSError`, also where nothing can be a key any more, so deep it lies."""
    try:
        if len(path) > MAX_KEY_BYTES:
            raise OSError(ENAMETOOLONG, os.strerror(ENAMETOOLONG), f"{path[:200]}…")
        with os.scandir(folder) as entries:
            names = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        for name, is_folder in names:
            flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_DIRECTORY if is_folder else 0)
            try:
                inner = os.open(name, flags, dir_fd=folder)
            except OSError as error:
                if error.errno in _NO_FILE:
                    continue
                raise
            if is_folder:
                yield from _below(inner, f"{path}{name}/")
            elif stat.S_ISREG(os.fstat(inner).st_mode):
                yield f"{path}{name}", inner
            else:
                os.close(inner)
    finally:
        os.close(folder)
