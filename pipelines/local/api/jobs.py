"""Create, describe, stop, list and delete jobs (CONTRACT.md section 4)."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Any

from pipelines.local.api.protocol import ApiError, Json, Operation, given, invalid, not_found, ordered, page, within
from pipelines.local.api.tags import tag
from pipelines.local.database import Database
from pipelines.local.jobs.job import ENDED, IN_PROGRESS
from pipelines.local.jobs.service import KINDS, TUNING, JobExistsError, JobRefusedError, Jobs
from pipelines.local.jobs.tuning import OBJECTIVE, SUMMARIES

_OF_TUNING = ("Strategy", "ResourceLimits", "TrainingJobStatusCounters", "ObjectiveStatusCounters")
_NOT_IN_AWS = ("DeleteTransformJob",)


@dataclass(frozen=True)
class JobApi:
    """Operations on the jobs of one kind ("Processing", "Training" …), as far as AWS has them."""

    kind: str
    jobs: Jobs
    database: Database
    workers: Executor

    def operations(self) -> dict[str, Operation]:
        ours = {
            f"Create{self.kind}Job": self.create,
            f"Describe{self.kind}Job": self.describe,
            f"Stop{self.kind}Job": self.stop,
            f"Delete{self.kind}Job": self.delete,
            f"List{self.kind}Jobs": self.list,
        }
        return {name: operation for name, operation in ours.items() if name not in _NOT_IN_AWS}

    def create(self, request: Json) -> Json:
        arguments = {key: value for key, value in request.items() if key not in (self._name, "Tags")}
        try:
            job = self.jobs.create(self.kind, request[self._name], arguments)
        except JobExistsError as error:
            raise ApiError(
                "ResourceInUse", f"Job name must be unique within an AWS account and region: {error}"
            ) from error
        except JobRefusedError as error:
            raise invalid(str(error)) from error
        tag(self.database, job.arn, request)
        self.workers.submit(self.jobs.run, job)
        return {f"{self.kind}JobArn": job.arn}

    def describe(self, request: Json) -> Json:
        return self._record(request)

    def stop(self, request: Json) -> Json:
        status = self._status(self._record(request))
        if status in ENDED:
            raise invalid(
                f"The request was rejected because the {self.kind.lower()} job is in status {status}. Only a job in "
                f"status {IN_PROGRESS} can be stopped"
            )
        self.jobs.stop(self.kind, request[self._name])
        return {}

    def delete(self, request: Json) -> Json:
        if self._status(self._record(request)) not in ENDED:
            raise ApiError("ResourceInUse", f"The {self.kind.lower()} job {request[self._name]} runs; stop it first")
        self.jobs.delete(self.kind, request[self._name])
        return {}

    def list(self, request: Json) -> Json:
        found = [record for record in self.jobs.list(self.kind) if self._wanted(record, request)]
        keys = {"CreationTime": "CreationTime", "Name": self._name, "Status": f"{self.kind}JobStatus"}
        answer = page(ordered(found, request, keys), request, f"{self.kind}JobSummaries")
        names = (f"{self.kind}{name}" for name in ("JobName", "JobArn", "JobStatus", "EndTime"))
        # Training's summaries know no reason and no message, but clients leave out what their model does not have.
        members = (*names, "CreationTime", "LastModifiedTime", "FailureReason", "ExitMessage", *_OF_TUNING)
        key = f"{self.kind}JobSummaries"
        answer[key] = [given(record, *members) for record in answer[key]]
        return answer

    def _wanted(self, record: Json, request: Json) -> bool:
        return (
            request.get("NameContains", "") in record[self._name]
            and request.get("StatusEquals") in (None, self._status(record))
            and within(request, "CreationTime", record["CreationTime"])
            and within(request, "LastModifiedTime", record["LastModifiedTime"])
        )

    def _record(self, request: Json) -> Json:
        record = self.jobs.describe(self.kind, request[self._name])
        if record is None:
            raise not_found(f"Requested resource not found: {KINDS[self.kind].kind} {request[self._name]}")
        return record

    def _status(self, record: Json) -> str:
        return str(record[f"{self.kind}JobStatus"])

    @property
    def _name(self) -> str:
        return f"{self.kind}JobName"


@dataclass(frozen=True)
class TrialApi:
    """The training jobs of a tuning job."""

    jobs: Jobs

    def operations(self) -> dict[str, Operation]:
        return {"ListTrainingJobsForHyperParameterTuningJob": self.list}

    def list(self, request: Json) -> Json:
        name, status = request[f"{TUNING}JobName"], request.get("StatusEquals")
        record = self.jobs.describe(TUNING, name)
        if record is None:
            raise not_found(f"Requested resource not found: {KINDS[TUNING].kind} {name}")
        found = [trial for trial in record[SUMMARIES] if status in (None, trial["TrainingJobStatus"])]
        if request.get("SortBy") == "FinalObjectiveMetricValue":
            found = [trial for trial in found if OBJECTIVE in trial]
        found.sort(key=lambda trial: _trial_key(trial, request), reverse=request.get("SortOrder") == "Descending")
        return page(found, request, SUMMARIES)


def _trial_key(trial: Json, request: Json) -> Any:
    match request.get("SortBy"):
        case "FinalObjectiveMetricValue":
            return trial[OBJECTIVE]["Value"]
        case "CreationTime":
            return trial["CreationTime"]
        case "Status":
            return trial["TrainingJobStatus"]
        case _:
            return trial["TrainingJobName"]
