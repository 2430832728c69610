"""What each command does: arguments and a terminal in, an exit code out."""

from __future__ import annotations

import argparse
import shlex
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pipelines.cli.operating import diff, executions, retry, selection, why
from pipelines.cli.planning import compiled, deploy_files, deploy_plan, plan, promote, read_plan, rollback, schedules
from pipelines.cli.project import Project, parse_parameters
from pipelines.cli.terminal import Terminal
from pipelines.errors import UsageError

if TYPE_CHECKING:
    from pipelines.definition import Definition

FINE, FAILED = 0, 1

Command = Callable[[argparse.Namespace, Terminal], int]


def init(given: argparse.Namespace, terminal: Terminal) -> int:
    """Write a pipeline of one's own into a folder."""
    from pipelines.scaffold import write

    written = write(given.folder)
    if terminal.json:
        terminal.document({"folder": str(given.folder), "files": written})
        return FINE
    for path in written:
        terminal.result(str(given.folder / path))
    into = "" if given.folder == Path() else f"cd {shlex.quote(str(given.folder))} && "
    terminal.note(f"try it: {into}pipelines run; and its tests: python -m pytest")
    return FINE


def validate(given: argparse.Namespace, terminal: Terminal) -> int:
    """Read, compile and check; findings are printed, errors among them make the exit code 1."""
    from pipelines.checks import check

    project = Project.of(given)
    definition = _definition(given, project, terminal)
    if project.target.is_local and not given.live:
        project.settings()
    findings = check(definition, pipeline_name=project.pipeline)
    if terminal.json:
        terminal.document({"digest": definition.digest, "findings": [asdict(finding) for finding in findings]})
    for finding in findings if not terminal.json else ():
        terminal.result(str(finding))
    if not findings and not terminal.json:
        steps = sum(1 for _ in definition.all_steps())
        place = f"pipeline {project.pipeline}" if given.live else project.file
        terminal.result(f"{place}: fine ({steps} steps, digest {definition.digest[:12]})")
    return FAILED if any(finding.severity == "error" for finding in findings) else FINE


def compile_(given: argparse.Namespace, terminal: Terminal) -> int:
    """Print the definition, or write it to a file."""
    import json

    text = json.dumps(_definition(given, Project.of(given), terminal).document, indent=2, ensure_ascii=False)
    if not given.output:
        terminal.result(text)
        return FINE
    try:
        given.output.write_text(text + "\n", encoding="utf-8")
    except OSError as error:
        what = f"the definition cannot be written: {error.strerror}"
        raise UsageError(what, where=str(given.output), fix="name a file in a folder that you can write to") from error
    return FINE


def graph(given: argparse.Namespace, terminal: Terminal) -> int:
    """Draw the definition."""
    from pipelines.graph import as_mermaid, as_page, as_text

    project = Project.of(given)
    definition = _definition(given, project, terminal)
    match given.format:
        case "text":
            drawing = as_text(definition)
        case "mermaid":
            drawing = as_mermaid(definition)
        case "page":
            drawing = as_page(definition, project.pipeline)
    terminal.result(drawing.rstrip("\n"))
    return FINE


def _definition(given: argparse.Namespace, project: Project, terminal: Terminal) -> Definition:
    """The definition that is asked for: what is deployed, or what would be."""
    return project.live if given.live else compiled(project, terminal).definition


def deploy(given: argparse.Namespace, terminal: Terminal) -> int:
    """Carry the pipeline, or a saved plan of it, into its environment; start it if asked."""
    from pipelines.definition import parse, resolve_parameters

    project = Project.of(given)
    parameters = parse_parameters(given.parameters)
    saved = read_plan(given.plan, project) if given.plan else None
    if given.start:
        definition = parse(saved.definition) if saved else compiled(project, terminal).definition
        resolve_parameters(definition, parameters)
    deployed = deploy_plan(saved, project, terminal) if saved else deploy_files(project, terminal, yes=given.yes)
    facts = {"pipeline": deployed.pipeline_arn, "action": deployed.action, "uploaded": deployed.uploaded}
    if given.start:
        return _start(project, terminal, parameters, wait=given.wait, facts=facts)
    if terminal.json:
        terminal.document(facts)
    else:
        terminal.result(deployed.pipeline_arn)
    return FINE


def run(given: argparse.Namespace, terminal: Terminal) -> int:
    """Deploy, start and watch in the local SageMaker."""
    project = Project.of(given)
    parameters = _checked_parameters(project, terminal, given.parameters)
    deploy_files(project, terminal)
    return _start(project, terminal, parameters, wait=True)


def start(given: argparse.Namespace, terminal: Terminal) -> int:
    """Start the deployed pipeline as it is."""
    from pipelines.definition import resolve_parameters

    project = Project.of(given)
    parameters = parse_parameters(given.parameters)
    definition = project.live
    steps, source, inherited = selection(given, project)
    known = {parameter.name for parameter in definition.parameters}
    parameters = {name: value for name, value in inherited.items() if name in known} | parameters
    resolve_parameters(definition, parameters)
    return _start(project, terminal, parameters, wait=given.wait, select=steps, source=source)


def status(given: argparse.Namespace, terminal: Terminal) -> int:
    """Show an execution; exit code 1 when it has ended otherwise than Succeeded."""
    from pipelines.cli.watching import follow, show_result
    from pipelines.executions import find, snapshot

    project = Project.of(given)
    arn = find(project.gateway, project.pipeline, given.execution)
    execution = follow(project, terminal, arn) if given.watch else snapshot(project.gateway, arn)
    show_result(project, terminal, execution)
    return FAILED if execution.ended and execution.status != "Succeeded" else FINE


def stop(given: argparse.Namespace, terminal: Terminal) -> int:
    """Stop an execution and wait until it has ended; fine when it had ended before."""
    from pipelines.cli.watching import follow, show_result
    from pipelines.executions import find, snapshot
    from pipelines.executions import stop as ask

    project = Project.of(given)
    arn = find(project.gateway, project.pipeline, given.execution)
    execution = snapshot(project.gateway, arn)
    if execution.ended:
        terminal.note(f"execution {execution.id} had ended before: {execution.status}")
    else:
        ask(project.gateway, arn)
        execution = follow(project, terminal, arn)
    show_result(project, terminal, execution)
    return FINE


def logs(given: argparse.Namespace, terminal: Terminal) -> int:
    """Print logs; with --follow until the execution has ended."""
    from pipelines.cli.watching import definition_of
    from pipelines.executions import LogLine, StepRun, find, log_lines, snapshot
    from pipelines.nearest import suggestion

    def show(step: StepRun, line: LogLine) -> None:
        if terminal.json:
            terminal.record({"step": step.name, "host": line.host, "time": line.time.isoformat(), "text": line.text})
        else:
            prefix = "" if given.step else f"{step.name}: "
            prefix += f"{line.host}: " if line.is_of_many else ""
            terminal.result(f"{line.time:%H:%M:%S} {prefix}{line.text}")

    project = Project.of(given)
    arn = find(project.gateway, project.pipeline, given.execution)
    known = [step.name for step in definition_of(project, arn).all_steps()]
    tokens: dict[str, str] = {}
    while not terminal.is_deaf:
        execution = snapshot(project.gateway, arn)
        known += [step.name for step in execution.steps if step.name not in known]  # a ForEach makes steps
        if given.step and given.step not in known:
            fix = suggestion(given.step, known)
            raise UsageError(f"there is no step {given.step!r}", where=f"execution {execution.id}", fix=fix)
        for step in execution.steps:
            for line in log_lines(project.gateway, step, tokens) if given.step in (None, step.name) else ():
                show(step, line)
                if terminal.is_deaf:
                    return FINE
        if execution.ended or not given.follow:
            if not tokens:
                terminal.note(f"no log: {_why_no_log(given.step, execution.steps)}")
            return FINE
        time.sleep(0.5 if project.target.is_local else 5)
    return FINE


def _why_no_log(name: str | None, steps: Any) -> str:
    ran = [step for step in steps if name in (None, step.name)]
    if not ran:
        return f"step {name} has not run" if name else "no step has run"
    if not any(step.job for step in ran):
        return "only processing and training steps have one" if name else "no processing or training step has run"
    return "nothing was printed"


def local(given: argparse.Namespace, terminal: Terminal) -> int:
    """Serve the local SageMaker, or start or stop the one in the background."""
    from pipelines.local import daemon
    from pipelines.local.server import Server, stopping_on_signals

    project = Project.of(given)
    if given.stop:
        stopped = daemon.stop(project.home)
        if terminal.json:
            terminal.document({"stopped": stopped})
        else:
            terminal.result("stopped" if stopped else "the local SageMaker does not run")
        return FINE
    region = project.target.region if project.file.exists() else "us-east-1"
    project.settle()
    if given.detach:
        _say_where(terminal, daemon.ensure(project.home, region).endpoint, region)
        return FINE
    server = Server(project.home, region, given.port)
    with stopping_on_signals(server):
        _say_where(terminal, server.endpoint, region)
        server.serve()
    return FINE


def _say_where(terminal: Terminal, endpoint: str, region: str) -> None:
    """The endpoint, and the variables that lead boto3, the SDK and the aws command to it."""
    variables = {
        "AWS_ENDPOINT_URL": endpoint,
        "AWS_DEFAULT_REGION": region,
        "AWS_ACCESS_KEY_ID": "local",
        "AWS_SECRET_ACCESS_KEY": "local",
    }
    if terminal.json:
        terminal.document({"endpoint": endpoint, "environment": variables})
    else:
        terminal.result(f"{endpoint}\nexport {' '.join(f'{name}={value}' for name, value in variables.items())}")


def _checked_parameters(project: Project, terminal: Terminal, texts: list[str]) -> dict[str, str]:
    """The parameters, after every rule that the service would apply: before anything is deployed."""
    from pipelines.definition import resolve_parameters

    parameters = parse_parameters(texts)
    resolve_parameters(compiled(project, terminal).definition, parameters)
    return parameters


def _start(
    project: Project,
    terminal: Terminal,
    parameters: dict[str, str],
    *,
    wait: bool,
    facts: dict[str, Any] | None = None,
    select: Sequence[str] = (),
    source: str = "",
) -> int:
    from pipelines.cli.watching import follow_to_its_end

    if not select:
        _say_what_is_missing(project, terminal, parameters)
    arn = project.gateway.start_execution(project.pipeline, parameters, select, source)
    if wait:
        terminal.note(f"execution {arn}")
        return FINE if follow_to_its_end(project, terminal, arn) else FAILED
    if terminal.json:
        terminal.document({**(facts or {}), "execution": arn})
    else:
        terminal.result(arn)
        terminal.note(f"follow it: {project.command('status --watch')}")
    return FINE


def _say_what_is_missing(project: Project, terminal: Terminal, parameters: dict[str, str]) -> None:
    """Inputs that are empty, before a job is started that would find it out minutes later."""
    from pipelines.definition import resolve_parameters
    from pipelines.preflight import empty_inputs

    values = resolve_parameters(project.live, parameters)
    for line in empty_inputs(project.live, values, project.gateway):
        terminal.note(f"note: {line}")


COMMANDS: dict[str, Command] = {
    "init": init,
    "run": run,
    "validate": validate,
    "compile": compile_,
    "graph": graph,
    "plan": plan,
    "deploy": deploy,
    "rollback": rollback,
    "promote": promote,
    "schedules": schedules,
    "start": start,
    "status": status,
    "logs": logs,
    "executions": executions,
    "stop": stop,
    "why": why,
    "retry": retry,
    "diff": diff,
    "local": local,
}
