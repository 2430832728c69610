"""`advance`: the state of an execution and an event in, the next state and the commands to carry out, out. Pure.

What it does not do itself it asks for: Launch, StopStep, ReadDocument, Wait and LookUpCache, each answered by events.
Condition and Fail steps need no outside and happen inside `advance`, and so does the bookkeeping of a ForEach.
Decisions where the service's behaviour is not documented (more in `retries`, `cache`, `loops`, `selection` and
`retrying`):

- Failure: steps that run finish, nothing new starts (a step that still waits for a document or for the cache's answer
  is Stopped, a loop starts no further child), then the execution is Failed. A failure is handled when a step waits for
  exactly that (trigger Failed or Any) and ran or may still run: then all goes on, and the execution ends
  CompletedWithFailures. A step that was stopped though nobody asked the execution to stop counts as a failure.
- Stop: running steps are asked to stop, nothing new starts, and the execution is Stopped when the last has ended, in
  whichever way. A step that waits for its retry has no job and is Stopped at once.
- Retry: a step between two attempts is Executing and keeps its slot; the failure of another step does not end it.
- Every step takes one of the `limit` slots while it runs (of a loop, its children do); ready steps start in document
  order.
- Late and repeated events (for a step or an execution that has ended, an earlier attempt, a second start or stop, an
  answer nobody waits for) change nothing: delivery may be at least once, and a job may end while it is being stopped.
  An event for a step that does not exist or was never launched is a bug of the caller: ValueError.
"""

from __future__ import annotations

from dataclasses import dataclass

from pipelines.local.machine.draft import Draft
from pipelines.local.machine.events import (
    CacheAnswered,
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
    TimeReached,
    Wait,
)
from pipelines.local.machine.flow import Flow
from pipelines.local.machine.retries import next_retry
from pipelines.local.machine.starting import go_on, start, start_again
from pipelines.local.machine.state import (
    ENDED,
    EXECUTING,
    FAILED,
    READY,
    STARTING,
    STOPPED,
    STOPPING,
    SUCCEEDED,
    Document,
    ExecutionContext,
    ExecutionState,
    StepState,
)


@dataclass(frozen=True)
class Transition:
    """The state after an event, the commands to carry out in this order, and the steps whose state is another now.

    Who keeps states may write those steps alone, and `serial.head_to_json` of the rest.
    """

    state: ExecutionState
    commands: tuple[Command, ...] = ()
    changed: tuple[str, ...] = ()


def advance(flow: Flow, context: ExecutionContext, state: ExecutionState, event: Event) -> Transition:
    """What an event makes of an execution; `ExecutionState()` is the state before the first one."""
    if isinstance(event, (StepStarted, StepSucceeded, StepFailed, StepStopped, DocumentRead, CacheAnswered)):
        _require_step(flow, event.step)
    if state.ended:
        return Transition(state)
    draft = Draft(flow, context, state, event.at)
    if not _apply(draft, event):
        return Transition(draft.give_up())
    _settle(draft)
    return Transition(draft.done(), tuple(draft.commands), tuple(draft.changed))


def _settle(draft: Draft) -> None:
    """Follow up on all changes until nothing more can be done."""
    draft.tell()
    while (name := draft.next_ready()) is not None:
        start(draft, name)
        draft.tell()
    if draft.index.unhandled:
        draft.withdraw()


def _apply(draft: Draft, event: Event) -> bool:
    """Let the event change the draft; False when it does not fit and changes nothing."""
    match event:
        case ExecutionStarted():
            return draft.status == EXECUTING and draft.begin()
        case StopRequested():
            return _stop(draft)
        case DocumentRead():
            return _read(draft, event)
        case CacheAnswered():
            return _answered(draft, event)
        case TimeReached():
            return _retry_due(draft)
        case StepStarted() | StepSucceeded() | StepFailed() | StepStopped():
            return _step(draft, event)


def _stop(draft: Draft) -> bool:
    if draft.status == STOPPING:
        return False
    draft.stop()
    return True


def _read(draft: Draft, event: DocumentRead) -> bool:
    step = draft.steps.get(event.step)
    if step is None or step.status != STARTING or step.waits_for != event.uri:
        return False
    documents = {**step.documents, event.uri: Document(event.text, event.error)}
    draft.update(event.step, waits_for=None, documents=documents)
    go_on(draft, event.step)
    return True


def _answered(draft: Draft, event: CacheAnswered) -> bool:
    step = draft.steps.get(event.step)
    if step is None or step.status != STARTING or not step.looks_up:
        return False
    go_on(draft, event.step, event)
    return True


def _retry_due(draft: Draft) -> bool:
    waits = ((name, draft.steps[name].wait_until) for name in draft.index.retrying)
    due = draft.in_order(name for name, until in waits if until is not None and until <= draft.at)
    for name in due:
        start_again(draft, name)
    return bool(due) or draft.may_start()


def _step(draft: Draft, event: StepEvent) -> bool:
    step = draft.steps.get(event.step)
    if step is not None and _is_late(step, event):
        return False
    if step is None or step.status not in (EXECUTING, STOPPING) or step.items is not None:
        raise ValueError(f'{type(event).__name__} for step "{event.step}", which was never launched')
    metadata = event.metadata or step.metadata
    match event:
        case StepStarted():
            draft.update(event.step, metadata=metadata)
        case StepSucceeded(properties=properties):
            draft.end(event.step, SUCCEEDED, metadata=metadata, properties=properties)
        case StepFailed():
            _fail(draft, step, event)
        case StepStopped(properties=properties):
            draft.end(event.step, STOPPED, metadata=metadata, properties=properties)
    return True


def _is_late(step: StepState, event: StepEvent) -> bool:
    if step.status in ENDED or step.wait_until is not None:
        return True
    if event.attempt is not None:
        return event.attempt < step.attempt
    # Without its attempt, an event before the next launch can only be of the one before.
    return step.attempt > 1 and step.status in (READY, STARTING)


def _fail(draft: Draft, step: StepState, event: StepFailed) -> None:
    metadata = event.metadata or step.metadata
    found = None
    if step.status == EXECUTING:
        found = next_retry(draft.flow.step(event.step), event.exception, step.retries, event.at)
    if found is None:
        draft.end(event.step, FAILED, failure_reason=event.reason, metadata=metadata, properties=event.properties)
        return
    retries, until = found
    draft.update(event.step, metadata=metadata, failure_reason=event.reason, retries=retries, wait_until=until)
    draft.ask(Wait(event.step, until))


def _require_step(flow: Flow, name: str) -> None:
    if not flow.has(name):
        raise ValueError(f'event for step "{name}", which does not exist')
