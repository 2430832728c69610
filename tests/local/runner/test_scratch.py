"""Folders that jobs leave: removed and walked, however they were built."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from pipelines.local.runner.scratch import remove, walk


def _dig(folder: Path, levels: int, name: str = "d") -> None:
    """Folders in one another, and a file at the end, deeper than a path may be long."""
    here = os.open(folder, os.O_RDONLY)
    for _ in range(levels):
        os.mkdir(name, dir_fd=here)
        inner = os.open(name, os.O_RDONLY, dir_fd=here)
        os.close(here)
        here = inner
    os.close(os.open("file", os.O_CREAT, dir_fd=here))
    os.close(here)


def test_folders_that_lie_deeper_than_a_path_is_long_are_removed(tmp_path: Path) -> None:
    (tmp_path / "job").mkdir()
    _dig(tmp_path / "job", 3000)
    (tmp_path / "job" / "closed" / "inner").mkdir(parents=True)
    (tmp_path / "job" / "closed" / "inner" / "file").touch()
    (tmp_path / "job" / "closed").chmod(0)
    remove(tmp_path / "job")
    assert list(tmp_path.iterdir()) == []


def test_a_link_that_stands_in_a_removed_folder_loses_nothing_behind_it(tmp_path: Path) -> None:
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "file").touch()
    (tmp_path / "job").mkdir()
    (tmp_path / "job" / "link").symlink_to(tmp_path / "kept")
    remove(tmp_path / "job")
    (tmp_path / "job").symlink_to(tmp_path / "kept")
    remove(tmp_path / "job")
    assert (tmp_path / "kept" / "file").exists()


def test_a_walk_gives_folders_before_their_content_and_follows_no_link(tmp_path: Path) -> None:
    (tmp_path / "b" / "c").mkdir(parents=True)
    (tmp_path / "b" / "link").symlink_to(tmp_path)
    (tmp_path / "a").touch()
    found = [(os.path.relpath(parent, tmp_path), folders, others) for parent, folders, others in walk(tmp_path)]
    assert found == [(".", ["b"], ["a"]), ("b", ["c"], ["link"]), ("b/c", [], [])]


def test_a_walk_into_what_no_path_reaches_is_an_error_of_the_system(tmp_path: Path) -> None:
    _dig(tmp_path, 25, "d" * 200)
    with pytest.raises(OSError, match="too long"):
        list(walk(tmp_path))
