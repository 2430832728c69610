"""Puts an image's files where its COPY instructions want them, below a folder that stands for the image's root.

Takes an `Image` and an empty folder, fills the folder. Each container gets files of its own: it may change them, as in
Docker, and the build context stays as it is.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from errno import EEXIST, EISDIR, ENAMETOOLONG, ENOTDIR
from pathlib import Path

from pipelines.errors import LocalError
from pipelines.local.runner.context import Copy
from pipelines.local.runner.image import Image

_BOTH = "cannot be a file and a folder of the image at once"
_REFUSED = {EEXIST: _BOTH, ENOTDIR: _BOTH, EISDIR: _BOTH, ENAMETOOLONG: "is longer than a path may be"}


def place(image: Image, root: Path) -> None:
    """Fill `root` with the image's files and its working directory. Raises `LocalError` where two are in the way."""
    with _refused(image.workdir, image.folder):
        (root / image.workdir.lstrip("/")).mkdir(parents=True, exist_ok=True)
    for copy in image.copies:
        with _refused(copy.destination, copy.source):
            _place(copy, root)


@contextmanager
def _refused(destination: str, source: Path | None) -> Iterator[None]:
    """Two instructions may want one path to be a file and a folder; a path may be longer than the system takes."""
    try:
        yield
    except OSError as error:
        if error.errno not in _REFUSED:
            raise
        what, fix = f"{destination[:200]} {_REFUSED[error.errno]}", "correct the COPY or WORKDIR that names it"
        raise LocalError(what, where=str(source or ""), fix=fix) from error


def _place(copy: Copy, root: Path) -> None:
    target = root / copy.destination.lstrip("/")
    if not target.parent.resolve().is_relative_to(root.resolve()):
        raise LocalError(
            f"{copy.destination} lies behind a link that leads out of the image",
            where=str(copy.source),
            fix="COPY the folder itself instead of a link to it",
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    if copy.source.is_dir() and not copy.source.is_symlink():
        target.mkdir(exist_ok=True)
        return
    if target.is_symlink() or target.is_file():
        target.unlink()  # a later COPY wins
    if copy.source.is_symlink():
        target.symlink_to(copy.source.readlink())
        return
    shutil.copyfile(copy.source, target)
    # Writable whatever the snapshot's mode, executable when the file was.
    target.chmod(0o755 if copy.program or copy.source.stat().st_mode & 0o111 else 0o644)
