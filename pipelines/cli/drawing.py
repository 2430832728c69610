"""Executions, drawn: the table of steps, live while it runs, and the report at its end."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.cli.project import Project
from pipelines.cli.terminal import Terminal
from pipelines.executions import Execution, LogLine, StepRun
from pipelines.report import Report

if TYPE_CHECKING:
    from rich.table import Table

_BASELINE = "_best_constant_classifier"  # what always answering the same would give: in the JSON, not in the table
_FIRST_RUN = "never run"
_COLOURS = {"Succeeded": "green", "Failed": "red", "Stopped": "yellow", "Stopping": "yellow", "Executing": "cyan"}


@contextmanager
def progress(terminal: Terminal, expected: list[str]) -> Iterator[Callable[[Execution], None]]:
    """Shows snapshots: a live table on a terminal, else a line whenever a step's status changes."""
    if terminal.json:
        yield lambda _execution: None
        return
    console = terminal.console(error=True)
    if not console.file.isatty() or console.is_dumb_terminal:  # also where FORCE_COLOR says it were a terminal
        yield _lines(terminal)
        return
    from rich.live import Live

    # The table moves on between snapshots: durations grow.
    latest: list[Execution] = []
    draw = lambda: _live(latest, expected, console.height)  # noqa: E731
    with Live(console=console, refresh_per_second=8, transient=True, get_renderable=draw) as live:

        def show(execution: Execution) -> None:
            latest[:] = [execution]
            live.refresh()

        yield show


def _live(latest: list[Execution], expected: Sequence[str], height: int) -> Any:
    return steps_table(latest[0], expected, rows=max(1, height - 4)) if latest else ""


def _lines(terminal: Terminal) -> Callable[[Execution], None]:
    seen: dict[str, str] = {}

    def show(execution: Execution) -> None:
        for step in execution.steps:
            if seen.get(step.name) != step.status:
                seen[step.name] = step.status
                terminal.note(f"{step.name}: {step.status}{_took(step) if step.end else ''}")

    return show


def steps_table(execution: Execution, expected: Sequence[str], rows: int | None = None) -> Table:
    """The steps that ran, with those that have not yet; a reason beside what failed.

    With `rows`, no more than so many lines, the newest steps first of all: a table that is redrawn must fit the screen.
    """
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("step", no_wrap=True)
    table.add_column("status", no_wrap=True)
    table.add_column("duration", justify="right", no_wrap=True)
    table.add_column("")
    one_line = rows is not None
    ran, waiting = execution.steps[-rows if rows else 0 :], _not_run(execution, expected)
    waiting = waiting[: None if rows is None else rows - len(ran)]
    for step in ran:
        status = "Cached" if step.cached_from else "Reused" if step.reused_from else step.status
        detail = Text(_detail(step), no_wrap=one_line, overflow="ellipsis" if one_line else "fold")
        table.add_row(Text(step.name), Text(status, _COLOURS.get(step.status, "")), _duration(step), detail)
    for name in waiting:
        table.add_row(Text(name, "dim"), Text("not run" if execution.ended else "waiting", "dim"), "", "")
    hidden = len(execution.steps) + len(_not_run(execution, expected)) - len(ran) - len(waiting)
    if hidden:
        table.add_row(Text(f"… {hidden} more", "dim"), "", "", "")
    return table


def _not_run(execution: Execution, expected: Sequence[str]) -> list[str]:
    ran = {step.name for step in execution.steps}
    return [name for name in expected if name not in ran]


def _duration(step: StepRun) -> str:
    seconds = step.seconds(datetime.now(UTC))
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds, 1), 60)
    return f"{int(minutes)}m{rest:04.1f}s" if minutes else f"{rest:.1f}s"


def _took(step: StepRun) -> str:
    return f" after {_duration(step)}"


def _detail(step: StepRun) -> str:
    """What is to be known of a step at a glance: why it failed, how a gate decided, what was registered."""
    if step.reason:
        return step.reason.splitlines()[0]
    source = step.cached_from or step.reused_from
    if source:
        return f"result of {source.rpartition('/')[2]}"
    outcome = (step.metadata.get("Condition") or {}).get("Outcome")
    package = (step.metadata.get("RegisterModel") or {}).get("Arn") or ""
    return str(outcome or package.rpartition(":model-package/")[2])


def show_end(
    terminal: Terminal, project: Project, execution: Execution, report: Report, expected: Sequence[str]
) -> None:
    """The table and the report of an execution that has ended, or how far it is."""
    from rich.text import Text

    text = Text()
    for title, lines in _sections(project, execution, report):
        if lines:
            text.append(f"\n{title}", "bold").append("".join(f"\n  {line}" for line in lines))
    terminal.drawn(steps_table(execution, expected), text)


def _sections(project: Project, execution: Execution, report: Report) -> Iterator[tuple[str, list[str]]]:
    for step, values in report.metrics.items():
        own = {name: f"{value:.4f}" for name, value in values.items() if not name.endswith(_BASELINE)}
        yield f"metrics of {step}", _columns(own)
    yield "gate", list(report.gates)
    yield "model package", list(report.packages)
    yield "outputs", _columns({name: project.readable(uri) for name, uri in report.outputs.items()})
    yield "report", [project.readable(uri) for uri in report.pages]
    # That a first run is one needs no telling.
    misses = {step: why for step, why in report.cache_misses.items() if not why.startswith(_FIRST_RUN)}
    yield "cache misses", [f"{step}: {why}" for step, why in misses.items()]
    reason = f": {execution.reason}" if execution.reason else ""
    yield "execution", [f"{execution.status}{reason}", execution.arn]


def _columns(values: Mapping[str, str]) -> list[str]:
    width = max(map(len, values), default=0)
    return [f"{name:{width}}  {value}" for name, value in values.items()]


def as_json(
    project: Project,
    execution: Execution,
    report: Report,
    expected: Sequence[str],
    tails: Mapping[str, Sequence[LogLine]],
) -> dict[str, Any]:
    """An execution for machines; `tails` are the ends of the logs of steps that failed."""
    return {
        "arn": execution.arn,
        "status": execution.status,
        "reason": execution.reason,
        "started": execution.started.isoformat(),
        "steps": [
            {
                "name": step.name,
                "status": step.status,
                "start": step.start.isoformat() if step.start else None,
                "end": step.end.isoformat() if step.end else None,
                "reason": step.reason,
                "cached_from": step.cached_from,
                "reused_from": step.reused_from,
                "metadata": dict(step.metadata),
                "log_tail": [line.text for line in tails.get(step.name, ())],
            }
            for step in execution.steps
        ],
        "not_run": _not_run(execution, expected),
        "metrics": {
            step: {name: value if math.isfinite(value) else None for name, value in values.items()}
            for step, values in report.metrics.items()
        },
        "gates": list(report.gates),
        "model_packages": list(report.packages),
        "outputs": {name: project.readable(uri) for name, uri in report.outputs.items()},
        "cache_misses": dict(report.cache_misses),
        "pages": [project.readable(uri) for uri in report.pages],
    }
