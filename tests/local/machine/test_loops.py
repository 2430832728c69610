"""ForEach: items, children, outputs, the selector, failures, stops, and what is refused beforehand."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.errors import DefinitionError
from pipelines.local.machine import Iteration, from_json, to_json
from tests.local.machine.simulation import Simulation, condition, flow_of, get, loop, on, step

TEXT = {"Std:Join": {"On": "", "Values": ["x-", get("ForEach.CurrentItem")]}}


def running(*steps: Any, limit: int | None = None) -> Simulation:
    return Simulation(flow_of(*steps, limit=limit)).start()


def over(items: Any, *body: Any, **rest: Any) -> Simulation:
    return running(loop("Loop", items=items, body=body or [step("Body", x=TEXT)], **rest))


def selecting(*values: Any, pick: str = "MaxBy", member: str = "OutputParameters['auc']") -> Simulation:
    selector = {"Pick": pick, "Field": get(f"IterationOutput.Body.{member}")}
    after = step("After", "Loop", best=get("Steps.Loop.Selected.Name"))
    execution = running(loop("Loop", items=[*range(len(values))], body=[step("Body")], Selector=selector), after)
    for index, value in enumerate(values):
        execution.succeed(f"Body-{index}", Name=f"job-{index}", OutputParameters={"auc": value})
    return execution


def test_every_item_gets_its_own_child() -> None:
    execution = over(["a", 2, True])
    assert execution.launched == ["Body-0", "Body-1", "Body-2"]
    assert [launch.arguments["x"] for launch in execution.launches] == ["x-a", "x-2", "x-true"]
    assert [launch.type for launch in execution.launches] == ["Processing"] * 3
    assert len({launch.job_name for launch in execution.launches}) == 3
    assert execution.launches[1].iteration == Iteration("Loop", "Body", 1, 2)
    assert execution.step("Body-1").iteration == Iteration("Loop", "Body", 1, 2)
    assert execution.flow.step("Body-1").name == "Body"
    assert execution.step("Loop").status == "Executing"
    assert "Body" not in execution.state.steps


@pytest.mark.parametrize(
    ("text", "items"),
    [('["a", "b"]', ("a", "b")), ("[1, 2.5]", (1, 2.5)), ('[{"k": 1}]', ({"k": 1},)), ("[[1], true]", ([1], True))],
)
def test_an_expression_gives_the_text_of_a_json_list(text: str, items: tuple[Any, ...]) -> None:
    execution = running(step("A"), loop("Loop", "A", items=get("Steps.A.Items"), body=[step("Body")]))
    execution.succeed("A", Items=text)
    assert execution.step("Loop").items == items
    assert execution.launched == [f"Body-{index}" for index in range(len(items))]


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ("[]", "IterableItems is an empty list"),
        ("[1, null]", "item 1 of IterableItems is null"),
        ("a, b", "IterableItems is not a JSON list: Expecting value"),
        ('{"a": 1}', "IterableItems is an object, where a JSON list is needed"),
        (3, "IterableItems is the number 3, where the text of a JSON list is needed"),
    ],
)
def test_what_is_no_list_of_items_fails_the_loop(value: Any, reason: str) -> None:
    execution = running(step("A"), loop("Loop", "A", items=get("Steps.A.Items"), body=[step("Body")]))
    execution.succeed("A", Items=value)
    assert execution.step("Loop").status == "Failed"
    assert reason in str(execution.step("Loop").failure_reason)
    assert execution.state.status == "Failed"


def test_items_may_need_a_document() -> None:
    items = {"Std:JsonGet": {"S3Uri": "s3://b/items.json", "Path": "shards"}}
    execution = over(items)
    assert execution.reads == [("Loop", "s3://b/items.json")]
    assert execution.read("Loop", "s3://b/items.json", '{"shards": "[1, 2]"}').launched == ["Body-0", "Body-1"]


@pytest.mark.parametrize(
    ("item", "path", "value"),
    [
        ("plain", "", "plain"),
        (7, "", 7),
        ({"a": {"b": [1, "two"]}}, ".a.b[1]", "two"),
        ('{"a": {"b": 1}}', ".a.b", 1),
        ({"key with dots.": 1}, "['key with dots.']", 1),
        ({"a": "ü"}, "", '{"a": "ü"}'),
        ([1, 2], "", "[1, 2]"),
        ([1, 2], "[1]", 2),
    ],
)
def test_the_current_item_is_whole_or_a_value_in_it(item: Any, path: str, value: Any) -> None:
    body = step("Body", x=get(f"ForEach.CurrentItem{path}"))
    flow = flow_of(step("A"), loop("Loop", "A", items=get("Steps.A.Items"), body=[body]))
    execution = Simulation(flow).start().succeed("A", Items=json.dumps([item]))
    assert execution.launches[0].arguments == {"x": value}


@pytest.mark.parametrize(
    ("item", "path", "reason"),
    [
        ("plain", ".a", 'ForEach.CurrentItem.a is undefined: the item is the string "plain", which is not JSON'),
        (7, ".a", 'the document is the number 7: "a" needs an object'),
        ('{"b": 1}', ".a", 'the document has no "a"'),
        ('{"a": {}}', ".a", "ForEach.CurrentItem.a is an object, where a single value is needed"),
    ],
)
def test_an_item_without_the_value_fails_the_child(item: Any, path: str, reason: str) -> None:
    execution = over([item], step("Body", x=get(f"ForEach.CurrentItem{path}")))
    assert reason in str(execution.step("Body-0").failure_reason)
    assert execution.step("Loop").failure_reason == "1 of 1 steps failed: Body-0"


def test_no_more_children_run_than_max_concurrency_and_the_limit_allow() -> None:
    execution = over(["a"] * 5, most=2)
    assert execution.launched == ["Body-0", "Body-1"]
    assert execution.succeed("Body-1").launched == ["Body-2"]
    execution = running(loop("Loop", items=["a"] * 5, body=[step("Body")], most=3), step("Other"), limit=2)
    assert execution.launched == ["Body-0", "Body-1"]
    assert execution.succeed("Body-0").launched == ["Body-2"]


def test_a_loop_at_its_own_limit_leaves_room_for_others() -> None:
    assert running(loop("Loop", items=["a"] * 5, body=[step("Body")], most=1), step("Other")).launched == [
        "Body-0",
        "Other",
    ]


def test_a_loop_takes_no_slot_beside_its_children() -> None:
    execution = running(loop("Loop", items=["a", "b"], body=[step("Body")]), limit=1)
    assert execution.launched == ["Body-0"]
    assert execution.succeed("Body-0").launched == ["Body-1"]
    assert execution.succeed("Body-1").state.status == "Succeeded"


def test_steps_of_a_body_wait_for_the_sibling_of_the_same_item() -> None:
    body = [step("First", x=get("ForEach.CurrentItem")), step("Second", y=get("Steps.First.Name"))]
    execution = over(["a", "b"], *body)
    assert execution.launched == ["First-0", "First-1"]
    execution.succeed("First-1", Name="one")
    assert [(launch.step, launch.arguments) for launch in execution.launches] == [("Second-1", {"y": "one"})]
    assert execution.succeed("First-0", Name="zero").launches[0].arguments == {"y": "zero"}


def test_a_sibling_reads_its_property_file() -> None:
    first = {**step("First"), "PropertyFiles": [{"PropertyFileName": "m", "OutputName": "o", "FilePath": "m.json"}]}
    second = step("Second", y={"Std:JsonGet": {"PropertyFile": get("Steps.First.PropertyFiles.m"), "Path": "v"}})
    execution = over(["a", "b"], first, second)
    outputs = {"Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": "s3://b/1"}}]}
    assert execution.succeed("First-1", ProcessingOutputConfig=outputs).reads == [("Second-1", "s3://b/1/m.json")]
    assert execution.read("Second-1", "s3://b/1/m.json", '{"v": 5}').launches[0].arguments == {"y": 5}


def test_a_loop_waits_for_what_its_body_reads_outside() -> None:
    body = [step("Body", x=get("Steps.A.Name"))]
    execution = running(step("A"), loop("Loop", items=["a"], body=body))
    assert execution.launched == ["A"]
    execution.succeed("A", Name="n")
    assert execution.launches[0].arguments == {"x": "n"}


def test_a_loop_in_an_untaken_branch_never_starts() -> None:
    execution = running(condition("Gate", right=2, yes=[loop("Loop", items=["a"], body=[step("Body")])]))
    assert execution.statuses() == {"Gate": "Succeeded", "Loop": "NotTaken"}


def test_later_steps_read_the_outputs_and_counts() -> None:
    reads = {
        "one": get("Steps.Loop.IterationOutputs[1].Body.ProcessingOutputConfig.Outputs['o'].S3Output.S3Uri"),
        "status": get("Steps.Loop.Status"),
        "items": get("Steps.Loop.InputItemCount"),
        "total": get("Steps.Loop.TotalStepCount"),
        "good": get("Steps.Loop.SucceededStepCount"),
        "bad": get("Steps.Loop.FailedStepCount"),
        "stopped": get("Steps.Loop.StoppedStepCount"),
    }
    body = [step("Body"), step("Extra", "Body")]
    execution = running(loop("Loop", items=["a", "b"], body=body), step("After", **reads))
    for index in range(2):
        outputs = {"Outputs": [{"OutputName": "o", "S3Output": {"S3Uri": f"s3://b/{index}"}}]}
        execution.succeed(f"Body-{index}", ProcessingOutputConfig=outputs).succeed(f"Extra-{index}")
    assert execution.launches[0].arguments == {
        "one": "s3://b/1",
        "status": "Succeeded",
        "items": 2,
        "total": 4,
        "good": 4,
        "bad": 0,
        "stopped": 0,
    }
    assert execution.step("Loop").metadata == {
        "ForEach": {
            "Status": "Succeeded",
            "InputItemCount": 2,
            "TotalStepCount": 4,
            "SucceededStepCount": 4,
            "FailedStepCount": 0,
            "StoppedStepCount": 0,
        }
    }
    assert execution.succeed("After").state.status == "Succeeded"


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("IterationOutputs[2].Body.Name", 'step "Body-2" has not run'),
        ("IterationOutputs.Body.Name", "an item and a body step are missing: write IterationOutputs[0]."),
        ("Selected.Name", "the loop has selected no item"),
        ("Count", 'the document has no "Count"'),
    ],
)
def test_outputs_that_are_not_there_fail_their_reader(path: str, reason: str) -> None:
    execution = running(loop("Loop", items=["a"], body=[step("Body")]), step("After", x=get(f"Steps.Loop.{path}")))
    execution.succeed("Body-0", Name="n")
    assert reason in str(execution.step("After").failure_reason)


@pytest.mark.parametrize(
    ("values", "pick", "index"),
    [
        ([0.7, 0.9, 0.8], "MaxBy", 1),
        ([0.7, 0.9, 0.8], "MinBy", 0),
        ([1, 2.5], "MaxBy", 1),
        ([3, 5, 5], "MaxBy", 1),
        ([3, 3], "MinBy", 0),
        (["b", "a", "10"], "MaxBy", 0),
        (["9", "10"], "MaxBy", 0),
    ],
)
def test_the_selector_picks_one_item_the_first_of_equals(values: list[Any], pick: str, index: int) -> None:
    execution = selecting(*values, pick=pick)
    assert execution.step("Loop").metadata["ForEach"]["Selector"] == {"StepName": "Body", "Index": index}
    assert execution.launches[0].arguments == {"best": f"job-{index}"}


@pytest.mark.parametrize(
    ("execution", "reason"),
    [
        (selecting(1, "2"), "the Selector finds numbers and strings at IterationOutput.Body.OutputParameters.auc"),
        (selecting(1, True), "of item 1 is the boolean true, where a number or a string is needed"),
        (selecting(1, member="Nothing"), "IterationOutput.Body.Nothing is undefined for item 0: the document has no"),
    ],
    ids=["mixed", "boolean", "missing"],
)
def test_a_selector_without_values_to_compare_fails_the_loop(execution: Simulation, reason: str) -> None:
    assert execution.step("Loop").status == "Failed"
    assert reason in str(execution.step("Loop").failure_reason)


def test_a_failed_child_lets_the_running_ones_finish_and_starts_no_more() -> None:
    execution = running(loop("Loop", items=["a"] * 4, body=[step("Body")], most=2), step("After", "Loop"))
    assert execution.fail("Body-0").launched == []
    assert execution.step("Loop").status == "Executing"
    assert execution.succeed("Body-1").launched == []
    done = execution.step("Loop")
    assert (done.status, done.failure_reason) == ("Failed", "1 of 4 steps failed: Body-0")
    counts = done.metadata["ForEach"]
    assert [counts[f"{kind}StepCount"] for kind in ("Total", "Succeeded", "Failed", "Stopped")] == [4, 1, 1, 0]
    assert execution.step("Body-2").status == "NotTaken"
    assert not execution.step("Body-3").listed
    assert execution.state.status == "Failed"


def test_a_failure_that_a_sibling_handles_fails_neither_the_loop_nor_the_execution() -> None:
    body = [step("Body"), step("Clean", on("Body", "Failed"))]
    execution = over(["a", "b"], *body, most=1)
    assert execution.fail("Body-0").launched == ["Clean-0"]
    assert execution.succeed("Clean-0").launched == ["Body-1"]
    execution.succeed("Body-1")
    assert execution.step("Clean-1").status == "NotTaken"
    assert execution.step("Loop").status == "Succeeded"
    assert execution.step("Loop").metadata["ForEach"]["FailedStepCount"] == 1
    assert execution.state.status == "CompletedWithFailures"


def test_the_failure_of_a_loop_can_be_handled_and_its_outputs_read() -> None:
    rescue = step("Rescue", on("Loop", "Failed"), x=get("Steps.Loop.IterationOutputs[0].Body.Name"))
    execution = running(loop("Loop", items=["a", "b"], body=[step("Body")]), rescue)
    execution.succeed("Body-0", Name="n").fail("Body-1")
    assert execution.launches[0].arguments == {"x": "n"}
    assert execution.succeed("Rescue").state.status == "CompletedWithFailures"


def test_a_stop_stops_the_running_children_and_then_the_loop() -> None:
    execution = over(["a"] * 3, most=2).stop()
    assert execution.asked_to_stop == ["Body-0", "Body-1"]
    assert execution.step("Loop").status == "Stopping"
    execution.stopped("Body-0").succeed("Body-1")
    assert execution.statuses() == {"Loop": "Stopped", "Body-0": "Stopped", "Body-1": "Succeeded", "Body-2": "NotTaken"}
    assert execution.state.status == "Stopped"


def test_a_loop_that_is_cut_short_is_stopped_even_when_its_children_succeed() -> None:
    execution = over(["a"] * 3, most=2).stop().succeed("Body-0").succeed("Body-1")
    assert execution.step("Loop").status == "Stopped"


def test_a_failure_elsewhere_cuts_the_loop_short() -> None:
    execution = running(loop("Loop", items=["a"] * 3, body=[step("Body")], most=1), step("Other")).fail("Other")
    assert execution.state.status == "Executing"
    assert execution.succeed("Body-0").launched == []
    assert execution.step("Loop").status == "Stopped"
    assert execution.state.status == "Failed"


def test_children_are_retried_like_any_step() -> None:
    execution = over(["a", "b"], step("Body"), most=1).fault("Body-0", "Step.THROTTLING")
    (wait,) = execution.waits
    (again,) = execution.wait_until(wait.until).launches
    assert (again.step, again.attempt, again.iteration) == ("Body-0", 2, Iteration("Loop", "Body", 0, "a"))
    assert execution.succeed("Body-0").launched == ["Body-1"]


def test_events_for_the_loop_itself_or_for_children_that_are_not_there_are_bugs() -> None:
    execution = over(["a"])
    for name in ("Loop", "Body-1", "Body"):
        with pytest.raises(ValueError, match=f'"{name}", which'):
            execution.succeed(name)
    with pytest.raises(ValueError, match='"Other-0", which does not exist'):
        execution.succeed("Other-0")


def test_an_open_loop_survives_json() -> None:
    execution = over([1, "b", "c"], step("Body"), step("Next", "Body"), most=2)
    execution.succeed("Body-0")
    execution.state = from_json(json.loads(json.dumps(to_json(execution.state))))
    assert execution.succeed("Body-1").launched == ["Next-1"]
    assert execution.succeed("Next-0").launched == ["Body-2"]


BODY = [step("Body")]


@pytest.mark.parametrize(
    ("steps", "what", "fix"),
    [
        ([loop("L", items=[], body=BODY)], "IterableItems has 0 items", "a list of 1 to 100 values"),
        ([loop("L", items=[1] * 101, body=BODY)], "IterableItems has 101 items", "a list of 1 to 100 values"),
        ([loop("L", items=None, body=BODY)], "must be a list or an expression", "gives a JSON list"),
        ([loop("L", items=[1], body=BODY, most=51)], "a whole number from 1 to 50", 'write "MaxConcurrency": 10'),
        ([loop("L", items=[1], body=BODY, most=True)], "a whole number from 1 to 50", 'write "MaxConcurrency": 10'),
        ([loop("L", items=[1], body=[])], '"L" has no step in its ForEachBody', "put at least one step there"),
        ([loop("L", items=[1], body=[condition("C")])], "a Condition step may not stand in", "out of the loop"),
        (
            [loop("L", items=[1], body=BODY, Selector={"Pick": "Best", "Field": get("IterationOutput.Body.X")})],
            "Pick must be MaxBy or MinBy",
            "MaxBy",
        ),
        (
            [
                step("A"),
                loop("L", items=[1], body=BODY, Selector={"Pick": "MaxBy", "Field": get("IterationOutput.A.X")}),
            ],
            "a property of a step of the body",
            "IterationOutput.Body.Property",
        ),
        ([loop("L", items=[1], body=BODY), step("Body-3")], 'also the name of a run of "Body"', "rename one"),
        (
            [loop("L", items=[1], body=BODY), step("A", x=get("Steps.Body.Name"))],
            '"A" waits for "Body", a step of the loop "L"',
            'make it wait for "L", and read Steps.L.IterationOutputs[0].Body',
        ),
        (
            [loop("L", items=[1], body=[step("Body", x=get("Steps.L.Status"))])],
            '"Body" waits for "L", the loop that it stands in',
            "remove the dependency",
        ),
        (
            [loop("L", items=[1], body=[step("Body", "A")]), step("A", "L")],
            "wait for one another",
            "remove one of these dependencies",
        ),
    ],
)
def test_a_loop_that_could_not_be_executed_is_refused(steps: list[Any], what: str, fix: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        flow_of(*steps)
    assert what in caught.value.problems[0].what
    assert fix in caught.value.problems[0].fix
