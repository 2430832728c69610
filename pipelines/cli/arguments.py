"""The command line's grammar: words → a namespace. Imports nothing heavy, so that `--help` is immediate."""

from __future__ import annotations

import argparse
import re
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NoReturn, Protocol

from pipelines.errors import UsageError

_EPILOG = (
    "Nothing touches AWS unless --env names an environment of pipeline.yaml. `pipelines COMMAND --help` says more."
)
_FILE_HELP = (
    "the pipeline.yaml, or its folder; a definition's .json file, module:function or FILE.py:function, which is run; "
    "pipeline.yaml if left out"
)
_NAME_HELP = (
    "the pipeline's name, for a .json file or a function, and for one that is deployed; what FILE says if left out"
)
_STATUSES = ("Executing", "Stopping", "Stopped", "Failed", "Succeeded", "CompletedWithFailures")
_MOST = 2**31 - 1
_UNITS = {"m": 60, "h": 3600, "d": 86400}
_CHOICE = re.compile(r"invalid choice: '(?P<given>.*)' \(choose from (?P<known>.*)\)")


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command and its options. Raises `UsageError` for what it does not know."""
    parser, _ = build_parsers()
    given = parser.parse_args(arguments)
    if given.command == "deploy" and not given.start and (given.wait or given.parameters or given.runner):
        option = "--wait" if given.wait else "-p" if given.parameters else "--runner"
        raise UsageError(f"{option} is for an execution", where="deploy", fix="add --start, or leave it out")
    if getattr(given, "runner", "") and getattr(given, "env", "local") != "local":
        what = "--runner is for the local SageMaker; AWS runs the image itself"
        raise UsageError(what, where=given.command, fix="leave out --runner, or --env")
    return given


class _Add(Protocol):
    """Adds a command."""

    def __call__(
        self, name: str, text: str, *, env: bool = True, json: bool = True, live: bool = False
    ) -> argparse.ArgumentParser: ...


class _Parser(argparse.ArgumentParser):
    """Says its errors as every command does; options are not abbreviated, so that new ones break no script."""

    def __init__(self, **options: Any) -> None:
        super().__init__(allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        fix = f"{self.prog} --help names what there is"
        choice = _CHOICE.search(message)
        if choice:
            from pipelines.nearest import suggestion

            fix = suggestion(choice["given"], re.findall(r"[\w-]+", choice["known"]))
            message = message[: choice.start("known")].removesuffix(" (choose from ")
        raise UsageError(message, where=self.prog, fix=fix)


class _Version(argparse.Action):
    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        from importlib.metadata import version  # 20 ms that no other command needs

        print(f"pipelines {version('pipelines')}")
        parser.exit()


def build_parsers() -> tuple[argparse.ArgumentParser, dict[str, argparse.ArgumentParser]]:
    """The parser, and that of each command; the reference page of the documentation is made from them."""
    parser = _Parser(
        prog="pipelines",
        description="Define, prove, deploy and operate SageMaker Pipelines on bring-your-own processing containers.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action=_Version, nargs=0, help="print the version")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def bare(name: str, text: str) -> argparse.ArgumentParser:
        command: argparse.ArgumentParser = commands.add_parser(
            name, help=text, description=text[0].upper() + text[1:] + "."
        )
        return command

    def add(
        name: str, text: str, *, env: bool = True, json: bool = True, live: bool = False
    ) -> argparse.ArgumentParser:
        """A command on a pipeline; `live` when it is the one that is deployed, whatever the files say."""
        command = bare(name, text)
        command.set_defaults(live=live)
        _file(command)
        command.add_argument("--name", default="", metavar="PIPELINE", help=_NAME_HELP)
        if env:
            command.add_argument("--env", default="local", metavar="NAME", help="the environment; `local` if left out")
        if json:
            _json(command)
        return command

    _init(bare("init", "write a pipeline of your own into a folder: definition, image, tests, CI"))
    _defining(add)
    _deploying(add)
    _executing(partial(add, live=True))
    _local(bare("local", "serve the local SageMaker on 127.0.0.1, in the foreground"))
    return parser, dict(commands.choices)


def _defining(add: _Add) -> None:
    run = add("run", "deploy, start and watch the pipeline in the local SageMaker", env=False)
    _parameters(run)
    _runner(run)
    _live(add("validate", "check pipeline.yaml and the definition it compiles to; nothing is deployed"))
    compiled = add("compile", "print the definition JSON", json=False)
    compiled.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it to a file instead")
    _live(compiled)
    graph = add("graph", "draw the steps and what they wait for", json=False)
    _live(graph)
    graph.add_argument("--format", choices=["text", "mermaid", "page"], default="text", help="text, Mermaid or HTML")


def _deploying(add: _Add) -> None:
    plan = add("plan", "show what deploy would change; nothing is changed")
    plan.add_argument("-o", "--output", type=Path, metavar="FILE", help="keep the plan, for `pipelines deploy FILE`")
    plan.add_argument(
        "--detailed-exitcode", action="store_true", help="exit with 0: nothing to do, 2: changes, 1: an error"
    )
    deploy = add("deploy", "upload what changed, create or update the pipeline, its schedules, notifications and tags")
    deploy.add_argument("plan", nargs="?", type=Path, metavar="PLAN", help="a saved plan: it alone, or nothing")
    _yes(deploy)
    deploy.add_argument("--start", action="store_true", help="start an execution afterwards")
    deploy.add_argument("--wait", action="store_true", help="with --start: watch it to its end")
    _parameters(deploy)
    _runner(deploy)
    rollback = add(
        "rollback", "deploy an earlier version again, with the role, schedules, notifications and tags it had"
    )
    rollback.add_argument(
        "version", nargs="?", type=_version, metavar="VERSION", help="the one before the current if left out"
    )
    _yes(rollback)
    _promotion(add("promote", "deploy to an environment exactly what another one runs, its images copied", env=False))
    add("schedules", "list schedules with their next five starts; the local SageMaker fires them while it runs")


def _executing(add: _Add) -> None:
    start = add("start", "start an execution of the deployed pipeline")
    start.add_argument("--wait", action="store_true", help="watch it to its end")
    _runner(start)
    start.add_argument(
        "--select", nargs="+", default=[], metavar="STEP", help="run these steps alone, upon earlier results"
    )
    start.add_argument(
        "--from",
        dest="source",
        metavar="ID",
        help="the execution whose results and parameters are taken; the newest with --select if left out; "
        "without --select, what did not succeed there runs",
    )
    _parameters(start)
    status = add("status", "show an execution: its steps, and what came of them")
    status.add_argument("--watch", action="store_true", help="follow it to its end")
    _execution(status)
    logs = add("logs", "print the log of a step, or of all steps")
    logs.add_argument("step", nargs="?", metavar="STEP", help="the step; all if left out")
    logs.add_argument("--follow", action="store_true", help="go on until the execution has ended")
    _execution(logs)
    listed = add("executions", "list executions, newest first")
    listed.add_argument(
        "--status", nargs="+", default=[], choices=_STATUSES, metavar="STATUS", help=f"those: {', '.join(_STATUSES)}"
    )
    listed.add_argument("--since", type=_age, metavar="AGE", help="those that began since: 90m, 24h, 7d")
    listed.add_argument("--limit", type=_count, default=20, metavar="N", help="so many at most; 20 if left out")
    _execution(add("stop", "stop an execution, and wait until it has ended"))
    _named(add("why", "tell why an execution failed: step, reason, log, likely cause, how to go on"))
    again = add("retry", "let a failed or stopped execution go on from there; what succeeded is kept")
    again.add_argument("--wait", action="store_true", help="watch it to its end")
    _named(again)
    diff = add("diff", "show what differs between two executions: parameters, definition, steps, metrics")
    diff.add_argument("old", metavar="OLD", help="an execution's id or ARN")
    diff.add_argument("new", nargs="?", metavar="NEW", help="another's; the newest if left out")


def _init(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "folder", nargs="?", type=Path, default=Path(), metavar="FOLDER", help="the current one if left out"
    )
    _json(command)


def _file(command: argparse.ArgumentParser) -> None:
    command.add_argument("--file", "-f", type=Path, default=Path("pipeline.yaml"), help=_FILE_HELP)


def _json(command: argparse.ArgumentParser) -> None:
    command.add_argument("--json", action="store_true", help="print JSON for machines")


def _live(command: argparse.ArgumentParser) -> None:
    command.add_argument("--live", action="store_true", help="take what is deployed, and not the files")


def _yes(command: argparse.ArgumentParser) -> None:
    command.add_argument("--yes", "-y", action="store_true", help="do not ask; the local environment never does")


def _promotion(command: argparse.ArgumentParser) -> None:
    command.add_argument("source", metavar="FROM", help="the environment that runs it")
    command.add_argument("to", metavar="TO", help="the environment that is to run it")
    command.add_argument("-o", "--output", type=Path, metavar="FILE", help="keep the plan, and change nothing")
    command.add_argument(
        "--source-profile", metavar="NAME", help="the AWS profile to read FROM with; the one in use if left out"
    )
    _yes(command)


def _runner(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--runner",
        choices=["process", "docker"],
        default="",
        help="what jobs run in, locally, from now on: processes, or the real image; as pipeline.yaml says if left out",
    )


def _local(command: argparse.ArgumentParser) -> None:
    _file(command)
    _json(command)
    _runner(command)
    way = command.add_mutually_exclusive_group()
    way.add_argument("--port", type=_port, default=0, metavar="PORT", help="the port; a free one if left out")
    way.add_argument("--detach", action="store_true", help="serve in the background, and end when idle")
    way.add_argument("--stop", action="store_true", help="stop the one in the background")


def _port(text: str) -> int:
    return _whole(text, 65535, "port", where="--port", fix="write a number from 1 to 65535")


def _version(text: str) -> int:
    fix = "write its number, such as 3, or leave it out for the version before the current one"
    return _whole(text, _MOST, "version", where="VERSION", fix=fix)


def _count(text: str) -> int:
    return _whole(text, _MOST, "number of executions", where="--limit", fix="write a whole number from 1 on")


def _whole(text: str, most: int, what: str, *, where: str, fix: str) -> int:
    """A number from 1 to `most`, which has ten digits at most. Raises `UsageError`: argparse lets it pass."""
    number = int(text) if re.fullmatch(r"[0-9]{1,10}", text) else 0
    if not 0 < number <= most:
        raise UsageError(f"{text!r} is no {what}", where=where, fix=fix)
    return number


def _parameters(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-p",
        "--parameter",
        action="append",
        default=[],
        dest="parameters",
        metavar="NAME=VALUE",
        help="a parameter of the execution; may be repeated",
    )


def _age(text: str) -> int:
    """Seconds; of a hundred thousand days at most, before which no time can be."""
    found = re.fullmatch(r"([0-9]{1,5})([mhd])", text)
    if found is None:
        fix = "write a number of five digits at most, and m, h or d, as in 24h"
        raise UsageError(f"{text!r} is no age", where="--since", fix=fix)
    return int(found[1]) * _UNITS[found[2]]


def _named(command: argparse.ArgumentParser) -> None:
    command.add_argument("execution", nargs="?", metavar="ID", help="its id or ARN; the newest if left out")


def _execution(command: argparse.ArgumentParser) -> None:
    command.add_argument("--execution", metavar="ID", help="its id or ARN; the newest if left out")
