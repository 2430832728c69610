"""What happens to an execution (events, each at its time) and what it asks for (commands).

Events come from whoever executes; `advance` turns them into commands for the same one to carry out. A step event may
name the `attempt` of the Launch that it answers; one of an earlier attempt is then late and changes nothing.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from pipelines.local.machine.cache import CacheEntry
from pipelines.local.machine.state import Iteration


@dataclass(frozen=True)
class ExecutionStarted:
    """An execution begins, or one that `retried` gave goes on."""

    at: datetime


@dataclass(frozen=True)
class StepStarted:
    """Optional: the job of a launched step exists, and this is its Metadata while it runs."""

    at: datetime
    step: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    attempt: int | None = None


@dataclass(frozen=True)
class StepSucceeded:
    """`properties` is the Describe response of the job, as JSON."""

    at: datetime
    step: str
    properties: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)
    attempt: int | None = None


@dataclass(frozen=True)
class StepFailed:
    """`exception` is one of `retries.EXCEPTIONS`, or None for the fault of the program, which is never retried."""

    at: datetime
    step: str
    reason: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    exception: str | None = None
    attempt: int | None = None


@dataclass(frozen=True)
class StepStopped:
    at: datetime
    step: str
    metadata: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    attempt: int | None = None


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


@dataclass(frozen=True)
class CacheAnswered:
    """The answer to a LookUpCache: the entry to use, if there is one, or else the nearest, to explain the miss with.

    `cache.look_up` finds both. An entry that does not match is a miss: the machine trusts nobody with that. `unusable`
    says why an entry that would match is not offered as a hit.
    """

    at: datetime
    step: str
    hit: CacheEntry | None = None
    nearest: CacheEntry | None = None
    unusable: str | None = None


@dataclass(frozen=True)
class TimeReached:
    """It is `at` now: the answer to every Wait until then. After a rise of the flow's limit it starts what has room."""

    at: datetime


StepEvent = StepStarted | StepSucceeded | StepFailed | StepStopped
Event = ExecutionStarted | StepEvent | StopRequested | DocumentRead | CacheAnswered | TimeReached


@dataclass(frozen=True)
class Launch:
    """Start the job of a step, with the name it is to have.

    `arguments`, and `settings` (the keys beside Arguments that belong to the step's type: FunctionArn, SqsQueueUrl,
    OutputParameters, SkipCheck …), have every expression resolved. Each attempt is a new job with a new name.
    """

    step: str
    type: str
    arguments: dict[str, Any]
    job_name: str
    settings: dict[str, Any] = field(default_factory=dict)
    attempt: int = 1
    iteration: Iteration | None = None


@dataclass(frozen=True)
class StopStep:
    """Stop the job of a step; StepStopped (or how else it ended) is the answer."""

    step: str


@dataclass(frozen=True)
class ReadDocument:
    """Read the object at `uri` for a step; DocumentRead is the answer."""

    step: str
    uri: str


@dataclass(frozen=True)
class Wait:
    """A step is to be retried at `until`; TimeReached, then or later, is the answer."""

    step: str
    until: datetime


@dataclass(frozen=True)
class LookUpCache:
    """Is there a result of this step, by `digest` of its key, that ended at `oldest` or later? See `cache.look_up`."""

    step: str
    pipeline: str
    digest: str
    oldest: datetime


@dataclass(frozen=True)
class KeepResult:
    """A step ended whose result later executions may look up: keep the entry by its pipeline and step. No answer."""

    entry: CacheEntry


Command = Launch | StopStep | ReadDocument | Wait | LookUpCache | KeepResult
