"""Executions, drawn: what the table and the JSON say of states that the test project never reaches."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from pipelines.cli.drawing import as_json, show_end, steps_table
from pipelines.cli.project import Project
from pipelines.cli.terminal import Terminal
from pipelines.executions import Execution, StepRun
from pipelines.report import Report

START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/tiny/execution/abcdefghijkl"


def execution(*steps: StepRun, status: str = "Executing") -> Execution:
    return Execution(ARN, status, "", START, steps)


def step(name: str, seconds: float, **values: object) -> StepRun:
    return StepRun(name, "Succeeded", START, START + timedelta(seconds=seconds), **values)


def drawn(shown: Execution, expected: list[str], rows: int | None = None) -> list[str]:
    console = Console(width=60)
    with console.capture() as capture:
        console.print(steps_table(shown, expected, rows))
    return [line.rstrip() for line in capture.get().splitlines()]


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0s"), (59.94, "59.9s"), (59.96, "1m00.0s"), (754.2, "12m34.2s")]
)
def test_durations_are_short_and_exact(seconds, text):
    assert drawn(execution(step("A", seconds)), [])[1] == f"A     Succeeded  {text:>8}"


def test_cached_step_is_said_to_be():
    assert drawn(execution(step("A", 0, cached_from="arn:p/execution/other")), [])[1].split() == [
        *("A", "Cached", "0.0s"),
        *("result", "of", "other"),
    ]


def test_names_are_not_taken_for_markup():
    assert drawn(execution(StepRun("A", "Failed", reason="[red]no[/red] [x")), ["[b]B[/b]"])[1:] == [
        "A         Failed             [red]no[/red] [x",
        "[b]B[/b]  waiting",
    ]


def test_live_table_has_no_more_lines_than_the_screen_whatever_the_steps():
    steps = [step(f"S{number}", 1, metadata={}) for number in range(30)]
    steps[-1] = StepRun("S29", "Failed", reason="a long reason " * 20)
    for shown, expected in ((execution(*steps), ["W1", "W2"]), (execution(steps[0]), ["W1", "W2", "W3", "W4"])):
        for rows in (1, 2, 4, 10):
            lines = drawn(shown, expected, rows)
            assert len(lines) <= rows + 2
            assert max(map(len, lines)) <= 60
    assert "S29" in drawn(execution(*steps), ["W1"], 3)[-2]
    assert drawn(execution(*steps), ["W1"], 3)[-1] == "… 28 more"


def test_number_that_json_does_not_have_is_null():
    report = Report({"E": {"auc": float("nan"), "loss": float("inf"), "n": 1.0}}, (), (), {}, ())
    facts = as_json(Project(Path("pipeline.yaml"), "local"), execution(status="Failed"), report, ["A"], {})
    assert json.loads(json.dumps(facts, allow_nan=False))["metrics"] == {"E": {"auc": None, "loss": None, "n": 1.0}}
    assert facts["not_run"] == ["A"]


def test_why_a_cached_step_ran_is_said_to_readers_and_programs(capsys):
    why = 'key changed since arn:p/execution/other: ContainerArguments[3] changed from "a" to "b"'
    report, project = Report({}, (), (), {}, (), {"A": why}), Project(Path("pipeline.yaml"), "local")
    show_end(Terminal(), project, execution(step("A", 1)), report, [])
    assert f"cache misses\n  A: {why}\n" in capsys.readouterr().out
    assert as_json(project, execution(), report, [], {})["cache_misses"] == {"A": why}
