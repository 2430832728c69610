"""What happens to an execution (events, each at its time) and what it asks for (commands).

Events come from whoever executes; `advance` turns them into commands for the same one to carry out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class ExecutionStarted:
    at: datetime


@dataclass(frozen=True)
class StepStarted:
    """Optional: the job of a launched step exists, and this is its Metadata while it runs."""

    at: datetime
    step: str
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StepSucceeded:
    """`properties` is the Describe response of the job, as JSON."""

    at: datetime
    step: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StepFailed:
    at: datetime
    step: str
    reason: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StepStopped:
    at: datetime
    step: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class StopRequested:
    at: datetime


@dataclass(frozen=True)
class DocumentRead:
    """The answer to a ReadDocument: the text, or None with the error that names the reason."""

    at: datetime
    step: str
    uri: str
    text: str | None
    error: str | None = None


StepEvent = StepStarted | StepSucceeded | StepFailed | StepStopped
Event = ExecutionStarted | StepEvent | StopRequested | DocumentRead


@dataclass(frozen=True)
class Launch:
    """Start the job of a step: its arguments with every expression resolved, and the name the job is to have."""

    step: str
    type: str
    arguments: dict[str, Any]
    job_name: str


@dataclass(frozen=True)
class StopStep:
    """Stop the job of a step; StepStopped (or how else it ended) is the answer."""

    step: str


@dataclass(frozen=True)
class ReadDocument:
    """Read the object at `uri` for a step; DocumentRead is the answer."""

    step: str
    uri: str


Command = Launch | StopStep | ReadDocument
