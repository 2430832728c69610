"""Steps that are not executed here: the stub result that the user configured, or else a failure that says how to.

A stub is told as such: its step's Metadata says so, in a member that every client shows where AWS's model has one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from pipelines.definition import step_types as types
from pipelines.local.machine.events import Launch
from pipelines.local.settings import Settings
from pipelines.local.steps.step import REASON, Json, StepKind, Tell

SAID: Final = "not executed locally: a stub result of environments: local: stubs"
# The member of the API's Metadata that can hold a text, by step type.
_SHOWN: Final[Mapping[str, tuple[str, str]]] = {
    types.AUTO_ML: ("AutoMLJob", "Arn"),
    types.EMR: ("EMR", "StepName"),
    types.EMR_SERVERLESS: ("EMRServerless", "JobRunName"),
    types.ENDPOINT: ("Endpoint", "Arn"),
    types.ENDPOINT_CONFIG: ("EndpointConfig", "Arn"),
    types.INFERENCE_COMPONENT: ("InferenceComponent", "Arn"),
    types.JOB: ("Job", "Arn"),
    types.LAMBDA: ("Lambda", "Arn"),
    types.QUALITY_CHECK: ("QualityCheck", "ViolationReport"),
    types.CLARIFY_CHECK: ("ClarifyCheck", "ViolationReport"),
}


@dataclass(frozen=True)
class Stubs(StepKind):
    """What happens to steps of every kind that is not executed; `settings` are read anew for each."""

    settings: Callable[[], Settings]

    def run(self, launch: Launch, tell: Tell) -> None:
        self.instead(launch, tell, launch.type)

    def instead(self, launch: Launch, tell: Tell, what: str, fix: str = "") -> None:
        """End a step with its stub result, or as Failed because of `what`; `fix` is a mend that comes first."""
        properties = self._find(launch)
        if properties is not None:
            tell.succeeded(properties, _metadata(launch.type))
            return
        stub = f"give it a stub result: environments: local: stubs: {_name(launch)}"
        tell.failed(f"not executed locally: {what}; fix: {f'{fix}, or ' if fix else ''}{stub}"[:REASON])

    def _find(self, launch: Launch) -> Json | None:
        settings = self.settings()
        names = (launch.step, _name(launch))
        return next((dict(stub) for name in names if (stub := settings.stub(name)) is not None), None)


def _name(launch: Launch) -> str:
    """The step in the definition: children of a ForEach share one."""
    return launch.iteration.body if launch.iteration else launch.step


def _metadata(step_type: str) -> Json:
    shown = _SHOWN.get(step_type)
    return {"Stub": {"Type": step_type}, **({shown[0]: {shown[1]: SAID}} if shown else {})}
