"""One turn of the machine: the state before an event in, the state and commands after it out.

A Turn is the draft that `transition.advance` works on and throws away: it copies the steps once, so an event costs one
pass over the steps plus what it changes. After an event changed some steps, `settle` tells their followers, starts what
may start, and ends the execution when nothing more can happen.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from pipelines.definition import step_types
from pipelines.errors import DefinitionError
from pipelines.local.machine.conditions import ConditionError, evaluate_all
from pipelines.local.machine.events import Command, Launch, ReadDocument, StopStep
from pipelines.local.machine.flow import Flow
from pipelines.local.machine.names import job_name
from pipelines.local.machine.readiness import Readiness, handles, readiness
from pipelines.local.machine.resolve import (
    DocumentNeededError,
    ResolutionError,
    Scope,
    resolve,
    resolve_scalar,
    to_text,
)
from pipelines.local.machine.state import (
    COMPLETED_WITH_FAILURES,
    EXECUTING,
    FAILED,
    NOT_TAKEN,
    READY,
    RUNNING,
    STARTING,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    ExecutionContext,
    ExecutionState,
    StepState,
)

STEP_FAILURE: Final = "Step failure: One or multiple steps failed"


class Turn:
    """The draft of one transition."""

    def __init__(self, flow: Flow, context: ExecutionContext, state: ExecutionState, at: datetime) -> None:
        self.flow = flow
        self.context = context
        self.at = at
        self.before = state
        self.status = state.status
        self.steps: dict[str, StepState] = dict(state.steps)
        self.commands: list[Command] = []
        self._changed: deque[str] = deque()
        self._running = {name for name, step in self.steps.items() if step.status in RUNNING}
        self._broken = {name for name, step in self.steps.items() if step.status in (FAILED, STOPPED)}
        self._ready = [flow.position[name] for name, step in self.steps.items() if step.status == READY]
        heapq.heapify(self._ready)
        self._names = tuple(flow.position)

    def begin(self) -> None:
        """Nothing has run yet: look at every step once."""
        for name in self._names:
            if name not in self.steps:
                self._consider(name)

    def update(self, name: str, **changes: Any) -> None:
        """Change a running step that goes on running."""
        self.steps[name] = replace(self.steps[name], **changes)

    def end(self, name: str, status: str, **changes: Any) -> None:
        """A running step has ended; documents it held are no longer needed."""
        self.steps[name] = replace(
            self.steps[name], status=status, end=self.at, waits_for=None, documents={}, **changes
        )
        self._running.discard(name)
        if status != SUCCEEDED:
            self._broken.add(name)
        self._changed.append(name)

    def stop(self) -> None:
        """Ask every running step to stop."""
        self.status = STOPPING
        self._withdraw()
        for name in self._in_order(self._running):
            self.update(name, status=STOPPING)
            self.commands.append(StopStep(name))

    def settle(self) -> tuple[ExecutionState, tuple[Command, ...]]:
        """Follow up on all changes until nothing more can be done; the new state and the commands."""
        self._tell_followers()
        while self._may_start():
            self._start(self._names[heapq.heappop(self._ready)])
            self._tell_followers()
        if self._unhandled():
            self._withdraw()
        return self._finished(), tuple(self.commands)

    def try_start(self, name: str) -> None:
        """Carry a Starting step on: resolve what it needs, then launch it, evaluate it, or wait for a document."""
        state = self.steps[name]
        scope = Scope(
            self.flow, self.context, self.steps, name, self.at, attempt=state.attempt, documents=state.documents
        )
        try:
            self._execute(name, scope)
        except DocumentNeededError as needed:
            self.update(name, waits_for=needed.uri)
            self.commands.append(ReadDocument(name, needed.uri))
        except (ResolutionError, ConditionError, DefinitionError) as error:
            self.end(name, FAILED, failure_reason=str(error))

    def _withdraw(self) -> None:
        """Stop the steps that only wait for a document: nothing of theirs was launched yet."""
        for name in self._in_order(self._running):
            if self.steps[name].status == STARTING:
                self.end(name, STOPPED)
        self._tell_followers()

    def _in_order(self, names: set[str]) -> list[str]:
        return sorted(names, key=self.flow.position.__getitem__)

    def _tell_followers(self) -> None:
        while self._changed:
            for follower in self.flow.followers[self._changed.popleft()]:
                if follower not in self.steps:
                    self._consider(follower)

    def _consider(self, name: str) -> None:
        verdict = readiness(self.flow.requirements[name], self.steps)
        if verdict is Readiness.START:
            self.steps[name] = StepState(READY)
            heapq.heappush(self._ready, self.flow.position[name])
        elif verdict is Readiness.NEVER:
            self.steps[name] = StepState(NOT_TAKEN)
            self._changed.append(name)

    def _may_start(self) -> bool:
        free = self.flow.limit is None or len(self._running) < self.flow.limit
        return bool(self._ready) and free and self.status == EXECUTING and not self._unhandled()

    def _unhandled(self) -> bool:
        return any(not self._handled(name) for name in self._broken)

    def _handled(self, name: str) -> bool:
        """Whether a step that waits for exactly this failure or stop has run or still may. A Fail step's never is."""
        state = self.steps[name]
        return self.flow.step(name).type != step_types.FAIL and any(
            requirement.upstream == name and handles(requirement, state) and not self._never_runs(follower)
            for follower in self.flow.followers[name]
            for requirement in self.flow.requirements[follower]
        )

    def _never_runs(self, name: str) -> bool:
        return name in self.steps and self.steps[name].status == NOT_TAKEN

    def _start(self, name: str) -> None:
        self.steps[name] = StepState(STARTING, start=self.at)
        self._running.add(name)
        self.try_start(name)

    def _execute(self, name: str, scope: Scope) -> None:
        step = self.flow.step(name)
        match step.type:
            case step_types.CONDITION:
                outcome = evaluate_all(step.arguments.get("Conditions", []), lambda value: resolve_scalar(value, scope))
                self.end(name, SUCCEEDED, properties={"Outcome": outcome}, metadata=_outcome(outcome))
            case step_types.FAIL:
                message = to_text(resolve_scalar(step.arguments.get("ErrorMessage", ""), scope))
                metadata = {step_types.FAIL: {"ErrorMessage": message}}
                self.end(name, FAILED, failure_reason=message or None, metadata=metadata)
            case step_types.FOR_EACH:
                self.end(name, FAILED, failure_reason=f"not executed locally: {step_types.FOR_EACH} steps")
            case _:
                self._launch(name, step.type, resolve(step.arguments, scope))

    def _launch(self, name: str, kind: str, arguments: dict[str, Any]) -> None:
        attempt = self.steps[name].attempt
        self.update(name, status=EXECUTING, waits_for=None, documents={})
        self.commands.append(Launch(name, kind, arguments, job_name(self.context.execution_id, name, attempt)))

    def _finished(self) -> ExecutionState:
        if self._running or self._may_start():
            return replace(self.before, status=self.status, steps=self.steps)
        status, reason = self._verdict()
        return ExecutionState(status, self.steps, failure_reason=reason, end=self.at)

    def _verdict(self) -> tuple[str, str | None]:
        if self.status == STOPPING:
            return STOPPED, None
        if self._unhandled():
            return FAILED, STEP_FAILURE
        if self._broken:
            return COMPLETED_WITH_FAILURES, None
        waiting = [name for name in self._names if name not in self.steps]
        if waiting:
            # Flow refuses cycles, so only a bug in this machine leads here; ending "Succeeded" would hide it.
            raise RuntimeError(f"nothing runs, yet these steps wait: {', '.join(waiting)}")
        return SUCCEEDED, None


def _outcome(outcome: bool) -> Mapping[str, Any]:
    return {step_types.CONDITION: {"Outcome": str(outcome)}}
