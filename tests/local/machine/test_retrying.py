"""RetryPipelineExecution: where an ended execution goes on, what it keeps, and when it is refused."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from pipelines.local.machine import ExecutionState, Flow, Refusal, interrupted, job_name, retried
from tests.local.machine.simulation import Simulation, at, condition, flow_of, get, loop, on, step


def running(*steps: Any, limit: int | None = None) -> Simulation:
    return Simulation(flow_of(*steps, limit=limit)).start()


def again(execution: Simulation, flow: Flow | None = None) -> Simulation:
    state = retried(execution.flow, execution.state)
    assert isinstance(state, ExecutionState), state
    return Simulation(flow or execution.flow, state=state, now=at(1000)).start()


def refusal(execution: Simulation) -> Refusal:
    found = retried(execution.flow, execution.state)
    assert isinstance(found, Refusal)
    return found


def test_a_failed_execution_goes_on_from_the_failed_step() -> None:
    execution = running(step("A"), step("B", x=get("Steps.A.Uri")), step("C", "B")).succeed("A", Uri="u").fail("B")
    second = again(execution)
    (launch,) = second.launches
    assert (launch.step, launch.arguments, launch.attempt) == ("B", {"x": "u"}, 2)
    assert launch.job_name == job_name("ABCDEF123456", "B", 2)
    assert second.step("A") == execution.step("A")
    assert second.succeed("B").launched == ["C"]
    done = second.succeed("C")
    assert (done.state.status, done.state.failure_reason) == ("Succeeded", None)
    assert done.step("B").attempt == 2
    assert done.step("B").failure_reason is None


def test_a_stopped_execution_goes_on_where_it_stopped() -> None:
    execution = running(step("A"), step("B"), step("C", "A"), step("D", "C")).stop().succeed("A").stopped("B")
    second = again(execution)
    assert second.launched == ["B", "C"]
    assert (second.step("B").attempt, second.step("C").attempt) == (2, 1)


def test_attempts_count_on_over_retries_and_the_policies_begin_anew() -> None:
    execution = running(step("A")).fault("A", "Step.THROTTLING").wait_until(at(60)).fail("A")
    second = again(execution)
    assert second.launches[0].attempt == 3
    assert second.step("A").retries == ()
    assert second.fault("A", "Step.THROTTLING").waits != []


def test_a_step_that_a_retry_made_ready_and_that_never_began_has_its_attempt_still_before_it() -> None:
    """Else its job would have the name of one that was there before."""
    first = running(step("A"), step("B"), limit=2).fail("A").fail("B")
    second = again(first, replace(first.flow, limit=1)).stop().stopped("A")
    assert (second.state.status, second.step("B").status) == ("Stopped", "Ready")
    third = again(second, first.flow)
    assert {launch.step: launch.attempt for launch in third.launches} == {"A": 3, "B": 2}


def test_the_branch_that_was_taken_stays_taken() -> None:
    gate = condition("Gate", left=get("Steps.A.X"), yes=[step("Yes")], no=[step("No")])
    second = again(running(step("A"), gate, step("After", "No")).succeed("A", X=1).fail("Yes"))
    assert second.launched == ["Yes"]
    assert second.statuses()["No"] == second.statuses()["After"] == "NotTaken"
    assert second.succeed("Yes").state.status == "Succeeded"


def test_a_handled_failure_stays_and_its_handler_runs_again() -> None:
    execution = running(step("A"), step("Rescue", on("A", "Failed"))).fail("A").fail("Rescue")
    second = again(execution)
    assert second.launched == ["Rescue"]
    assert second.step("A") == execution.step("A")
    assert second.succeed("Rescue").state.status == "CompletedWithFailures"


def test_a_handler_that_had_not_begun_begins() -> None:
    execution = running(step("A"), step("B"), step("Rescue", on("A", "Failed")), limit=2).stop().fail("A").stopped("B")
    second = again(execution)
    assert second.launched == ["B", "Rescue"]


def test_a_step_stopped_by_the_stop_runs_again_though_another_waits_for_its_end() -> None:
    execution = running(step("A"), step("Always", on("A", "Any"))).stop().stopped("A")
    second = again(execution)
    assert second.launched == ["A"]
    assert second.succeed("A").launched == ["Always"]


def test_the_limit_may_be_another() -> None:
    steps = [step("A"), step("B"), step("C")]
    execution = running(*steps).fail("A").fail("B").fail("C")
    assert again(execution, flow_of(*steps, limit=2)).launched == ["A", "B"]


def test_in_a_loop_only_children_that_had_not_succeeded_run_again() -> None:
    body = [step("Body"), step("Next", "Body")]
    execution = running(loop("Loop", items=["a", "b", "c"], body=body, most=2), step("After", "Loop"))
    execution.succeed("Body-0").fail("Body-1").succeed("Next-0")
    assert execution.state.status == "Failed"
    second = again(execution)
    assert second.launched == ["Body-1", "Body-2"]
    assert (second.launches[0].attempt, second.launches[1].attempt, second.step("Loop").attempt) == (2, 1, 2)
    second.succeed("Body-1").succeed("Body-2").succeed("Next-1").succeed("Next-2")
    assert second.launched == ["After"]
    assert second.step("Loop").metadata["ForEach"]["SucceededStepCount"] == 6
    assert second.succeed("After").state.status == "Succeeded"


def test_in_a_loop_a_handler_that_failed_runs_again() -> None:
    body = [step("Body"), step("Clean", on("Body", "Failed"))]
    execution = running(loop("Loop", items=["a"], body=body)).fail("Body-0").fail("Clean-0")
    second = again(execution)
    assert second.launched == ["Clean-0"]
    assert second.succeed("Clean-0").state.status == "CompletedWithFailures"


def test_a_loop_whose_failure_was_handled_stays_as_it_is() -> None:
    rescue = step("Rescue", on("Loop", "Failed"))
    execution = running(loop("Loop", items=["a", "b"], body=[step("Body")], most=1), rescue)
    execution.fail("Body-0").fail("Rescue")
    second = again(execution)
    assert second.launched == ["Rescue"]
    assert second.step("Body-0") == execution.step("Body-0")


def test_a_loop_that_only_its_selector_failed_fails_again() -> None:
    selector = {"Pick": "MaxBy", "Field": get("IterationOutput.Body.Auc")}
    execution = running(loop("Loop", items=["a"], body=[step("Body")], Selector=selector)).succeed("Body-0")
    second = again(execution)
    assert second.commands == ()
    assert (second.state.status, second.step("Loop").attempt) == ("Failed", 2)


def test_an_interrupted_execution_goes_on() -> None:
    execution = running(loop("Loop", items=["a", "b"], body=[step("Body")], most=1), step("B"), step("C", "B"))
    execution.succeed("B").fault("C", "Step.THROTTLING")
    execution.state = interrupted(execution.state, at(100), "interrupted")
    assert {found.status for found in execution.state.steps.values()} == {"Failed", "Succeeded", "Ready"}
    assert (execution.state.status, execution.state.failure_reason) == ("Failed", "interrupted")
    assert {found.status for found in execution.state.steps.values()} == {"Failed", "Succeeded", "Ready"}
    assert (execution.state.status, execution.state.failure_reason) == ("Failed", "interrupted")
    second = again(execution)
    assert second.launched == ["Body-0", "C"]


@pytest.mark.parametrize(
    ("execution", "status"),
    [
        (running(step("A")), "Executing"),
        (running(step("A")).stop(), "Stopping"),
        (running(), "Succeeded"),
        (running(step("A"), step("R", on("A", "Failed"))).fail("A").succeed("R"), "CompletedWithFailures"),
    ],
    ids=["executing", "stopping", "succeeded", "completed with failures"],
)
def test_only_a_failed_or_stopped_execution_can_be_retried(execution: Simulation, status: str) -> None:
    assert refusal(execution) == Refusal(
        "ConflictException", f"Only failed or stopped executions can be retried; this one is {status}"
    )


def test_an_execution_that_a_fail_step_ended_cannot_be_retried() -> None:
    assert refusal(running(step("No", kind="Fail", ErrorMessage="bad"))) == Refusal(
        "ConflictException", "An execution that ended in a Fail step cannot be retried: [No]"
    )
