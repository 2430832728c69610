"""Create, describe, stop and list Processing and Training jobs (CONTRACT.md section 4)."""

from __future__ import annotations

import threading
from dataclasses import dataclass

from pipelines.local.api.protocol import ApiError, Json, Operation, not_found, ordered, page
from pipelines.local.jobs.service import KINDS, JobExistsError, Jobs


@dataclass(frozen=True)
class JobApi:
    """Operations on the jobs of one kind: "Processing" or "Training"."""

    jobs: Jobs
    kind: str

    def operations(self) -> dict[str, Operation]:
        return {
            f"Create{self.kind}Job": self.create,
            f"Describe{self.kind}Job": self.describe,
            f"Stop{self.kind}Job": self.stop,
            f"List{self.kind}Jobs": self.list,
        }

    def create(self, request: Json) -> Json:
        arguments = {key: value for key, value in request.items() if key not in (self._name, "Tags")}
        try:
            job = self.jobs.create(self.kind, request[self._name], arguments)
        except JobExistsError as error:
            raise ApiError(
                "ResourceInUse", f"Job name must be unique within an AWS account and region: {error}"
            ) from error
        # Its own thread: a job's processes end with the thread that began them.
        threading.Thread(target=self.jobs.run, args=(job,), daemon=True).start()
        return {f"{self.kind}JobArn": job.arn}

    def describe(self, request: Json) -> Json:
        return self._record(request[self._name])

    def stop(self, request: Json) -> Json:
        self._record(request[self._name])
        self.jobs.stop(request[self._name])
        return {}

    def list(self, request: Json) -> Json:
        prefix = self.kind
        names = [f"{prefix}{name}" for name in ("JobName", "JobArn", "JobStatus", "EndTime")]
        wanted = (*names, "CreationTime", "LastModifiedTime", "FailureReason", "ExitMessage")
        summaries = [
            {key: record[key] for key in wanted if key in record}
            for record in self.jobs.list(self.kind)
            if request.get("NameContains", "") in record[self._name]
            and request.get("StatusEquals", record[f"{prefix}JobStatus"]) == record[f"{prefix}JobStatus"]
        ]
        return page(ordered(summaries, request, "CreationTime"), request, f"{prefix}JobSummaries")

    def _record(self, name: str) -> Json:
        record = self.jobs.describe(self.kind, name)
        if record is None:
            raise not_found(f"Requested resource not found: {KINDS[self.kind].kind} {name}")
        return record

    @property
    def _name(self) -> str:
        return f"{self.kind}JobName"
