"""The state machine of an execution, pure: no IO, clock or randomness of its own.

`build_flow(definition, limit)` once, then `advance(flow, context, state, event)` for every event, from
`ExecutionState()` until `state.ended`. The context's parameter values
come from `definition.parameters`.
"""

from __future__ import annotations

from pipelines.local.machine.events import (
    Command,
    DocumentRead,
    Event,
    ExecutionStarted,
    Launch,
    ReadDocument,
    StepFailed,
    StepStarted,
    StepStopped,
    StepSucceeded,
    StopRequested,
    StopStep,
)
from pipelines.local.machine.flow import Flow, build_flow
from pipelines.local.machine.names import job_name
from pipelines.local.machine.serial import from_json, to_json
from pipelines.local.machine.state import ExecutionContext, ExecutionState, StepState
from pipelines.local.machine.transition import Transition, advance

__all__ = [
    "Command",
    "DocumentRead",
    "Event",
    "ExecutionContext",
    "ExecutionStarted",
    "ExecutionState",
    "Flow",
    "Launch",
    "ReadDocument",
    "StepFailed",
    "StepStarted",
    "StepState",
    "StepStopped",
    "StepSucceeded",
    "StopRequested",
    "StopStep",
    "Transition",
    "advance",
    "build_flow",
    "from_json",
    "job_name",
    "to_json",
]
