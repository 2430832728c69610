"""Archives that would lead out of their folder."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest

from pipelines.local.jobs.unpack import UnpackError, unpack


def archive(*members: tuple[str, bytes, str]) -> io.BytesIO:
    """A .tar.gz of members: a name, a type, and what a link leads to."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, kind, linkname in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, linkname
            tar.addfile(member)
    stream.seek(0)
    return stream


FILE, FOLDER, LINK, HARD = tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.SYMTYPE, tarfile.LNKTYPE
HOSTILE = {
    "a path": (("../x", FILE, ""),),
    "a link": (("a", LINK, "../.."),),
    "a device": (("a", tarfile.CHRTYPE, ""),),
    "a file behind a link": (("in", FOLDER, ""), ("a", LINK, "in"), ("a/x", FILE, "")),
    "a hard link to what a link names": (("x", FILE, ""), ("a", LINK, "x"), ("b", HARD, "a")),
    "a file that is a folder": (("a", FILE, ""), ("a/x", FILE, "")),
    "depth": (("d/" * 3000 + "x", FILE, ""),),
}


@pytest.mark.parametrize("members", HOSTILE.values(), ids=HOSTILE.keys())
def test_what_leads_out_is_refused_and_writes_nothing_outside(
    tmp_path: Path, members: tuple[tuple[str, bytes, str], ...]
) -> None:
    with pytest.raises(UnpackError):
        unpack(archive(*members), tmp_path / "above" / "model")
    assert [path.name for path in tmp_path.iterdir()] == ["above"]
    assert [path.name for path in (tmp_path / "above").iterdir()] == ["model"]


def test_a_link_that_stays_in_the_folder_stays_a_link(tmp_path: Path) -> None:
    unpack(archive((".", FOLDER, ""), ("./in", FOLDER, ""), ("./in/x", FILE, ""), ("./a", LINK, "in/x")), tmp_path)
    assert (tmp_path / "a").readlink() == Path("in/x")
    assert (tmp_path / "a").is_file()
