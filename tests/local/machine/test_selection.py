"""Selective execution: which steps run, what the others are copied from, and what is refused in the service's words."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.local.machine import Refusal, Selection, Source, from_json, retried, select, selected_flow, to_json
from pipelines.local.machine.state import ExecutionState
from tests.local.machine.simulation import Simulation, condition, flow_of, get, loop, on, step

ARN = "arn:aws:sagemaker:eu-central-1:111122223333:pipeline/flights/execution/SOURCE000000"
STEPS = [
    step("Prep"),
    step("Train", data=get("Steps.Prep.Uri")),
    step("Eval", model=get("Steps.Train.Uri"), data=get("Steps.Prep.Uri")),
    condition("Gate", left=get("Steps.Eval.Auc"), right=1, yes=[step("Register", model=get("Steps.Train.Uri"))]),
    step("Report", "Eval"),
    step("Alone"),
]


def finished(*steps: Any, fails: str = "", **values: Any) -> Source:
    """A source in which every step succeeded with a Uri of its name, but for one that failed."""
    execution = Simulation(flow_of(*(steps or STEPS))).start()
    jobs = execution.launched
    while jobs:
        name = jobs.pop(0)
        if name == fails:
            jobs += execution.fail(name, FailureReason="broken", Uri="half").launched
        else:
            jobs += execution.succeed(name, Uri=f"s3://b/{name}", **values).launched
    return Source(ARN, execution.state)


def begun(*selected: str, source: Source | None, steps: Any = STEPS) -> Simulation:
    selection = select(flow_of(*steps), selected, source)
    assert isinstance(selection, Selection), selection
    return Simulation(selection.flow, state=selection.state).start()


def refusal(*selected: str, source: Source | None = None, steps: Any = STEPS) -> str:
    found = select(flow_of(*steps), selected, source)
    assert isinstance(found, Refusal)
    assert found.code == "ValidationException"
    return found.message


def test_selected_steps_run_with_what_the_source_gave() -> None:
    execution = begun("Train", "Eval", source=finished(Auc=1))
    assert execution.launched == ["Train"]
    assert execution.launches[0].arguments == {"data": "s3://b/Prep"}
    copied = execution.step("Prep")
    assert (copied.status, copied.selective_source, copied.listed) == ("Succeeded", ARN, True)
    execution.succeed("Train", Uri="s3://b/new")
    assert execution.launches[0].arguments == {"model": "s3://b/new", "data": "s3://b/Prep"}
    execution.succeed("Eval", Auc=1)
    assert execution.state.status == "Succeeded"
    assert set(execution.state.steps) == {"Prep", "Train", "Eval"}


def test_steps_that_need_nothing_need_no_source() -> None:
    execution = begun("Prep", "Train", source=None)
    assert execution.launched == ["Prep"]


def test_all_that_came_before_is_copied_as_far_as_it_succeeded() -> None:
    execution = begun("Report", source=finished(Auc=2))
    assert {name: found.status for name, found in execution.state.steps.items()} == {
        "Prep": "Succeeded",
        "Train": "Succeeded",
        "Eval": "Succeeded",
        "Report": "Executing",
    }


def test_a_step_after_the_failed_one_of_a_failed_source_may_be_mended() -> None:
    execution = begun("Eval", "Gate", source=finished(fails="Eval"))
    assert execution.launched == ["Eval"]
    assert execution.succeed("Eval", Auc=1).state.status == "Succeeded"
    assert "Register" not in execution.state.steps


def test_a_branch_runs_when_it_is_selected_with_its_condition() -> None:
    execution = begun("Gate", "Register", source=finished(Auc=1))
    assert execution.launched == ["Register"]
    assert execution.step("Eval").selective_source == ARN


def test_a_step_of_a_branch_that_the_source_took_runs_alone() -> None:
    assert begun("Register", source=finished(Auc=1)).launched == ["Register"]
    assert refusal("Register", source=finished(Auc=2)) == (
        f"Invalid SourcePipelineExecutionArn: {ARN}. The selected steps [Register] have dependencies on [Gate], "
        "which took the other branch there"
    )


@pytest.mark.parametrize(
    ("selected", "message"),
    [
        ((), "SelectedSteps has 0 steps; it must have 1 to 50"),
        (("Prep",) * 51, "SelectedSteps has 51 steps; it must have 1 to 50"),
        (("Trian",), 'SelectedSteps: the pipeline has no step [Trian] to select; the nearest is "Train"'),
        (
            ("Train",),
            "Invalid SourcePipelineExecutionArn: null. The selected steps [Train] have dependencies on [Prep]",
        ),
        (
            ("Report", "Gate"),
            "The selected steps [Gate, Report] are not connected: [Report] and [Gate] do not depend on one another",
        ),
        (
            ("Prep", "Eval"),
            "The selected steps [Prep, Eval] do not include the steps [Train], which lie between them. "
            "All steps in all paths between two selected steps must be selected",
        ),
    ],
)
def test_a_selection_against_the_rules_is_refused(selected: tuple[str, ...], message: str) -> None:
    assert refusal(*selected) == message


@pytest.mark.parametrize("status", ["Executing", "Stopping", "Stopped", "CompletedWithFailures"])
def test_a_source_that_did_not_end_well_or_badly_is_refused(status: str) -> None:
    source = Source(ARN, ExecutionState(status=status))
    assert refusal("Train", source=source) == (
        f"Invalid SourcePipelineExecutionArn: {ARN}. Its status is {status}; it must be Failed or Succeeded"
    )


def test_a_source_in_which_the_step_before_failed_or_did_not_run_is_refused() -> None:
    assert refusal("Gate", source=finished(fails="Eval")).endswith(
        "The selected steps [Gate] have dependencies on [Eval], which ended Failed there"
    )
    assert refusal("Gate", source=finished(fails="Train")).endswith(
        "The selected steps [Gate] have dependencies on [Eval], which did not run there"
    )


def test_a_copied_failure_that_a_step_waits_for_does_not_fail_the_execution() -> None:
    steps = [step("A"), step("Rescue", on("A", "Failed"), x=get("Steps.A.FailureReason")), step("B", "A")]
    source = Source(ARN, finished(*steps, fails="A").state)
    assert source.state.status == "CompletedWithFailures"
    failed = Source(ARN, ExecutionState("Failed", source.state.steps))
    execution = begun("Rescue", source=failed, steps=steps)
    assert execution.launches[0].arguments == {"x": "broken"}
    assert execution.succeed("Rescue").state.status == "Succeeded"


def test_a_loop_is_selected_as_a_whole_and_copied_with_its_children() -> None:
    last = step("Last", "Loop", x=get("Steps.Loop.IterationOutputs[1].Body.Uri"))
    steps = [step("A"), loop("Loop", "A", items=["a", "b"], body=[step("Body")]), last]
    source = finished(*steps)
    execution = begun("Last", source=source, steps=steps)
    assert execution.launches[0].arguments == {"x": "s3://b/Body-1"}
    assert execution.step("Body-0").selective_source == ARN
    execution = begun("Loop", "Last", source=source, steps=steps)
    assert execution.launched == ["Body-0", "Body-1"]
    assert "[Body-0]" in refusal("Body-0", source=source, steps=steps)


def test_a_failed_selective_execution_goes_on_with_its_selection() -> None:
    execution = begun("Train", "Eval", source=finished(Auc=1)).succeed("Train", Uri="u").fail("Eval")
    state = retried(execution.flow, from_json(json.loads(json.dumps(to_json(execution.state)))))
    assert isinstance(state, ExecutionState)
    flow = selected_flow(flow_of(*STEPS), ["Train", "Eval"], state.steps)
    again = Simulation(flow, state=state).start()
    assert again.launched == ["Eval"]
    assert again.succeed("Eval", Auc=1).state.status == "Succeeded"


@st.composite
def graphs(draw: st.DrawFn) -> list[dict[str, Any]]:
    names = [f"S{index}" for index in range(draw(st.integers(1, 8)))]
    return [
        step(name, *draw(st.lists(st.sampled_from(names[:index]), max_size=3, unique=True) if index else st.just([])))
        for index, name in enumerate(names)
    ]


@given(st.data(), graphs())
@settings(deadline=None)
def test_a_selective_execution_launches_exactly_the_selected_steps(data: st.DataObject, steps: list[Any]) -> None:
    names = [item["Name"] for item in steps]
    selected = data.draw(st.lists(st.sampled_from(names), min_size=1, unique=True))
    found = select(flow_of(*steps), selected, finished(*steps))
    upstream = {item["Name"]: set(item["DependsOn"]) for item in steps}
    if isinstance(found, Refusal):
        # Only what is not connected is refused here: the source ran every step.
        assert len(selected) > 1
        assert "not connected" in found.message or "lie between them" in found.message
        return
    execution = Simulation(found.flow, state=found.state).start()
    jobs, launched = execution.launched, list(execution.launched)
    while jobs:
        more = execution.succeed(jobs.pop(0)).launched
        jobs, launched = jobs + more, launched + more
    assert sorted(launched) == sorted(selected)
    assert execution.state.status == "Succeeded"
    before, front = set(selected), list(selected)
    while front:
        front += [name for name in upstream[front.pop()] if name not in before and not before.add(name)]  # type: ignore[func-returns-value]
    assert set(execution.state.steps) == before
