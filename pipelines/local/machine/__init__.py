"""The state machine of an execution, pure: no IO, clock or randomness of its own.

`build_flow(definition, limit)` once, then `advance(flow, context, state, event)` for every event, from
`ExecutionState()` until `state.ended`. The context's parameter values come from `definition.parameters`.
`select` gives flow and first state of a selective execution, `retried` the state that an ended one goes on from.
"""

from __future__ import annotations

from pipelines.local.machine.cache import CacheEntry, cache_key, explain, look_up, why_missed, why_not_enabled
from pipelines.local.machine.events import (
    CacheAnswered,
    Command,
    DocumentRead,
    Event,
    ExecutionStarted,
    KeepResult,
    Launch,
    LookUpCache,
    ReadDocument,
    StepFailed,
    StepStarted,
    StepStopped,
    StepSucceeded,
    StopRequested,
    StopStep,
    TimeReached,
    Wait,
)
from pipelines.local.machine.flow import Flow, build_flow
from pipelines.local.machine.names import job_name
from pipelines.local.machine.retrying import interrupted, retried
from pipelines.local.machine.selection import Selection, Source, select, selected_flow
from pipelines.local.machine.serial import from_json, head_to_json, step_from_json, step_to_json, to_json
from pipelines.local.machine.state import ExecutionContext, ExecutionState, Iteration, Refusal, StepState
from pipelines.local.machine.transition import Transition, advance

__all__ = [
    "CacheAnswered",
    "CacheEntry",
    "Command",
    "DocumentRead",
    "Event",
    "ExecutionContext",
    "ExecutionStarted",
    "ExecutionState",
    "Flow",
    "Iteration",
    "KeepResult",
    "Launch",
    "LookUpCache",
    "ReadDocument",
    "Refusal",
    "Selection",
    "Source",
    "StepFailed",
    "StepStarted",
    "StepState",
    "StepStopped",
    "StepSucceeded",
    "StopRequested",
    "StopStep",
    "TimeReached",
    "Transition",
    "Wait",
    "advance",
    "build_flow",
    "cache_key",
    "explain",
    "from_json",
    "head_to_json",
    "interrupted",
    "job_name",
    "look_up",
    "retried",
    "select",
    "selected_flow",
    "step_from_json",
    "step_to_json",
    "to_json",
    "why_missed",
    "why_not_enabled",
]
