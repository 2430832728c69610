"""What a message suggests works as it is typed: for the file, the environment and the name that the user gave."""

from __future__ import annotations

import argparse
import ast
import copy
import re
import shlex
from pathlib import Path

import pytest

import pipelines
from pipelines.cli.arguments import build_parsers, parse_arguments
from pipelines.cli.suggested import completed
from pipelines.errors import Mend, Problem

COMMANDS = build_parsers()[1]
ROOT = Path(pipelines.__file__).parent


def suggested(done) -> list[str]:
    """The words of the command that the message's mend ends with."""
    return shlex.split(done.err.splitlines()[-1].rpartition("pipelines ")[2])


def test_every_step_from_nothing_to_a_success_is_suggested(project, pipelines, monkeypatch):
    monkeypatch.chdir(project.folder.parent)
    never = pipelines("status", "-f", "project")
    assert never.err.endswith("pipeline tiny is not deployed\n  fix: pipelines deploy --start -f project\n")
    assert pipelines("deploy", "-f", "project").code == 0
    unstarted = pipelines("status", "-f", "project/pipeline.yaml")
    assert unstarted.err.endswith("no execution yet\n  fix: pipelines start -f project/pipeline.yaml\n")
    started = pipelines(*suggested(unstarted), "--wait")
    assert started.code == 0
    done = pipelines("retry", "-f", "project")
    assert "it succeeded" in done.err
    assert suggested(done) == ["start", "-f", "project"]
    unknown = pipelines("logs", "-f", "project", "--execution", "nowhere")
    listed = pipelines(*suggested(unknown))
    assert (listed.code, len(listed.out.splitlines())) == (0, 1)
    stale = pipelines("deploy", "nowhere.json", "-f", "project")
    assert stale.err.endswith("fix: make it: pipelines plan -o nowhere.json -f project\n")
    assert pipelines(*suggested(stale)).code == 0


def test_the_name_of_another_pipeline_is_what_is_corrected(deployed, pipelines):
    for command in ("status", "start", "executions", "validate --live", "why"):
        done = pipelines(*command.split(), "--name", "other")
        assert done.err.endswith("pipeline other is not deployed\n  fix: correct --name\n")


TABLE = [
    ("plan", "plan", "pipelines plan"),
    ("plan -f 'a b/p.yaml' --env dev", "plan -o FILE", "pipelines plan -o FILE -f 'a b/p.yaml' --env dev"),
    ("deploy p.json --env prod", "plan --env dev", "pipelines plan --env dev"),
    ("promote dev prod -f p", "deploy --env dev", "pipelines deploy --env dev -f p"),
    ("status --name x --env dev", "executions", "pipelines executions --env dev --name x"),
    ("status --name x", "deploy --start", "correct --name"),
    ("status --name x -f d.json", "deploy --start", "pipelines deploy --start -f d.json --name x"),
    ("run -f m:f --name x", "why 1", "pipelines why 1 -f m:f --name x"),
    ("init new", "run", "pipelines run"),
    ("local -f p", "local --stop", "pipelines local --stop -f p"),
]


@pytest.mark.parametrize(("given", "words", "line"), TABLE, ids=[row[2] for row in TABLE])
def test_a_command_is_completed_with_what_was_given(given: str, words: str, line: str) -> None:
    arguments = parse_arguments(shlex.split(given))
    assert completed(Problem("here", "it failed", Mend("", words)), arguments).fix == line
    told = completed(Problem("here", "it failed", Mend("do that", words)), arguments).fix
    assert told == (line if line == "correct --name" else f"do that: {line}")


def test_a_mend_without_a_command_and_one_before_any_arguments_stay_as_they_are() -> None:
    plain, typed = Problem("a", "b", "write c"), Problem("a", "b", Mend("see", "plan"))
    assert completed(plain, argparse.Namespace(file=Path("x"))) == plain
    assert completed(typed, None).fix == "see: pipelines plan"
    assert copy.deepcopy(typed.fix).words == "plan"


def test_no_message_names_a_command_that_would_stay_incomplete() -> None:
    """Below the command line a command is suggested by `Mend`; there, by it or by `Project.command`."""
    named = re.compile(rf"\bpipelines ({'|'.join(set(COMMANDS) - {'init'})})\b")
    found = [
        f"{file.relative_to(ROOT)}:{node.lineno}: {node.value}"
        for file in sorted(ROOT.rglob("*.py"))
        for node in _texts(ast.parse(file.read_text(encoding="utf-8")))
        if named.search(node.value)
    ]
    # Their help, what is said of a new folder, and what another user's client is answered by the server.
    allowed = ("cli/arguments.py:", "cli/commands.py:", "local/server.py:")
    assert [text for text in found if not text.startswith(allowed)] == []


def _texts(tree: ast.AST) -> list[ast.Constant]:
    """Texts of a module that are no docstrings."""
    bare = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    return [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in bare
    ]
