"""Executions after their start: the commands `executions`, `why`, `retry`, `diff`; starts upon earlier results."""

from __future__ import annotations

import argparse
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from itertools import islice
from typing import TYPE_CHECKING, Any

from pipelines.cli.project import Project
from pipelines.cli.terminal import Terminal
from pipelines.errors import Mend, UsageError

if TYPE_CHECKING:
    from pipelines.comparison import Comparison, Difference
    from pipelines.definition import Step
    from pipelines.diagnosis import Diagnosis, Failure, Likely
    from pipelines.executions import Execution, StepRun, Summary

FINE, FAILED = 0, 1


def executions(given: argparse.Namespace, terminal: Terminal) -> int:
    """List executions, newest first."""
    from pipelines.errors import AwsError
    from pipelines.executions import summaries

    project = Project.of(given)
    since = datetime.now(UTC) - timedelta(seconds=given.since) if given.since else None
    name = project.pipeline
    try:
        found = list(islice(summaries(project.gateway, name, given.status, since), given.limit))
    except AwsError as error:
        if error.code != "ResourceNotFound":
            raise
        raise project.not_deployed() from error
    if terminal.json:
        terminal.document({"executions": [{**asdict(item), "started": item.started.isoformat()} for item in found]})
        return FINE
    width = max((len(item.status) for item in found), default=0)
    for item in found:
        terminal.result(_line(item, width))
    if not found:
        terminal.note("no executions" + (" that fit" if given.status or since else f": {project.command('start')}"))
    return FINE


def _line(item: Summary, width: int) -> str:
    reason = item.reason.splitlines()[0] if item.reason else ""
    return f"{item.id}  {item.status:{width}}  {item.started.astimezone():%Y-%m-%d %H:%M:%S}  {reason}".rstrip()


def retry(given: argparse.Namespace, terminal: Terminal) -> int:
    """Let a failed or stopped execution go on from there."""
    from pipelines.cli.watching import follow_to_its_end
    from pipelines.executions import find
    from pipelines.executions import retry as ask

    project = Project.of(given)
    arn = find(project.gateway, project.pipeline, given.execution)
    ask(project.gateway, arn)
    if given.wait:
        return FINE if follow_to_its_end(project, terminal, arn) else FAILED
    if terminal.json:
        terminal.document({"execution": arn})
    else:
        terminal.result(arn)
        terminal.note(f"follow it: {project.command('status --watch --execution ' + arn.rpartition('/')[2])}")
    return FINE


def why(given: argparse.Namespace, terminal: Terminal) -> int:
    """Tell why an execution failed, and how to go on."""
    from pipelines.diagnosis import diagnose
    from pipelines.executions import find, snapshot

    project = Project.of(given)
    execution = snapshot(project.gateway, find(project.gateway, project.pipeline, given.execution))
    found = diagnose(project.gateway, execution)
    commands = _go_on(project, found)
    if terminal.json:
        terminal.document(_as_json(found, commands))
        return FINE
    if not found.failures:
        reason = f": {execution.reason}" if execution.reason else ""
        terminal.result(f"execution {execution.id}: {execution.status}{reason}")
        _tell(terminal, found.likely)
    for failure in found.failures:
        _show(terminal, project, execution, failure)
    for title, words in commands.items():
        terminal.result(f"\n{title}\n" + "\n".join(f"  {command}" for command in words))
    return FINE


def _show(terminal: Terminal, project: Project, execution: Execution, failure: Failure) -> None:
    step = failure.step
    job = f" ({step.job[1]})" if step.job else ""
    terminal.result(f"step {step.name} failed{job}\n  reason: {failure.reason or 'none is given'}")
    if failure.exit_message and failure.exit_message not in failure.reason:
        terminal.result(f"  message: {failure.exit_message}")
    if failure.tail:
        whole = project.command(f"logs {step.name} --execution {execution.id}")
        terminal.result(f"  the end of its log (all of it: {whole}):")
        for line in failure.tail:
            terminal.result(f"    {line.time:%H:%M:%S} {line.text}")
    _tell(terminal, failure.likely)


def _tell(terminal: Terminal, likely: Likely | None) -> None:
    if likely:
        terminal.result(f"  likely cause: {likely.what}\n  mend: {likely.mend}")


def _go_on(project: Project, found: Diagnosis) -> dict[str, list[str]]:
    """The commands that bring the execution on once the cause is mended, by what had to be mended."""
    execution = found.execution
    if not execution.ended:
        return {"it still runs": [project.command(f"status --watch --execution {execution.id}")]}
    if execution.status == "Succeeded":
        return {}
    again = {"go on": [project.command(f"retry {execution.id} --wait")]}
    if found.way == "retry":
        return again
    upon = f"start --from {execution.id} --wait" if found.unfinished and not found.is_gate else "start --wait"
    deploying = [] if project.is_another else [project.command("deploy")]
    anew = {"go on, the pipeline or its image corrected": [*deploying, project.command(upon)]}
    if found.is_gate:
        return anew
    return {**anew, "go on, if only data or a permission was wrong": again["go on"]}


def _as_json(found: Diagnosis, commands: Mapping[str, list[str]]) -> dict[str, Any]:
    def likely(cause: Likely | None) -> dict[str, str] | None:
        return asdict(cause) if cause else None

    return {
        "execution": found.execution.arn,
        "status": found.execution.status,
        "reason": found.execution.reason,
        "likely": likely(found.likely),
        "failures": [
            {
                "step": failure.step.name,
                "job": failure.step.job[1] if failure.step.job else None,
                "reason": failure.reason,
                "exit_message": failure.exit_message,
                "log_tail": [line.text for line in failure.tail],
                "likely": likely(failure.likely),
            }
            for failure in found.failures
        ],
        "commands": dict(commands),
    }


def diff(given: argparse.Namespace, terminal: Terminal) -> int:
    """Show what differs between two executions."""
    from pipelines.comparison import compare
    from pipelines.executions import find, snapshot

    project = Project.of(given)
    gateway, name = project.gateway, project.pipeline
    old, new = (snapshot(gateway, find(gateway, name, wanted)) for wanted in (given.old, given.new))
    found = compare(gateway, old, new)
    if terminal.json:
        terminal.document(_compared(found))
    else:
        terminal.result("\n".join(_comparison(found)))
    return FINE


def _compared(found: Comparison) -> dict[str, Any]:
    parts = {
        part: [{key: _finite(value) for key, value in asdict(item).items()} for item in getattr(found, part)]
        for part in ("parameters", "steps", "metrics")
    }
    return {
        "old": found.old.arn,
        "new": found.new.arn,
        **parts,
        "definition": [asdict(change) for change in found.definition],
    }


def _finite(value: Any) -> Any:
    return None if isinstance(value, float) and not math.isfinite(value) else value


def _comparison(found: Comparison) -> list[str]:
    from pipelines.plan import change_lines

    lines = [f"{found.old.id} ({found.old.status}) → {found.new.id} ({found.new.status})"]
    for title, items in (("parameters", found.parameters), ("steps", found.steps), ("metrics", found.metrics)):
        lines += ["", title, *(f"  {_difference(item)}" for item in items)] if items else []
    if found.definition:
        lines += ["", "definition", *(f"  {line}" for line in change_lines(found.definition))]
    return lines if len(lines) > 1 else [*lines, "", "No difference in parameters, definition, steps or metrics."]


def _difference(item: Difference) -> str:
    if item.old is None or item.new is None:
        symbol, value = ("+", item.new) if item.old is None else ("-", item.old)
        return f"{symbol} {item.name}: {_number(value)}"
    change = ""
    if isinstance(item.old, float) and isinstance(item.new, float):
        change = f" ({item.new - item.old:+.4g})"
    return f"~ {item.name}: {_number(item.old)} → {_number(item.new)}{change}"


def _number(value: str | float | None) -> str:
    return f"{value:.6g}" if isinstance(value, float) else str(value)


def selection(given: argparse.Namespace, project: Project) -> tuple[list[str], str, dict[str, str]]:
    """The steps of a selective start, the ARN of its source, and the source's parameters; nothing of them without one.

    Without `--select` the steps that did not succeed in the source, and all that depends on them.
    """
    from pipelines.executions import find, snapshot

    if not given.source and not given.select:
        return [], "", {}
    gateway = project.gateway
    arn = find(gateway, project.pipeline, given.source)
    source = snapshot(gateway, arn)
    if not source.ended:
        fix = Mend("wait for its end", f"status --watch --execution {source.id}")
        raise UsageError(f"execution {source.id} has not ended: {source.status}", where="--from", fix=fix)
    steps = given.select or _not_succeeded(project, source)
    if not steps:
        what = f"every step of execution {source.id} succeeded: there is nothing left to run"
        raise UsageError(what, where="--from", fix="name the steps that are to run again: --select STEP …")
    # The service does not hand them on (CONTRACT.md section 1.9).
    return steps, arn, gateway.execution_parameters(arn)


def _not_succeeded(project: Project, source: Execution) -> list[str]:
    """The steps of what is deployed that the source has no result of; of a gate that it passed, the branch it took."""
    done = {step.name: step for step in source.steps if step.status == "Succeeded"}
    return list(_left(project.live.steps, done))


def _left(steps: Iterable[Step], done: Mapping[str, StepRun]) -> Iterator[str]:
    for step in steps:
        run = done.get(step.name)
        if run is None:
            yield step.name
            yield from _left((*step.if_steps, *step.else_steps), done)
        else:
            taken = (run.metadata.get("Condition") or {}).get("Outcome") == "True"
            yield from _left(step.if_steps if taken else step.else_steps, done)
