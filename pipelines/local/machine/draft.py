"""The draft of one transition: the state before an event in, the state and commands after it out.

A Draft is what `transition.advance` works on and throws away. It holds a copy of the steps (a dict copy: 9 µs for
4,000) and the index, and follows up on changes: who waited for a step that ended may start or never will, a failure
that nobody waits for cuts short what has not begun, a loop ends with its last child. How a step starts is `starting`.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from typing import Any, Final

from pipelines.definition import step_types
from pipelines.definition.loops import loop_of
from pipelines.definition.model import child_parts
from pipelines.local.machine.cache import CacheEntry, key_digest
from pipelines.local.machine.events import Command, KeepResult, StopStep
from pipelines.local.machine.flow import Flow
from pipelines.local.machine.index import Index
from pipelines.local.machine.loops import children, ended
from pipelines.local.machine.readiness import Readiness, handles, readiness, satisfied
from pipelines.local.machine.state import (
    COMPLETED_WITH_FAILURES,
    EXECUTING,
    FAILED,
    NOT_TAKEN,
    READY,
    STARTING,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    ExecutionContext,
    ExecutionState,
    Iteration,
    StepState,
)

STEP_FAILURE: Final = "Step failure: One or multiple steps failed"


class Draft:
    """The draft of one transition."""

    def __init__(self, flow: Flow, context: ExecutionContext, state: ExecutionState, at: datetime) -> None:
        self.flow = flow
        self.context = context
        self.at = at
        self.before = state
        self.status = state.status
        self.steps: dict[str, StepState] = dict(state.steps)
        self.commands: list[Command] = []
        self.changed: dict[str, None] = {}
        self._untold: deque[str] = deque()
        if isinstance(state.index, Index) and state.index.fits(flow, state.steps):
            self.index = state.index
        else:
            self.index = Index.of(flow, self.steps)
            for name in self.index.broken:
                self._check_broken(name)
        self.index.owner = None  # until this draft is done or given up, it describes neither state

    def give_up(self) -> ExecutionState:
        """The state before, when the event changed nothing."""
        self.index.owner = self.before.steps
        return replace(self.before, index=self.index) if self.before.index is None else self.before

    def done(self) -> ExecutionState:
        """The state after; the execution has ended when nothing runs any more."""
        self.index.owner = self.steps
        if self.index.running or self.index.loops:
            return replace(self.before, status=self.status, steps=self.steps, index=self.index)
        status, reason = self._verdict()
        return ExecutionState(status, self.steps, failure_reason=reason, end=self.at)

    def ask(self, command: Command) -> None:
        self.commands.append(command)

    def begin(self) -> bool:
        """Look at every undecided step once; False when there was nothing to begin."""
        for name in list(self.index.waiting):
            self.consider(name)
        # A loop that goes on after a retry may have nothing left to run.
        for name in [loop for loop, left in self.index.loops.items() if not left]:
            self._close_loop(name)
        # In every execution that has begun and not ended, something runs.
        return bool(self.changed) or not self.index.running

    def consider(self, name: str) -> None:
        """Decide an undecided step by the present states of all before it."""
        verdict = readiness(self.flow.required_by(name), self.steps)
        if verdict is Readiness.START:
            self.make_ready(name)
        elif verdict is Readiness.NEVER:
            self._skip(name)

    def make_ready(self, name: str) -> None:
        self._put(name, StepState(READY, iteration=self._iteration(name)))

    def update(self, name: str, **changes: Any) -> None:
        """Change a running step that goes on running."""
        self._put(name, replace(self.steps[name], **changes))

    def end(self, name: str, status: str, **changes: Any) -> None:
        """A running step has ended; what it held only to run is no longer needed."""
        old = self.steps[name]
        done: dict[str, Any] = {"waits_for": None, "documents": {}, "wait_until": None, "looks_up": False}
        self._put(name, replace(old, status=status, end=self.at, cache_key=None, **done, **changes))
        self._untold.append(name)
        if old.cache_key is not None:
            self.ask(KeepResult(self._entry(name, dict(old.cache_key))))

    def open_loop(self, name: str, items: tuple[Any, ...]) -> None:
        """A ForEach knows its items: its children wait, or are ready."""
        self.update(name, status=EXECUTING, items=items, waits_for=None, documents={})
        names = list(children(self.flow.bodies[name], len(items)))
        for child in names:
            self.index.expect(child, self.steps)
        for child in names:
            self.consider(child)

    def stop(self) -> None:
        """Ask every running step to stop; those without a job have stopped."""
        self.status = STOPPING
        self.withdraw()
        for name in self.in_order(self.index.running):
            if self.steps[name].wait_until is not None:
                self.end(name, STOPPED)
            elif self.steps[name].status == EXECUTING:
                self.update(name, status=STOPPING)
                self.ask(StopStep(name))

    def withdraw(self) -> None:
        """Nothing new starts: stop the steps that wait for a first answer, cut the open loops short."""
        for name in self.in_order(self.index.starting):
            self._withdraw_step(name)
        for name in self.in_order(self.index.loops):
            if self.steps[name].status == EXECUTING:
                self.update(name, status=STOPPING)
                self._cut_short(name)
        self.tell()

    def in_order(self, names: Iterable[str]) -> list[str]:
        return sorted(names, key=self.flow.key)

    def next_ready(self) -> str | None:
        """Take the first step that is ready and for which there is room; None when none may start now."""
        heap = self._first_ready()
        return heapq.heappop(heap)[1] if heap else None

    def may_start(self) -> bool:
        """Whether there is room for a ready step, as after a rise of the limit."""
        return self._first_ready() is not None

    def tell(self) -> None:
        """Follow up on the steps that ended or will never start, until nothing more follows."""
        while self._untold:
            name = self._untold.popleft()
            state = self.steps[name]
            for follower, requirement in self.flow.waiting_for(name):
                if follower in self.index.waiting:
                    self.index.waiting[follower] -= 1
                    if not satisfied(requirement, state):
                        self._skip(follower)
                    elif not self.index.waiting[follower]:
                        self.make_ready(follower)
            self._check_failures(name, state)
            if state.iteration is not None and not self.index.loops.get(state.iteration.parent, 1):
                self._close_loop(state.iteration.parent)

    def _first_ready(self) -> list[tuple[tuple[int, ...], str]] | None:
        """The heap at whose top the next step to start lies."""
        full = self.flow.limit is not None and len(self.index.running) >= self.flow.limit
        if full or self.index.unhandled or self.status != EXECUTING:
            return None
        best = None
        for group, heap in self.index.ready.items():
            while heap and self.steps[heap[0][1]].status != READY:
                heapq.heappop(heap)
            if heap and self._has_room(group) and (best is None or heap[0] < best[0]):
                best = heap
        return best

    def _put(self, name: str, state: StepState) -> None:
        self.index.move(name, self.steps.get(name), state)
        self.steps[name] = state
        self.changed[name] = None

    def _skip(self, name: str) -> None:
        self._put(name, StepState(NOT_TAKEN, iteration=self._iteration(name)))
        self._untold.append(name)

    def _iteration(self, name: str) -> Iteration | None:
        if name in self.flow.position:
            return None
        body, index = child_parts(name)
        loop = loop_of(self.flow.step(body)) or ""
        return Iteration(loop, body, index, (self.steps[loop].items or ())[index])

    def _has_room(self, group: str) -> bool:
        return not group or self.index.busy[group] < self.flow.step(group).arguments["MaxConcurrency"]

    def _check_failures(self, name: str, state: StepState) -> None:
        if state.status in (FAILED, STOPPED):
            self._check_broken(name)
        elif state.status == NOT_TAKEN:
            for requirement in self.flow.required_by(name):
                upstream = self.steps.get(requirement.upstream)
                if upstream is not None and handles(requirement, upstream):
                    self._check_broken(requirement.upstream)

    def _check_broken(self, name: str) -> None:
        """A step failed or was stopped: unless another waits for that, what has not begun will not."""
        state = self.steps[name]
        if state.status not in (FAILED, STOPPED) or state.selective_source is not None or self._handled(name):
            return
        if state.iteration is None:
            self.index.unhandled.add(name)
        elif state.iteration.parent in self.index.loops:
            self._cut_short(state.iteration.parent)

    def _handled(self, name: str) -> bool:
        """Whether a step that waits for exactly this failure or stop has run or still may. A Fail step's never is."""
        state = self.steps[name]
        return self.flow.step(name).type != step_types.FAIL and any(
            handles(requirement, state) and not self._never_runs(follower)
            for follower, requirement in self.flow.waiting_for(name)
        )

    def _never_runs(self, name: str) -> bool:
        return name in self.steps and self.steps[name].status == NOT_TAKEN

    def _cut_short(self, loop: str) -> None:
        for name in children(self.flow.bodies[loop], len(self.steps[loop].items or ())):
            state = self.steps.get(name)
            if state is None or state.status == READY:
                self._skip(name)
            else:
                self._withdraw_step(name)

    def _withdraw_step(self, name: str) -> None:
        """Nothing of it was launched yet. A step between two attempts has begun, and goes on unless asked to stop."""
        if self.steps[name].status == STARTING and (not self.steps[name].retries or self.status == STOPPING):
            self.end(name, STOPPED)

    def _close_loop(self, name: str) -> None:
        result = ended(self.flow.step(name), self.steps[name], self.steps, self._handled)
        self.end(
            name, result.status, failure_reason=result.reason, metadata=result.metadata, properties=result.properties
        )

    def _entry(self, name: str, key: dict[str, Any]) -> CacheEntry:
        state = self.steps[name]
        return CacheEntry(
            pipeline=self.context.pipeline_name,
            step=name,
            execution_arn=self.context.execution_arn,
            status=state.status,
            end=self.at,
            digest=key_digest(key),
            key=key,
            properties=state.properties,
            metadata=state.metadata,
        )

    def _verdict(self) -> tuple[str, str | None]:
        if self.status == STOPPING:
            return STOPPED, None
        if self.index.unhandled:
            return FAILED, STEP_FAILURE
        if self.index.broken:
            return COMPLETED_WITH_FAILURES, None
        if self.index.waiting:
            # Flow refuses cycles, so only a bug in this machine leads here; ending "Succeeded" would hide it.
            raise RuntimeError(f"nothing runs, yet these steps wait: {', '.join(self.index.waiting)}")
        return SUCCEEDED, None
