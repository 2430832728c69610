"""`${{ … }}` in texts, and conditions."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.spec.conditions import AllOf, AnyOf, Comparison, In, Not, condition_references, parse_condition
from pipelines.spec.expressions import (
    REFERENCE_PATTERN,
    TEMPLATE_PATTERN,
    EnvironmentValue,
    ExecutionValue,
    ExpressionError,
    Model,
    Output,
    Parameter,
    Report,
    Template,
    parse_reference,
    parse_template,
)

REFERENCES = [
    ("parameters.Input-Data_1", Parameter("Input-Data_1")),
    ("parameters['X']", Parameter("X")),
    ("env.bucket", EnvironmentValue("bucket")),
    ("execution.id", ExecutionValue("PipelineExecutionId")),
    ("execution.current_time", ExecutionValue("CurrentDateTime")),
    ("steps.A.outputs.train", Output("A", "train")),
    ("steps['A'].outputs['train.v1']", Output("A", "train.v1")),
    ("steps.A.model", Model("A")),
    ("steps.A.reports.m", Report("A", "m")),
    ("steps.A.reports.m.auc.value", Report("A", "m", "auc.value")),
    ("steps.A.reports.m[0]['a b'].c", Report("A", "m", "[0]['a b'].c")),
    ("steps.A.reports.m.rows[2]", Report("A", "m", "rows[2]")),
]


@pytest.mark.parametrize(("text", "reference"), REFERENCES)
def test_references(text, reference):
    assert parse_reference(text) == reference
    assert parse_template(f"${{{{{text}}}}}").only == reference
    assert re.fullmatch(REFERENCE_PATTERN, text)


def test_a_template_keeps_its_texts_and_references_in_order():
    template = parse_template("a ${{ env.name }}${{ parameters.X }} }} b")
    assert template.parts == ("a ", EnvironmentValue("name"), Parameter("X"), " }} b")
    assert template.literal is None
    assert template.only is None


@pytest.mark.parametrize("text", ["", "plain", "$HOME {{ x }} $", "a\nb", "}}"])
def test_a_text_without_expressions_is_literal(text):
    assert parse_template(text).literal == text


A, B, C = Parameter("A"), Parameter("B"), Parameter("C")
CONDITIONS = [
    ("1 == 2", Comparison("==", 1, 2)),
    ("1 != 2", Not(Comparison("==", 1, 2))),
    ("-1.5e3 <= 0x", None),
    ("-1.5e3 <= .5", None),
    ("-1.5e3 <= 5", Comparison("<=", -1500.0, 5)),
    ("'a b' == \"it's\"", Comparison("==", "a b", "it's")),
    ("true == false", Comparison("==", True, False)),
    ("${{ parameters.A }}>=${{parameters.B}}", Comparison(">=", A, B)),
    ("1 in [1, ${{ parameters.A }}, 'x']", In(1, (1, A, "x"))),
    ("1 not in [2]", Not(In(1, (2,)))),
    ("not 1 == 2 and 3 > 4", AllOf((Not(Comparison("==", 1, 2)), Comparison(">", 3, 4)))),
    ("not (1 == 2 and 3 > 4)", Not(AllOf((Comparison("==", 1, 2), Comparison(">", 3, 4))))),
    ("1 < 2 or 3 < 4 and 5 < 6", AnyOf((Comparison("<", 1, 2), AllOf((Comparison("<", 3, 4), Comparison("<", 5, 6)))))),
    (
        "(1 < 2 or 3 < 4) and 5 < 6",
        AllOf((AnyOf((Comparison("<", 1, 2), Comparison("<", 3, 4))), Comparison("<", 5, 6))),
    ),
    ("not not 1 == 1", Not(Not(Comparison("==", 1, 1)))),
    ("", None),
    ("1 in []", None),
    ("1 in [1", None),
    ("and 1 == 1", None),
]


@pytest.mark.parametrize(("text", "condition"), CONDITIONS)
def test_conditions(text, condition):
    if condition is None:
        with pytest.raises(ExpressionError):
            parse_condition(text)
    else:
        assert parse_condition(text) == condition


def test_a_reference_may_be_folded_over_lines():
    assert parse_condition("${{\n parameters.A\n}} == 1") == Comparison("==", A, 1)


def test_all_references_of_a_condition_are_found():
    text = "not (${{ parameters.A }} == 1 or ${{ parameters.B }} in [${{ parameters.C }}]) and 1 < 2"
    assert list(condition_references(parse_condition(text))) == [A, B, C]


expressions = st.lists(
    st.sampled_from(
        ["${{", "}}", " ", "parameters", "steps", ".", "A", "[0]", "['", "']", "model", "reports", "env.name"]
    )
    | st.text(max_size=3)
).map("".join)


@given(expressions)
def test_any_text_is_a_template_or_an_expression_error(text):
    result = outcome(parse_template, text)
    assert bool(re.fullmatch(TEMPLATE_PATTERN, text)) == isinstance(result, Template)
    if isinstance(result, Template):
        assert bool(result.references) == ("${{" in text)
    else:
        assert result.what
        assert result.fix


def outcome(parse: Callable[[str], Any], text: str) -> Any:
    """What a text parses to, or the error that it is."""
    try:
        return parse(text)
    except ExpressionError as error:
        return error


WORDS = [
    "not",
    "and",
    "or",
    "in",
    "(",
    ")",
    "[",
    "]",
    ",",
    "==",
    "!=",
    "<",
    "1",
    "-2.5",
    "true",
    "'x'",
    "${{ env.name }}",
]


@given(st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join) | st.text())
def test_any_text_is_a_condition_or_an_expression_error(text):
    result = outcome(parse_condition, text)
    assert isinstance(result, Comparison | In | Not | AllOf | AnyOf) or (result.what and result.fix)


@pytest.mark.parametrize("text", ["(" * 5000, "not " * 5000, "1 == " + "9" * 5000])
def test_conditions_without_end_are_refused(text):
    with pytest.raises(ExpressionError):
        parse_condition(text)
