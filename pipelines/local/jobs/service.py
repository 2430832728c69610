"""All jobs of the local SageMaker: create, run, stop, describe, list; their records outlive the process.

A record that the database cannot take is kept in memory until it can, so no end is lost.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping

from pipelines.errors import LocalError
from pipelines.local.database import Database
from pipelines.local.jobs.job import ENDED, FAILED, INTERRUPTED, Host, Job, Json
from pipelines.local.jobs.processing import ProcessingJob
from pipelines.local.jobs.training import TrainingJob
from pipelines.local.jobs.transform import TransformJob
from pipelines.local.jobs.tuning import TuningJob
from pipelines.local.runner.scratch import remove
from pipelines.service_model import request_faults

TUNING = "HyperParameterTuning"
KINDS: Mapping[str, type[Job]] = {
    "Processing": ProcessingJob,
    "Training": TrainingJob,
    "Transform": TransformJob,
    TUNING: TuningJob,
}
_END_GRACE_SECONDS = 10.0  # of the server's own end: who waits for it wants his prompt back


class JobExistsError(Exception):
    """A job of that name exists."""


class JobRefusedError(Exception):
    """The request breaks AWS's model."""


class Jobs:
    """Jobs by kind ("Processing", "Training" …) and name. ARNs are lower-case, so the case of a name does not count."""

    def __init__(
        self, host: Host, database: Database, observe: Callable[[str, Json], None] = lambda _kind, _record: None
    ) -> None:
        """`observe` is told of each record of a job that is kept, and its kind; it neither raises nor waits."""
        self._host = host
        self._database = database
        self._observe = observe
        self._live: dict[tuple[str, str], Job] = {}
        self._lock = threading.Lock()
        self._closing = False

    def create(self, kind: str, name: str, request: Json) -> Job:
        """A job that has not begun. Raises `JobRefusedError` or `JobExistsError`."""
        faults = request_faults("sagemaker", f"Create{kind}Job", {**request, f"{kind}JobName": name})
        if faults:
            raise JobRefusedError("; ".join(f"{fault.path} {fault.what}" for fault in faults[:10]))
        try:
            host = self._host.settled(self._host)
        except LocalError as error:
            raise JobRefusedError(f"{error.what}; fix: {error.problems[0].fix}") from error
        with self._lock:
            if self.describe(kind, name) is not None:
                raise JobExistsError(name)
            job = self._made(kind, host, name, request)
            self._database.put(job.kind, name.lower(), job.record, place=job.record["CreationTime"])
            self._live[kind, name.lower()] = job
            self._observe(kind, job.record)
            closing = self._closing
        if closing:
            job.stop(_END_GRACE_SECONDS)
        return job

    def _made(self, kind: str, host: Host, name: str, request: Json) -> Job:
        if kind == TUNING:
            return TuningJob(host, name, request, self._keep, self)
        return KINDS[kind](host, name, request, self._keep)

    def run(self, job: Job) -> Json:
        """Run a job to its end; gives its Describe response."""
        try:
            return job.run()
        finally:
            with self._lock:
                del self._live[job.prefix, job.name.lower()]

    def stop(self, kind: str, name: str) -> bool:
        """Ask a running job to stop; False when none of that name runs."""
        with self._lock:
            job = self._live.get((kind, name.lower()))
        if job:
            job.stop()
        return job is not None

    def stop_all(self) -> None:
        """Ask every job to stop, also those that are still to come: the server is ending."""
        with self._lock:
            self._closing = True
            jobs = list(self._live.values())
        for job in jobs:
            job.stop(_END_GRACE_SECONDS)

    @property
    def busy(self) -> bool:
        """Whether any job runs."""
        with self._lock:
            return bool(self._live)

    def describe(self, kind: str, name: str) -> Json | None:
        """The Describe response of a job, running or ended, or None."""
        return self._database.get(KINDS[kind].kind, name.lower())

    def list(self, kind: str) -> list[Json]:
        """The Describe responses of all jobs of a kind, newest first."""
        return self._database.list(KINDS[kind].kind)

    def delete(self, kind: str, name: str) -> None:
        """Forget an ended job, its log and what was kept of it."""
        record = self.describe(kind, name)
        self._database.delete(KINDS[kind].kind, name.lower())
        if record:
            for folder in (self._host.home.logs, self._host.home.kept):
                remove(folder / kind / record[f"{kind}JobName"])

    def recover(self) -> None:
        """After a killed server: mark what it left running, remove the folders of its jobs."""
        remove(self._host.home.jobs)
        now = self._host.now().timestamp()
        for prefix, kind in KINDS.items():
            for record in self._database.list(kind.kind):
                if record[f"{prefix}JobStatus"] not in ENDED:
                    end = {f"{prefix}JobStatus": FAILED, f"{prefix}EndTime": now, "LastModifiedTime": now}
                    end |= {"SecondaryStatus": FAILED} if "SecondaryStatus" in record else {}
                    record = {**record, **end, "FailureReason": INTERRUPTED}
                    key = record[f"{prefix}JobName"].lower()
                    self._database.put(kind.kind, key, record, place=record["CreationTime"])
                    self._observe(prefix, record)

    def _keep(self, job: Job) -> None:
        self._database.keep(job.kind, job.name.lower(), job.record, place=job.record["CreationTime"])
        self._observe(job.prefix, job.record)
