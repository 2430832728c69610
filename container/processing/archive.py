"""Reads model.tar.gz: the wanted files and nothing else; no member leaves the folder, and none is a link.

In: the archive and a folder. Out: the wanted files in that folder. An archive is foreign: members are counted, sizes
bounded, and nothing of it is executed.
"""

from __future__ import annotations

import shutil
import tarfile
import zlib
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from processing.errors import ModelError, Problem

MOST_MEMBERS = 10_000
MOST_BYTES = 4 << 30
"""Of a wanted file, unpacked."""

_FIX = "give the model.tar.gz that the training job of this image wrote"


def unpack(archive: Path, wanted: Sequence[str], folder: Path) -> dict[str, Path]:
    """The wanted members, by name; ModelError when one is missing or any member is unsafe."""
    if not archive.is_file():
        fix = f"connect the input '{archive.parent.name}' to the training step's model artifacts"
        raise ModelError([Problem(str(archive), "there is no model archive", fix)])
    try:
        with tarfile.open(archive, "r:gz") as tar:
            found = {name: _copy(tar, member, folder) for name, member in _safe(tar, archive).items() if name in wanted}
    except (tarfile.TarError, EOFError, OSError, zlib.error) as error:
        raise _refused(archive, f"the archive cannot be read: {error}") from error
    missing = [name for name in wanted if name not in found]
    if missing:
        raise _refused(archive, f"the archive lacks {', '.join(missing)}")
    return found


def _safe(tar: tarfile.TarFile, archive: Path) -> dict[str, tarfile.TarInfo]:
    """The regular files by normal name. An archive with one bad member is not trusted for the rest."""
    found: dict[str, tarfile.TarInfo] = {}
    for number, member in enumerate(tar):
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
            raise _refused(archive, f"member '{member.name}' is a link, a device or leaves its folder")
        if number >= MOST_MEMBERS:
            raise _refused(archive, f"more than {MOST_MEMBERS} members")
        if member.size > MOST_BYTES:
            raise _refused(archive, f"member '{member.name}' has {member.size:,} bytes")
        if str(path) in found:
            raise _refused(archive, f"member '{member.name}' stands twice")
        if member.isfile():
            found[str(path)] = member
    return found


def _refused(archive: Path, what: str) -> ModelError:
    return ModelError([Problem(str(archive), what, _FIX)])


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> Path:
    target = folder / PurePosixPath(member.name).name
    stream = tar.extractfile(member)
    if stream is None:
        raise tarfile.TarError(f"'{member.name}' is not a file")
    with stream, target.open("wb") as out:
        shutil.copyfileobj(stream, out)
    return target
