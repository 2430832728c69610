"""RetryPipelineExecution (CONTRACT.md 1.9): an execution that ended in; the state it goes on from, or a Refusal, out.

`interrupted` ends an execution that nobody carries out any more, so that it can be retried like any other.

Give the result `ExecutionStarted`, with the same context and a flow of the same definition (a new limit is allowed).

- Succeeded steps keep their results. A failed step runs again, as its next attempt, unless another step waited for that
  failure: then the one that handles it is where the execution goes on. A stopped step runs again unless a step that
  waited for the stop has ended.
- In a ForEach, the items stay those that it had, and only children that had not succeeded run again.
- The step runs anew in every other way: its policies may retry it as often as before, the cache is asked again.
- Only a Failed or Stopped execution can be retried, and none that a Fail step ended.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime
from typing import Final

from pipelines.definition import step_types
from pipelines.local.machine.flow import Flow
from pipelines.local.machine.readiness import handles
from pipelines.local.machine.state import (
    ENDED,
    EXECUTING,
    FAILED,
    NOT_TAKEN,
    READY,
    RUNNING,
    STOPPED,
    SUCCEEDED,
    ExecutionState,
    Refusal,
    StepState,
)

# The service's own code for a wrong state is not documented; this is the one that the API models.
WRONG_STATE: Final = "ConflictException"
_RETRIABLE: Final = frozenset({FAILED, STOPPED})


def retried(flow: Flow, state: ExecutionState) -> ExecutionState | Refusal:
    """The state that an ended execution goes on from."""
    if state.status not in _RETRIABLE:
        return Refusal(WRONG_STATE, f"Only failed or stopped executions can be retried; this one is {state.status}")
    failing = [name for name, step in state.steps.items() if _is_failed_fail_step(flow, name, step)]
    if failing:
        names = ", ".join(failing)
        return Refusal(WRONG_STATE, f"An execution that ended in a Fail step cannot be retried: [{names}]")
    steps = {}
    for name, step in state.steps.items():
        kept = _kept(flow, state, name, step)
        if kept is not None:
            steps[name] = kept
    return ExecutionState(steps=steps)


def interrupted(state: ExecutionState, at: datetime, reason: str) -> ExecutionState:
    """The state of an execution whose executor was lost at `at`: what ran has Failed, and so has the execution."""
    steps = {
        name: replace(step, status=FAILED, end=at, failure_reason=reason) if step.status in RUNNING else step
        for name, step in state.steps.items()
    }
    return ExecutionState(FAILED, steps, failure_reason=reason, end=at)


def _is_failed_fail_step(flow: Flow, name: str, step: StepState) -> bool:
    return step.status == FAILED and flow.step(name).type == step_types.FAIL


def _kept(flow: Flow, state: ExecutionState, name: str, step: StepState) -> StepState | None:
    """What is left of a step; None when it is decided anew."""
    if step.iteration is not None and _loop_kept(flow, state, step.iteration.parent):
        return step
    if not _begun(step):
        return None
    if step.status == SUCCEEDED or step.selective_source is not None or _goes_on_after(flow, state, name, step):
        return step
    if step.items is not None:
        return replace(
            step, status=EXECUTING, attempt=step.attempt + 1, end=None, failure_reason=None, metadata={}, properties={}
        )
    # One that an earlier retry made ready and that never began has this attempt still before it.
    return StepState(READY, attempt=step.attempt + (step.status in ENDED), iteration=step.iteration)


def _begun(step: StepState) -> bool:
    """Whether a step ended, in this run of the execution or in one before."""
    return step.status in ENDED or (step.status == READY and step.attempt > 1)


def _loop_kept(flow: Flow, state: ExecutionState, loop: str) -> bool:
    return _kept(flow, state, loop, state.steps[loop]) is state.steps[loop]


def _goes_on_after(flow: Flow, state: ExecutionState, name: str, step: StepState) -> bool:
    """Whether the execution goes on behind a failure or stop: with the step that waited for it."""
    for follower, requirement in flow.waiting_for(name):
        if handles(requirement, step):
            found = state.steps.get(follower)
            if found is not None and _begun(found):
                return True
            if step.status == FAILED and (found is None or found.status != NOT_TAKEN):
                return True
    return False
