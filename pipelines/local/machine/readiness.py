"""May a step start? Its requirements and the states of the steps before it in; wait, start or never out.

Triggers are those of CONTRACT.md 1.8: Completed means succeeded, Any means ended in any way. A step that never ran
satisfies none of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from enum import Enum
from typing import Final

from pipelines.definition.step_types import ANY, COMPLETED, IF_STEPS
from pipelines.definition.step_types import FAILED as ON_FAILED
from pipelines.definition.step_types import STOPPED as ON_STOPPED
from pipelines.local.machine.flow import Requirement
from pipelines.local.machine.state import ENDED, FAILED, NOT_TAKEN, STOPPED, SUCCEEDED, StepState

_SATISFYING: Final[Mapping[str, frozenset[str]]] = {
    COMPLETED: frozenset({SUCCEEDED}),
    ON_FAILED: frozenset({FAILED}),
    ON_STOPPED: frozenset({STOPPED}),
    ANY: ENDED,
}


class Readiness(Enum):
    WAIT = "wait"
    START = "start"
    NEVER = "never"


def readiness(requirements: Iterable[Requirement], steps: Mapping[str, StepState]) -> Readiness:
    """NEVER as soon as one requirement cannot come true any more, START when all are true."""
    verdict = Readiness.START
    for requirement in requirements:
        state = steps.get(requirement.upstream)
        if state is None or (state.status not in ENDED and state.status != NOT_TAKEN):
            verdict = Readiness.WAIT
        elif not satisfied(requirement, state):
            return Readiness.NEVER
    return verdict


def satisfied(requirement: Requirement, upstream: StepState) -> bool:
    """Whether a step that ended as `upstream` says lets the step with this requirement start."""
    if upstream.status not in _SATISFYING[requirement.trigger]:
        return False
    if requirement.branch is None:
        return True
    return upstream.properties.get("Outcome") is (requirement.branch == IF_STEPS)


def handles(requirement: Requirement, upstream: StepState) -> bool:
    """Whether this requirement waits for exactly the failure or stop that `upstream` ended with."""
    return requirement.trigger != COMPLETED and satisfied(requirement, upstream)
