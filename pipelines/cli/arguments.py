"""The command line's grammar: words → a namespace. Imports nothing heavy, so that `--help` is immediate."""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

_EPILOG = (
    "Nothing touches AWS unless --env names an environment of pipeline.yaml. `pipelines COMMAND --help` says more."
)


def parse_arguments(arguments: Sequence[str]) -> argparse.Namespace:
    """The command and its options; exits with code 2 and a usage line for what it does not know."""
    return build_parser().parse_args(arguments)


def build_parser() -> argparse.ArgumentParser:
    """The parser; the reference page of the documentation is made from it."""
    parser = argparse.ArgumentParser(
        prog="pipelines",
        description="Define, prove, deploy and operate SageMaker Pipelines on bring-your-own processing containers.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"pipelines {version('pipelines')}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    def add(
        name: str, text: str, *, source: bool = True, env: bool = True, json: bool = True
    ) -> argparse.ArgumentParser:
        command = commands.add_parser(name, help=text, description=text[0].upper() + text[1:] + ".")
        if source:
            command.add_argument("--file", "-f", type=Path, default=Path("pipeline.yaml"), help="the pipeline.yaml")
        if env:
            command.add_argument("--env", default="local", metavar="NAME", help="the environment; `local` if left out")
        if json:
            command.add_argument("--json", action="store_true", help="print JSON for machines")
        else:
            command.set_defaults(json=False)
        return command

    _run_options(add("run", "deploy, start and watch the pipeline in the local SageMaker", env=False))
    add("validate", "check pipeline.yaml and the definition it compiles to; nothing is deployed")
    compiled = add("compile", "print the definition JSON", json=False)
    compiled.add_argument("-o", "--output", type=Path, metavar="FILE", help="write it to a file instead")
    graph = add("graph", "draw the steps and what they wait for", json=False)
    graph.add_argument("--format", choices=["text", "mermaid"], default="text", help="text for people, or Mermaid")
    deploy = add("deploy", "upload what changed, then create or update the pipeline")
    deploy.add_argument("--start", action="store_true", help="start an execution afterwards")
    deploy.add_argument("--wait", action="store_true", help="with --start: watch it to its end")
    _parameters(deploy)
    start = add("start", "start an execution of the deployed pipeline")
    start.add_argument("--wait", action="store_true", help="watch it to its end")
    _parameters(start)
    _execution(add("status", "show an execution: its steps, and what came of them"), watch=True)
    logs = add("logs", "print the log of a step, or of all steps")
    logs.add_argument("step", nargs="?", help="the step; all if left out")
    logs.add_argument("--follow", action="store_true", help="go on until the execution has ended")
    _execution(logs, watch=False)
    _execution(add("stop", "stop an execution"), watch=False)
    local = add("local", "serve the local SageMaker on 127.0.0.1, in the foreground", source=True, env=False)
    local.add_argument("--port", type=int, default=0, help="the port; a free one if left out")
    local.add_argument("--detach", action="store_true", help="serve in the background, and end when idle")
    local.add_argument("--stop", action="store_true", help="stop the one in the background")
    return parser


def _run_options(command: argparse.ArgumentParser) -> None:
    command.set_defaults(env="local", wait=True)
    _parameters(command)


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


def _execution(command: argparse.ArgumentParser, *, watch: bool) -> None:
    command.add_argument("--execution", metavar="ID", help="its id or ARN; the newest if left out")
    if watch:
        command.add_argument("--watch", action="store_true", help="follow it to its end")
