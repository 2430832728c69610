"""An input as a stream: named pipes PATH_0, PATH_1 …, one for each time that the program reads the input.

Takes items and the place of the pipes, feeds the objects one after the other into each pipe as it is read. Nothing is
copied to disk. A pipe is fed when its reader has come, and the next is there before it ends.
"""

from __future__ import annotations

import errno
import gzip
import os
import random
import stat
import threading
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, suppress
from pathlib import Path
from typing import BinaryIO, cast

from pipelines.local.jobs.source import Item, Source
from pipelines.local.s3.disk import PIECE
from pipelines.local.store import ObjectStore, StoreError

_LOOK_SECONDS = 0.02


class Pipe:
    """Feeds one host's pipes of one input from `start` to `close`.

    `problem` says why it could not; `failed` is called when that is known.
    """

    def __init__(
        self, store: ObjectStore, items: Sequence[Item], path: Path, source: Source, failed: Callable[[], None]
    ) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        self.problem = ""
        self._store = store
        self._items = items
        self._name = path.name
        # The folder as it is now: its path may lead elsewhere once the program has run.
        self._folder = os.open(path.parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        self._unzip = source.gzip
        self._seed = source.seed
        self._failed = failed
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._feed, name=f"pipe-{path.name}", daemon=True)
        self._make(0)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """End the feeding, once nobody reads any more."""
        if not self._closed.is_set():
            self._closed.set()
            if self._thread.is_alive():
                self._thread.join()
            os.close(self._folder)

    def _feed(self) -> None:
        try:
            epoch = 0
            while (pipe := self._open(epoch)) is not None:
                self._make(epoch + 1)
                with closing(os.fdopen(pipe, "wb", buffering=0)) as writer, suppress(BrokenPipeError):
                    for piece in self._pieces(epoch):
                        _write_all(cast(BinaryIO, writer), piece)
                epoch += 1
        except (OSError, EOFError, zlib.error, StoreError) as error:
            self.problem = error.message if isinstance(error, StoreError) else str(error)
            self._failed()  # a reader of the next pipe would wait for ever

    def _make(self, epoch: int) -> None:
        os.mkfifo(f"{self._name}_{epoch}", 0o666, dir_fd=self._folder)

    def _open(self, epoch: int) -> int | None:
        """The pipe's end to write to, once somebody reads; None when the job is over."""
        flags = os.O_WRONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC
        while not self._closed.wait(_LOOK_SECONDS):
            try:
                pipe = os.open(f"{self._name}_{epoch}", flags, dir_fd=self._folder)
            except OSError as error:
                if error.errno not in (errno.ENXIO, errno.ENOENT):  # no reader yet; the program removed it
                    raise
                continue
            if not stat.S_ISFIFO(os.fstat(pipe).st_mode):
                os.close(pipe)
                raise OSError(f"{self._name}_{epoch} is no pipe any more")
            os.set_blocking(pipe, True)
            return pipe
        return None

    def _pieces(self, epoch: int) -> Iterator[bytes]:
        items = list(self._items)
        if self._seed is not None:
            random.Random(f"{self._seed}/{epoch}").shuffle(items)  # noqa: S311 -- an order, no secret
        for item in items:
            with self._store.open(item.bucket, item.key)[2] as stream:
                source = gzip.GzipFile(fileobj=stream) if self._unzip else stream
                try:
                    while piece := source.read(PIECE):
                        yield piece
                except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                    raise OSError(f"s3://{item.bucket}/{item.key} is not whole gzip: {error}") from error


def _write_all(writer: BinaryIO, piece: bytes) -> None:
    rest = memoryview(piece)
    while rest:
        rest = rest[writer.write(rest) :]
