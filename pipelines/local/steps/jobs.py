"""Steps that are one SageMaker job: Launch → a job, created, run to its end and told."""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.local.jobs.job import COMPLETED, FAILED, STOPPED
from pipelines.local.jobs.service import JobRefusedError, Jobs
from pipelines.local.machine.events import Launch
from pipelines.local.steps.step import StepKind, Tell, refused


@dataclass(frozen=True)
class JobStep(StepKind):
    """Processing, Training: the step's type is the job's kind."""

    jobs: Jobs

    def run(self, launch: Launch, tell: Tell) -> None:
        try:
            job = self.jobs.create(launch.type, launch.job_name, launch.arguments)
        except JobRefusedError as error:
            tell.failed(refused(f"sagemaker:Create{launch.type}Job", error))
            return
        metadata = {f"{launch.type}Job": {"Arn": job.arn}}
        tell.started(metadata, job.stop)
        record = self.jobs.run(job)
        reason = record.get("FailureReason", "")
        if job.status == COMPLETED:
            tell.succeeded(record, metadata)
        elif job.status == STOPPED and not reason:
            tell.stopped(metadata, record)
        else:
            tell.failed(reason or f"the job ended {FAILED}", metadata, record)
