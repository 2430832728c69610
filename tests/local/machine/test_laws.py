"""Laws that hold for every execution: random DAGs, random outcomes, random order of events, by a simulated executor."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.local.machine import (
    CacheAnswered,
    CacheEntry,
    Command,
    ExecutionState,
    KeepResult,
    Launch,
    LookUpCache,
    ReadDocument,
    Refusal,
    StopStep,
    Wait,
    advance,
    from_json,
    retried,
    to_json,
)
from pipelines.local.machine.state import ENDED, RUNNING, TERMINAL
from tests.local.machine.simulation import Simulation, flow_of, loop, on, step
from tests.work import lines_run

TRIGGERS = ("Completed", "Completed", "Completed", "Failed", "Stopped", "Any")
URI = "s3://bucket/gate.json"
FAULTS = ("Step.THROTTLING", "SageMaker.CAPACITY_ERROR")
RETRIES = [{"ExceptionType": ["SageMaker.CAPACITY_ERROR"], "MaxAttempts": 2}]
CACHED = {"Enabled": True, "ExpireAfter": "P1D"}


@st.composite
def pipelines(draw: st.DrawFn, *, triggers: bool = True) -> list[dict[str, Any]]:
    """Steps of all kinds that matter to the machine, some inside branches, each depending on earlier ones."""
    top: list[dict[str, Any]] = []
    names: list[str] = []
    holders: list[list[dict[str, Any]]] = [top]
    for index in range(draw(st.integers(0, 9))):
        name = f"S{index}"
        kinds = TRIGGERS if triggers else TRIGGERS[:1]
        depends_on = _dependencies(draw, names, kinds)
        kind = draw(st.sampled_from(["Processing"] * 6 + ["Condition", "Condition", "Fail", "ForEach"]))
        made = _job(draw, name, depends_on) if kind == "Processing" else step(name, *depends_on, kind=kind)
        draw(st.sampled_from(holders)).append(made)
        if kind == "Condition":
            value: Any = draw(st.sampled_from([1, 2, "x", {"Std:JsonGet": {"S3Uri": URI, "Path": "v"}}]))
            made["Arguments"] = {
                "Conditions": [{"Type": "Equals", "LeftValue": value, "RightValue": 1}],
                "IfSteps": [],
                "ElseSteps": [],
            }
            holders += [made["Arguments"]["IfSteps"], made["Arguments"]["ElseSteps"]]
        if kind == "ForEach":
            made["Arguments"] = _loop(draw, [f"B{index}{letter}" for letter in "ab"], names, kinds)
        names.append(name)
    return top


def _loop(draw: st.DrawFn, body: list[str], outside: list[str], triggers: tuple[str, ...]) -> dict[str, Any]:
    first = _job(draw, body[0], _dependencies(draw, outside, triggers))
    second = _job(draw, body[1], _dependencies(draw, body[:1], triggers))
    return {
        "IterableItems": draw(st.lists(st.integers(), min_size=1, max_size=4)),
        "MaxConcurrency": draw(st.integers(1, 3)),
        "ForEachBody": draw(st.sampled_from([[first], [first, second]])),
    }


def _dependencies(draw: st.DrawFn, names: list[str], triggers: tuple[str, ...]) -> list[Any]:
    upstream = draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) if names else []
    return [on(up, draw(st.sampled_from(triggers))) for up in upstream]


def _job(draw: st.DrawFn, name: str, depends_on: list[Any]) -> dict[str, Any]:
    extra = draw(st.sampled_from([{}, {}, {"RetryPolicies": RETRIES}, {"CacheConfig": CACHED}]))
    return {**step(name, *depends_on), **extra}


class Run:
    """One execution driven to its end in a drawn order, with everything seen on the way."""

    def __init__(self, data: st.DataObject, simulation: Simulation, *, stops: bool) -> None:
        self.simulation = simulation
        self.launches: list[Launch] = []
        self.history: list[ExecutionState] = []
        self.stop_seen_after: int | None = None
        self._pending: list[Command] = []
        self._record(self.simulation.start())
        while not self.simulation.state.ended:
            if stops and self.stop_seen_after is None and data.draw(st.integers(0, 5)) == 0:
                self.stop_seen_after = len(self.launches)
                self._record(self.simulation.stop())
            else:
                self._answer(data)

    def _answer(self, data: st.DataObject) -> None:
        # An execution that has not ended must be waiting for something, or it never would.
        assert self._pending, self.simulation.statuses()
        chosen = self._pending.pop(data.draw(st.integers(0, len(self._pending) - 1)))
        match chosen:
            case ReadDocument(step=name, uri=uri):
                text = data.draw(st.sampled_from(['{"v": 1}', '{"v": 2}', "{}", None]))
                self._record(self.simulation.read(name, uri, text))
            case Wait(until=until):
                self._record(self.simulation.wait_until(until))
            case LookUpCache(step=name, digest=digest):
                hit = CacheEntry("flights", name, "arn:old", "Succeeded", self.simulation.now, digest, {})
                found = data.draw(st.sampled_from([hit, None]))
                self._record(self.simulation.send(lambda now: CacheAnswered(now, name, found)))
            case Launch(step=name):
                ending = data.draw(st.sampled_from(["succeed", "succeed", "succeed", "fail", "stopped", *FAULTS]))
                end = getattr(self.simulation, ending, None)
                self._record(end(name) if end else self.simulation.fault(name, ending))

    def _record(self, simulation: Simulation) -> None:
        before = self.history[-1].steps if self.history else {}
        after = simulation.state.steps
        differing = {name for name in after if before.get(name) != after[name]}
        assert not self.history or differing <= set(simulation.changed), "a change that the transition does not name"
        self.launches += simulation.launches
        self._pending += [command for command in simulation.commands if not isinstance(command, (StopStep, KeepResult))]
        self.history.append(simulation.state)
        if self.stop_seen_after is not None:
            assert len(self.launches) == self.stop_seen_after, "launched after the stop"


def ran(data: st.DataObject, steps: list[dict[str, Any]], limit: int | None, *, stops: bool = False) -> Run:
    return Run(data, Simulation(flow_of(*steps, limit=limit, caching=True)), stops=stops)


LIMITS = st.one_of(st.none(), st.integers(1, 3))


@given(st.data(), pipelines(), LIMITS, st.booleans())
@settings(max_examples=100, deadline=None)
def test_every_execution_ends_and_keeps_the_laws(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None, stops: bool
) -> None:
    run = ran(data, steps, limit, stops=stops)
    final = run.simulation.state
    assert final.status in TERMINAL
    assert final.end is not None
    assert (final.status == "Stopped") == (run.stop_seen_after is not None)
    for state in run.history:
        running = [found for found in state.steps.values() if found.status in RUNNING and found.items is None]
        assert limit is None or len(running) <= limit
    assert all(found.end is not None for found in final.steps.values() if found.listed)
    assert not any(found.status in RUNNING for found in final.steps.values())


@given(st.data(), pipelines(), LIMITS)
@settings(max_examples=50, deadline=None)
def test_every_launch_is_a_job_of_its_own_and_no_step_is_retried_too_often(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None
) -> None:
    run = ran(data, steps, limit)
    assert len({launch.job_name for launch in run.launches}) == len(run.launches)
    for name, launches in Counter(launch.step for launch in run.launches).items():
        assert run.simulation.step(name).attempt == launches
        # Five retries of the service's own, two of the step's policy.
        assert launches <= 1 + 5 + (2 if run.simulation.flow.step(name).retry_policies else 0)


@given(st.data(), pipelines(), LIMITS)
@settings(max_examples=50, deadline=None)
def test_a_loop_never_exceeds_its_concurrency_and_has_one_child_per_item_and_body_step(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None
) -> None:
    run = ran(data, steps, limit)
    flow = run.simulation.flow
    for owner, bodies in flow.bodies.items():
        arguments = flow.step(owner).arguments
        possible = {f"{body}-{index}" for body in bodies for index in range(len(arguments["IterableItems"]))}
        for state in run.history:
            children = {name: found for name, found in state.steps.items() if found.iteration}
            mine = {
                name: found for name, found in children.items() if found.iteration and found.iteration.parent == owner
            }
            assert sum(found.status in RUNNING for found in mine.values()) <= arguments["MaxConcurrency"]
            assert set(mine) <= possible
        ended = run.simulation.state.steps.get(owner)
        if ended is not None and ended.status in ENDED and ended.items is not None:
            assert set(mine) == possible


@given(st.data(), pipelines(triggers=False), LIMITS)
@settings(max_examples=50, deadline=None)
def test_a_step_starts_only_after_all_before_it_succeeded(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None
) -> None:
    run = ran(data, steps, limit)
    final, flow = run.simulation.state.steps, run.simulation.flow
    for name, state in final.items():
        if not state.listed:
            continue
        for requirement in flow.required_by(name):
            found = final[requirement.upstream]
            assert found.status == "Succeeded"
            assert state.start is not None
            assert found.end is not None
            assert found.end <= state.start
            if requirement.branch:
                assert requirement.branch == ("IfSteps" if found.properties["Outcome"] else "ElseSteps")


@given(st.data(), pipelines(triggers=False), LIMITS)
@settings(max_examples=50, deadline=None)
def test_the_final_status_says_how_the_steps_ended(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None
) -> None:
    run = ran(data, steps, limit)
    final = run.simulation.state
    ended = {found.status for found in final.steps.values() if found.status in ENDED}
    expected = "Failed" if ended & {"Failed", "Stopped"} else "Succeeded"
    assert final.status == expected
    assert (final.failure_reason is None) == (expected == "Succeeded")
    if expected == "Succeeded":
        assert set(final.steps) >= set(run.simulation.flow.position)


@given(st.data(), pipelines(), LIMITS, st.booleans())
@settings(max_examples=50, deadline=None)
def test_the_same_events_give_the_same_states_through_json_or_not(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None, stops: bool
) -> None:
    # Nothing is left of the index after JSON: what it says must follow from the steps alone.
    run = ran(data, steps, limit, stops=stops)
    state = ExecutionState()
    for event, expected in zip(run.simulation.events, run.history, strict=True):
        state = advance(run.simulation.flow, run.simulation.context, state, event).state
        assert state == expected
        state = from_json(json.loads(json.dumps(to_json(state))))
        assert state == expected


@given(st.data(), pipelines(), LIMITS)
@settings(max_examples=30, deadline=None)
def test_an_old_state_stays_what_it_was_and_can_be_advanced_again(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None
) -> None:
    run = ran(data, steps, limit)
    before = [ExecutionState(), *run.history[:-1]]
    kept = [json.dumps(to_json(state)) for state in before]
    for event, state, expected in reversed(list(zip(run.simulation.events, before, run.history, strict=True))):
        assert advance(run.simulation.flow, run.simulation.context, state, event).state == expected
    assert [json.dumps(to_json(state)) for state in before] == kept


@given(st.data(), pipelines(), LIMITS, st.booleans())
@settings(max_examples=100, deadline=None)
def test_a_retry_launches_only_what_had_not_succeeded_and_ends(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None, stops: bool
) -> None:
    run = ran(data, steps, limit, stops=stops)
    flow, first = run.simulation.flow, run.simulation.state
    state = retried(flow, first)
    if isinstance(state, Refusal):
        ran_into_fail = any(flow.step(name).type == "Fail" for name, found in first.steps.items() if found.listed)
        assert first.status in ("Succeeded", "CompletedWithFailures") or ran_into_fail
        return
    good = {name: found for name, found in first.steps.items() if found.status == "Succeeded"}
    again = Run(data, Simulation(flow, state=state, now=run.simulation.now), stops=False)
    for launch in again.launches:
        assert launch.step not in good
        was = first.steps.get(launch.step)
        assert launch.attempt > (was.attempt if was is not None and was.status in ENDED else 0)
    assert {name: again.simulation.step(name) for name in good} == good
    assert again.simulation.state.status in TERMINAL


def _drive(steps: list[Any], limit: int | None = None) -> None:
    simulation = Simulation(flow_of(*steps, limit=limit))
    jobs = simulation.start().launched
    while jobs:
        jobs += simulation.succeed(jobs.pop(0), A="x").launched
    assert simulation.state.status == "Succeeded"


def _drive_chain(count: int) -> None:
    _drive([step("S0"), *(step(f"S{i}", f"S{i - 1}", x={"Get": f"Steps.S{i - 1}.A"}) for i in range(1, count))])


def _drive_fan_out(count: int, limit: int | None = None) -> None:
    _drive([step("S0"), *(step(f"S{i}", "S0") for i in range(1, count))], limit)


def _drive_fan_in(count: int) -> None:
    _drive([*(step(f"S{i}") for i in range(count)), step("End", *(f"S{i}" for i in range(count)))], 1)


def _drive_loop(count: int) -> None:
    items = {"Std:Join": {"On": "", "Values": [json.dumps(list(range(count)))]}}
    _drive([loop("Loop", items=items, body=[step("Body"), step("Next", "Body")], most=10)])


@pytest.mark.parametrize(
    "drive",
    [_drive_chain, _drive_fan_out, partial(_drive_fan_out, limit=10), _drive_fan_in, _drive_loop],
    ids=["chain", "fan-out", "fan-out of 10 at once", "fan-in one by one", "loop"],
)
def test_twice_the_steps_are_twice_the_work(drive: Callable[[int], None]) -> None:
    # A pass over all steps at each event would make it four times.
    assert lines_run(lambda: drive(1000)) < 2.1 * lines_run(lambda: drive(500))
