"""The cache: what makes a hit, what makes a miss, and that a broken one is no error."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.compile.cache import cache_key, cached
from pipelines.compile.local_files import read_local_files
from pipelines.spec import Spec

ROOT = Path(__file__).parents[2]
TEXT = '{"Version":"2020-12-01","Metadata":{},"Parameters":[],"Steps":[{"Name":"Grün","Type":"Fail","Arguments":{}}]}'


def key(spec: Spec, environment: str = "local") -> str:
    target = spec.target(environment)
    return cache_key(spec, target, read_local_files(spec, target))


def unexpected() -> str:
    raise AssertionError("compiled although it was kept")


def test_place_and_time_make_no_difference(project):
    assert key(project(at="here")) == key(project(at="there"))


def test_comments_and_layout_make_no_difference(project):
    spec = project()
    before = key(spec)
    text = spec.source.file.read_text()
    assert key(project(spec="# a comment\n" + text.replace("name: demo", "name:   'demo'"))) == before


@pytest.mark.parametrize(
    ("old", "new"),
    [("name: demo", "name: other"), ("processing: {}", "processing: {volume_gb: 31}"), ("Second", "Third")],
)
def test_a_change_of_the_spec_is_a_miss(project, old, new):
    spec = project()
    before = key(spec)
    assert key(project(spec=spec.source.file.read_text().replace(old, new))) != before


def test_the_order_of_steps_is_part_of_the_definition(project):
    steps = ["  A: { fail: x }\n", "  B: { fail: x }\n"]
    first = project(spec="name: demo\nsteps:\n" + "".join(steps))
    before = key(first)
    assert key(project(spec="name: demo\nsteps:\n" + "".join(reversed(steps)))) != before


def test_another_environment_is_a_miss(project):
    assert key(project()) != key(project(), "other")


@pytest.mark.parametrize("file", ["recipe.yaml", "rules/deep/b.txt", "rules/new.txt", "image/Dockerfile", "image/new"])
def test_a_change_of_a_local_file_or_an_image_folder_is_a_miss(project, file):
    before = key(project())
    assert key(project({file: "changed"})) != before


def test_data_of_the_environment_is_not_part_of_the_definition(project):
    before = key(project())
    assert key(project({"data/x.csv": "changed"})) == before


def test_what_was_kept_is_not_made_again(tmp_path):
    folder = tmp_path / "not" / "there"
    assert cached(folder, "key", lambda: TEXT) == TEXT
    assert cached(folder, "key", unexpected) == TEXT
    assert cached(folder, "other", lambda: "other") == "other"
    assert sorted(file.name for file in folder.iterdir()) == ["key.json", "other.json"]


@pytest.mark.parametrize("size", [0, 1, 64, 65, 66, -1, -5])
def test_a_file_that_was_cut_short_is_made_again(tmp_path, size):
    cached(tmp_path, "key", lambda: TEXT)
    file = tmp_path / "key.json"
    file.write_bytes(file.read_bytes()[:size])
    assert cached(tmp_path, "key", lambda: "new") == "new"
    assert cached(tmp_path, "key", unexpected) == "new"


@pytest.mark.parametrize("content", [b"\xff\xfe", b"{}", TEXT.encode(), b"0" * 64 + b"\n" + TEXT.encode()])
def test_a_file_with_other_content_is_made_again(tmp_path, content):
    (tmp_path / "key.json").write_bytes(content)
    assert cached(tmp_path, "key", lambda: "new") == "new"


def test_an_edited_file_is_made_again(tmp_path):
    cached(tmp_path, "key", lambda: TEXT)
    file = tmp_path / "key.json"
    file.write_text(file.read_text(encoding="utf-8").replace("Grün", "Blau"), encoding="utf-8")
    assert cached(tmp_path, "key", lambda: TEXT) == TEXT


def test_a_cache_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "file").write_text("no folder")
    assert cached(tmp_path / "file", "key", lambda: TEXT) == TEXT
    (tmp_path / "folder" / "key.json").mkdir(parents=True)
    assert cached(tmp_path / "folder", "key", lambda: TEXT) == TEXT
    assert list((tmp_path / "folder").glob("*.tmp")) == []


def test_without_a_folder_nothing_is_kept(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert cached(None, "key", lambda: TEXT) == TEXT
    assert list(tmp_path.iterdir()) == []


def test_the_oldest_go_when_there_are_many(tmp_path):
    for number in range(60):
        cached(tmp_path, f"key{number}", lambda: TEXT)
    assert len(list(tmp_path.iterdir())) == 50
    assert cached(tmp_path, "key59", unexpected) == TEXT


def test_a_hit_imports_neither_sdk_nor_boto3(project, tmp_path):
    spec = project()
    cached(tmp_path / "cache", key(spec), lambda: TEXT)
    program = (
        "import sys, pathlib\n"
        "from pipelines.compile import compile_spec\n"
        "from pipelines.spec import load\n"
        "compiled = compile_spec(load(pathlib.Path(sys.argv[1])), cache=pathlib.Path(sys.argv[2]))\n"
        "print([step.name for step in compiled.definition.steps], len(compiled.uploads), len(compiled.images))\n"
        "print(sorted({'sagemaker', 'boto3', 'botocore'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, str(spec.source.file), str(tmp_path / "cache")]
    environment = {"PYTHONPATH": str(ROOT), "PATH": "", "PYTHONUTF8": "1"}
    ran = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == "['Grün'] 4 1\n[]\n"
