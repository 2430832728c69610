"""Reads model.tar.gz: the wanted files and nothing else; no member leaves the folder, and none is a link.

In: the archive and a folder. Out: the wanted files in that folder.
"""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from processing.errors import ModelError, Problem

_FIX = "give the model.tar.gz that the training job of this image wrote"


def unpack(archive: Path, wanted: Sequence[str], folder: Path) -> dict[str, Path]:
    """The wanted members, by name; ModelError when one is missing or any member is unsafe."""
    if not archive.is_file():
        fix = "connect the input 'model' to the training step's model artifacts"
        raise ModelError([Problem(str(archive), "there is no model archive", fix)])
    try:
        with tarfile.open(archive, "r:gz") as tar:
            found = {name: _copy(tar, member, folder) for name, member in _safe(tar, archive).items() if name in wanted}
    except (tarfile.TarError, EOFError, OSError) as error:
        raise ModelError([Problem(str(archive), f"the archive cannot be read: {error}", _FIX)]) from error
    missing = [name for name in wanted if name not in found]
    if missing:
        raise ModelError([Problem(str(archive), f"the archive lacks {', '.join(missing)}", _FIX)])
    return found


def _safe(tar: tarfile.TarFile, archive: Path) -> dict[str, tarfile.TarInfo]:
    """The regular files by normal name. An archive with one bad member is not trusted for the rest."""
    found = {}
    for member in tar.getmembers():
        path = PurePosixPath(member.name)
        if path.is_absolute() or ".." in path.parts or not (member.isfile() or member.isdir()):
            what = f"member '{member.name}' is a link, a device or leaves its folder"
            raise ModelError([Problem(str(archive), what, _FIX)])
        if member.isfile():
            found[str(path)] = member
    return found


def _copy(tar: tarfile.TarFile, member: tarfile.TarInfo, folder: Path) -> Path:
    target = folder / PurePosixPath(member.name).name
    stream = tar.extractfile(member)
    if stream is None:
        raise tarfile.TarError(f"'{member.name}' is not a file")
    with stream, target.open("wb") as out:
        shutil.copyfileobj(stream, out)
    return target
