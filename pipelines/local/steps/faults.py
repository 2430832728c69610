"""Failures on demand, for tests: which steps fail, are throttled, lack capacity or are slow, and how often.

A `Faults` stands before the kinds of steps. What it takes ends the step as AWS would, and what it delays runs then; so
retry policies, dependencies on failure and notices of it can be tested without waiting for a bad day.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase

from pipelines.local.machine.events import Launch
from pipelines.local.machine.retries import (
    CAPACITY_ERROR,
    JOB_INTERNAL_ERROR,
    RESOURCE_LIMIT,
    SERVICE_FAULT,
    THROTTLING,
)
from pipelines.local.steps.step import REASON, StepKind, Tell

_REASONS = {
    SERVICE_FAULT: "InternalServerError: injected: the service failed",
    THROTTLING: "ThrottlingException: injected: Rate exceeded",
    JOB_INTERNAL_ERROR: "InternalServerError: injected: the job failed inside of the service",
    CAPACITY_ERROR: "CapacityError: injected: Unable to provision requested ML compute capacity.",
    RESOURCE_LIMIT: "ResourceLimitExceeded: injected: The account-level service limit is reached",
}


@dataclass(frozen=True)
class Fault:
    """What happens to the steps whose names fit `step` (*, ? and [] as in file names), so often."""

    step: str
    times: int | None  # None: always
    reason: str = ""  # empty: it does not fail
    exception: str | None = None
    seconds: float = 0.0


class Faults:
    """The failures that were asked for; the first that fits a step is taken. Threads may use it at once."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._lock = threading.Lock()
        self._ended = threading.Event()

    def fail(self, step: str, *, times: int | None = 1, reason: str = "AlgorithmError: injected, exit code: 1") -> None:
        """The step fails as if its program had: no retry policy applies."""
        self._add(Fault(step, times, reason))

    def throttle(self, step: str, *, times: int | None = 1) -> None:
        """The step is throttled (Step.THROTTLING)."""
        self._refuse(step, times, THROTTLING)

    def service_fault(self, step: str, *, times: int | None = 1) -> None:
        """The service fails to start the step (Step.SERVICE_FAULT)."""
        self._refuse(step, times, SERVICE_FAULT)

    def internal_error(self, step: str, *, times: int | None = 1) -> None:
        """The step's job fails inside of the service (SageMaker.JOB_INTERNAL_ERROR)."""
        self._refuse(step, times, JOB_INTERNAL_ERROR)

    def no_capacity(self, step: str, *, times: int | None = 1) -> None:
        """There is no instance of that type (SageMaker.CAPACITY_ERROR)."""
        self._refuse(step, times, CAPACITY_ERROR)

    def quota(self, step: str, *, times: int | None = 1) -> None:
        """The account's quota is used up (SageMaker.RESOURCE_LIMIT)."""
        self._refuse(step, times, RESOURCE_LIMIT)

    def delay(self, step: str, seconds: float, *, times: int | None = 1) -> None:
        """The step begins so much later, and runs."""
        self._add(Fault(step, times, seconds=seconds))

    def clear(self) -> None:
        """Forget all of them."""
        with self._lock:
            self._faults.clear()

    def end(self) -> None:
        """Delay nothing any more: the server ends."""
        self._ended.set()

    def _refuse(self, step: str, times: int | None, exception: str) -> None:
        self._add(Fault(step, times, _REASONS[exception], exception))

    def _add(self, fault: Fault) -> None:
        if fault.times is not None and fault.times < 1:
            raise ValueError(f"times is {fault.times}; it must be 1 or more, or None for always")
        if fault.seconds < 0:
            raise ValueError(f"seconds is {fault.seconds}; it must not be negative")
        with self._lock:
            self._faults.append(replace(fault, reason=fault.reason[:REASON]))

    def take(self, step: str) -> Fault | None:
        """The fault that this run of a step meets, if any; it counts."""
        with self._lock:
            for index, fault in enumerate(self._faults):
                if fnmatchcase(step, fault.step):
                    left = None if fault.times is None else fault.times - 1
                    self._faults[index : index + 1] = [] if left == 0 else [replace(fault, times=left)]
                    return fault
        return None

    def before(self, kind: StepKind) -> StepKind:
        """A kind of steps, with these faults before it."""
        return _Faulty(self, kind)

    def wait(self, seconds: float) -> None:
        """Wait, unless the server ends."""
        self._ended.wait(seconds)


@dataclass(frozen=True)
class _Faulty(StepKind):
    faults: Faults
    kind: StepKind

    def prepare(self) -> None:
        self.kind.prepare()

    def run(self, launch: Launch, tell: Tell) -> None:
        fault = self.faults.take(launch.step)
        if fault:
            self.faults.wait(fault.seconds)
            if fault.reason:
                tell.failed(fault.reason, exception=fault.exception)
                return
        self.kind.run(launch, tell)
