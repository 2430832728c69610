"""Contexts: which files, and a hash over their paths and contents only."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.context import read_context
from pipelines.dockerignore import ignore_rules
from tests.work import lines_run


def write(folder: Path, files: dict[str, str]) -> Path:
    for path, text in files.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(text)
    return folder


def paths(folder: Path, relative: str = ".") -> list[str]:
    return [file.path for file in read_context(folder, relative).files]


def test_files_come_in_path_order_whatever_the_order_of_the_disk(tmp_path):
    write(tmp_path, {"b/z": "", "b.txt": "", "a/a": "", "B": "", "b/a": ""})
    assert paths(tmp_path) == ["B", "a/a", "b.txt", "b/a", "b/z"]


def test_a_single_file_is_a_context_of_its_own(tmp_path):
    write(tmp_path, {"a/b.txt": "x"})
    assert paths(tmp_path, "a/b.txt") == ["b.txt"]


def test_caches_version_control_and_our_own_state_stay_behind(tmp_path):
    write(tmp_path, {"keep/a.py": "", "keep/__pycache__/a.pyc": "", "keep/b.pyc": "", ".git/HEAD": "", ".DS_Store": ""})
    write(tmp_path, {".pipelines/x": "", ".venv/x": "", ".pytest_cache/x": "", ".env": ""})
    assert paths(tmp_path) == [".env", "keep/a.py"]


def test_hash_knows_neither_place_nor_time_nor_mode(tmp_path):
    first = write(tmp_path / "one", {"a.txt": "1", "d/b.txt": "2"})
    second = tmp_path / "far" / "away"
    shutil.copytree(first, second)
    os.utime(second / "a.txt", (1, 1))
    (second / "a.txt").chmod(0o700)
    assert read_context(first, ".").hash == read_context(second, ".").hash


@pytest.mark.parametrize(
    "other",
    [
        {"a.txt": "x", "d/b.txt": "2"},
        {"c.txt": "1", "d/b.txt": "2"},
        {"a.txt": "1", "e/b.txt": "2"},
        {"a.txt": "1"},
        {"a.txt": "1", "d/b.txt": "2", "new": ""},
        {"a.txt": "2", "d/b.txt": "1"},
    ],
    ids=["content", "name", "folder", "fewer", "more", "swapped"],
)
def test_hash_changes_with_content_and_relative_path(tmp_path, other):
    first = write(tmp_path / "one", {"a.txt": "1", "d/b.txt": "2"})
    second = write(tmp_path / "two", other)
    assert read_context(first, ".").hash != read_context(second, ".").hash


def refusal(folder: Path, relative: str) -> str:
    with pytest.raises((OSError, ValueError)) as caught:
        read_context(folder, relative)
    return str(caught.value)


def test_nothing_there(tmp_path):
    assert refusal(tmp_path, "./x") == "there is no file or folder './x'"


def test_an_empty_folder(tmp_path):
    write(tmp_path, {"d/__pycache__/x": ""})
    assert refusal(tmp_path, "d") == "the folder 'd' holds no file"


def test_outside_of_the_folder(tmp_path):
    write(tmp_path, {"other": "", "project/x": ""})
    assert refusal(tmp_path / "project", "../other") == "'../other' lies outside of the folder of pipeline.yaml"
    (tmp_path / "project" / "link").symlink_to(tmp_path / "other")
    assert refusal(tmp_path / "project", "link") == "'link' lies outside of the folder of pipeline.yaml"


@pytest.mark.parametrize("target", ["../../secret", "../../elsewhere", "/etc/hostname"])
def test_a_link_that_leaves_the_folder_is_refused(tmp_path, target):
    write(tmp_path, {"secret": "s", "elsewhere/x": "s", "project/d/x": ""})
    (tmp_path / "project" / "d" / "link").symlink_to(target)
    assert refusal(tmp_path / "project", "d") == "the link 'link' points outside of the folder of pipeline.yaml"


def test_a_link_to_a_file_inside_has_the_content_of_that_file(tmp_path):
    write(tmp_path, {"shared.txt": "s", "d/x": ""})
    (tmp_path / "d" / "link.txt").symlink_to("../shared.txt")
    copied = write(tmp_path / "copy", {"d/x": "", "d/link.txt": "s"})
    assert read_context(tmp_path, "d").hash == read_context(copied, "d").hash


def test_a_link_to_a_folder_is_refused_rather_than_left_out(tmp_path):
    write(tmp_path, {"shared/s": "", "d/x": ""})
    (tmp_path / "d" / "link").symlink_to("../shared")
    assert refusal(tmp_path, "d") == "the link 'link' points to a folder: put the files there, or ignore it"


def test_ignored_links_may_point_anywhere_and_links_to_nothing_are_no_files(tmp_path):
    write(tmp_path, {"d/x": "", "d/.dockerignore": "out\n"})
    (tmp_path / "d" / "out").symlink_to("/etc")
    (tmp_path / "d" / ".#lock").symlink_to("user@host.1234:5678")
    assert paths(tmp_path, "d") == [".dockerignore", "x"]


def test_dockerfile_and_rules_belong_to_a_context_that_ignores_everything_else(tmp_path):
    write(tmp_path, {".dockerignore": "*\n!app\napp/x\n", "Dockerfile": "", "app/a": "", "app/x": "", "b": ""})
    assert paths(tmp_path) == [".dockerignore", "Dockerfile", "app/a"]


def test_the_dockerfiles_own_rules_come_before_the_folders(tmp_path):
    write(tmp_path, {".dockerignore": "a", "Dockerfile.dockerignore": "b", "Dockerfile": "", "a": "", "b": ""})
    assert paths(tmp_path) == [".dockerignore", "Dockerfile", "Dockerfile.dockerignore", "a"]


def test_a_malformed_rule_is_named(tmp_path):
    write(tmp_path, {".dockerignore": "[z-a]", "x": ""})
    assert refusal(tmp_path, ".") == "the rule '[z-a]' of .dockerignore is malformed"


RULES = [
    ("a", ["a", "a/b", "a/b/c"], ["b/a", "ab"]),
    ("/a", ["a", "a/b"], ["b/a"]),
    ("a/", ["a", "a/b"], ["ab"]),
    ("*/b", ["a/b", "a/b/c"], ["b", "a/a/b"]),
    ("**/b", ["b", "a/b", "a/a/b", "a/b/c"], ["ab"]),
    ("a/**", ["a/b", "a/b/c"], ["a", "b"]),
    ("a/**/z", ["a/z", "a/b/z", "a/b/c/z"], ["az", "z"]),
    ("*.log", ["x.log", ".log"], ["a/x.log", "x.logs"]),
    ("**/*.log", ["x.log", "a/b/x.log"], ["x.txt"]),
    ("file.?", ["file.a"], ["file.", "file.ab", "file./"]),
    ("[ab].txt", ["a.txt", "b.txt"], ["c.txt"]),
    ("[^ab].txt", ["c.txt"], ["a.txt"]),
    (r"\*", ["*"], ["a"]),
    ("a.b", ["a.b"], ["aXb"]),
    ("./a/../b", ["b"], ["a"]),
    ("# comment\n\n a \n", ["a"], ["# comment", "b"]),
    ("*\n!a", ["b", "b/a"], ["a", "a/b"]),
    ("a\n!a/keep\n", ["a/x"], ["a/keep", "a/keep/x"]),
    ("!a\na", ["a"], []),
    (".", [], ["a", "."]),
]


@pytest.mark.parametrize(("text", "out", "kept"), RULES, ids=[text for text, _, _ in RULES])
def test_rules_of_dockerignore(text, out, kept):
    ignored = ignore_rules(text)
    assert [path for path in out if not ignored(path)] == []
    assert [path for path in kept if ignored(path)] == []


@pytest.mark.parametrize(
    ("rule", "piece"),
    [("**/" * 12 + "z", "a/"), ("*a" * 12 + "b", "a"), ("*" * 12 + "z", "a"), ("a/**" * 9 + "/z", "a/")],
)
def test_what_a_rule_costs_grows_with_the_path_and_no_faster(rule, piece):
    """A hostile rule would else take for ever; each of these paths nearly matches."""
    ignored = ignore_rules(rule)
    assert not ignored(piece * 100 + "c")
    short, long = (lines_run(lambda count=count: ignored(piece * count + "c")) for count in (50, 100))
    assert long < 2.2 * short


@given(st.text(), st.text(min_size=1))
def test_any_rules_are_rules_or_a_value_error(text, path):
    try:
        ignored = ignore_rules(text)
    except ValueError:
        return
    assert ignored(path) in (True, False)
