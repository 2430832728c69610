"""Drawings of a definition, against the files in tests/checks/graphs, and what odd names cannot do to them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.definition import Definition, parse
from pipelines.graph import as_mermaid, as_text, condition_in_words
from tests.checks.documents import (
    Json,
    call,
    defined,
    document,
    equals,
    fail,
    gate,
    get,
    join,
    loop,
    looped,
    parameter,
    processing,
    training,
)

FOLDER = Path(__file__).parent / "checks"
REPORT = {"PropertyFileName": "metrics", "OutputName": "report", "FilePath": "m.json"}
AUC = {"Std:JsonGet": {"PropertyFile": get("Steps.Prep.PropertyFiles.metrics"), "Path": "auc['a b'].value"}}


def everything() -> Definition:
    """Every kind of node and edge."""
    nested = gate(
        {
            "Type": "Or",
            "Conditions": [equals(AUC, 1), {"Type": "Not", "Condition": equals("a", get("Parameters.Mode"))}],
        },
        {"Type": "In", "QueryValue": get("Execution.PipelineName"), "Values": ["x", 2, True]},
        name="Inner",
        then=[fail(join("", "AUC ", AUC))],
    )
    return defined(
        document(
            processing(PropertyFiles=[REPORT]),
            gate(equals(get("Steps.Rows.OutputParameters['n']"), 0.5), then=[nested, training(DependsOn=["Prep"])]),
            call("Rows", ("n", "Integer")),
            {**loop(looped(), IterableItems=get("Steps.Rows.OutputParameters['n']")), "DependsOn": ["Gate"]},
            call("Clean") | {"DependsOn": [{"Step": "Loop", "Trigger": "Failed"}, "Prep"]},
            parameters=[parameter("Mode")],
        )
    )


def definition_of(name: str) -> Definition:
    if name == "everything":
        return everything()
    return parse((FOLDER / "definitions" / f"{name}.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("name", ["flights", "calhousing-and-text", "everything"])
def test_the_text_is_the_expected_one(name: str) -> None:
    assert as_text(definition_of(name)) == (FOLDER / "graphs" / f"{name}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("name", ["flights", "calhousing-and-text", "everything"])
def test_the_flowchart_is_the_expected_one(name: str) -> None:
    assert as_mermaid(definition_of(name)) == (FOLDER / "graphs" / f"{name}.mmd").read_text(encoding="utf-8")


def test_steps_stand_in_the_order_of_running() -> None:
    late_first = document(processing("Late", DependsOn=["Early"]), processing("Early"))
    assert as_text(defined(late_first)) == "Early (Processing)\nLate (Processing) after Early\n"


def test_a_cycle_is_drawn_in_the_order_of_the_document() -> None:
    cyclic = document(processing("B", DependsOn=["A"]), processing("A", DependsOn=["B"]))
    assert as_text(defined(cyclic)) == "B (Processing) after A\nA (Processing) after B\n"
    assert "s0 -.-> s1" in as_mermaid(defined(cyclic))


def test_a_pipeline_without_steps_is_an_empty_picture() -> None:
    assert as_text(defined(document())) == ""
    assert as_mermaid(defined(document())) == "flowchart TD\n"


@pytest.mark.parametrize(
    ("conditions", "words"),
    [
        ([], "true"),
        ([equals(1, "a")], '1 equals "a"'),
        ([{**equals(1, 2), "Type": "GreaterThan"}], "1 is greater than 2"),
        ([{**equals(1, 2), "Type": "GreaterThanOrEqualTo"}], "1 is at least 2"),
        ([{**equals(1, 2), "Type": "LessThan"}], "1 is less than 2"),
        ([{**equals(1, 2), "Type": "LessThanOrEqualTo"}], "1 is at most 2"),
        ([equals(True, None), equals(1, 1)], "true equals null and 1 equals 1"),
        ([{"Type": "Not", "Condition": equals()}], "not (1 equals 1)"),
        ([{"Type": "Or", "Conditions": [equals(), equals(2, 2)]}], "(1 equals 1 or 2 equals 2)"),
        ([{"Type": "In", "QueryValue": get("Parameters.P"), "Values": [1, "b"]}], 'P is one of 1, "b"'),
        ([equals(join("-", "a", get("Execution.PipelineName")), 1)], '"a-${Execution.PipelineName}" equals 1'),
        ([equals(get("Steps.T.FinalMetricDataList['auc'].Value"), [1])], "T.FinalMetricDataList.auc.Value equals …"),
        ([{"Type": "Strange"}, "nonsense"], "? and ?"),
    ],
)
def test_a_condition_reads_as_a_sentence(conditions: list[Json], words: str) -> None:
    (step,) = defined(document(gate(*conditions))).steps
    assert condition_in_words(step) == words


def test_a_long_condition_is_cut() -> None:
    (step,) = defined(document(gate(*[equals("x" * 50, "y")] * 10))).steps
    assert len(condition_in_words(step)) == 200
    assert condition_in_words(step).endswith("…")


LINE = re.compile(
    r"""flowchart\ TD
    |\ {4}s\d+(\["[^"`<>\n]*(<br/>[^"`<>\n]*)?"\]|\{"[^"`<>\n]*<br/>[^"`<>\n]*"\}|\(\["[^"`<>\n]*<br/>[^"`<>\n]*"\]\)
        |\[\["[^"`<>\n]*<br/>[^"`<>\n]*"\]\])
    |\ {4}s\d+\ (-\.->|--\ "[^"`<>\n]+"\ -->|-\.\ "[^"`<>\n]+"\ \.->)\ s\d+""",
    re.VERBOSE,
)
ODD = st.text(
    alphabet=st.sampled_from(list('ab"`<>[](){}|;#&-=\\/\n\r\t\u2028\x00é你\U0001f600\ud800%')), min_size=1, max_size=12
)


@given(ODD, ODD, ODD)
def test_no_name_breaks_the_flowchart(first: str, second: str, value: str) -> None:
    if first == second:
        return
    steps = document(
        processing(first), gate(equals(value, 1), name=second, DependsOn=[first], then=[fail(value, "x" * 13)])
    )
    definition = defined(steps)
    text = as_mermaid(definition)
    lines = text.removesuffix("\n").split("\n")
    assert all(LINE.fullmatch(line) for line in lines)
    assert len(lines) == 1 + 3 + 2
    text.encode("utf-8")


@given(ODD)
def test_no_name_breaks_a_line_of_the_text(name: str) -> None:
    text = as_text(defined(document(processing(name), processing("z" * 13, DependsOn=[name]))))
    assert len(text.splitlines()) == 2
    assert all(letter.isprintable() for line in text.split("\n") for letter in line)
    text.encode("utf-8")


def test_characters_that_mean_something_become_codes() -> None:
    chart = as_mermaid(defined(document(processing('a"b#c<d>'))))
    assert chart == 'flowchart TD\n    s0["a#34;b#35;c#60;d#62;<br/>Processing"]\n'
