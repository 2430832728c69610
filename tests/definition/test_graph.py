"""Edges, order, cycles and unknown references of a definition."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.definition import Definition, Edge, UnknownReference, cycle, edges, order, parse, unknown_references
from pipelines.errors import DefinitionError
from tests.work import lines_run


def reading(*steps: Any, **rest: Any) -> Definition:
    return parse(json.dumps({"Steps": list(steps), **rest}))


def step(name: str, *depends_on: Any, kind: str = "Processing", **arguments: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "Arguments": arguments, "DependsOn": list(depends_on)}


def read(name: str, path: str = "X") -> dict[str, str]:
    return {"Get": f"Steps.{name}.{path}"}


def test_edges_of_every_kind() -> None:
    yes = step("Yes", "Prep", x=read("Prep"))
    gate = step("Gate", kind="Condition", Conditions=[{"LeftValue": read("Prep")}], IfSteps=[yes])
    loop = step("Loop", {"Step": "Prep", "Trigger": "Failed"}, kind="ForEach", ForEachBody=[step("Body")])
    report = {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Prep.PropertyFiles.f"}, "Path": "a"}}
    assert edges(reading(step("Prep"), gate, loop, step("Last", a=read("Gate", "Outcome"), b=report, c=report))) == (
        Edge("Prep", "Gate", "data"),
        Edge("Gate", "Yes", "branch"),
        Edge("Prep", "Yes", "depends_on"),
        Edge("Prep", "Yes", "data"),
        Edge("Prep", "Loop", "depends_on", "Failed"),
        Edge("Loop", "Body", "body"),
        Edge("Gate", "Last", "data"),
        Edge("Prep", "Last", "data"),
    )


def test_order_puts_upstream_first_and_else_keeps_document_order() -> None:
    definition = reading(step("D", "C"), step("B"), step("C", x=read("A")), step("A"))
    assert order(definition) == ("B", "A", "C", "D")
    assert cycle(definition) is None


def test_a_cycle_is_named_with_its_place_and_a_fix() -> None:
    definition = reading(step("A"), step("B", "A", x=read("D")), step("C", "B"), step("D", "C"))
    assert cycle(definition) == ("B", "C", "D")
    with pytest.raises(DefinitionError) as caught:
        order(definition)
    (problem,) = caught.value.problems
    assert problem.where == "Steps[1]"
    assert problem.what == "steps wait for one another: B -> C -> D -> B"
    assert problem.fix == 'remove one of these dependencies, for example what makes "B" wait for "D"'


def test_a_step_that_reads_itself_is_a_cycle() -> None:
    assert cycle(reading(step("A", x=read("A")))) == ("A",)


def test_a_condition_that_reads_its_own_branch_is_a_cycle() -> None:
    gate = step("Gate", kind="Condition", Conditions=[{"LeftValue": read("Yes")}], IfSteps=[step("Yes")])
    assert cycle(reading(gate)) == ("Gate", "Yes")


def test_unknown_names_come_with_the_nearest_one() -> None:
    evaluate = step(
        "Evaluate",
        "Trian",
        a=read("Preprocesing"),
        b={"Get": "Parameters.MinAUC"},
        c={"Std:JsonGet": {"PropertyFile": {"Get": "Steps.Evaluate.PropertyFiles.reprot"}, "Path": "x"}},
        d={"Get": "Execution.PipelineExecutionID"},
        e={"Get": "Later.Thing"},
        f=read("zzz"),
    )
    evaluate["PropertyFiles"] = [{"PropertyFileName": "report", "OutputName": "o", "FilePath": "f"}]
    definition = reading(
        step("Preprocessing"),
        step("Train"),
        evaluate,
        Parameters=[{"Name": "MinAuc"}],
        PipelineExperimentConfig={"ExperimentName": {"Get": "Parameters.Nothing"}},
    )
    place = "Steps[2].Arguments"
    assert unknown_references(definition) == (
        UnknownReference("PipelineExperimentConfig.ExperimentName", None, "parameter", "Nothing", None),
        UnknownReference("Steps[2].DependsOn[0]", "Evaluate", "step", "Trian", "Train"),
        UnknownReference(f"{place}.a", "Evaluate", "step", "Preprocesing", "Preprocessing"),
        UnknownReference(f"{place}.b", "Evaluate", "parameter", "MinAUC", "MinAuc"),
        UnknownReference(f"{place}.c", "Evaluate", "property file", "reprot", "report"),
        UnknownReference(f"{place}.d", "Evaluate", "execution variable", "PipelineExecutionID", "PipelineExecutionId"),
        UnknownReference(f"{place}.e", "Evaluate", "reference", "Later.Thing", None),
        UnknownReference(f"{place}.f", "Evaluate", "step", "zzz", None),
    )


def test_edges_to_unknown_steps_are_left_out() -> None:
    assert edges(reading(step("A", "B", x=read("C")))) == ()


@given(st.data())
def test_an_order_exists_exactly_when_there_is_no_cycle(data: st.DataObject) -> None:
    count = data.draw(st.integers(1, 8))
    names = [f"S{index}" for index in range(count)]
    pairs = data.draw(st.sets(st.tuples(st.sampled_from(names), st.sampled_from(names)), max_size=12))
    definition = reading(*(step(name, *sorted(up for up, down in pairs if down == name)) for name in names))
    found = cycle(definition)
    if found is None:
        position = {name: index for index, name in enumerate(order(definition))}
        assert sorted(position) == sorted(names)
        assert all(position[up] < position[down] for up, down in pairs)
    else:
        assert all(pair in pairs for pair in zip(found, (*found[1:], found[0]), strict=True))
        with pytest.raises(DefinitionError, match="wait for one another"):
            order(definition)


def test_twice_the_steps_are_twice_the_work_to_parse_and_to_order() -> None:
    def ordered(count: int) -> None:
        steps = [step(f"S{i}", f"S{i - 1}", x=[read(f"S{i // 2}", "A['b'].C")] * 3) for i in range(1, count)]
        assert len(order(parse(json.dumps({"Steps": [step("S0"), *steps]})))) == count

    assert lines_run(lambda: ordered(2000)) < 2.1 * lines_run(lambda: ordered(1000))


def test_more_edges_than_the_documents_may_close_a_cycle() -> None:
    definition = reading(step("A"), step("B", "A"))
    back = Edge("B", "A", "data")
    assert cycle(definition) is None
    assert cycle(definition, [back]) == ("A", "B")
    with pytest.raises(DefinitionError, match="wait for one another: A -> B -> A"):
        order(definition, [back])
