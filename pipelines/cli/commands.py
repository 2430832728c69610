"""What each command does: arguments and a terminal in, an exit code out."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from pipelines.cli.project import Project, parse_parameters
from pipelines.cli.terminal import Terminal

if TYPE_CHECKING:
    from pipelines.deploy import Deployment
    from pipelines.executions import Execution, StepRun

FINE, FAILED = 0, 1
_LOG_TAIL = 20  # lines of a failed step's log

Command = Callable[[argparse.Namespace, Terminal], int]


def validate(given: argparse.Namespace, terminal: Terminal) -> int:
    """Read, compile and check; findings are printed, errors among them make the exit code 1."""
    from pipelines.checks import check

    project = Project.of(given)
    findings = check(project.compiled.definition, pipeline_name=project.spec.pipeline.name)
    if given.json:
        terminal.data({"findings": [vars(finding) for finding in findings]})
    for finding in findings if not given.json else ():
        terminal.result(f"{finding.severity}: {finding.where}: {finding.what} [{finding.check}]\n  fix: {finding.fix}")
    if not findings and not given.json:
        steps = sum(1 for _ in project.compiled.definition.all_steps())
        terminal.result(f"{project.file}: fine ({steps} steps, digest {project.compiled.definition.digest[:12]})")
    return FAILED if any(finding.severity == "error" for finding in findings) else FINE


def compile_(given: argparse.Namespace, terminal: Terminal) -> int:
    """Print the definition, or write it to a file."""
    import json

    text = json.dumps(Project.of(given).compiled.definition.document, indent=2, ensure_ascii=False)
    if given.output:
        given.output.write_text(text + "\n", encoding="utf-8")
    else:
        terminal.result(text)
    return FINE


def graph(given: argparse.Namespace, terminal: Terminal) -> int:
    """Draw the definition."""
    from pipelines.graph import as_mermaid, as_text

    draw = {"text": as_text, "mermaid": as_mermaid}[given.format]
    terminal.result(draw(Project.of(given).compiled.definition).rstrip("\n"))
    return FINE


def deploy(given: argparse.Namespace, terminal: Terminal) -> int:
    """Carry the pipeline into its environment; start it if asked."""
    project = Project.of(given)
    parameters = _checked_parameters(project, given.parameters)
    deployed = _deploy(project, terminal)
    if given.start:
        return _start(project, terminal, parameters, wait=given.wait)
    if given.json:
        terminal.data({"pipeline": deployed.pipeline_arn, "action": deployed.action, "uploaded": deployed.uploaded})
    else:
        terminal.result(deployed.pipeline_arn)
    return FINE


def run(given: argparse.Namespace, terminal: Terminal) -> int:
    """Deploy, start and watch in the local SageMaker."""
    project = Project.of(given)
    parameters = _checked_parameters(project, given.parameters)
    _deploy(project, terminal)
    return _start(project, terminal, parameters, wait=True)


def start(given: argparse.Namespace, terminal: Terminal) -> int:
    """Start the deployed pipeline as it is."""
    from pipelines.definition import parse, resolve_parameters
    from pipelines.errors import UsageError

    project = Project.of(given)
    parameters = parse_parameters(given.parameters)
    live = project.gateway.pipeline(project.spec.pipeline.name)
    if live is None:
        what = f"pipeline {project.spec.pipeline.name} is not deployed"
        raise UsageError(what, where=f"environment {project.environment}", fix=project.command("deploy"))
    resolve_parameters(parse(live["PipelineDefinition"]), parameters)
    return _start(project, terminal, parameters, wait=given.wait)


def status(given: argparse.Namespace, terminal: Terminal) -> int:
    """Show an execution; exit code 1 when it has ended otherwise than Succeeded."""
    from pipelines.executions import find, snapshot

    project = Project.of(given)
    arn = find(project.gateway, project.spec.pipeline.name, given.execution)
    if given.watch:
        return _watch(project, terminal, arn, stop_on_interrupt=False)
    return _end(project, terminal, snapshot(project.gateway, arn))


def logs(given: argparse.Namespace, terminal: Terminal) -> int:
    """Print logs; with --follow until the execution has ended."""
    from pipelines.executions import find, log_lines, snapshot

    project = Project.of(given)
    arn = find(project.gateway, project.spec.pipeline.name, given.execution)
    tokens: dict[str, str] = {}
    while True:
        execution = snapshot(project.gateway, arn)
        steps = execution.steps
        if given.step and (execution.ended or any(step.name == given.step for step in steps)):
            steps = (execution.step(given.step),)
        for step in steps:
            for line in log_lines(project.gateway, step, tokens):
                if given.json:
                    terminal.data({"step": step.name, "host": line.host, "time": line.time, "text": line.text})
                else:
                    prefix = "" if given.step else f"{step.name}: "
                    terminal.result(f"{line.time:%H:%M:%S} {prefix}{line.text}")
        if execution.ended or not given.follow:
            return FINE
        time.sleep(0.5 if project.target.is_local else 5)


def stop(given: argparse.Namespace, terminal: Terminal) -> int:
    """Ask an execution to stop, and wait until it has."""
    from pipelines.executions import find

    project = Project.of(given)
    arn = find(project.gateway, project.spec.pipeline.name, given.execution)
    project.gateway.stop_execution(arn)
    return _watch(project, terminal, arn, stop_on_interrupt=False) and FINE


def local(given: argparse.Namespace, terminal: Terminal) -> int:
    """Serve the local SageMaker, or start or stop the one in the background."""
    from pipelines.local import daemon
    from pipelines.local.server import Server, stopping_on_signals

    given.env = "local"
    project = Project.of(given)
    region = project.target.region if project.file.exists() else "us-east-1"
    if given.stop:
        terminal.result("stopped" if daemon.stop(project.home) else "the local SageMaker does not run")
        return FINE
    if given.detach:
        terminal.result(_exports(daemon.ensure(project.home, region).endpoint, region))
        return FINE
    server = Server(project.home, region, given.port)
    terminal.result(_exports(server.endpoint, region))
    with stopping_on_signals(server):
        server.serve()
    return FINE


def _exports(endpoint: str, region: str) -> str:
    """The endpoint, and the lines that lead boto3 and the aws command to it."""
    return (
        f"{endpoint}\n"
        f"export AWS_ENDPOINT_URL={endpoint} AWS_DEFAULT_REGION={region} "
        "AWS_ACCESS_KEY_ID=local AWS_SECRET_ACCESS_KEY=local"
    )


def _checked_parameters(project: Project, texts: list[str]) -> dict[str, str]:
    """The parameters, after every rule that the service would apply: before anything is deployed."""
    from pipelines.definition import resolve_parameters

    parameters = parse_parameters(texts)
    if parameters:
        resolve_parameters(project.compiled.definition, parameters)
    return parameters


def _deploy(project: Project, terminal: Terminal) -> Deployment:
    from pipelines.deploy import deploy as carry_out

    return carry_out(project.compiled, project.spec.pipeline, project.gateway, project.images, terminal.note)


def _start(project: Project, terminal: Terminal, parameters: dict[str, str], *, wait: bool) -> int:
    arn = project.gateway.start_execution(project.spec.pipeline.name, parameters)
    if wait:
        return _watch(project, terminal, arn, stop_on_interrupt=project.target.is_local)
    if terminal.json:
        terminal.data({"execution": arn})
    else:
        terminal.result(arn)
        terminal.note(f"follow it: {project.command('status --watch')}")
    return FINE


def _watch(project: Project, terminal: Terminal, arn: str, *, stop_on_interrupt: bool) -> int:
    """Watch to the end. Ctrl-C stops a local execution; one on AWS goes on, and the user is told how to stop it."""
    from pipelines.cli.drawing import progress
    from pipelines.executions import watch

    expected = _step_names(project, arn)
    try:
        with progress(terminal, expected) as show:
            execution = watch(project.gateway, arn, show, time.sleep)
    except KeyboardInterrupt:
        stop_command = project.command(f"stop --execution {arn.rpartition('/')[2]}")
        if not stop_on_interrupt:
            terminal.note(f"the execution goes on; stop it: {stop_command}")
            raise
        terminal.note("stopping the execution …")
        project.gateway.stop_execution(arn)
        with progress(terminal, expected) as show:
            execution = watch(project.gateway, arn, show, time.sleep)
    return _end(project, terminal, execution)


def _step_names(project: Project, arn: str) -> list[str]:
    from pipelines.definition import parse

    return [step.name for step in parse(project.gateway.execution_definition(arn)).all_steps()]


def _end(project: Project, terminal: Terminal, execution: Execution) -> int:
    """Show what came of an execution; 1 when it ended otherwise than Succeeded."""
    from pipelines.cli.drawing import as_json, show_end
    from pipelines.executions import report

    came_out = report(project.gateway, execution)
    if terminal.json:
        terminal.data(as_json(project, execution, came_out))
    else:
        show_end(terminal, project, execution, came_out, _step_names(project, execution.arn))
        for step in execution.steps:
            if step.status == "Failed":
                _show_failure(project, terminal, execution, step)
    return FAILED if execution.ended and execution.status != "Succeeded" else FINE


def _show_failure(project: Project, terminal: Terminal, execution: Execution, step: StepRun) -> None:
    """What a failed step said, the end of its log, and where to read all of it."""
    from collections import deque

    from pipelines.executions import log_lines

    terminal.note(f"\nerror: step {step.name} failed: {step.reason}")
    tail = deque(log_lines(project.gateway, step), _LOG_TAIL)
    if tail:
        terminal.note(f"the end of its log ({len(tail)} lines):")
        for line in tail:
            terminal.note(f"  {line.time:%H:%M:%S} {line.text}")
        terminal.note(f"  fix: read all of it: {project.command(f'logs {step.name} --execution {execution.id}')}")


COMMANDS: dict[str, Command] = {
    "run": run,
    "validate": validate,
    "compile": compile_,
    "graph": graph,
    "deploy": deploy,
    "start": start,
    "status": status,
    "logs": logs,
    "stop": stop,
    "local": local,
}
