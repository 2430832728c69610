"""The CI files that users copy: they are what the CI systems read, and their commands exist."""

from __future__ import annotations

import re
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from pipelines.cli.arguments import parse_arguments

ROOT = Path(__file__).parent.parent
GITHUB, GITLAB = ROOT / "docs/ci/github-actions.yml", ROOT / "docs/ci/gitlab-ci.yml"


class Loader(yaml.SafeLoader):
    """YAML with GitLab's !reference."""


Loader.add_constructor("!reference", lambda loader, node: tuple(loader.construct_sequence(node)))


def document(file: Path) -> dict:
    return yaml.load(file.read_text(encoding="utf-8"), Loader)  # noqa: S506 -- a SafeLoader


def scripts(file: Path) -> Iterator[str]:
    """The shell scripts of a file's jobs."""
    loaded = document(file)
    if file == GITHUB:
        yield from (step["run"] for job in loaded["jobs"].values() for step in job["steps"] if "run" in step)
        return
    for job in (value for value in loaded.values() if isinstance(value, dict)):
        lines = [*job.get("before_script", ()), *job.get("script", ())]
        yield from (line for line in lines if isinstance(line, str))


def commands(file: Path) -> Iterator[list[str]]:
    """The commands of ours and of make."""
    for script in scripts(file):
        for line in script.splitlines():
            found = re.match(r"\s*(make|\.venv/bin/pipelines) ([^>|]*)", line)
            if found:
                yield [found[1], *shlex.split(found[2])]


@pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_every_command_exists(file):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    used = set()
    for program, *words in commands(file):
        if program == "make":
            assert set(words) <= targets
        else:
            used.add(parse_arguments(words).command)
    assert used == {"validate", "run", "plan", "deploy"}


@pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_every_script_is_one_that_bash_can_read(file):
    for script in scripts(file):
        checked = subprocess.run(["bash", "-n"], input=script, text=True, capture_output=True, check=False)
        assert checked.returncode == 0, checked.stderr


@pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_what_is_deployed_is_the_plan_that_was_kept(file):
    plans = [words for program, *words in commands(file) if words[0] == "plan"]
    deployments = [words for program, *words in commands(file) if words[0] == "deploy"]
    kept = {words[words.index("-o") + 1] for words in plans}
    assert kept == {words[1] for words in deployments} == {"plan.json"}
    assert {words[words.index("--env") + 1] for words in (*plans, *deployments)} == {"prod"}


def test_github_actions_are_pinned_to_commits_and_keep_no_credentials():
    steps = [step for job in document(GITHUB)["jobs"].values() for step in job["steps"]]
    for step in steps:
        if "uses" in step:
            assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"])
        if step.get("uses", "").startswith("actions/checkout@"):
            assert step["with"]["persist-credentials"] is False


def test_no_script_holds_an_expression_that_others_could_write():
    assert not [script for script in scripts(GITHUB) if "${{" in script]


def test_only_jobs_that_need_it_get_an_identity_and_only_main_deploys():
    loaded = document(GITHUB)
    assert loaded["permissions"] == {"contents": "read"}
    with_identity = {name for name, job in loaded["jobs"].items() if "id-token" in job.get("permissions", {})}
    assert with_identity == {"plan", "deploy"}
    assert "github.event_name == 'push'" in loaded["jobs"]["deploy"]["if"]
    assert loaded["jobs"]["deploy"]["environment"] == "prod"


def test_neither_file_names_a_key():
    for file in (GITHUB, GITLAB):
        assert "SECRET" not in file.read_text(encoding="utf-8").upper()
