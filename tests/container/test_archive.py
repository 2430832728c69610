"""model.tar.gz: only safe archives, only the wanted files."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

import pytest
from processing.archive import unpack
from processing.errors import ModelError


def write_archive(path: Path, *members: tuple[str, bytes, str]) -> Path:
    kinds = {"file": tarfile.REGTYPE, "symlink": tarfile.SYMTYPE, "link": tarfile.LNKTYPE, "fifo": tarfile.FIFOTYPE}
    with tarfile.open(path, "w:gz") as tar:
        for name, content, kind in members:
            member = tarfile.TarInfo(name)
            member.type = kinds[kind]
            member.size = len(content) if kind == "file" else 0
            member.linkname = "/etc/passwd" if kind in ("symlink", "link") else ""
            tar.addfile(member, io.BytesIO(content) if kind == "file" else None)
    return path


def test_the_wanted_files_are_unpacked_and_no_other(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "m.tar.gz", ("./model.ubj", b"m", "file"), ("code/x.py", b"x", "file"))
    out = tmp_path / "out"
    out.mkdir()
    assert unpack(archive, ["model.ubj"], out)["model.ubj"].read_bytes() == b"m"
    assert [path.name for path in out.iterdir()] == ["model.ubj"]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("../evil", "file"),
        ("/evil", "file"),
        ("a/../../evil", "file"),
        ("model.ubj", "symlink"),
        ("x", "link"),
        ("x", "fifo"),
    ],
)
def test_one_unsafe_member_refuses_the_archive(tmp_path: Path, name: str, kind: str) -> None:
    archive = write_archive(tmp_path / "m.tar.gz", ("model.ubj", b"m", "file"), (name, b"e", kind))
    out = tmp_path / "out"
    out.mkdir()
    with pytest.raises(ModelError, match=r"is a link, a device or leaves its folder\n  fix: give the model.tar.gz"):
        unpack(archive, ["model.ubj"], out)
    assert list(out.iterdir()) == []
    assert not (tmp_path / "evil").exists()


def test_a_member_that_stands_twice_or_is_too_large_refuses_the_archive(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "m.tar.gz", ("a", b"1", "file"), ("./a", b"2", "file"))
    with pytest.raises(ModelError, match=r"member './a' stands twice|member 'a' stands twice"):
        unpack(archive, ["a"], tmp_path)
    with tarfile.open(tmp_path / "large.tar.gz", "w:gz") as tar:
        member = tarfile.TarInfo("a")
        member.size = 1 << 40
        tar.addfile(member)
    with pytest.raises(ModelError, match="has 1,099,511,627,776 bytes"):
        unpack(tmp_path / "large.tar.gz", ["a"], tmp_path)


def test_a_missing_member_or_archive_is_named(tmp_path: Path) -> None:
    archive = write_archive(tmp_path / "m.tar.gz", ("a", b"", "file"))
    with pytest.raises(ModelError, match=r"the archive lacks model.ubj"):
        unpack(archive, ["model.ubj"], tmp_path)
    with pytest.raises(ModelError, match=r"no model archive\n  fix: connect the input 'champion'"):
        unpack(tmp_path / "champion" / "none", ["model.ubj"], tmp_path)


def test_what_is_no_archive_is_refused(tmp_path: Path) -> None:
    (tmp_path / "m.tar.gz").write_bytes(b"junk")
    with pytest.raises(ModelError, match="the archive cannot be read"):
        unpack(tmp_path / "m.tar.gz", ["a"], tmp_path)
