"""`pipelines init`: a pipeline of one's own, that runs and is tested as it is."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import pytest
import setuptools.glob

from pipelines.local import daemon
from pipelines.local.home import Home

ROOT = Path(__file__).parent.parent.parent
FILES = {
    ".github/workflows/pipeline.yml",
    ".gitignore",
    "container/Dockerfile",
    "container/count.py",
    "pipeline.yaml",
    "tests/test_pipeline.py",
    "texts/a.txt",
}


def files(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


def test_the_new_pipeline_runs_and_its_tests_pass(tmp_path, monkeypatch, pipelines):
    monkeypatch.chdir(tmp_path)
    done = pipelines("init", "new_thing")
    folder = tmp_path / "new_thing"
    assert done.code == 0
    assert done.out.splitlines() == [f"new_thing/{path}" for path in sorted(FILES, key=done.out.index)]
    assert done.err == "try it: cd new_thing && pipelines run; and its tests: python -m pytest\n"
    assert files(folder) == FILES
    monkeypatch.chdir(folder)
    try:
        ran = pipelines("run")
        assert ran.code == 0, ran.err
        assert ":pipeline/new-thing/execution/" in ran.out
    finally:
        daemon.stop(Home(folder / ".pipelines"))
    words = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "no:xdist"]
    tested = subprocess.run(words, cwd=folder, capture_output=True, text=True, check=False)
    assert tested.returncode == 0, tested.stdout + tested.stderr
    assert "2 passed" in tested.stdout


def test_nothing_is_overwritten_and_nothing_half_written(tmp_path, monkeypatch, pipelines):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "pipeline.yaml").write_text("mine")
    (tmp_path / ".gitignore").symlink_to("nowhere")
    done = pipelines("init")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith(
        "error: .: these are there already: .gitignore, pipeline.yaml\n  fix: name another folder"
    )
    assert {path.name for path in tmp_path.iterdir()} == {"pipeline.yaml", ".gitignore"}
    assert (tmp_path / "pipeline.yaml").read_text() == "mine"


def test_a_folder_that_cannot_be_made_is_named(tmp_path, pipelines):
    (tmp_path / "file").touch()
    done = pipelines("init", str(tmp_path / "file" / "below"))
    assert done.code == 2
    assert "it cannot be written: Not a directory\n  fix: name a folder that you can write to" in done.err


def test_machines_get_the_files_as_json(tmp_path, pipelines):
    told = json.loads(pipelines("init", str(tmp_path / "x"), "--json").out)
    assert (told["folder"], set(told["files"])) == (str(tmp_path / "x"), FILES)


def test_packaging_takes_every_template_along():
    package = ROOT / "pipelines/scaffold"
    (pattern,) = re.findall(r'"pipelines.scaffold": \["(.*)"\]', (ROOT / "setup.py").read_text(encoding="utf-8"))
    assert len(setuptools.glob.glob(str(package / pattern), recursive=True)) == len(FILES)


@pytest.mark.parametrize("action", ["checkout", "setup-python"])
def test_its_ci_uses_the_actions_of_the_documented_one(action):
    pages = ("docs/ci/github-actions.yml", "pipelines/scaffold/files/dot-github/workflows/pipeline.yml.template")
    used = [set(re.findall(rf"actions/{action}@\S+", (ROOT / page).read_text(encoding="utf-8"))) for page in pages]
    assert used[0] == used[1]
    assert len(used[0]) == 1
