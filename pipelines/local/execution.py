"""One running execution: events change its state, the state is kept, and the machine's commands are carried out.

Enters: events, from any thread. Leaves: jobs begun and stopped, documents read, model packages registered; each of them
comes back as an event. A state is kept before the commands that follow from it; when it cannot be, the execution ends
as Failed and says so, for what is not kept must not go on.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from pipelines.definition import Definition
from pipelines.errors import LocalError
from pipelines.local.database import Database
from pipelines.local.jobs.job import COMPLETED, FAILED, STOPPED
from pipelines.local.jobs.parse import split_uri
from pipelines.local.jobs.service import KINDS, JobRefusedError, Jobs
from pipelines.local.machine.events import (
    Command,
    DocumentRead,
    Event,
    Launch,
    ReadDocument,
    StepFailed,
    StepStarted,
    StepStopped,
    StepSucceeded,
    StopStep,
    TimeReached,
    Wait,
)
from pipelines.local.machine.flow import Flow
from pipelines.local.machine.retries import JOB_INTERNAL_ERROR
from pipelines.local.machine.retrying import interrupted
from pipelines.local.machine.serial import head_to_json, step_to_json
from pipelines.local.machine.state import RUNNING, ExecutionContext, ExecutionState
from pipelines.local.machine.transition import advance
from pipelines.local.store import ObjectStore

Json = dict[str, Any]
EXECUTION, STEP, DEFINITION = "execution", "step", "definition"
_MAX_DOCUMENT = 16 << 20  # bytes of a JSON document that JsonGet reads
_INTERNAL = "InternalServerError"
_log = logging.getLogger(__name__)


class RegistryError(Exception):
    """The registry refused a model package; the text says why."""


class Registry(Protocol):
    """Where RegisterModel steps put model packages."""

    def prepare(self) -> None:
        """Make ready for a registration that will come."""

    def __call__(self, request: Json) -> Json:
        """Register a model package; gives its Describe response. Raises `RegistryError`."""


@dataclass(frozen=True)
class Services:
    """What executions work with. `workers` run jobs, `readers` documents: these must not wait for jobs to end."""

    database: Database
    store: ObjectStore
    jobs: Jobs
    register: Registry
    now: Callable[[], datetime]
    workers: Executor
    readers: Executor


@dataclass(frozen=True)
class StartRequest:
    """What an execution begins with."""

    pipeline_name: str
    pipeline_arn: str
    execution_id: str
    definition: Definition
    parameters: Mapping[str, Any]
    limit: int | None
    details: Json  # of the API's Describe response, kept as they are

    @property
    def arn(self) -> str:
        return f"{self.pipeline_arn}/execution/{self.execution_id}"


class Execution:
    """An execution from its start to its end; `ended` is told of the end."""

    def __init__(self, services: Services, flow: Flow, request: StartRequest, ended: Callable[[str], None]) -> None:
        self._services = services
        self._flow = flow
        self._request = request
        self._ended = ended
        self.context = ExecutionContext(
            pipeline_name=request.pipeline_name,
            pipeline_arn=request.pipeline_arn,
            execution_id=request.execution_id,
            execution_arn=request.arn,
            start_time=services.now(),
            parameters=request.parameters,
        )
        self._state = ExecutionState()
        self._definition = definition_key(request.definition.text)
        self._lock = threading.RLock()  # of the state and what follows; see engine.py for the order of locks
        self._places: dict[str, int] = {}
        self._job_names: dict[str, tuple[str, str]] = {}

    @property
    def arn(self) -> str:
        return self._request.arn

    @property
    def registers(self) -> bool:
        """Whether a step of it registers a model package."""
        return any(step.type == "RegisterModel" for step in self._request.definition.all_steps())

    def create(self) -> None:
        """Keep the execution for the first time. Raises `LocalError`."""
        self._services.database.put(DEFINITION, self._definition, {"text": self._request.definition.text})
        self._keep((), self.context.start_time, self._services.database.put)

    def post(self, event: Event) -> None:
        """Let an event change the state, keep it, and carry out what follows."""
        with self._lock:
            if self._state.ended:
                return
            try:
                transition = advance(self._flow, self.context, self._state, event)
                self._state = transition.state
                with self._services.database.transaction():
                    self._keep(transition.changed, event.at, self._services.database.put)
                for command in transition.commands:
                    self._carry_out(command)
            except Exception as error:  # noqa: BLE001 -- whatever it is, an execution that nobody moves on must not look alive
                _log.exception("execution %s", self.arn)
                self._give_up(error)
            ended = self._state.ended
        if ended:
            self._ended(self.arn)

    def _give_up(self, error: Exception) -> None:
        """End as Failed, here and now: the state could not be kept, or the machine has a bug."""
        what = error.what if isinstance(error, LocalError) else f"{type(error).__name__}: {error}"
        self._state, changed = cut_off(self._state, self._services.now(), f"{_INTERNAL}: {what}")
        self._keep(changed, self._services.now(), self._services.database.keep)
        for kind, name in self._job_names.values():
            self._services.jobs.stop(kind, name)

    def _keep(self, changed: Iterable[str], at: datetime, write: Callable[..., None]) -> None:
        """Write the execution, and of its steps those that changed: what an event costs must not grow with them all."""
        request, arn = self._request, self.arn.lower()
        record = {
            "arn": self.arn,
            "id": request.execution_id,
            "pipeline_name": request.pipeline_name,
            "pipeline_arn": request.pipeline_arn,
            "definition": self._definition,
            "parameters": dict(request.parameters),
            "limit": request.limit,
            "details": request.details,
            "start_time": self.context.start_time.timestamp(),
            "last_modified": at.timestamp(),
            "state": head_to_json(self._state),
        }
        write(EXECUTION, arn, record, parent=request.pipeline_name, place=record["start_time"])
        for name in changed:
            place = self._places.setdefault(name, len(self._places))
            # Documents are for the step alone while it starts; nobody reads them again.
            step = step_to_json(replace(self._state.steps[name], documents={}))
            write(STEP, f"{arn}/{name}", {"name": name, "state": step}, parent=arn, place=place)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Launch():
                self._services.workers.submit(self._launch, command)
            case StopStep(step):
                if step in self._job_names:
                    self._services.jobs.stop(*self._job_names[step])
            case ReadDocument(step, uri):
                self._services.readers.submit(self._read, step, uri)
            case Wait(_, until):
                self._wake(until)
            case _:
                raise NotImplementedError(f"the machine asks for {type(command).__name__}")

    def _wake(self, until: datetime) -> None:
        seconds = max((until - self._services.now()).total_seconds(), 0)
        event = TimeReached(until)
        timer = threading.Timer(seconds, self.post, [event])
        timer.daemon = True
        timer.start()

    def _launch(self, launch: Launch) -> None:
        """Run a step; whatever goes wrong ends the step, never silently."""
        try:
            self._run(launch)
        except Exception as error:  # noqa: BLE001 -- logged with its traceback, and told
            _log.exception("step %s", launch.step)
            self._fail(launch, f"{_INTERNAL}: {type(error).__name__}: {error}"[:1024])

    def _run(self, launch: Launch) -> None:
        if launch.type in KINDS:
            self._run_job(launch)
        elif launch.type == "RegisterModel":
            self._register(launch)
        else:
            self._fail(launch, f"not executed locally: steps of type {launch.type}")

    def _register(self, launch: Launch) -> None:
        properties = launch.arguments.get("MetadataProperties") or {}
        request = {**launch.arguments, "MetadataProperties": {**properties, "GeneratedBy": self.arn}}
        try:
            package = self._services.register(request)
        except RegistryError as error:
            self._fail(launch, f"ClientError: Failed to invoke sagemaker:CreateModelPackage. Error Details: {error}")
            return
        metadata = {"RegisterModel": {"Arn": package["ModelPackageArn"]}}
        self.post(StepSucceeded(self._services.now(), launch.step, package, metadata, launch.attempt))

    def _run_job(self, launch: Launch) -> None:
        jobs, now, step, attempt = self._services.jobs, self._services.now, launch.step, launch.attempt
        try:
            job = jobs.create(launch.type, launch.job_name, launch.arguments)
        except JobRefusedError as error:
            operation = f"sagemaker:Create{launch.type}Job"
            self._fail(launch, f"ClientError: Failed to invoke {operation}. Error Details: {error}"[:1024])
            return
        with self._lock:
            self._job_names[step] = launch.type, launch.job_name
            wanted = self._state.status == "Executing"
        metadata = {f"{launch.type}Job": {"Arn": job.arn}}
        if wanted:
            self.post(StepStarted(now(), step, metadata, attempt))
        else:
            job.stop()
        record = jobs.run(job)
        reason = record.get("FailureReason", "")
        if job.status == COMPLETED:
            self.post(StepSucceeded(now(), step, record, metadata, attempt))
        elif job.status == STOPPED and not reason:
            self.post(StepStopped(now(), step, metadata, record, attempt))
        else:
            self._fail(launch, reason or f"the job ended {FAILED}", metadata, record)

    def _fail(self, launch: Launch, reason: str, metadata: Json | None = None, record: Json | None = None) -> None:
        exception = JOB_INTERNAL_ERROR if reason.startswith(_INTERNAL) else None
        now, step = self._services.now(), launch.step
        self.post(StepFailed(now, step, reason, metadata or {}, record or {}, exception, launch.attempt))

    def _read(self, step: str, uri: str) -> None:
        text, error = None, None
        try:
            text = read_document(self._services.store, uri)
        except Exception as failure:  # noqa: BLE001 -- the step waits for an answer, whatever it is
            error = f"{uri} cannot be read: {failure}"
        self.post(DocumentRead(self._services.now(), step, uri, text, error))


def read_document(store: ObjectStore, uri: str) -> str:
    """The text at an S3 URI. Raises `BadUriError`, `StoreError`, or `ValueError` for one too large or not UTF-8."""
    stored, _, stream = store.open(*split_uri(uri))
    with stream:
        if stored.size > _MAX_DOCUMENT:
            raise ValueError(f"it has {stored.size:,} bytes; {_MAX_DOCUMENT:,} at most are read")
        return stream.read().decode("utf-8")


def definition_key(text: str) -> str:
    """What a definition's text is kept under: executions share it."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def cut_off(state: ExecutionState, at: datetime, reason: str) -> tuple[ExecutionState, tuple[str, ...]]:
    """An execution that nobody moves on: interrupted, and the names of the steps that this changed."""
    running = tuple(name for name, step in state.steps.items() if step.status in RUNNING)
    return interrupted(state, at, reason), running
