"""Tuning steps: a tuning job under a name that is short enough for one."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from pipelines.local.machine.events import Launch
from pipelines.local.steps.jobs import JobStep
from pipelines.local.steps.step import Tell

_LENGTH: Final = 32  # of a tuning job's name: its trials put something behind it


class TuningStep(JobStep):
    """A job step; its properties hold the trials beside the Describe response."""

    def run(self, launch: Launch, tell: Tell) -> None:
        super().run(replace(launch, job_name=short_name(tell.context.execution_id, launch)), tell)


def short_name(execution_id: str, launch: Launch) -> str:
    """The same for the same attempt, as the longer one is whose end it has."""
    tail = launch.job_name[-10:]
    room = _LENGTH - len(execution_id) - len(tail) - 2
    middle = launch.step.replace("_", "-")[: max(room, 0)].strip("-")
    return "-".join(part for part in (execution_id, middle, tail) if part)[-_LENGTH:].strip("-")
