"""The kinds of steps that are executed here, by the step's type. A new kind is a new module and a line of the table.

Condition, Fail and ForEach need no outside: the state machine does them itself.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipelines.definition import step_types as types
from pipelines.local.home import Home
from pipelines.local.jobs.cluster import Runner
from pipelines.local.jobs.service import TUNING, Jobs
from pipelines.local.moto import Moto
from pipelines.local.settings import Settings
from pipelines.local.steps.callback import Callback
from pipelines.local.steps.check import Check
from pipelines.local.steps.faults import Faults
from pipelines.local.steps.function import LambdaStep
from pipelines.local.steps.jobs import JobStep
from pipelines.local.steps.model import CreateModel
from pipelines.local.steps.register import RegisterModel
from pipelines.local.steps.step import StepKind
from pipelines.local.steps.stub import Stubs
from pipelines.local.steps.tuning import TuningStep
from pipelines.local.store import ObjectStore


@dataclass(frozen=True)
class Parts:
    """What kinds of steps work with; `settings` are read anew for each step."""

    home: Home
    store: ObjectStore
    jobs: Jobs
    moto: Moto
    callbacks: Callback
    functions: Runner
    settings: Callable[[], Settings]


@dataclass(frozen=True)
class Kinds:
    """All kinds of steps."""

    table: Mapping[str, StepKind]
    other: StepKind

    def of(self, step_type: str) -> StepKind:
        """What runs steps of a type."""
        return self.table.get(step_type, self.other)

    def behind(self, faults: Faults) -> Kinds:
        """These kinds, with failures on demand before them."""
        return Kinds({name: faults.before(kind) for name, kind in self.table.items()}, faults.before(self.other))


def step_kinds(parts: Parts) -> Kinds:
    """The kinds of the local SageMaker."""
    stubs = Stubs(parts.settings)
    check = Check(parts.jobs, parts.moto, parts.store, parts.home, parts.settings, stubs)
    table: dict[str, StepKind] = {
        types.PROCESSING: JobStep(parts.jobs, "Processing", "ProcessingJob"),
        types.TRAINING: JobStep(parts.jobs, "Training", "TrainingJob"),
        types.TUNING: TuningStep(parts.jobs, TUNING, "TuningJob"),
        types.TRANSFORM: JobStep(parts.jobs, "Transform", "TransformJob"),
        types.MODEL: CreateModel(parts.moto),
        types.REGISTER_MODEL: RegisterModel(parts.moto),
        types.LAMBDA: LambdaStep(parts.home, parts.functions, parts.settings, stubs),
        types.CALLBACK: parts.callbacks,
        types.QUALITY_CHECK: check,
        types.CLARIFY_CHECK: check,
    }
    return Kinds(table, stubs)
