"""Commands that messages suggest, as the user would type them: words and what was given in, a whole line out."""

from __future__ import annotations

import argparse
import shlex
from dataclasses import replace
from pathlib import Path

from pipelines.errors import Mend, Problem
from pipelines.spec import LOCAL, option


def command_line(words: str, file: Path, environment: str = LOCAL, name: str = "") -> str:
    """A command of ours upon a file and a pipeline of that name, in an environment, unless the words name another."""
    line = f"pipelines {words}"
    if file != Path("pipeline.yaml"):
        line += f" -f {shlex.quote(str(file))}"
    if "--env" not in words.split():
        line += option(environment)
    return line + (f" --name {shlex.quote(name)}" if name else "")


def completed(problem: Problem, given: argparse.Namespace | None) -> Problem:
    """The problem with its mend's command as it is to be typed after the command `given`."""
    mend = problem.fix
    if not isinstance(mend, Mend) or given is None or "file" not in given:
        return problem
    name = getattr(given, "name", "")
    if name and not _takes(mend.words, given.file):
        return replace(problem, fix="correct --name")
    line = command_line(mend.words, given.file, getattr(given, "env", LOCAL), name)
    return replace(problem, fix=f"{mend.text}: {line}" if mend.text else line)


def _takes(words: str, file: Path) -> bool:
    """Whether a command takes the name of a pipeline: upon what is deployed, or a definition that no file names."""
    from pipelines.cli.arguments import build_parsers
    from pipelines.elsewhere import is_elsewhere

    _, commands = build_parsers()
    return "--live" in words.split() or bool(commands[words.split()[0]].get_default("live")) or is_elsewhere(file)
