"""Why an execution failed: each failed step with its job's words, the likely cause, and how to go on.

Takes a `Gateway` and a snapshot of an execution; gives a `Diagnosis`. The causes are a table over what was said: the
step's reason, the program's exit message, the end of its log. The first that fits is the likely one; none is an answer
too.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass

from pipelines.aws import Gateway, Json
from pipelines.diagnosis.causes import CAUSES, Likely, Way, likely_cause
from pipelines.errors import AwsError
from pipelines.executions import Execution, LogLine, StepRun, log_tail

__all__ = ["CAUSES", "Diagnosis", "Failure", "Likely", "diagnose", "likely_cause"]


@dataclass(frozen=True)
class Failure:
    """A failed step: what is known of it, and what it is likely to come from."""

    step: StepRun
    reason: str
    exit_message: str
    tail: tuple[LogLine, ...]
    likely: Likely | None


@dataclass(frozen=True)
class Diagnosis:
    """The failures of an execution, in the order in which they ended; none for one that fails as a whole."""

    execution: Execution
    failures: tuple[Failure, ...]
    likely: Likely | None  # of the execution's own reason, where no step says more

    @property
    def way(self) -> Way:
        """How to go on: a new deployment if any failure asks for it, then a retry."""
        causes = [failure.likely for failure in self.failures] or [self.likely]
        return "retry" if all(cause and cause.way == "retry" for cause in causes) else "redeploy"

    @property
    def is_gate(self) -> bool:
        """Whether a Fail step ended it: such an execution is not retried (CONTRACT.md section 1.9)."""
        return any("Fail" in failure.step.metadata for failure in self.failures)

    @property
    def unfinished(self) -> tuple[str, ...]:
        """The steps that failed or were stopped."""
        return tuple(step.name for step in self.execution.steps if step.status in ("Failed", "Stopped"))


def diagnose(gateway: Gateway, execution: Execution) -> Diagnosis:
    """What is known of an execution's failures. What cannot be read is left out; raises nothing of its own."""
    failed = sorted((step for step in execution.steps if step.status == "Failed"), key=_ended)
    failures = tuple(_failure(gateway, step) for step in failed)
    likely = None if failures else likely_cause(execution.reason)
    return Diagnosis(execution, failures, likely)


def _ended(step: StepRun) -> float:
    return step.end.timestamp() if step.end else float("inf")


def _failure(gateway: Gateway, step: StepRun) -> Failure:
    job: Json = {}
    if step.job:
        with suppress(AwsError):  # the job may be gone, or not ours to see; the step's reason is known anyway
            job = gateway.job(*step.job)
    reason, message = step.reason or job.get("FailureReason", ""), job.get("ExitMessage", "")
    tail = log_tail(gateway, step)
    likely = likely_cause(reason, message, [line.text for line in tail], is_fail_step="Fail" in step.metadata)
    return Failure(step, reason, message, tail, likely)
