"""Following an execution to its end, and showing what came of it."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from pipelines.cli.drawing import as_json, progress, show_end
from pipelines.cli.project import Project
from pipelines.cli.terminal import Terminal
from pipelines.definition import Definition, parse
from pipelines.errors import AwsError
from pipelines.executions import Execution, LogLine, StepRun, log_tail, stop, watch
from pipelines.report import report


def definition_of(project: Project, arn: str) -> Definition:
    """The definition that an execution started with."""
    return parse(project.gateway.execution_definition(arn), where=f"definition of {arn}")


def follow(project: Project, terminal: Terminal, arn: str, *, stops: bool = False) -> Execution:
    """Watch an execution to its end. Ctrl-C or SIGTERM ends the watching; with `stops`, it stops the execution first.

    A second one ends the command at once.
    """
    ident = arn.rpartition("/")[2]
    try:
        return _watched(project, terminal, arn)
    except AwsError:
        # The local SageMaker ends with its executions; those on AWS go on.
        words = "see how it ended" if project.target.is_local else "the execution goes on; follow it"
        watching = "" if project.target.is_local else " --watch"
        terminal.note(f"{words}: {project.command(f'status{watching} --execution {ident}')}")
        raise
    except KeyboardInterrupt:
        command = project.command(f"stop --execution {ident}")
        if not stops:
            terminal.note(f"the execution goes on; stop it: {command}")
            raise
        terminal.note(f"stopping the execution … (Ctrl-C again leaves it; then: {command})")
        stop(project.gateway, arn)
        return _watched(project, terminal, arn)


def follow_to_its_end(project: Project, terminal: Terminal, arn: str) -> bool:
    """Watch an execution, show what came of it, and tell whether it succeeded."""
    execution = follow(project, terminal, arn, stops=project.target.is_local)
    show_result(project, terminal, execution)
    return execution.status == "Succeeded"


def _watched(project: Project, terminal: Terminal, arn: str) -> Execution:
    with progress(terminal, _names(definition_of(project, arn))) as show:
        return watch(project.gateway, arn, show, time.sleep, terminal.note)


def show_result(project: Project, terminal: Terminal, execution: Execution) -> None:
    """The steps, what came out, and of what failed the reason and the end of its log."""
    definition = definition_of(project, execution.arn)
    came_out = report(project.gateway, definition, execution)
    tails = {step.name: log_tail(project.gateway, step) for step in execution.steps if step.status == "Failed"}
    if terminal.json:
        terminal.document(as_json(project, execution, came_out, _names(definition), tails))
        return
    show_end(terminal, project, execution, came_out, _names(definition))
    for step in execution.steps:
        if step.status == "Failed":
            _show_failure(terminal.note, project, execution, step, tails[step.name])


def _names(definition: Definition) -> list[str]:
    return [step.name for step in definition.all_steps()]


def _show_failure(
    note: Callable[[str], None], project: Project, execution: Execution, step: StepRun, tail: Sequence[LogLine]
) -> None:
    note(f"\nerror: step {step.name} failed: {step.reason}")
    if tail:
        note(f"the end of its log ({len(tail)} lines):")
        for line in tail:
            note(f"  {line.time:%H:%M:%S} {line.text}")
    note(f"  fix: see the likely cause, and how to go on: {project.command(f'why {execution.id}')}")
