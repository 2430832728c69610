"""A simulated executor for the state machine: carries commands out in memory, in an order the test chooses.

Definitions and outcomes in; every transition made, in order, out.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from pipelines.definition import parse
from pipelines.local.machine import (
    CacheAnswered,
    CacheEntry,
    Command,
    DocumentRead,
    Event,
    ExecutionContext,
    ExecutionStarted,
    ExecutionState,
    Flow,
    KeepResult,
    Launch,
    LookUpCache,
    ReadDocument,
    StepFailed,
    StepState,
    StepStopped,
    StepSucceeded,
    StopRequested,
    StopStep,
    TimeReached,
    Transition,
    Wait,
    advance,
    build_flow,
    look_up,
)

START = datetime(2024, 5, 1, 12, 34, 56, 789000, tzinfo=UTC)


def at(seconds: float) -> datetime:
    return START + timedelta(seconds=seconds)


def step(name: str, *depends_on: Any, kind: str = "Processing", **arguments: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "Arguments": arguments, "DependsOn": list(depends_on)}


def on(name: str, trigger: str) -> dict[str, str]:
    return {"Step": name, "Trigger": trigger}


def get(text: str) -> dict[str, str]:
    return {"Get": text}


def condition(name: str, *depends_on: Any, left: Any = 1, right: Any = 1, yes: Any = (), no: Any = ()) -> Any:
    test = {"Type": "Equals", "LeftValue": left, "RightValue": right}
    arguments = {"Conditions": [test], "IfSteps": list(yes), "ElseSteps": list(no)}
    return step(name, *depends_on, kind="Condition", **arguments)


def loop(name: str, *depends_on: Any, items: Any, body: Any, most: int = 50, **arguments: Any) -> dict[str, Any]:
    given = {"IterableItems": items, "MaxConcurrency": most, "ForEachBody": list(body), **arguments}
    return step(name, *depends_on, kind="ForEach", **given)


def flow_of(*steps: Any, limit: int | None = None, caching: bool = False, **rest: Any) -> Flow:
    return build_flow(parse(json.dumps({"Steps": list(steps), **rest})), limit, caching=caching)


def context(**parameters: Any) -> ExecutionContext:
    return ExecutionContext(
        pipeline_name="flights",
        pipeline_arn="arn:aws:sagemaker:eu-central-1:111122223333:pipeline/flights",
        execution_id="ABCDEF123456",
        execution_arn="arn:aws:sagemaker:eu-central-1:111122223333:pipeline/flights/execution/ABCDEF123456",
        start_time=START,
        parameters=parameters,
    )


@dataclass
class Simulation:
    """One execution; every public method is one event, a second after the one before."""

    flow: Flow
    context: ExecutionContext = field(default_factory=context)
    state: ExecutionState = field(default_factory=ExecutionState)
    commands: tuple[Command, ...] = ()
    events: list[Event] = field(default_factory=list)
    now: datetime = START
    changed: tuple[str, ...] = ()

    def send(self, make: Callable[[datetime], Event]) -> Simulation:
        if self.events:
            self.now += timedelta(seconds=1)
        event = make(self.now)
        self.events.append(event)
        transition: Transition = advance(self.flow, self.context, self.state, event)
        self.state, self.commands, self.changed = transition.state, transition.commands, transition.changed
        return self

    def start(self) -> Simulation:
        return self.send(ExecutionStarted)

    def succeed(self, name: str, **properties: Any) -> Simulation:
        return self.send(lambda now: StepSucceeded(now, name, properties))

    def fail(self, name: str, reason: str = "exit code 1", **properties: Any) -> Simulation:
        return self.send(lambda now: StepFailed(now, name, reason, properties=properties))

    def fault(self, name: str, exception: str, attempt: int | None = None) -> Simulation:
        return self.send(lambda now: StepFailed(now, name, exception, exception=exception, attempt=attempt))

    def wait_until(self, moment: datetime) -> Simulation:
        """The clock reaches a moment (it never goes back)."""
        self.now = max(moment, self.now) - timedelta(seconds=1)
        return self.send(TimeReached)

    def answer(self, name: str, *entries: CacheEntry) -> Simulation:
        """The cache answers from these entries, as the engine does."""
        (question,) = [command for command in self.look_ups if command.step == name]
        hit, nearest = look_up(entries, question.digest, question.oldest)
        return self.send(lambda now: CacheAnswered(now, name, hit, nearest))

    def stopped(self, name: str) -> Simulation:
        return self.send(lambda now: StepStopped(now, name))

    def stop(self) -> Simulation:
        return self.send(StopRequested)

    def read(self, name: str, uri: str, text: str | None, error: str | None = None) -> Simulation:
        return self.send(lambda now: DocumentRead(now, name, uri, text, error))

    def step(self, name: str) -> StepState:
        return self.state.steps[name]

    @property
    def launched(self) -> list[str]:
        """The steps launched by the last event."""
        return [command.step for command in self.commands if isinstance(command, Launch)]

    @property
    def asked_to_stop(self) -> list[str]:
        return [command.step for command in self.commands if isinstance(command, StopStep)]

    @property
    def launches(self) -> list[Launch]:
        return [command for command in self.commands if isinstance(command, Launch)]

    @property
    def waits(self) -> list[Wait]:
        return [command for command in self.commands if isinstance(command, Wait)]

    @property
    def look_ups(self) -> list[LookUpCache]:
        return [command for command in self.commands if isinstance(command, LookUpCache)]

    @property
    def kept(self) -> list[CacheEntry]:
        return [command.entry for command in self.commands if isinstance(command, KeepResult)]

    @property
    def reads(self) -> list[tuple[str, str]]:
        return [(command.step, command.uri) for command in self.commands if isinstance(command, ReadDocument)]

    def statuses(self) -> Mapping[str, str]:
        return {name: found.status for name, found in self.state.steps.items()}
