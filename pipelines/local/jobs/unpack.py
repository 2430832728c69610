"""model.tar.gz → the files of a folder, and nothing outside of it: no path and no link leads out, no device is made."""

from __future__ import annotations

import tarfile
import zlib
from pathlib import Path
from typing import BinaryIO

from pipelines.local.jobs.message import crosses_link


class UnpackError(Exception):
    """The archive is not unpacked; the text says why."""


def unpack(stream: BinaryIO, folder: Path) -> None:
    """Unpack a .tar.gz (or .tar) below a folder. Raises `UnpackError` for what is no archive, or would lead out."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tarfile.open(fileobj=stream, mode="r:*") as archive:
            for member in archive:
                _refuse_links_on_the_way(member, folder)
                archive.extract(member, folder, filter="data")
    except tarfile.FilterError as error:
        raise UnpackError(f"it holds what leads out of its folder, or a device: {error}") from error
    except (tarfile.TarError, EOFError, zlib.error, OSError, ValueError, RecursionError) as error:
        raise UnpackError(f"it cannot be unpacked: {error}") from error


def _refuse_links_on_the_way(member: tarfile.TarInfo, folder: Path) -> None:
    """The filter of older Pythons can be led astray by links to links; without any on the way it cannot."""
    above = Path(member.name.lstrip("/")).parts[:-1]
    linked = member.linkname.lstrip("/") if member.islnk() else ""
    if crosses_link(folder, folder.joinpath(*above)) or crosses_link(folder, folder / linked):
        raise UnpackError(f"{member.name[:200]!r} lies behind a link")
