"""States as JSON: what is kept is all there is, what older versions kept still loads, and little is written twice."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from pipelines.local.machine import (
    ExecutionState,
    Iteration,
    StepState,
    from_json,
    head_to_json,
    step_from_json,
    step_to_json,
    to_json,
)
from pipelines.local.machine.state import Document, Retry
from tests.local.machine.simulation import Simulation, at, flow_of, step

OLD: dict[str, Any] = {
    "status": "Executing",
    "failure_reason": None,
    "end": None,
    "steps": {
        "A": {
            "status": "Executing",
            "start": "2024-05-01T12:34:56.789000+00:00",
            "end": None,
            "failure_reason": None,
            "metadata": {"ProcessingJob": {"Arn": "arn:a"}},
            "properties": {},
            "attempt": 1,
            "waits_for": None,
            "documents": {},
        }
    },
}

TIMES = st.none() | st.integers(0, 10**6).map(at)
TEXTS = st.none() | st.text(max_size=5)
OBJECTS = st.dictionaries(st.text(max_size=3), st.integers() | st.text(max_size=3) | st.booleans(), max_size=2)
ITEMS = st.integers() | st.text(max_size=3) | st.booleans() | OBJECTS
STEPS = st.builds(
    StepState,
    status=st.sampled_from(["Ready", "Starting", "Executing", "Failed"]),
    start=TIMES,
    end=TIMES,
    failure_reason=TEXTS,
    metadata=OBJECTS,
    properties=OBJECTS,
    attempt=st.integers(1, 9),
    waits_for=TEXTS,
    documents=st.dictionaries(st.text(max_size=3), st.builds(Document, TEXTS, TEXTS), max_size=2),
    retries=st.lists(st.builds(Retry, st.integers(-1, 2), st.integers(0, 5), st.just(at(1)))).map(tuple),
    wait_until=TIMES,
    looks_up=st.booleans(),
    cache_key=st.none() | OBJECTS,
    cache_hit=st.none() | st.just("arn:old"),
    cache_miss=st.none() | st.just("never run"),
    selective_source=st.none() | st.just("arn:source"),
    iteration=st.none() | st.builds(Iteration, st.just("Loop"), st.just("Body"), st.integers(0, 9), ITEMS),
    items=st.none() | st.lists(ITEMS).map(tuple),
)


@given(STEPS)
def test_every_field_of_a_step_survives_json(state: StepState) -> None:
    assert step_from_json(json.loads(json.dumps(step_to_json(state)))) == state


def test_a_state_kept_by_an_older_version_loads_and_goes_on() -> None:
    state = from_json(OLD)
    assert to_json(state) == OLD
    execution = Simulation(flow_of(step("A"), step("B", "A")), state=state, now=at(10))
    assert execution.succeed("A").launched == ["B"]


def test_a_state_can_be_kept_step_by_step() -> None:
    execution = Simulation(flow_of(step("A"), step("B", "A"), step("C")))
    kept: dict[str, Any] = {}
    for event in (execution.start, lambda: execution.succeed("A"), lambda: execution.fail("C"), execution.stop):
        event()
        kept.update({name: step_to_json(execution.state.steps[name]) for name in execution.changed})
        head = json.loads(json.dumps(head_to_json(execution.state)))
        assert from_json({**head, "steps": kept}) == execution.state
    assert execution.changed == ("B",)


def test_the_index_is_no_part_of_a_state() -> None:
    execution = Simulation(flow_of(step("A"))).start()
    assert execution.state.index is not None
    assert "index" not in to_json(execution.state)
    assert execution.state == ExecutionState(steps=dict(execution.state.steps))
