"""The kinds of steps that are executed here, by the step's type. A new kind is a new module and a line of the table.

Condition, Fail and ForEach need no outside: the state machine does them itself.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from pipelines.local.jobs.service import Jobs
from pipelines.local.machine.events import Launch
from pipelines.local.moto import Moto
from pipelines.local.steps.jobs import JobStep
from pipelines.local.steps.register import RegisterModel
from pipelines.local.steps.step import StepKind, Tell


class NotExecuted(StepKind):
    """What is not executed fails, in so many words."""

    def run(self, launch: Launch, tell: Tell) -> None:
        tell.failed(f"not executed locally: steps of type {launch.type}")


@dataclass(frozen=True)
class Kinds:
    """All kinds of steps."""

    table: Mapping[str, StepKind]
    other: StepKind

    def of(self, step_type: str) -> StepKind:
        """What runs steps of a type."""
        return self.table.get(step_type, self.other)


def step_kinds(jobs: Jobs, moto: Moto) -> Kinds:
    """The kinds of the local SageMaker."""
    job = JobStep(jobs)
    table = {"Processing": job, "Training": job, "RegisterModel": RegisterModel(moto)}
    return Kinds(table, NotExecuted())
