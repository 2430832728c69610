"""Executions: the machine's commands carried out, and what came of them fed back as events.

`Engine.start` begins an execution; every event goes through the pure `advance`, its new state is kept before the
commands that follow from it are carried out. Jobs run on a pool of threads.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Protocol

from pipelines.definition import Definition
from pipelines.local.database import Database
from pipelines.local.jobs.job import COMPLETED, STOPPED
from pipelines.local.jobs.parse import BadUriError, split_uri
from pipelines.local.jobs.service import KINDS, Jobs
from pipelines.local.machine import (
    Command,
    DocumentRead,
    Event,
    ExecutionContext,
    ExecutionStarted,
    ExecutionState,
    Flow,
    Launch,
    ReadDocument,
    StepFailed,
    StepStarted,
    StepStopped,
    StepSucceeded,
    StopRequested,
    StopStep,
    advance,
    build_flow,
    from_json,
    to_json,
)
from pipelines.local.store import ObjectStore, StoreError

Json = dict[str, Any]
EXECUTION, DEFINITION = "execution", "definition"
_WORKERS = 64  # jobs at once, over all executions
_MAX_DOCUMENT = 16 << 20  # bytes of a JSON document that JsonGet reads
_log = logging.getLogger(__name__)


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


class Registry(Protocol):
    """Where RegisterModel steps put model packages."""

    def prepare(self) -> None:
        """Make ready for a registration that will come."""

    def __call__(self, request: Json) -> Json:
        """Register a model package; gives its Describe response."""


class Engine:
    """All executions of the local SageMaker. `register` puts a model package into the registry and gives its record."""

    def __init__(
        self,
        database: Database,
        store: ObjectStore,
        jobs: Jobs,
        register: Registry,
        now: Callable[[], datetime],
    ) -> None:
        self.database = database
        self.store = store
        self.jobs = jobs
        self.register = register
        self.now = now
        self.pool = ThreadPoolExecutor(_WORKERS, thread_name_prefix="job")
        self._live: dict[str, Execution] = {}
        self._lock = threading.Lock()

    def start(self, request: StartRequest) -> str:
        """Begin an execution; gives its ARN. Raises `DefinitionError` for a graph that cannot be executed."""
        flow = build_flow(request.definition, request.limit)
        context = ExecutionContext(
            pipeline_name=request.pipeline_name,
            pipeline_arn=request.pipeline_arn,
            execution_id=request.execution_id,
            execution_arn=request.arn,
            start_time=self.now(),
            parameters=request.parameters,
        )
        self.database.put(DEFINITION, request.definition.digest, {"text": request.definition.text})
        execution = Execution(self, flow, context, request)
        with self._lock:
            self._live[request.arn] = execution
        if any(step.type == "RegisterModel" for step in request.definition.all_steps()):
            self.register.prepare()
        execution.post(ExecutionStarted(context.start_time))
        return request.arn

    def stop(self, arn: str) -> bool:
        """Ask an execution to stop; False when it does not run."""
        with self._lock:
            execution = self._live.get(arn)
        if execution:
            execution.post(StopRequested(self.now()))
        return execution is not None

    def describe(self, arn: str) -> Json | None:
        """What is kept of an execution, or None."""
        return self.database.get(EXECUTION, arn)

    def definition(self, record: Json) -> str:
        """The text of the definition that an execution started with."""
        kept = self.database.get(DEFINITION, record["digest"])
        return str(kept["text"]) if kept else ""

    def list(self, pipeline_name: str) -> list[Json]:
        """What is kept of a pipeline's executions, newest first."""
        return self.database.list(EXECUTION, pipeline_name)

    @property
    def busy(self) -> bool:
        """Whether any execution runs."""
        with self._lock:
            return bool(self._live)

    def ended(self, arn: str) -> None:
        with self._lock:
            self._live.pop(arn, None)

    def recover(self) -> None:
        """Mark honestly what a killed server left running."""
        for record in self.database.list(EXECUTION):
            state = from_json(record["state"])
            if not state.ended:
                record["state"] = to_json(interrupted(state, self.now()))
                self.database.put(EXECUTION, record["arn"], record)

    def close(self) -> None:
        """Stop every execution and wait for its jobs to end."""
        with self._lock:
            running = list(self._live.values())
        for execution in running:
            execution.post(StopRequested(self.now()))
        self.pool.shutdown(wait=True)


class Execution:
    """One running execution."""

    def __init__(self, engine: Engine, flow: Flow, context: ExecutionContext, request: StartRequest) -> None:
        self._engine = engine
        self._flow = flow
        self._context = context
        self._request = request
        self._state = ExecutionState()
        self._lock = threading.RLock()
        self._job_names: dict[str, str] = {}

    def post(self, event: Event) -> None:
        """Let an event change the state, keep it, and carry out what follows."""
        with self._lock:
            transition = advance(self._flow, self._context, self._state, event)
            self._state = transition.state
            self._keep(event.at)
            for command in transition.commands:
                self._carry_out(command)
        if transition.state.ended:
            self._engine.ended(self._request.arn)

    def _keep(self, at: datetime) -> None:
        request, context = self._request, self._context
        record = {
            "arn": request.arn,
            "id": request.execution_id,
            "pipeline_name": request.pipeline_name,
            "pipeline_arn": request.pipeline_arn,
            "digest": request.definition.digest,
            "parameters": dict(request.parameters),
            "limit": request.limit,
            "details": request.details,
            "start_time": context.start_time.timestamp(),
            "last_modified": at.timestamp(),
            "state": to_json(self._state),
        }
        created = context.start_time.timestamp()
        self._engine.database.put(EXECUTION, request.arn, record, parent=request.pipeline_name, created=created)

    def _carry_out(self, command: Command) -> None:
        match command:
            case Launch():
                self._engine.pool.submit(self._guarded, command)
            case StopStep(step):
                self._stop_step(step)
            case ReadDocument(step, uri):
                # Not in the pool: a document must not wait for the jobs of others.
                threading.Thread(target=self._read, args=(step, uri), daemon=True).start()

    def _guarded(self, launch: Launch) -> None:
        """Run a step; whatever goes wrong ends the step, never silently."""
        try:
            self._run(launch)
        except Exception as error:  # noqa: BLE001 -- logged with its traceback, and told
            _log.exception("step %s", launch.step)
            reason = f"InternalServerError: {type(error).__name__}: {error}"
            self.post(StepFailed(self._engine.now(), launch.step, reason[:1024]))

    def _run(self, launch: Launch) -> None:
        if launch.type in KINDS:
            self._run_job(launch)
        elif launch.type == "RegisterModel":
            package = self._engine.register({**launch.arguments, "MetadataProperties": self._generated_by(launch)})
            metadata = {"RegisterModel": {"Arn": package["ModelPackageArn"]}}
            self.post(StepSucceeded(self._engine.now(), launch.step, package, metadata))
        else:
            reason = f"not executed locally: steps of type {launch.type}"
            self.post(StepFailed(self._engine.now(), launch.step, reason))

    def _generated_by(self, launch: Launch) -> Json:
        return {**(launch.arguments.get("MetadataProperties") or {}), "GeneratedBy": self._request.arn}

    def _run_job(self, launch: Launch) -> None:
        jobs, now = self._engine.jobs, self._engine.now
        job = jobs.create(launch.type, launch.job_name, launch.arguments)
        with self._lock:
            self._job_names[launch.step] = launch.job_name
            stopping = self._state.status == "Stopping"
        metadata = {f"{launch.type}Job": {"Arn": job.arn}}
        if stopping:
            job.stop()
        else:
            self.post(StepStarted(now(), launch.step, metadata))
        record = jobs.run(job)
        if job.status == COMPLETED:
            self.post(StepSucceeded(now(), launch.step, record, metadata))
        elif job.status == STOPPED and not record.get("FailureReason"):
            self.post(StepStopped(now(), launch.step, metadata, record))
        else:
            self.post(StepFailed(now(), launch.step, record.get("FailureReason", "the job failed"), metadata, record))

    def _stop_step(self, step: str) -> None:
        with self._lock:
            name = self._job_names.get(step)
        if name:
            self._engine.jobs.stop(name)

    def _read(self, step: str, uri: str) -> None:
        text, error = None, None
        try:
            bucket, key = split_uri(uri)
            stored, _, stream = self._engine.store.open(bucket, key)
            with stream:
                if stored.size > _MAX_DOCUMENT:
                    error = f"{uri} has {stored.size:,} bytes; JsonGet reads {_MAX_DOCUMENT:,} at most"
                else:
                    text = stream.read().decode("utf-8")
        except (StoreError, BadUriError, OSError, UnicodeDecodeError) as failure:
            error = f"{uri} cannot be read: {failure}"
        self.post(DocumentRead(self._engine.now(), step, uri, text, error))


def interrupted(state: ExecutionState, at: datetime) -> ExecutionState:
    """The state of an execution whose server was killed: its running steps and itself are Failed."""
    reason = "interrupted: the local SageMaker was ended while it ran"
    steps = {
        name: replace(step, status="Failed", end=at, failure_reason=reason)
        if step.status in ("Starting", "Executing", "Stopping")
        else step
        for name, step in state.steps.items()
    }
    return replace(state, status="Failed", steps=steps, failure_reason=reason, end=at)
