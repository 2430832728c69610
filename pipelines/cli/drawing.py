"""Executions, drawn: the table of steps, live while it runs, and the report at its end."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from pipelines.cli.project import Project
from pipelines.cli.terminal import Terminal
from pipelines.executions import Execution, Report, StepRun

if TYPE_CHECKING:
    from rich.table import Table

_BASELINE = "_best_constant_classifier"  # what always answering the same would give: in the JSON, not in the table
_COLOURS = {"Succeeded": "green", "Failed": "red", "Stopped": "yellow", "Stopping": "yellow", "Executing": "cyan"}


@contextmanager
def progress(terminal: Terminal, expected: list[str]) -> Iterator[Callable[[Execution], None]]:
    """Shows snapshots: a live table on a terminal, else a line whenever a step's status changes."""
    if terminal.json:
        yield lambda _execution: None
        return
    console = terminal.console(error=True)
    if not console.is_terminal:
        yield _lines(terminal)
        return
    from rich.live import Live

    # The table moves on between snapshots: durations grow.
    latest: list[Execution] = []
    with Live(
        console=console, refresh_per_second=8, transient=True, get_renderable=lambda: _live(latest, expected)
    ) as live:

        def show(execution: Execution) -> None:
            latest[:] = [execution]
            live.refresh()

        yield show


def _live(latest: list[Execution], expected: list[str]) -> Any:
    return steps_table(latest[0], expected) if latest else ""


def _lines(terminal: Terminal) -> Callable[[Execution], None]:
    seen: dict[str, str] = {}

    def show(execution: Execution) -> None:
        for step in execution.steps:
            if seen.get(step.name) != step.status:
                seen[step.name] = step.status
                terminal.note(f"{step.name}: {step.status}{_took(step) if step.end else ''}")

    return show


def steps_table(execution: Execution, expected: list[str]) -> Table:
    """The steps that ran, with those that have not yet; a reason beside what failed."""
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify in (("step", "left"), ("status", "left"), ("duration", "right"), ("", "left")):
        table.add_column(name, justify=justify)  # type: ignore[arg-type]
    ran = {step.name for step in execution.steps}
    for step in execution.steps:
        colour = _COLOURS.get(step.status, "")
        status = f"[{colour}]{step.status}[/]" if colour else step.status
        table.add_row(escape(step.name), status, _duration(step), escape(_detail(step)))
    for name in expected:
        if name not in ran:
            table.add_row(
                f"[dim]{escape(name)}[/]", "[dim]" + ("not run" if execution.ended else "waiting") + "[/]", "", ""
            )
    return table


def _duration(step: StepRun) -> str:
    seconds = step.seconds(datetime.now(UTC))
    if seconds is None:
        return ""
    minutes, rest = divmod(seconds, 60)
    return f"{int(minutes)}m{rest:04.1f}s" if minutes else f"{seconds:.1f}s"


def _took(step: StepRun) -> str:
    return f" after {_duration(step)}"


def _detail(step: StepRun) -> str:
    if step.reason:
        return step.reason.splitlines()[0]
    outcome = (step.metadata.get("Condition") or {}).get("Outcome")
    package = (step.metadata.get("RegisterModel") or {}).get("Arn")
    return str(outcome or package or "")


def show_end(terminal: Terminal, project: Project, execution: Execution, report: Report, expected: list[str]) -> None:
    """The table and the report of an execution that has ended, or how far it is."""
    console = terminal.console()
    console.print(steps_table(execution, expected))
    console.print()
    for title, lines in _sections(project, execution, report):
        if lines:
            console.print(f"{title}", style="bold")
            for line in lines:
                console.print(f"  {line}", markup=False)


def _sections(project: Project, execution: Execution, report: Report) -> Iterator[tuple[str, list[str]]]:
    for step, values in report.metrics.items():
        own = {name: f"{value:.4f}" for name, value in values.items() if not name.endswith(_BASELINE)}
        yield f"metrics of {step}", _columns(own)
    yield "gate", list(report.gates)
    yield "model package", list(report.packages)
    yield "outputs", _columns({name: project.readable(uri) for name, uri in report.outputs.items()})
    yield "report", [project.readable(uri) for uri in report.pages]
    reason = f": {execution.reason}" if execution.reason else ""
    yield "execution", [f"{execution.status}{reason}", execution.arn]


def _columns(values: Mapping[str, str]) -> list[str]:
    width = max(map(len, values), default=0)
    return [f"{name:{width}}  {value}" for name, value in values.items()]


def as_json(project: Project, execution: Execution, report: Report | None) -> dict[str, Any]:
    """An execution for machines."""
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
                "metadata": dict(step.metadata),
            }
            for step in execution.steps
        ],
        **({} if report is None else _report_json(project, report)),
    }


def _report_json(project: Project, report: Report) -> dict[str, Any]:
    return {
        "metrics": {step: dict(values) for step, values in report.metrics.items()},
        "gates": list(report.gates),
        "model_packages": list(report.packages),
        "outputs": {name: project.readable(uri) for name, uri in report.outputs.items()},
        "pages": [project.readable(uri) for uri in report.pages],
    }
