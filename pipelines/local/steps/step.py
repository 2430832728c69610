"""What runs a launched step: one class per kind of step, each behind the same two methods.

A kind gets the `Launch` and somebody to tell what becomes of it. It may tell the end from within `run` or later from
another thread, but it tells it once; what `run` raises ends the step as Failed.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any, Protocol

from pipelines.local.machine.events import Launch
from pipelines.local.machine.state import ExecutionContext

Json = dict[str, Any]
REASON = 1024  # characters of a FailureReason


class Tell(Protocol):
    """Who is told what becomes of a launched step."""

    @property
    def context(self) -> ExecutionContext:
        """The execution that the step is of."""

    def started(self, metadata: Json, stop: Callable[[], None]) -> None:
        """It runs, and this would stop it; `stop` is called at once where nobody wants the step any more."""

    def succeeded(self, properties: Json, metadata: Json) -> None:
        """It ended well; `properties` are what references to the step read."""

    def failed(
        self, reason: str, metadata: Json | None = None, properties: Json | None = None, exception: str | None = None
    ) -> None:
        """It failed; `exception` is one of `retries.EXCEPTIONS` where it was not the program's fault."""

    def stopped(self, metadata: Json, properties: Json | None = None) -> None:
        """It ended because it was asked to."""


class StepKind(ABC):
    """Runs the steps of one type."""

    def prepare(self) -> None:  # noqa: B027 -- most kinds need nothing
        """Make ready for a step that will come: an execution that has one begins."""

    @abstractmethod
    def run(self, launch: Launch, tell: Tell) -> None:
        """Run a step, on a thread of its own."""


def refused(operation: str, error: object) -> str:
    """The reason of a step whose request the service refuses."""
    return f"ClientError: Failed to invoke {operation}. Error Details: {error}"[:REASON]
