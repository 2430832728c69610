"""Steps that are one SageMaker job: Launch → a job, created, run to its end and told."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from pipelines.local.jobs.job import COMPLETED, FAILED, STOPPED
from pipelines.local.jobs.service import JobRefusedError, Jobs
from pipelines.local.machine.events import Launch
from pipelines.local.steps.step import Json, StepKind, Tell, refused


@dataclass(frozen=True)
class JobStep(StepKind):
    """A step whose properties are its job's Describe response; `kind` is the job's, `member` that of the Metadata."""

    jobs: Jobs
    kind: str
    member: str

    def run(self, launch: Launch, tell: Tell) -> None:
        def metadata(arn: str) -> Json:
            return {self.member: {"Arn": arn}}

        record = completed(self.jobs, self.kind, launch, tell, metadata)
        if record is not None:
            tell.succeeded(record, metadata(record[f"{self.kind}JobArn"]))


def completed(jobs: Jobs, kind: str, launch: Launch, tell: Tell, metadata: Callable[[str], Json]) -> Json | None:
    """The record of a launched job that ended as Completed; None where it did not, and the step has been told."""
    try:
        job = jobs.create(kind, launch.job_name, launch.arguments)
    except JobRefusedError as error:
        tell.failed(refused(f"sagemaker:Create{kind}Job", error))
        return None
    found = metadata(job.arn)
    tell.started(found, job.stop)
    record = jobs.run(job)
    reason = record.get("FailureReason", "")
    if job.status == COMPLETED:
        return record
    if job.status == STOPPED and not reason:
        tell.stopped(found, record)
    else:
        tell.failed(reason or f"the job ended {FAILED}", found, record)
    return None
