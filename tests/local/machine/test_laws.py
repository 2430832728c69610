"""Laws that hold for every execution: random DAGs, random outcomes, random order of events, by a simulated executor."""

from __future__ import annotations

import json
import time
from collections import Counter
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.local.machine import ExecutionState, advance, from_json, to_json
from pipelines.local.machine.state import ENDED, RUNNING, TERMINAL
from tests.local.machine.simulation import Simulation, flow_of, on, step

TRIGGERS = ("Completed", "Completed", "Completed", "Failed", "Stopped", "Any")
URI = "s3://bucket/gate.json"


@st.composite
def pipelines(draw: st.DrawFn, *, triggers: bool = True) -> list[dict[str, Any]]:
    """Steps of all kinds that matter to the machine, some inside branches, each depending on earlier ones."""
    top: list[dict[str, Any]] = []
    names: list[str] = []
    holders: list[list[dict[str, Any]]] = [top]
    for index in range(draw(st.integers(0, 9))):
        name = f"S{index}"
        upstream = draw(st.lists(st.sampled_from(names), max_size=3, unique=True)) if names else []
        kinds = TRIGGERS if triggers else TRIGGERS[:1]
        depends_on = [on(up, draw(st.sampled_from(kinds))) for up in upstream]
        kind = draw(st.sampled_from(["Processing"] * 6 + ["Condition", "Condition", "Fail"]))
        made = step(name, *depends_on, kind=kind)
        draw(st.sampled_from(holders)).append(made)
        if kind == "Condition":
            value: Any = draw(st.sampled_from([1, 2, "x", {"Std:JsonGet": {"S3Uri": URI, "Path": "v"}}]))
            made["Arguments"] = {
                "Conditions": [{"Type": "Equals", "LeftValue": value, "RightValue": 1}],
                "IfSteps": [],
                "ElseSteps": [],
            }
            holders += [made["Arguments"]["IfSteps"], made["Arguments"]["ElseSteps"]]
        names.append(name)
    return top


class Run:
    """One execution driven to its end in a drawn order, with everything seen on the way."""

    def __init__(self, data: st.DataObject, steps: list[dict[str, Any]], limit: int | None, *, stops: bool) -> None:
        self.simulation = Simulation(flow_of(*steps, limit=limit))
        self.launches: list[str] = []
        self.history: list[ExecutionState] = []
        self.stop_seen_after: int | None = None
        self._reads: list[tuple[str, str]] = []
        self._jobs: list[str] = []
        self._record(self.simulation.start())
        while not self.simulation.state.ended:
            if stops and self.stop_seen_after is None and data.draw(st.integers(0, 5)) == 0:
                self.stop_seen_after = len(self.launches)
                self._record(self.simulation.stop())
            else:
                self._answer(data)

    def _answer(self, data: st.DataObject) -> None:
        # An execution that has not ended must be waiting for something, or it never would.
        waiting = [*self._reads, *self._jobs]
        assert waiting, self.simulation.statuses()
        chosen = data.draw(st.sampled_from(waiting))
        if isinstance(chosen, tuple):
            self._reads.remove(chosen)
            text = data.draw(st.sampled_from(['{"v": 1}', '{"v": 2}', "{}", None]))
            self._record(self.simulation.read(*chosen, text))
        else:
            self._jobs.remove(chosen)
            ending = data.draw(st.sampled_from(["succeed", "succeed", "succeed", "fail", "stopped"]))
            self._record(getattr(self.simulation, ending)(chosen))

    def _record(self, simulation: Simulation) -> None:
        self.launches += simulation.launched
        self._jobs += simulation.launched
        self._reads += simulation.reads
        self.history.append(simulation.state)
        if self.stop_seen_after is not None:
            assert len(self.launches) == self.stop_seen_after, "launched after the stop"


LIMITS = st.one_of(st.none(), st.integers(1, 3))


@given(st.data(), pipelines(), LIMITS, st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_execution_ends_and_keeps_the_laws(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None, stops: bool
) -> None:
    run = Run(data, steps, limit, stops=stops)
    final = run.simulation.state
    assert final.status in TERMINAL
    assert final.end is not None
    assert (final.status == "Stopped") == (run.stop_seen_after is not None)
    assert max(Counter(run.launches).values(), default=0) <= 1
    for state in run.history:
        running = [name for name, found in state.steps.items() if found.status in RUNNING]
        assert limit is None or len(running) <= limit
    assert all(found.end is not None for found in final.steps.values() if found.listed)
    assert not any(found.status in RUNNING for found in final.steps.values())


@given(st.data(), pipelines(triggers=False), LIMITS)
@settings(max_examples=100, deadline=None)
def test_a_step_starts_only_after_all_before_it_succeeded(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None
) -> None:
    run = Run(data, steps, limit, stops=False)
    final = run.simulation.state.steps
    definition = run.simulation.flow.definition
    for found in definition.all_steps():
        state = final.get(found.name)
        if state is None or not state.listed:
            continue
        upstream = [dependency.step for dependency in found.depends_on]
        if found.parent is not None:
            upstream.append(found.parent.step)
            taken = final[found.parent.step].properties["Outcome"]
            assert found.parent.branch == ("IfSteps" if taken else "ElseSteps"), "an untaken branch ran"
        for name in upstream:
            assert final[name].status == "Succeeded"
            assert state.start is not None
            assert final[name].end is not None
            assert final[name].end <= state.start


@given(st.data(), pipelines(triggers=False), LIMITS)
@settings(max_examples=100, deadline=None)
def test_the_final_status_says_how_the_steps_ended(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None
) -> None:
    run = Run(data, steps, limit, stops=False)
    final = run.simulation.state
    ended = {found.status for found in final.steps.values() if found.status in ENDED}
    expected = "Failed" if ended & {"Failed", "Stopped"} else "Succeeded"
    assert final.status == expected
    assert (final.failure_reason is None) == (expected == "Succeeded")
    if expected == "Succeeded":
        assert set(final.steps) == set(run.simulation.flow.position)


@given(st.data(), pipelines(), LIMITS, st.booleans())
@settings(max_examples=50, deadline=None)
def test_the_same_events_give_the_same_states_through_json_or_not(
    data: st.DataObject, steps: list[dict[str, Any]], limit: int | None, stops: bool
) -> None:
    run = Run(data, steps, limit, stops=stops)
    state = ExecutionState()
    for event, expected in zip(run.simulation.events, run.history, strict=True):
        state = advance(run.simulation.flow, run.simulation.context, state, event).state
        assert state == expected
        state = from_json(json.loads(json.dumps(to_json(state))))
        assert state == expected


def _drive(steps: list[Any], limit: int | None = None) -> float:
    simulation = Simulation(flow_of(*steps, limit=limit))
    begin = time.process_time()
    jobs = simulation.start().launched
    while jobs:
        jobs += simulation.succeed(jobs.pop(0), A="x").launched
    assert simulation.state.status == "Succeeded"
    return time.process_time() - begin


COUNT = 1000
CHAIN = [step("S0"), *(step(f"S{i}", f"S{i - 1}", x={"Get": f"Steps.S{i - 1}.A"}) for i in range(1, COUNT))]
FAN_OUT = [step("S0"), *(step(f"S{i}", "S0") for i in range(1, COUNT))]
FAN_IN = [*(step(f"S{i}") for i in range(COUNT)), step("End", *(f"S{i}" for i in range(COUNT)))]


@pytest.mark.parametrize(
    ("steps", "limit"),
    [(CHAIN, None), (FAN_OUT, None), (FAN_OUT, 10), (FAN_IN, 1)],
    ids=["chain", "fan-out", "fan-out of 10 at once", "fan-in one by one"],
)
def test_a_thousand_steps_advance_in_seconds(steps: list[Any], limit: int | None) -> None:
    assert _drive(steps, limit) < 3
