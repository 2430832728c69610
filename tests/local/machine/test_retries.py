"""Retry policies: which failures are retried, when, how often. The clock is the events' times."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.errors import DefinitionError
from pipelines.local.machine import StepSucceeded, Wait, from_json, job_name, to_json
from pipelines.local.machine.retries import (
    CAPACITY_ERROR,
    EXCEPTIONS,
    JOB_INTERNAL_ERROR,
    RESOURCE_LIMIT,
    SERVICE_FAULT,
    THROTTLING,
)
from tests.local.machine.simulation import Simulation, at, flow_of, get, on, step


def policy(*exceptions: str, **rest: Any) -> dict[str, Any]:
    return {"ExceptionType": list(exceptions), **rest}


def running(*policies: dict[str, Any], kind: str = "Processing", more: Any = (), **arguments: Any) -> Simulation:
    made = {**step("A", kind=kind, **arguments), "RetryPolicies": list(policies)}
    return Simulation(flow_of(made, *more)).start()


def waits_of(execution: Simulation, exception: str, most: int = 30) -> list[float]:
    """Fail every attempt at once with the same exception: the seconds between failure and retry."""
    delays = []
    while not execution.state.ended and len(delays) < most:
        execution.fault("A", exception)
        for wait in execution.waits:
            delays.append((wait.until - execution.now).total_seconds())
            execution.wait_until(wait.until)
    return delays


def test_a_retry_waits_and_is_a_new_job() -> None:
    execution = running(
        policy(CAPACITY_ERROR, IntervalSeconds=60, MaxAttempts=2), job=get("Execution.ProcessingJobName")
    )
    first = execution.launches[0]
    execution.fault("A", CAPACITY_ERROR)
    assert execution.commands == (Wait("A", at(61)),)
    waiting = execution.step("A")
    assert (waiting.status, waiting.attempt, waiting.failure_reason) == ("Executing", 1, CAPACITY_ERROR)
    assert execution.wait_until(at(60)).commands == ()
    (again,) = execution.wait_until(at(61)).launches
    assert (again.attempt, again.job_name) == (2, job_name("ABCDEF123456", "A", 2))
    assert again.job_name != first.job_name
    assert again.arguments["job"] == again.job_name
    done = execution.succeed("A").step("A")
    assert (done.status, done.attempt, done.failure_reason, done.start) == ("Succeeded", 2, None, at(0))
    assert execution.state.status == "Succeeded"


@pytest.mark.parametrize(
    ("policies", "exception", "delays"),
    [
        ([], SERVICE_FAULT, [1, 2, 4, 8, 16]),
        ([], THROTTLING, [1, 2, 4, 8, 16]),
        ([], CAPACITY_ERROR, []),
        ([policy(CAPACITY_ERROR)], CAPACITY_ERROR, [1, 2, 4, 8, 16]),
        ([policy(CAPACITY_ERROR, MaxAttempts=2)], CAPACITY_ERROR, [1, 2]),
        ([policy(CAPACITY_ERROR, MaxAttempts=0)], CAPACITY_ERROR, []),
        ([policy(CAPACITY_ERROR, ExpireAfterMin=0)], CAPACITY_ERROR, []),
        ([policy(CAPACITY_ERROR, IntervalSeconds=10, BackoffRate=3, MaxAttempts=3)], CAPACITY_ERROR, [10, 30, 90]),
        ([policy(CAPACITY_ERROR, IntervalSeconds=10, BackoffRate=0.5, MaxAttempts=3)], CAPACITY_ERROR, [10, 5, 2.5]),
        ([policy(CAPACITY_ERROR, IntervalSeconds=20, BackoffRate=1, ExpireAfterMin=1)], CAPACITY_ERROR, [20, 20]),
        (
            [policy(CAPACITY_ERROR, IntervalSeconds=43200, BackoffRate=1e300, MaxAttempts=2)],
            CAPACITY_ERROR,
            [43200, 864000],
        ),
        ([policy(THROTTLING, MaxAttempts=1)], THROTTLING, [1]),
        ([policy(THROTTLING, MaxAttempts=0)], THROTTLING, []),
        ([policy(THROTTLING, MaxAttempts=0)], SERVICE_FAULT, [1, 2, 4, 8, 16]),
        ([policy(RESOURCE_LIMIT, THROTTLING, MaxAttempts=1), policy(THROTTLING, MaxAttempts=3)], THROTTLING, [1]),
    ],
)
def test_policies_decide_how_often_and_when(policies: list[Any], exception: str, delays: list[float]) -> None:
    execution = running(*policies)
    assert waits_of(execution, exception) == delays
    assert execution.step("A").status == "Failed"
    assert execution.step("A").attempt == len(delays) + 1


@pytest.mark.parametrize(
    ("kind", "retried"),
    [
        ("Processing", EXCEPTIONS),
        ("Training", EXCEPTIONS),
        ("Transform", EXCEPTIONS),
        ("Tuning", EXCEPTIONS - {JOB_INTERNAL_ERROR}),
        ("AutoML", EXCEPTIONS - {JOB_INTERNAL_ERROR}),
        ("Model", {SERVICE_FAULT, THROTTLING}),
        ("RegisterModel", {SERVICE_FAULT, THROTTLING}),
        ("Lambda", {SERVICE_FAULT, THROTTLING}),
    ],
)
def test_the_step_type_decides_what_its_policies_may_retry(kind: str, retried: set[str]) -> None:
    found = {name for name in EXCEPTIONS if waits_of(running(policy(*EXCEPTIONS), kind=kind), name)}
    assert found == retried


def test_a_type_without_policies_keeps_the_default() -> None:
    assert len(waits_of(running(policy(THROTTLING, MaxAttempts=1), kind="Lambda"), THROTTLING)) == 5


def test_the_fault_of_the_program_is_never_retried() -> None:
    execution = running(policy(*EXCEPTIONS)).fail("A")
    assert execution.waits == []
    assert execution.state.status == "Failed"


def test_every_policy_counts_for_itself() -> None:
    execution = running(policy(CAPACITY_ERROR, MaxAttempts=1), policy(RESOURCE_LIMIT, MaxAttempts=1))
    for exception in (CAPACITY_ERROR, RESOURCE_LIMIT):
        (wait,) = execution.fault("A", exception).waits
        execution.wait_until(wait.until)
    assert execution.fault("A", CAPACITY_ERROR).step("A").status == "Failed"
    assert execution.step("A").attempt == 3


def test_a_stop_ends_a_step_that_waits_for_its_retry_at_once() -> None:
    execution = running(more=[step("B")]).fault("A", THROTTLING).stop()
    assert execution.asked_to_stop == ["B"]
    assert execution.step("A").status == "Stopped"
    assert execution.stopped("B").state.status == "Stopped"
    assert execution.wait_until(at(100)).commands == ()


def test_nothing_is_retried_while_the_execution_stops() -> None:
    execution = running().stop().fault("A", THROTTLING)
    assert execution.waits == []
    assert execution.state.status == "Stopped"


def test_the_failure_of_another_step_does_not_end_a_retry() -> None:
    execution = running(more=[step("B"), step("C", "B")], x={"Std:JsonGet": {"S3Uri": "s3://b/x", "Path": "v"}})
    execution.read("A", "s3://b/x", '{"v": 1}').fault("A", THROTTLING)
    (wait,) = execution.waits
    execution.fail("B")
    assert execution.state.status == "Executing"
    assert execution.wait_until(wait.until).reads == [("A", "s3://b/x")]
    assert execution.read("A", "s3://b/x", '{"v": 2}').launched == ["A"]
    assert execution.succeed("A").state.status == "Failed"


def test_a_retried_step_that_ends_well_lets_the_others_start() -> None:
    execution = running(more=[step("B", "A"), step("Rescue", on("A", "Failed"))]).fault("A", THROTTLING)
    (wait,) = execution.waits
    assert execution.launched == []
    assert execution.wait_until(wait.until).succeed("A").launched == ["B"]
    assert execution.step("Rescue").status == "NotTaken"


def test_a_step_keeps_its_slot_between_attempts() -> None:
    execution = Simulation(flow_of(step("A"), step("B"), limit=1)).start().fault("A", THROTTLING)
    assert execution.launched == []
    execution.wait_until(at(50)).succeed("A")
    assert execution.launched == ["B"]


def test_events_of_an_earlier_attempt_change_nothing() -> None:
    execution = running().fault("A", THROTTLING)
    waiting = execution.state
    assert execution.fault("A", THROTTLING).state is waiting
    assert execution.succeed("A").state is waiting
    execution.wait_until(at(50))
    before = execution.state
    assert execution.fault("A", THROTTLING, attempt=1).state is before
    assert execution.send(lambda now: StepSucceeded(now, "A", attempt=1)).state is before
    assert execution.send(lambda now: StepSucceeded(now, "A", attempt=2)).state.status == "Succeeded"


def test_a_time_that_nobody_waits_for_changes_nothing() -> None:
    execution = running()
    before = execution.state
    assert execution.wait_until(at(1000)).state is before


def test_a_waiting_step_survives_json() -> None:
    execution = running().fault("A", THROTTLING)
    execution.state = from_json(to_json(execution.state))
    assert execution.wait_until(at(50)).launched == ["A"]


def test_an_exception_that_does_not_exist_is_a_bug_of_the_caller() -> None:
    with pytest.raises(ValueError, match=r'"Step\.TROTTLING" is none of the exceptions SageMaker\.CAPACITY_ERROR'):
        running().fault("A", "Step.TROTTLING")


@pytest.mark.parametrize(
    ("wrong", "what", "fix"),
    [
        ({"MaxAttempts": 1, "ExpireAfterMin": 1}, "MaxAttempts or ExpireAfterMin, not both", "remove one of them"),
        ({"MaxAttempts": 21}, "MaxAttempts must be 0 or more and at most 20; it is 21", "write 20"),
        ({"ExpireAfterMin": 14401}, "at most 14400; it is 14401", "write 14400"),
        ({"IntervalSeconds": 43201}, "at most 43200; it is 43201", "write 43200"),
        ({"IntervalSeconds": -1}, "0 or more and at most 43200; it is -1", "write 0"),
        ({"BackoffRate": -1}, "BackoffRate must be 0 or more; it is -1", "write 2"),
    ],
)
def test_a_policy_that_the_service_would_refuse_is_refused(wrong: dict[str, Any], what: str, fix: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        running(policy(THROTTLING, **wrong))
    problem = caught.value.problems[0]
    assert problem.where.startswith("Steps[0].RetryPolicies[0]")
    assert what in problem.what
    assert fix in problem.fix


@given(
    st.data(),
    st.lists(
        st.fixed_dictionaries(
            {"ExceptionType": st.lists(st.sampled_from(sorted(EXCEPTIONS)), min_size=1, unique=True)},
            optional={
                "MaxAttempts": st.integers(0, 20),
                "IntervalSeconds": st.integers(0, 100),
                "BackoffRate": st.floats(0, 10),
            },
        ),
        max_size=3,
    ),
)
def test_retries_never_exceed_the_most_that_the_policies_allow(data: st.DataObject, policies: list[Any]) -> None:
    execution = running(*policies)
    retries = 0
    while not execution.state.ended:
        execution.fault("A", data.draw(st.sampled_from(sorted(EXCEPTIONS))))
        for wait in execution.waits:
            retries += 1
            assert wait.until >= execution.now
            assert execution.wait_until(wait.until).launched == ["A"]
    # Beside the policies, the service's own one retries five times.
    assert retries <= 5 + sum(item.get("MaxAttempts", 5) for item in policies)
    assert execution.step("A").attempt == retries + 1
    for retry in execution.step("A").retries:
        most = policies[retry.policy].get("MaxAttempts", 5) if retry.policy >= 0 else 5
        assert retry.count <= most
