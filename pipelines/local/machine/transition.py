"""`advance`: the state of an execution and an event in, the next state and the commands to carry out, out. Pure.

What it does not do itself it asks for: Launch, StopStep and ReadDocument, each answered by events. Condition and Fail
steps need no outside and happen inside `advance`. Decisions where the service's behaviour is not documented:

- Failure: steps that run finish, nothing new starts (a step that still waits for a document is Stopped), then the
  execution is Failed. A failure is handled when a step
  waits for exactly that (trigger Failed or Any) and ran or may still run: then all goes on, and the execution ends
  CompletedWithFailures. A step that was stopped though nobody asked the execution to stop counts as a failure.
- Stop: running steps are asked to stop, nothing new starts, and the execution is Stopped when the last has ended, in
  whichever way.
- Every step takes one of the `limit` slots while it runs; ready steps start in document order.
- Late and repeated events (for a step or an execution that has ended, a second start or stop, a document nobody waits
  for) change nothing: delivery may be at least once, and a job may end while it is being stopped. An event for a step
  that does not exist or was never launched is a bug of the caller: ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.local.machine.events import (
    Command,
    DocumentRead,
    Event,
    ExecutionStarted,
    StepEvent,
    StepFailed,
    StepStarted,
    StepStopped,
    StepSucceeded,
    StopRequested,
)
from pipelines.local.machine.flow import Flow
from pipelines.local.machine.state import (
    ENDED,
    EXECUTING,
    FAILED,
    STARTING,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    Document,
    ExecutionContext,
    ExecutionState,
)
from pipelines.local.machine.turn import Turn


@dataclass(frozen=True)
class Transition:
    """The state after an event, and the commands to carry out in this order."""

    state: ExecutionState
    commands: tuple[Command, ...] = ()


def advance(flow: Flow, context: ExecutionContext, state: ExecutionState, event: Event) -> Transition:
    """What an event makes of an execution; `ExecutionState()` is the state before the first one."""
    if isinstance(event, (StepStarted, StepSucceeded, StepFailed, StepStopped, DocumentRead)):
        _require_step(flow, event.step)
    if state.ended:
        return Transition(state)
    turn = Turn(flow, context, state, event.at)
    if not _apply(turn, event):
        return Transition(state)
    return Transition(*turn.settle())


def _apply(turn: Turn, event: Event) -> bool:
    """Let the event change the turn; False when it does not fit and changes nothing."""
    match event:
        case ExecutionStarted():
            return _begin(turn)
        case StopRequested():
            return _stop(turn)
        case DocumentRead():
            return _read(turn, event)
        case StepStarted() | StepSucceeded() | StepFailed() | StepStopped():
            return _step(turn, event)


def _begin(turn: Turn) -> bool:
    if turn.steps or turn.status != EXECUTING:
        return False
    turn.begin()
    return True


def _stop(turn: Turn) -> bool:
    if turn.status == STOPPING:
        return False
    turn.stop()
    return True


def _read(turn: Turn, event: DocumentRead) -> bool:
    step = turn.steps.get(event.step)
    if step is None or step.status != STARTING or step.waits_for != event.uri:
        return False
    documents = {**step.documents, event.uri: Document(event.text, event.error)}
    turn.update(event.step, waits_for=None, documents=documents)
    turn.try_start(event.step)
    return True


def _step(turn: Turn, event: StepEvent) -> bool:
    step = turn.steps.get(event.step)
    if step is not None and step.status in ENDED:
        return False
    if step is None or step.status not in (EXECUTING, STOPPING):
        raise ValueError(f'{type(event).__name__} for step "{event.step}", which was never launched')
    metadata = event.metadata or step.metadata
    match event:
        case StepStarted():
            turn.update(event.step, metadata=metadata)
        case StepSucceeded(properties=properties):
            turn.end(event.step, SUCCEEDED, metadata=metadata, properties=properties)
        case StepFailed(reason=reason, properties=properties):
            turn.end(event.step, FAILED, failure_reason=reason, metadata=metadata, properties=properties)
        case StepStopped(properties=properties):
            turn.end(event.step, STOPPED, metadata=metadata, properties=properties)
    return True


def _require_step(flow: Flow, name: str) -> None:
    if name not in flow.position:
        raise ValueError(f'event for step "{name}", which does not exist')
