"""All executions of the local SageMaker: begun, found again, stopped, recovered after a kill.

Threads come from requests, from jobs and from documents that are read. A thread may take a lock only when it holds none
that stands after it here, so no two can wait for one another:

    an execution's lock → the jobs' lock → a job's lock → the database's → the engine's

`transaction()` holds the database's; so what runs inside one posts no event, starts no job and stops none. The engine's
own lock guards a dict and is never held while anything is called.
"""

from __future__ import annotations

import threading
from collections.abc import Sequence
from datetime import UTC, datetime

from pipelines.definition import parse
from pipelines.local.cache import forget_results
from pipelines.local.database import Database
from pipelines.local.events import StatusChange
from pipelines.local.execution import (
    DEFINITION,
    EXECUTION,
    STEP,
    Beginning,
    Execution,
    Json,
    Services,
    StartRequest,
    cut_off,
)
from pipelines.local.jobs.job import INTERRUPTED
from pipelines.local.machine.events import ExecutionStarted, StopRequested
from pipelines.local.machine.flow import build_flow
from pipelines.local.machine.retrying import retried
from pipelines.local.machine.selection import Source, select, selected_flow
from pipelines.local.machine.serial import from_json, head_to_json, step_to_json
from pipelines.local.machine.state import ExecutionState, Refusal
from pipelines.local.steps.callback import forget_callbacks


class Engine:
    """All executions of the local SageMaker."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._live: dict[str, Execution] = {}
        self._lock = threading.Lock()
        self._closing = False

    @property
    def _database(self) -> Database:
        return self._services.database

    def prepare(
        self, request: StartRequest, selected: Sequence[str] = (), source: Source | None = None
    ) -> Execution | Refusal:
        """An execution that is kept and has not begun: of all steps, or of the selected upon the results of the source.

        Raises `DefinitionError` for a graph that cannot be executed.
        """
        flow, state = build_flow(request.definition, request.limit, caching=True), ExecutionState()
        if selected:
            chosen = select(flow, selected, source)
            if isinstance(chosen, Refusal):
                return chosen
            flow, state = chosen.flow, chosen.state
        return self._create(request, Beginning(flow, state, self._services.now()))

    def resume(
        self, record: Json, details: Json, limit: int | None, selected: Sequence[str] = ()
    ) -> Execution | Refusal:
        """An execution that ended, kept as one that goes on (`begin` lets it); its record's `details` are replaced."""
        definition, state = parse(self.definition(record)), self.state(record)
        flow = build_flow(definition, limit, caching=True)
        if selected:
            flow = selected_flow(flow, selected, state.steps)
        going_on = retried(flow, state)
        if isinstance(going_on, Refusal):
            return going_on
        request = StartRequest(
            pipeline_name=record["pipeline_name"],
            pipeline_arn=record["pipeline_arn"],
            execution_id=record["id"],
            definition=definition,
            parameters=record["parameters"],
            limit=limit,
            details=details,
        )
        return self._create(request, Beginning(flow, going_on, datetime.fromtimestamp(record["start_time"], UTC)))

    def _create(self, request: StartRequest, beginning: Beginning) -> Execution:
        execution = Execution(self._services, request, beginning, self._ended)
        execution.create()
        return execution

    def begin(self, execution: Execution) -> None:
        """Begin what `prepare` or `resume` gave."""
        with self._lock:
            self._live[execution.arn.lower()] = execution
            closing = self._closing
        if closing:
            execution.post(StopRequested(self._services.now()))
            return
        execution.prepare()
        execution.post(ExecutionStarted(self._services.now()))

    def stop(self, arn: str) -> bool:
        """Ask an execution to stop; False when it does not run."""
        with self._lock:
            execution = self._live.get(arn.lower())
        if execution:
            execution.post(StopRequested(self._services.now()))
        return execution is not None

    def update(self, arn: str, details: Json, limit: int | None) -> None:
        """Change the details of an execution and its limit of parallel steps, also while it runs."""
        with self._lock:
            execution = self._live.get(arn.lower())
        if execution and execution.update(details, limit):
            return
        with self._database.transaction():
            record = self._database.get(EXECUTION, arn.lower())
            if record:
                details, now = {**record["details"], **details}, self._services.now().timestamp()
                self._keep({**record, "details": details, "limit": limit, "last_modified": now})

    def describe(self, arn: str) -> Json | None:
        """What is kept of an execution, or None."""
        return self._database.get(EXECUTION, arn.lower())

    def state(self, record: Json) -> ExecutionState:
        """The state of an execution, with its steps in the order in which they were decided."""
        rows = reversed(self._database.list(STEP, record["arn"].lower()))
        return from_json({**record["state"], "steps": {row["name"]: row["state"] for row in rows}})

    def definition(self, record: Json) -> str:
        """The text of the definition that an execution started with."""
        kept = self._database.get(DEFINITION, record["definition"])
        return str(kept["text"]) if kept else ""

    def list(self, pipeline_name: str, limit: int = -1) -> list[Json]:
        """What is kept of a pipeline's executions, newest first, without their steps."""
        return self._database.list(EXECUTION, pipeline_name, limit)

    def forget(self, pipeline_name: str) -> None:
        """Delete what is kept of a pipeline's executions."""
        for record in self.list(pipeline_name):
            self._database.delete_children(STEP, record["arn"].lower())
        self._database.delete_children(EXECUTION, pipeline_name)
        forget_results(self._database, pipeline_name)
        forget_callbacks(self._database, pipeline_name)

    @property
    def busy(self) -> bool:
        """Whether any execution runs."""
        with self._lock:
            return bool(self._live)

    def recover(self) -> None:
        """Mark honestly what a killed server left running."""
        now = self._services.now()
        for record in self._database.list(EXECUTION):
            if not from_json({**record["state"], "steps": {}}).ended:
                self._interrupt(record, now)

    def _interrupt(self, record: Json, now: datetime) -> None:
        before = self.state(record)
        places = {name: place for place, name in enumerate(before.steps)}
        state, changed = cut_off(before, now, INTERRUPTED)
        record = {**record, "state": head_to_json(state), "last_modified": now.timestamp()}
        arn = record["arn"].lower()
        with self._database.transaction():
            self._keep(record)
            for name in changed:
                step = {"name": name, "state": step_to_json(state.steps[name])}
                self._database.put(STEP, f"{arn}/{name}", step, parent=arn, place=places[name])

        def step_type(name: str) -> str:
            return parse(self.definition(record)).step(name).type

        self._services.observe(StatusChange(record, step_type, before, state, changed, now))

    def _keep(self, record: Json) -> None:
        key, parent = record["arn"].lower(), record["pipeline_name"]
        self._database.put(EXECUTION, key, record, parent=parent, place=record["start_time"])

    def close(self) -> None:
        """Ask every execution to stop, also those that are still to begin: the server is ending."""
        with self._lock:
            self._closing = True
            running = list(self._live.values())
        for execution in running:
            execution.post(StopRequested(self._services.now()))

    def _ended(self, execution: Execution) -> None:
        with self._lock:
            if self._live.get(execution.arn.lower()) is execution:  # else it goes on already, by a retry
                del self._live[execution.arn.lower()]
