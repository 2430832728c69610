"""What events do to an execution: starts, branches, failures, stops, limits, late events."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from pipelines.definition import parse
from pipelines.errors import DefinitionError, UsageError
from pipelines.local.machine import Launch, StepStarted, StepSucceeded, StopStep, TimeReached, advance, build_flow
from tests.local.machine.simulation import Simulation, at, condition, flow_of, get, on, step


def running(*steps: object, limit: int | None = None) -> Simulation:
    return Simulation(flow_of(*steps, limit=limit)).start()


def test_steps_start_when_what_they_wait_for_has_succeeded() -> None:
    execution = running(step("A"), step("B"), step("C", "A", x=get("Steps.B.X")), step("D", "C"))
    assert execution.launched == ["A", "B"]
    assert execution.statuses() == {"A": "Executing", "B": "Executing"}
    assert execution.succeed("A").launched == []
    assert execution.succeed("B", X="b").commands == (
        Launch("C", "Processing", {"x": "b"}, execution.commands[0].job_name),  # type: ignore[union-attr]
    )
    execution.succeed("C").succeed("D")
    assert execution.state.status == "Succeeded"
    assert execution.state.failure_reason is None
    assert execution.state.end == at(4)


def test_a_step_keeps_its_times_metadata_and_properties() -> None:
    execution = running(step("A"))
    execution.send(lambda now: StepStarted(now, "A", {"ProcessingJob": {"Arn": "arn:a"}}))
    assert execution.step("A").metadata == {"ProcessingJob": {"Arn": "arn:a"}}
    done = execution.succeed("A", ProcessingJobName="job").step("A")
    assert (done.start, done.end) == (at(0), at(2))
    assert done.metadata == {"ProcessingJob": {"Arn": "arn:a"}}
    assert done.properties == {"ProcessingJobName": "job"}


def test_an_empty_pipeline_succeeds_at_once() -> None:
    assert running().state.status == "Succeeded"


def test_no_more_than_the_limit_run_and_ready_steps_start_in_document_order() -> None:
    execution = running(step("D"), step("C"), step("B"), step("A"), limit=2)
    assert execution.launched == ["D", "C"]
    assert not execution.state.steps["B"].listed
    assert execution.succeed("C").launched == ["B"]
    assert execution.fail("B").launched == []


def test_a_higher_limit_starts_more_when_time_goes_on() -> None:
    execution = running(step("A"), step("B"), step("C"), limit=1)
    execution.flow = replace(execution.flow, limit=2)
    assert execution.send(TimeReached).launched == ["B"]
    before = execution.state
    assert execution.send(TimeReached).state is before


def test_a_condition_takes_one_branch_and_never_the_other() -> None:
    gate = condition("Gate", "A", left=get("Steps.A.X"), right=5, yes=[step("Yes")], no=[step("No"), step("No2", "No")])
    execution = running(step("A"), gate, step("After", "Yes"), step("AfterNo", "No2"), step("Always", "Gate"))
    assert execution.succeed("A", X=5).launched == ["Yes", "Always"]
    assert execution.step("Gate").metadata == {"Condition": {"Outcome": "True"}}
    assert execution.step("Gate").properties == {"Outcome": True}
    assert execution.step("Gate").status == "Succeeded"
    for name in ("No", "No2", "AfterNo"):
        assert (execution.step(name).status, execution.step(name).listed) == ("NotTaken", False)
    assert execution.succeed("Always").succeed("Yes").launched == ["After"]
    assert execution.succeed("After").state.status == "Succeeded"


def test_an_untaken_nested_condition_takes_neither_branch() -> None:
    inner = condition("Inner", yes=[step("Yes")], no=[step("No")])
    execution = running(condition("Outer", left=1, right=2, yes=[inner]))
    assert execution.state.status == "Succeeded"
    assert execution.statuses() == {"Outer": "Succeeded", "Inner": "NotTaken", "Yes": "NotTaken", "No": "NotTaken"}


def test_a_failure_lets_running_steps_finish_and_starts_nothing_new() -> None:
    execution = running(step("A"), step("B"), step("AfterA", "A"), step("AfterB", "B"))
    assert execution.fail("A", "exit code 3").launched == []
    assert execution.state.status == "Executing"
    assert execution.succeed("B").launched == []
    assert execution.state.status == "Failed"
    assert execution.state.failure_reason == "Step failure: One or multiple steps failed"
    assert execution.step("A").failure_reason == "exit code 3"
    assert not execution.step("AfterB").listed


def test_a_fail_step_carries_its_message_and_fails_the_execution() -> None:
    message = {"Std:Join": {"On": " ", "Values": ["AUC is", get("Steps.A.Auc")]}}
    execution = running(step("A"), step("B"), step("Stop", "A", kind="Fail", ErrorMessage=message))
    execution.succeed("A", Auc=0.5)
    assert execution.step("Stop").failure_reason == "AUC is 0.5"
    assert execution.step("Stop").metadata == {"Fail": {"ErrorMessage": "AUC is 0.5"}}
    assert execution.state.status == "Executing"
    assert execution.succeed("B").state.status == "Failed"


def test_an_empty_fail_message_gives_no_failure_reason() -> None:
    execution = running(step("Stop", kind="Fail", ErrorMessage=""))
    assert execution.step("Stop").failure_reason is None
    assert execution.state.status == "Failed"


def test_other_kinds_are_launched_for_the_executor_to_refuse() -> None:
    assert running(step("T", kind="Tuning"), step("Q", kind="Quantum")).launched == ["T", "Q"]


def test_a_reference_without_value_fails_the_step_that_uses_it() -> None:
    execution = running(step("A"), step("B", x=get("Steps.A.ModelArtifact.S3")))
    execution.succeed("A", ModelArtifacts={"S3ModelArtifacts": "s3://b/m"})
    assert execution.step("B").status == "Failed"
    assert execution.step("B").failure_reason == (
        'Steps.A.ModelArtifact.S3 is undefined: the document has no "ModelArtifact"; the nearest is "ModelArtifacts"'
    )
    assert execution.step("B").start == execution.step("B").end == at(1)
    assert execution.state.status == "Failed"


def test_a_condition_over_types_that_do_not_compare_fails() -> None:
    execution = running(condition("Gate", left="5", right=5, yes=[step("Yes")]))
    assert execution.step("Gate").failure_reason == 'Equals cannot compare the string "5" with the number 5'
    assert execution.statuses() == {"Gate": "Failed", "Yes": "NotTaken"}


def test_a_condition_with_an_object_as_operand_fails_rather_than_crashes() -> None:
    execution = running(condition("Gate", left={"a": 1}))
    assert "expected a scalar or an expression, found an object" in str(execution.step("Gate").failure_reason)


def test_stop_ends_running_steps_and_starts_nothing_new() -> None:
    execution = running(step("A"), step("B"), step("C"), step("D", "A"))
    assert execution.stop().commands == (StopStep("A"), StopStep("B"), StopStep("C"))
    assert execution.state.status == "Stopping"
    assert execution.step("A").status == "Stopping"
    assert execution.succeed("A").launched == []
    assert execution.fail("B").state.status == "Stopping"
    execution.stopped("C")
    assert execution.statuses()["C"] == "Stopped"
    assert (execution.state.status, execution.state.failure_reason) == ("Stopped", None)
    assert not execution.step("D").listed


def test_stop_before_the_start_is_a_stopped_execution() -> None:
    execution = Simulation(flow_of(step("A"))).stop()
    assert execution.state.status == "Stopped"
    assert execution.start().commands == ()


def test_a_step_stopped_from_outside_fails_the_execution() -> None:
    execution = running(step("A"), step("B", "A")).stopped("A")
    assert execution.state.status == "Failed"
    assert execution.statuses() == {"A": "Stopped", "B": "NotTaken"}


@pytest.mark.parametrize(
    ("trigger", "ending", "runs"),
    [
        ("Failed", "fail", True),
        ("Failed", "succeed", False),
        ("Stopped", "stopped", True),
        ("Stopped", "fail", False),
        ("Any", "fail", True),
        ("Any", "stopped", True),
        ("Any", "succeed", True),
        ("Completed", "succeed", True),
        ("Completed", "fail", False),
    ],
)
def test_triggers_decide_whether_a_step_runs(trigger: str, ending: str, runs: bool) -> None:
    execution = running(step("A"), step("B", on("A", trigger)))
    getattr(execution, ending)("A")
    assert execution.launched == (["B"] if runs else [])


def test_a_handled_failure_goes_on_and_completes_with_failures() -> None:
    execution = running(step("A"), step("Other"), step("Rescue", on("A", "Failed"), why=get("Steps.A.FailureReason")))
    execution.fail("A", FailureReason="no space")
    assert isinstance(execution.commands[0], Launch)
    assert execution.commands[0].arguments == {"why": "no space"}
    execution.succeed("Rescue").succeed("Other")
    assert (execution.state.status, execution.state.failure_reason) == ("CompletedWithFailures", None)


def test_a_failure_whose_rescue_can_no_longer_run_is_not_handled() -> None:
    gate = condition("Gate", "B", left=1, right=2, yes=[step("Rescue", on("A", "Failed"))])
    execution = running(step("A"), step("B"), gate, step("C", "B"))
    assert execution.fail("A").state.status == "Executing"
    assert execution.succeed("B").launched == []
    assert execution.step("Rescue").status == "NotTaken"
    assert execution.state.status == "Failed"


def test_a_fail_step_is_never_handled() -> None:
    execution = running(step("F", kind="Fail", ErrorMessage="no"), step("Rescue", on("F", "Failed")))
    assert execution.launched == []
    assert execution.state.status == "Failed"


def test_late_and_repeated_events_change_nothing() -> None:
    execution = running(step("A"), step("B"))
    execution.succeed("A")
    before = execution.state
    for repeat in (execution.start, lambda: execution.succeed("A"), lambda: execution.fail("A")):
        assert repeat().state is before
        assert execution.commands == ()
    execution.stop()
    before = execution.state
    assert execution.stop().state is before
    execution.stopped("B")
    before = execution.state
    assert execution.succeed("B").state is before
    assert execution.stop().state is before


def test_events_for_steps_that_do_not_exist_or_were_not_launched_are_bugs() -> None:
    execution = running(step("A"), step("B", "A"))
    with pytest.raises(ValueError, match='"Z", which does not exist'):
        execution.succeed("Z")
    with pytest.raises(ValueError, match='"B", which was never launched'):
        execution.succeed("B")


def test_advance_leaves_the_state_before_as_it_was() -> None:
    execution = running(step("A"), step("B", "A"))
    before = dict(execution.state.steps)
    old = execution.state
    advance(execution.flow, execution.context, old, StepSucceeded(at(1), "A"))
    assert old.steps == before


def test_job_names_are_legal_and_differ_by_step() -> None:
    execution = running(step("A_very-long_step-name" * 3), step("B"))
    names = [command.job_name for command in execution.commands if isinstance(command, Launch)]
    assert len(set(names)) == 2
    assert all(len(name) <= 63 and name.startswith("pipelines-ABCDEF123456-") for name in names)
    assert all(name.replace("-", "").isalnum() and "--" not in name for name in names)


@pytest.mark.parametrize(
    ("steps", "what", "fix"),
    [
        ([step("Train"), step("B", "Tarin")], 'depends on "Tarin", which does not exist', 'write "Train"'),
        ([step("A", "B"), step("B", "A")], "wait for one another: A -> B -> A", "remove one of these"),
        ([step("A"), step("B", on("A", "Whenever"))], '"Whenever" is not a trigger', "Any, Completed, Failed, Stopped"),
    ],
)
def test_a_flow_that_could_not_end_is_refused(steps: list[object], what: str, fix: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        flow_of(*steps)
    assert what in caught.value.problems[0].what
    assert fix in caught.value.problems[0].fix


def test_a_limit_below_one_is_refused() -> None:
    with pytest.raises(UsageError, match=r"is 0\n  fix: set MaxParallelExecutionSteps to 1 or more"):
        build_flow(parse(json.dumps({"Steps": []})), 0)
