"""Checks of managed spot training: how long it may wait, and what is left when its instances are taken back."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipelines.checks.arguments import dig, given, items
from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject, inside
from pipelines.definition.step_types import TRAINING, TUNING

_DAY: Final = 86400  # seconds that a job may run where MaxRuntimeInSeconds is left out


class _Job(NamedTuple):
    """A training job's request, or what a tuning job says of its training jobs, with its place."""

    step: str
    where: str
    request: dict[str, Any]

    @property
    def is_spot(self) -> bool:
        return self.request.get("EnableManagedSpotTraining") is True


def waits(subject: Subject) -> Iterator[Found]:
    """MaxWaitTimeInSeconds and managed spot training need one another: the service refuses either one alone."""
    for job in subject.once(_jobs):
        wait = dig(job.request, "StoppingCondition", "MaxWaitTimeInSeconds")
        runtime = dig(job.request, "StoppingCondition", "MaxRuntimeInSeconds")
        runtime = _DAY if runtime is None else runtime
        where = f"{job.where}.StoppingCondition.MaxWaitTimeInSeconds"
        fix = f"write {runtime} or more" if _is_number(runtime) else "write MaxRuntimeInSeconds or more"
        if job.is_spot and wait is None:
            yield Found(job.step, where, "managed spot training needs MaxWaitTimeInSeconds", fix)
        elif job.is_spot and _is_number(wait) and _is_number(runtime) and wait < runtime:
            what = f"MaxWaitTimeInSeconds is less than the {runtime} seconds that the job may run"
            yield Found(job.step, where, what, f"{fix}: the time waited for instances, and the time the job may run")
        elif wait is not None and job.request.get("EnableManagedSpotTraining") in (None, False):
            what = "MaxWaitTimeInSeconds is for managed spot training only"
            yield Found(job.step, where, what, 'remove it, or write "EnableManagedSpotTraining": true')


def without_checkpoints(subject: Subject) -> Iterator[Found]:
    for job in subject.once(_jobs):
        if job.is_spot and not given(job.request, "CheckpointConfig"):
            what = "a spot instance that is taken back loses all work: the job has no checkpoints, and begins anew"
            fix = 'keep them: "CheckpointConfig": {"S3Uri": …} (`checkpoints: true` in pipeline.yaml)'
            yield Found(job.step, f"{job.where}.EnableManagedSpotTraining", what, fix)


def _jobs(subject: Subject) -> Iterator[_Job]:
    for step in subject.steps:
        where = inside(step)
        if step.type == TRAINING:
            yield _Job(step.name, where, dict(step.arguments))
        if step.type == TUNING:
            one = step.arguments.get("TrainingJobDefinition")
            if isinstance(one, dict):
                yield _Job(step.name, f"{where}.TrainingJobDefinition", one)
            for index, each in items(step.arguments, "TrainingJobDefinitions"):
                yield _Job(step.name, f"{where}.TrainingJobDefinitions[{index}]", each)


def _is_number(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)
