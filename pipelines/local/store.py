"""S3's objects as plain files: a bucket is a folder, a key the path of a file below it.

Enters: bucket names, keys and bytes from outside. Leaves: files under `root`, never anything beyond it. What a step
wrote can be opened with any tool, and a file dropped into a bucket's folder is an object. What a path cannot say, an
empty segment, has a name of its own there (`s3.names`).

A write is made complete in a hidden folder (`s3.hidden`) and becomes the object by one rename. Symbolic links are
never followed. The locks hold within one process; across processes a write is still one rename.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import stat
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from pipelines.local.s3.disk import PIECE, copy_range, is_folder, is_link, read_folder, remove_empty
from pipelines.local.s3.errors import StoreError, disk_refusal, missing_key
from pipelines.local.s3.hidden import NAME, Hidden
from pipelines.local.s3.names import check_bucket, check_key, is_bucket, key_problem, path_of

__all__ = ["ObjectStore", "Start", "StoreError", "Stored"]

_MODE = 0o644  # of an object, whoever wrote it under whatever umask; the folder above them is the user's alone
_ATTEMPTS = 100  # a write is tried again when a parallel delete took its folder away
_NOT_THERE = (FileNotFoundError, NotADirectoryError)


class Readable(Protocol):
    """What `put` reads from; it may raise StoreError at its end, and then nothing is stored."""

    def read(self, size: int, /) -> bytes: ...


@dataclass(frozen=True)
class Stored:
    """One object as a listing shows it: bytes, seconds since 1970, and an ETag without quotes."""

    key: str
    size: int
    mtime: float
    etag: str


@dataclass(frozen=True)
class Start:
    """Where a listing begins: after `key`, or (`whole`) after everything that begins with it."""

    key: str = ""
    whole: bool = False

    def passes(self, key: str) -> bool:
        return key > self.key and not (self.whole and key.startswith(self.key))

    def enters(self, folder: str) -> bool:
        """Whether a key below `folder` can pass."""
        if self.whole and folder.startswith(self.key):
            return False
        return folder > self.key or self.key.startswith(folder)


BEGINNING = Start()
Allow = Callable[[Stored | None], None]  # raises StoreError when what is there now forbids the write


class ObjectStore:
    """Buckets and objects below one folder; safe under parallel readers and writers."""

    def __init__(self, root: Path, clock: Callable[[], int] = time.time_ns) -> None:
        self.root = root.resolve()
        self._clock = clock
        self._keys = tuple(threading.Lock() for _ in range(64))
        self._folders = threading.Lock()  # held while empty folders are removed

    # Buckets

    def create_bucket(self, bucket: str) -> None:
        """Errors: InvalidBucketName, BucketAlreadyOwnedByYou."""
        check_bucket(bucket)
        with self.disk(f"s3://{bucket}"):
            self.root.mkdir(parents=True, exist_ok=True)
            try:
                (self.root / bucket).mkdir()
            except FileExistsError as error:
                what, fix = f"the bucket {bucket} exists already", "go on: it is yours"
                raise StoreError("BucketAlreadyOwnedByYou", what, where=f"s3://{bucket}", fix=fix) from error

    def delete_bucket(self, bucket: str) -> None:
        """Errors: NoSuchBucket, BucketNotEmpty (objects, or files that are no objects, such as links)."""
        folder = self.bucket(bucket)
        left = next(self.objects(bucket), None)
        if left is not None or not remove_empty(folder):
            what = f"the bucket {bucket} is not empty" + (f": it holds {left.key}" if left else "")
            fix = f"empty it first: aws s3 rm --recursive s3://{bucket}, or look into {folder}"
            raise StoreError("BucketNotEmpty", what, where=f"s3://{bucket}", fix=fix)
        shutil.rmtree(self.hidden(bucket).folder, ignore_errors=True)

    def buckets(self) -> list[tuple[str, float]]:
        """Name and time of each bucket, by name."""
        with suppress(FileNotFoundError), os.scandir(self.root) as entries:
            folders = [entry for entry in entries if is_bucket(entry.name) and entry.is_dir(follow_symlinks=False)]
            return sorted((entry.name, entry.stat(follow_symlinks=False).st_mtime) for entry in folders)
        return []

    def bucket(self, bucket: str) -> Path:
        """The folder of a bucket that exists. Errors: InvalidBucketName, NoSuchBucket."""
        check_bucket(bucket)
        folder = self.root / bucket
        if not is_folder(folder):
            what, fix = f"there is no bucket {bucket}", f"create it: aws s3 mb s3://{bucket}"
            raise StoreError("NoSuchBucket", what, where=f"s3://{bucket}", fix=fix)
        return folder

    def hidden(self, bucket: str) -> Hidden:
        """The bucket's files that are no objects. Errors: InvalidBucketName."""
        check_bucket(bucket)
        return Hidden(self.root / NAME / bucket)

    # Reading objects

    def path(self, bucket: str, key: str) -> Path:
        """The file of a key, there or not: below the root, with no link on the way (AccessDenied)."""
        check_key(bucket, key)
        path = self.bucket(bucket)
        for name in path_of(key).removesuffix("/").split("/"):
            path = path / name
            if is_link(path):
                what = f"{path} is a symbolic link, and the store follows none"
                fix = "put the file itself in its place: cp -L"
                raise StoreError("AccessDenied", what, where=f"s3://{bucket}/{key}", fix=fix)
        return path

    def find(self, bucket: str, key: str) -> Stored | None:
        """The object, or None."""
        path = self.path(bucket, key)
        with self.disk(f"s3://{bucket}/{key}"), suppress(*_NOT_THERE):
            if not key.endswith("/"):
                return describe(key, path.lstat())
            return describe(key, self.hidden(bucket).marker(key).lstat()) if is_folder(path) else None
        return None

    def open(self, bucket: str, key: str) -> tuple[Stored, dict[str, str], BinaryIO]:
        """The object, its headers and its bytes, of one version whatever is written meanwhile. Errors: NoSuchKey."""
        for last in (False, False, False, True):
            stored, file = self._open(bucket, key)
            headers = self.hidden(bucket).read_headers(key, stored.etag)
            # None: it has no headers, or a parallel write has just dropped them with the version that was opened.
            if headers is not None or last or stored == self.find(bucket, key):
                break
            file.close()
        return stored, headers or {}, file

    def _open(self, bucket: str, key: str) -> tuple[Stored, BinaryIO]:
        path = self.path(bucket, key)
        if key.endswith("/"):
            path = self.hidden(bucket).marker(key) if is_folder(path) else path
        with self.disk(f"s3://{bucket}/{key}"), suppress(*_NOT_THERE):
            # O_NONBLOCK: a named pipe in the folder is no object, and opening it must not wait for its writer.
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            stored = describe(key, os.fstat(descriptor))
            if stored is not None:
                return stored, cast(BinaryIO, os.fdopen(descriptor, "rb", buffering=0))
            os.close(descriptor)
        raise missing_key(bucket, key)

    def objects(self, bucket: str, prefix: str = "", start: Start = BEGINNING) -> Iterator[Stored]:
        """Every object whose key begins with `prefix` (of the key, not a folder: S3Prefix), in UTF-8 order of keys."""
        stack = [self._begin(bucket, prefix, start)]
        while stack:
            entry = next(stack[-1], None)
            if entry is None:
                stack.pop()
            elif isinstance(entry, Stored):
                yield entry
            else:
                stack.append(self._scan(bucket, entry, "", start))

    def level(self, bucket: str, prefix: str = "", start: Start = BEGINNING) -> Iterator[Stored | str]:
        """Like `objects`, but a folder beyond the prefix is one string, "folder/", and is not walked."""
        for entry in self._begin(bucket, prefix, start):
            if isinstance(entry, Stored) or next(self.objects(bucket, entry, start), None):
                yield entry

    def _begin(self, bucket: str, prefix: str, start: Start) -> Iterator[Stored | str]:
        self.bucket(bucket)
        folder, slash, leaf = prefix.rpartition("/")
        if folder + slash:
            if key_problem(folder + slash):
                return iter(())  # no key can begin so
            self.path(bucket, folder + slash)  # refuses links
        return self._scan(bucket, folder + slash, leaf, start)

    def _scan(self, bucket: str, folder: str, leaf: str, start: Start) -> Iterator[Stored | str]:
        """One folder ("a/b/", "" for the bucket) in order: its marker, its files, and its folders as strings."""
        if folder and not leaf and start.passes(folder) and (marker := self.find(bucket, folder)):
            yield marker
        for segment, entry in read_folder(self.root / bucket / path_of(folder)):
            key = folder + segment
            if not segment.startswith(leaf) or key_problem(key):
                continue
            if entry is None:
                if start.enters(key):
                    yield key
            elif start.passes(key):
                with suppress(FileNotFoundError):
                    if stored := describe(key, entry.stat(follow_symlinks=False)):
                        yield stored

    # Writing objects

    def put(
        self,
        bucket: str,
        key: str,
        source: Readable,
        headers: Mapping[str, str] | None = None,
        allow: Allow | None = None,
    ) -> Stored:
        """Store what `source` gives, with the headers that `open` is to return; all of it or nothing."""
        self.path(bucket, key)
        with self.staged(bucket) as temporary:
            with self.disk(f"s3://{bucket}/{key}"), temporary.open("xb") as target:
                while piece := source.read(PIECE):
                    target.write(piece)
            return self.commit(bucket, key, temporary, headers, allow)

    def adopt(self, bucket: str, key: str, source: Path, headers: Mapping[str, str] | None = None) -> Stored:
        """Move a file into the store: a rename, or across file systems a copy. If that fails, `source` stays.

        As in S3, an object has neither owner nor mode of its own: it is the server's, and readable to every job.
        """
        self.path(bucket, key)
        with self.disk(f"s3://{bucket}/{key}"):
            info = source.lstat()
            if not stat.S_ISREG(info.st_mode):
                fix = "give a regular file, not a folder or a link"
                raise StoreError("InvalidRequest", f"{source} is not a file", where=f"s3://{bucket}/{key}", fix=fix)
            is_own = _is_taken(source, info)
            # Whoever owns it, or holds another hard link, could change the object behind its ETag: then it is copied.
            if is_own and info.st_nlink == 1:
                with suppress(OSError):  # another file system refuses the rename: copied below
                    return self._commit(bucket, key, source, headers or {}, None)
            with self.staged(bucket) as temporary:
                with source.open("rb") as file, temporary.open("xb", buffering=0) as target:
                    for _ in copy_range(file, cast(BinaryIO, target), 0, info.st_size):
                        pass
                stored = self.commit(bucket, key, temporary, headers)
            source.unlink()
            return stored

    def delete(self, bucket: str, key: str, allow: Allow | None = None) -> None:
        """Remove the object, its headers and the folders that it leaves empty. A key that is not there is no error."""
        path, hidden = self.path(bucket, key), self.hidden(bucket)
        with self._lock(bucket, key), self.disk(f"s3://{bucket}/{key}"):
            stored = self.find(bucket, key)
            if allow:
                allow(stored)
            if stored is not None:
                (hidden.marker(key) if key.endswith("/") else path).unlink(missing_ok=True)
                hidden.drop_headers(key, stored.etag)
                self._prune(bucket, key)

    @contextmanager
    def staged(self, bucket: str) -> Iterator[Path]:
        """A fresh path on the objects' file system, for `commit`; what still lies there afterwards is removed."""
        self.bucket(bucket)
        folder = self.hidden(bucket).staging
        with self.disk(f"s3://{bucket}"):
            folder.mkdir(parents=True, exist_ok=True)
        temporary = folder / uuid.uuid4().hex
        try:
            yield temporary
        finally:
            with suppress(OSError):  # of a disk that nothing can be removed from; what failed is told already
                temporary.unlink(missing_ok=True)

    def clear_staging(self) -> None:
        """Remove what a killed process left half written. For the one server of this root, before it serves."""
        for bucket, _ in self.buckets():
            shutil.rmtree(self.hidden(bucket).staging, ignore_errors=True)

    def commit(
        self,
        bucket: str,
        key: str,
        file: Path,
        headers: Mapping[str, str] | None = None,
        allow: Allow | None = None,
    ) -> Stored:
        """Make a complete, staged file the object, in one step. Errors: KeyConflict, and what `allow` raises."""
        with self.disk(f"s3://{bucket}/{key}"):
            return self._commit(bucket, key, file, headers or {}, allow)

    def _commit(self, bucket: str, key: str, file: Path, headers: Mapping[str, str], allow: Allow | None) -> Stored:
        hidden, now = self.hidden(bucket), self._clock()
        # Nanoseconds rather than the kernel's ticks: so the ETag differs between any two writes.
        os.utime(file, ns=(now, now))
        file.chmod(_MODE)
        with self._lock(bucket, key):
            stored, before = describe(key, file.lstat()), self.find(bucket, key)
            if stored is None:
                raise StoreError("InvalidRequest", f"{file} is not a file", where=f"s3://{bucket}/{key}")
            if allow:
                allow(before)
            try:
                if headers:
                    hidden.write_headers(key, stored.etag, headers)
                self._place(bucket, key, file)
            except BaseException:
                hidden.drop_headers(key, stored.etag)
                raise
            if before and before.etag != stored.etag:
                hidden.drop_headers(key, before.etag)
            return stored

    def _place(self, bucket: str, key: str, file: Path) -> None:
        """Rename into place, making the folders; tried again when a parallel write or delete came between."""
        path = self.path(bucket, key)
        for _ in range(_ATTEMPTS):
            self.bucket(bucket)
            with suppress(*_NOT_THERE):
                if key.endswith("/"):
                    self._place_marker(bucket, key, file)
                    return
                self._make_folders(bucket, key)
                try:
                    file.replace(path)
                    return
                except IsADirectoryError:
                    if not self._clear(bucket, key, path):
                        raise self._conflict(bucket, key, f"{key}/", "there are objects below it") from None
        raise StoreError("InternalError", "its folder kept changing", where=f"s3://{bucket}/{key}", fix="try again")

    def _place_marker(self, bucket: str, key: str, file: Path) -> None:
        if file.lstat().st_size:
            what, fix = "a key that ends in / is a folder here and holds no bytes", "leave the / out, or send no bytes"
            raise StoreError("InvalidArgument", what, where=f"s3://{bucket}/{key}", fix=fix)
        marker = self.hidden(bucket).marker(key)
        marker.parent.mkdir(parents=True, exist_ok=True)
        with self._folders:
            self._make_folders(bucket, key)
            file.replace(marker)

    def _make_folders(self, bucket: str, key: str) -> None:
        folder, segments = self.root / bucket, key.split("/")[:-1]
        names = path_of(key).split("/")[:-1]
        if is_folder(folder.joinpath(*names)):
            return
        for depth, name in enumerate(names, start=1):
            folder = folder / name
            try:
                folder.mkdir()
            except FileExistsError as error:
                if folder.exists() and not is_folder(folder):
                    raise self._in_the_way(bucket, key, "/".join(segments[:depth]), folder) from error

    def _in_the_way(self, bucket: str, key: str, other: str, file: Path) -> StoreError:
        if key_problem(other) is None and not other.endswith("/"):
            return self._conflict(bucket, key, other, "that object exists")
        what, fix = (
            f"{file} is a file, and the key needs a folder there",
            f"move that file away; it is no object: {file}",
        )
        return StoreError("KeyConflict", what, where=f"s3://{bucket}/{key}", fix=fix)

    def _conflict(self, bucket: str, key: str, other: str, reason: str) -> StoreError:
        what = f"{key} and {other} cannot both be: objects are plain files, and a file is no folder; {reason}"
        fix = f"choose another key, or delete the other: aws s3 rm --recursive s3://{bucket}/{other}"
        return StoreError("KeyConflict", what, where=f"s3://{bucket}/{key}", fix=fix)

    def _clear(self, bucket: str, key: str, folder: Path) -> bool:
        """Remove a folder that holds no object, so that a file can take its name."""
        with self._folders:
            return next(self.objects(bucket, f"{key}/"), None) is None and remove_empty(folder)

    def _prune(self, bucket: str, key: str) -> None:
        """Remove the folders that hold nothing any more, but for those with a marker."""
        folders = key.split("/")[:-1]
        with self._folders, suppress(OSError):  # not empty: it stays
            while folders and not self.hidden(bucket).marker(above := "/".join(folders) + "/").exists():
                (self.root / bucket / path_of(above)).rmdir()
                folders.pop()

    def _lock(self, bucket: str, key: str) -> threading.Lock:
        return self._keys[hash((bucket, key)) % len(self._keys)]

    @contextmanager
    def disk(self, where: str) -> Iterator[None]:
        """Turns what the file system refuses into a StoreError."""
        try:
            yield
        except OSError as error:
            raise disk_refusal(error, where, self.root) from error


def _is_taken(file: Path, info: os.stat_result) -> bool:
    """Make a file the server's own, and readable; False when it is somebody else's and stays so."""
    own = os.geteuid()
    try:
        if info.st_uid != own:
            os.chown(file, own, os.getegid(), follow_symlinks=False)
        file.chmod(_MODE)
    except PermissionError:
        return False
    return True


def describe(key: str, info: os.stat_result) -> Stored | None:
    """The facts of a file; None when it is no regular file. The ETag is no MD5, and its "-1" tells clients so."""
    if not stat.S_ISREG(info.st_mode):
        return None
    facts = f"{info.st_size} {info.st_mtime_ns} {info.st_ino}".encode()
    etag = hashlib.blake2b(facts, digest_size=16).hexdigest()
    return Stored(key, info.st_size, info.st_mtime, f"{etag}-1")
