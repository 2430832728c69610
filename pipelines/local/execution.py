"""One running execution: events change its state, the state is kept, and the machine's commands are carried out.

Enters: events, from any thread. Leaves: steps begun (steps/) and stopped, documents read, the cache asked; each of them
comes back as an event. A state is kept before the commands that follow from it, with the results that the cache is to
have; when it cannot be, the execution ends as Failed and says so, for what is not kept must not go on.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from pipelines.definition import Definition
from pipelines.errors import LocalError
from pipelines.local.cache import StepCache
from pipelines.local.database import Database
from pipelines.local.events import Observer, StatusChange, unobserved
from pipelines.local.jobs.parse import split_uri
from pipelines.local.machine.events import (
    Command,
    DocumentRead,
    Event,
    KeepResult,
    Launch,
    LookUpCache,
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
from pipelines.local.steps.kinds import Kinds
from pipelines.local.steps.step import REASON
from pipelines.local.store import ObjectStore

Json = dict[str, Any]
EXECUTION, STEP, DEFINITION = "execution", "step", "definition"
_MAX_DOCUMENT = 16 << 20  # bytes of a JSON document that JsonGet reads
_INTERNAL = "InternalServerError"
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Services:
    """What executions work with. `workers` run steps, `readers` documents: these must not wait for steps to end.

    `observe` is told of every change that was kept, under the execution's lock: it neither raises nor waits.
    """

    database: Database
    store: ObjectStore
    kinds: Kinds
    now: Callable[[], datetime]
    workers: Executor
    readers: Executor
    observe: Observer = unobserved

    @property
    def cache(self) -> StepCache:
        return StepCache(self.database, self.store)


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


@dataclass(frozen=True)
class Beginning:
    """Where an execution begins, or goes on: of a retried one, the steps that ended are there already."""

    flow: Flow
    state: ExecutionState
    start_time: datetime


class Execution:
    """An execution from its start to its end; `ended` is told of the end."""

    def __init__(
        self, services: Services, request: StartRequest, beginning: Beginning, ended: Callable[[Execution], None]
    ) -> None:
        self._services = services
        self._flow = beginning.flow
        self._request = request
        self._ended = ended
        self.context = ExecutionContext(
            pipeline_name=request.pipeline_name,
            pipeline_arn=request.pipeline_arn,
            execution_id=request.execution_id,
            execution_arn=request.arn,
            start_time=beginning.start_time,
            parameters=request.parameters,
        )
        self._state = beginning.state
        self._observed: ExecutionState | None = None
        self._definition = definition_key(request.definition.text)
        self._lock = threading.RLock()  # of the state and what follows; see engine.py for the order of locks
        self._places: dict[str, int] = {}
        self._stops: dict[str, Callable[[], None]] = {}  # of the steps that run

    @property
    def arn(self) -> str:
        return self._request.arn

    def prepare(self) -> None:
        """Let the kinds of its steps make ready."""
        for step_type in {step.type for step in self._request.definition.all_steps()}:
            self._services.kinds.of(step_type).prepare()

    def create(self) -> None:
        """Keep the execution as it begins, in the place of what was kept of it. Raises `LocalError`."""
        database = self._services.database
        with database.transaction():
            database.put(DEFINITION, self._definition, {"text": self._request.definition.text})
            database.delete_children(STEP, self.arn.lower())
            self._keep(self._state.steps, self._services.now(), database.put)

    def update(self, details: Json, limit: int | None) -> bool:
        """Change what the API says of it, and its limit of parallel steps; False when it has ended."""
        with self._lock:
            if self._state.ended:
                return False
            before = self._request, self._flow
            try:
                self._request = replace(self._request, details={**self._request.details, **details}, limit=limit)
                self._flow = replace(self._flow, limit=limit)
                self._keep((), self._services.now(), self._services.database.put)
            except LocalError:
                self._request, self._flow = before
                raise
        self.post(TimeReached(self._services.now()))  # there may be room for more steps now
        return True

    def post(self, event: Event) -> None:
        """Let an event change the state, keep it, and carry out what follows."""
        with self._lock:
            if self._state.ended:
                return
            try:
                transition = advance(self._flow, self.context, self._state, event)
                cache = self._services.cache
                results = [cache.result(item.entry) for item in transition.commands if isinstance(item, KeepResult)]
                self._state = transition.state
                with self._services.database.transaction():
                    record = self._keep(transition.changed, event.at, self._services.database.put)
                    for result in results:
                        cache.keep(result)
                self._tell(record, transition.changed, event.at)
                for command in transition.commands:
                    self._carry_out(command)
            except Exception as error:  # noqa: BLE001 -- whatever it is, an execution that nobody moves on must not look alive
                _log.exception("execution %s", self.arn)
                self._give_up(error)
            ended = self._state.ended
        if ended:
            self._ended(self)

    def _give_up(self, error: Exception) -> None:
        """End as Failed, here and now: the state could not be kept, or the machine has a bug."""
        what = error.what if isinstance(error, LocalError) else f"{type(error).__name__}: {error}"
        at = self._services.now()
        self._state, changed = cut_off(self._state, at, f"{_INTERNAL}: {what}")
        self._tell(self._keep(changed, at, self._services.database.keep), changed, at)
        for stop in list(self._stops.values()):
            stop()

    def _tell(self, record: Json, changed: Iterable[str], at: datetime) -> None:
        before, self._observed = self._observed, self._state
        self._services.observe(StatusChange(record, self._step_type, before, self._state, tuple(changed), at))

    def _step_type(self, name: str) -> str:
        return self._request.definition.step(name).type

    def _keep(self, changed: Iterable[str], at: datetime, write: Callable[..., None]) -> Json:
        """Write the execution, and of its steps those that changed: what an event costs must not grow with them all.

        Gives what is kept of the execution.
        """
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
        return record

    def _carry_out(self, command: Command) -> None:
        match command:
            case Launch():
                self._services.workers.submit(self._launch, command)
            case StopStep(step):
                if step in self._stops:
                    self._stops[step]()
            case ReadDocument(step, uri):
                self._services.readers.submit(self._read, step, uri)
            case LookUpCache():
                self._services.readers.submit(self._look_up, command)
            case Wait(_, until):
                self._wake(until)
            case KeepResult():
                pass  # it was kept with the state
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
        told = _Told(self, launch)
        try:
            self._services.kinds.of(launch.type).run(launch, told)
        except LocalError as error:
            told.failed(f"ClientError: {error.what}; fix: {error.problems[0].fix}"[:REASON])
        except Exception as error:  # noqa: BLE001 -- logged with its traceback, and told
            _log.exception("step %s", launch.step)
            told.failed(f"{_INTERNAL}: {type(error).__name__}: {error}"[:REASON])

    def runs(self, step: str, stop: Callable[[], None]) -> bool:
        """Keep what stops a step; False when the step is not wanted any more."""
        with self._lock:
            self._stops[step] = stop
            return self._state.status == "Executing"

    def over(self, step: str) -> None:
        """Forget what stops a step."""
        with self._lock:
            self._stops.pop(step, None)

    def now(self) -> datetime:
        return self._services.now()

    def _look_up(self, question: LookUpCache) -> None:
        self.post(self._services.cache.answer(question, self._services.now()))

    def _read(self, step: str, uri: str) -> None:
        text, error = None, None
        try:
            text = read_document(self._services.store, uri)
        except Exception as failure:  # noqa: BLE001 -- the step waits for an answer, whatever it is
            error = f"{uri} cannot be read: {failure}"
        self.post(DocumentRead(self._services.now(), step, uri, text, error))


@dataclass(frozen=True)
class _Told:
    """What becomes of one launched step → events of its execution (`steps.step.Tell`)."""

    execution: Execution
    launch: Launch

    @property
    def context(self) -> ExecutionContext:
        return self.execution.context

    def started(self, metadata: Json, stop: Callable[[], None]) -> None:
        if self.execution.runs(self.launch.step, stop):
            self.execution.post(StepStarted(self.execution.now(), self.launch.step, metadata, self.launch.attempt))
        else:
            stop()

    def succeeded(self, properties: Json, metadata: Json) -> None:
        self._end(StepSucceeded(self.execution.now(), self.launch.step, properties, metadata, self.launch.attempt))

    def failed(
        self, reason: str, metadata: Json | None = None, properties: Json | None = None, exception: str | None = None
    ) -> None:
        now, launch = self.execution.now(), self.launch
        exception = exception or (JOB_INTERNAL_ERROR if reason.startswith(_INTERNAL) else None)
        self._end(StepFailed(now, launch.step, reason, metadata or {}, properties or {}, exception, launch.attempt))

    def stopped(self, metadata: Json, properties: Json | None = None) -> None:
        self._end(StepStopped(self.execution.now(), self.launch.step, metadata, properties or {}, self.launch.attempt))

    def _end(self, event: Event) -> None:
        self.execution.over(self.launch.step)
        self.execution.post(event)


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
