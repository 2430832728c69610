"""All jobs of the local SageMaker: run, stop, describe, list; their records outlive the process."""

from __future__ import annotations

import threading
from typing import Any

from pipelines.local.database import Database
from pipelines.local.jobs.job import FAILED, Host, Job
from pipelines.local.jobs.processing import ProcessingJob
from pipelines.local.jobs.training import TrainingJob

Json = dict[str, Any]
KINDS: dict[str, type[Job]] = {"Processing": ProcessingJob, "Training": TrainingJob}
_ENDED = ("Completed", "Failed", "Stopped")


class JobExistsError(Exception):
    """A job of that name exists."""


class Jobs:
    """Jobs by kind ("Processing", "Training") and name."""

    def __init__(self, host: Host, database: Database) -> None:
        self._host = host
        self._database = database
        self._live: dict[str, Job] = {}
        self._lock = threading.Lock()

    def create(self, kind: str, name: str, request: Json) -> Job:
        """A job that has not begun. Raises `JobExistsError`."""
        with self._lock:
            if self.describe(kind, name) is not None:
                raise JobExistsError(name)
            self._live[name.lower()] = job = KINDS[kind](self._host, name, request)
        return job

    def run(self, job: Job) -> Json:
        """Run a job to its end; gives its Describe response."""
        try:
            return job.run()
        finally:
            with self._lock:
                self._live.pop(job.name.lower(), None)

    def stop(self, name: str) -> bool:
        """Ask a running job to stop; False when none of that name runs."""
        with self._lock:
            job = self._live.get(name.lower())
        if job:
            job.stop()
        return job is not None

    def describe(self, kind: str, name: str) -> Json | None:
        """The Describe response of a job, running or ended, or None. ARNs are lower-case, so case does not count."""
        return self._database.get(KINDS[kind].kind, name.lower())

    def list(self, kind: str) -> list[Json]:
        """The Describe responses of all jobs of a kind, newest first."""
        return self._database.list(KINDS[kind].kind)

    def recover(self) -> None:
        """Mark what a killed server left running."""
        for kind in KINDS.values():
            for record in self._database.list(kind.kind):
                if record[f"{kind.prefix}JobStatus"] not in _ENDED:
                    record[f"{kind.prefix}JobStatus"] = FAILED
                    record["FailureReason"] = "InternalServerError: interrupted: the local SageMaker was ended"
                    self._database.put(kind.kind, record[f"{kind.prefix}JobName"].lower(), record)
