"""What an execution is and how far it has come: frozen values, nothing else.

`ExecutionContext` never changes during an execution; each event gives a new `ExecutionState`. A step without an entry
in `steps` waits for others. Ready and NotTaken are ours; the other statuses are AWS's (CONTRACT.md 1.10), and only
steps that have one of those are listed by ListPipelineExecutionSteps.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Final

# Statuses of steps: ours first, then AWS's.
READY: Final = "Ready"
NOT_TAKEN: Final = "NotTaken"
STARTING: Final = "Starting"
EXECUTING: Final = "Executing"
STOPPING: Final = "Stopping"
STOPPED: Final = "Stopped"
FAILED: Final = "Failed"
SUCCEEDED: Final = "Succeeded"

# An execution shares Executing, Stopping, Stopped, Failed and Succeeded, and has one of its own.
COMPLETED_WITH_FAILURES: Final = "CompletedWithFailures"

RUNNING: Final = frozenset({STARTING, EXECUTING, STOPPING})
ENDED: Final = frozenset({STOPPED, FAILED, SUCCEEDED})
UNLISTED: Final = frozenset({READY, NOT_TAKEN})
TERMINAL: Final = frozenset({STOPPED, FAILED, SUCCEEDED, COMPLETED_WITH_FAILURES})


@dataclass(frozen=True)
class ExecutionContext:
    """The constants of one execution; `parameters` hold native values (str, int, float, bool)."""

    pipeline_name: str
    pipeline_arn: str
    execution_id: str
    execution_arn: str
    start_time: datetime
    parameters: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Document:
    """What was found at an S3 URI: the text, or why it could not be read."""

    text: str | None
    error: str | None = None


@dataclass(frozen=True)
class Iteration:
    """Which child of a ForEach a step is: the API's IterationContext, and the body step it is made from."""

    parent: str
    body: str
    index: int
    item: Any

    @property
    def text(self) -> str:
        """The item as IterationContext and a bare CurrentItem show it: a string as it is, else JSON."""
        return self.item if isinstance(self.item, str) else json.dumps(self.item, ensure_ascii=False)


@dataclass(frozen=True)
class Retry:
    """How often one of a step's policies (its index; see `retries`) has retried it, and when it first had to."""

    policy: int
    count: int
    since: datetime


@dataclass(frozen=True)
class StepState:
    """One step of one execution.

    `metadata` and `properties` have the API's shapes: Metadata of ListPipelineExecutionSteps, and the Describe response
    of the job. While a step is Starting, `waits_for` is the S3 URI of a document it needs, `documents` those it has.
    They are the step's own: the same URI may hold something else by the time another step reads it.

    While it is Starting, `looks_up` says that the cache has been asked; while it is Executing, `wait_until` that it has
    no job and is retried then. `cache_key` is what a running step's result will be kept under. A result that was not
    computed here names the execution it is from: `cache_hit` (CacheHitResult) or `selective_source`
    (SelectiveExecutionResult); `cache_miss` says why the cache had none. `items` are those of an open ForEach.
    """

    status: str
    start: datetime | None = None
    end: datetime | None = None
    failure_reason: str | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)
    properties: Mapping[str, Any] = field(default_factory=dict)
    attempt: int = 1
    waits_for: str | None = None
    documents: Mapping[str, Document] = field(default_factory=dict)
    retries: tuple[Retry, ...] = ()
    wait_until: datetime | None = None
    looks_up: bool = False
    cache_key: Mapping[str, Any] | None = None
    cache_hit: str | None = None
    cache_miss: str | None = None
    selective_source: str | None = None
    iteration: Iteration | None = None
    items: tuple[Any, ...] | None = None

    @property
    def listed(self) -> bool:
        """Whether ListPipelineExecutionSteps shows it."""
        return self.status not in UNLISTED


@dataclass(frozen=True)
class ExecutionState:
    """One execution between two events; `failure_reason` and `end` come with a terminal status.

    `index` is what `advance` would otherwise compute anew from `steps` at each event (see `index.Index`): no part of
    the value, never kept.
    """

    status: str = EXECUTING
    steps: Mapping[str, StepState] = field(default_factory=dict)
    failure_reason: str | None = None
    end: datetime | None = None
    index: Any = field(default=None, repr=False, compare=False)

    @property
    def ended(self) -> bool:
        return self.status in TERMINAL


@dataclass(frozen=True)
class Refusal:
    """Why a request on an execution is refused: AWS's error code and a message in the service's words."""

    code: str
    message: str
