"""JSON values → typed expressions, the path grammar, and the references in a value."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipelines.definition import parse_path, references, render_path
from pipelines.definition.expressions import (
    ExecutionReference,
    ExperimentReference,
    ForEachItemReference,
    IterationOutputReference,
    Join,
    JsonGet,
    Literal,
    OtherFunction,
    OtherReference,
    ParameterReference,
    PropertyFileReference,
    StepReference,
    located_references,
    parse_expression,
)
from pipelines.errors import DefinitionError

OUTPUT = "Steps.Prep.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri"
FILE = {"Get": "Steps.Eval.PropertyFiles.report"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Parameters.MinAuc", ParameterReference("MinAuc")),
        ("Execution.PipelineExecutionId", ExecutionReference("PipelineExecutionId")),
        ("PipelineExperimentConfig.TrialName", ExperimentReference("TrialName")),
        (OUTPUT, StepReference("Prep", ("ProcessingOutputConfig", "Outputs", "train", "S3Output", "S3Uri"))),
        ("Steps.F.IterationOutputs[0].B.m", StepReference("F", ("IterationOutputs", 0, "B", "m"))),
        ("Steps.A-b_c.X", StepReference("A-b_c", ("X",))),
        ("Steps.A", StepReference("A", ())),
        ("Steps.Eval.PropertyFiles.report", PropertyFileReference("Eval", "report")),
        ("Steps.Eval.PropertyFiles.report.v1", PropertyFileReference("Eval", "report.v1")),
        ("Steps.Eval.PropertyFiles['report']", PropertyFileReference("Eval", "report")),
        ("ForEach.CurrentItem", ForEachItemReference(())),
        ("ForEach.CurrentItem.a['k']", ForEachItemReference(("a", "k"))),
        ("IterationOutput.B.m", IterationOutputReference("B", ("m",))),
        ("Later.Thing", OtherReference("Later.Thing")),
    ],
)
def test_each_reference_has_its_type(text: str, expected: object) -> None:
    assert parse_expression({"Get": text}) == expected


def test_a_step_reference_shows_as_the_document_wrote_it() -> None:
    assert str(parse_expression({"Get": OUTPUT})) == OUTPUT
    assert str(StepReference("S", ("a", "b c", 0))) == "Steps.S.a['b c'][0]"


def test_join_and_both_forms_of_json_get() -> None:
    assert parse_expression({"Std:Join": {"On": "/", "Values": ["s3:/", 1, {"Get": "Parameters.B"}]}}) == Join(
        "/", (Literal("s3:/"), Literal(1), ParameterReference("B"))
    )
    assert parse_expression({"Std:JsonGet": {"PropertyFile": FILE, "Path": "a.b[0]"}}) == JsonGet(
        PropertyFileReference("Eval", "report"), ("a", "b", 0)
    )
    assert parse_expression({"Std:JsonGet": {"S3Uri": "s3://b/k", "Path": "a"}}) == JsonGet(Literal("s3://b/k"), ("a",))


def test_literals_of_different_types_differ() -> None:
    assert len({Literal(1), Literal(True), Literal(1.0), Literal("1")}) == 4


def test_an_unknown_function_stays_readable_and_shows_its_references() -> None:
    value = {"Std:Later": {"x": {"Get": "Parameters.P"}}}
    assert isinstance(parse_expression(value), OtherFunction)
    assert list(references(value)) == [ParameterReference("P")]


def test_an_object_with_more_keys_than_get_is_no_expression() -> None:
    assert list(references({"Get": "Parameters.P", "x": 1})) == []


def test_references_come_in_document_order_with_their_places() -> None:
    value = {
        "a": [{"Get": "Parameters.P"}, {"b": {"Std:Join": {"On": "", "Values": [{"Get": OUTPUT}]}}}],
        "c": {"Std:JsonGet": {"PropertyFile": FILE, "Path": "x"}},
    }
    assert [(where, str(found)) for where, found in located_references(value, "Arguments")] == [
        ("Arguments.a[0]", "Parameters.P"),
        ("Arguments.a[1].b", OUTPUT),
        ("Arguments.c", "Steps.Eval.PropertyFiles.report"),
    ]


@pytest.mark.parametrize(
    ("value", "what", "fix"),
    [
        ({"Get": ""}, "found an empty string", "Parameters.Name"),
        ({"Get": ["x"]}, "found a list", "Parameters.Name"),
        ({"Get": "Parameters"}, 'names nothing after "Parameters"', "Parameters.Name"),
        ({"Get": "Steps."}, 'names nothing after "Steps"', "Steps.StepName"),
        ({"Get": "Steps.A[x]"}, "not a path", "['key']"),
        ({"Std:Join": []}, "Std:Join needs On", '"On": "/"'),
        ({"Std:Join": {"On": "/"}}, "Std:Join needs Values", '"Values"'),
        ({"Std:Join": {"On": "/", "Values": [[1]]}}, "expected a scalar or an expression, found a list", "Std:Join"),
        ({"Std:JsonGet": {"PropertyFile": FILE}}, "needs Path", '"Path"'),
        ({"Std:JsonGet": {"Path": "a"}}, "either PropertyFile or S3Uri", "PropertyFile"),
        ({"Std:JsonGet": {"Path": "a", "S3Uri": "x", "PropertyFile": FILE}}, "either PropertyFile or S3Uri", "S3Uri"),
        ({"Std:JsonGet": {"Path": "a", "PropertyFile": {"Get": "Steps.A.B"}}}, "does not refer to a property", "Steps"),
        ({"Std:JsonGet": {"Path": "", "PropertyFile": FILE}}, "not a path", "a.b['key'][0]"),
        ({"a": 1, "b": 2}, "found an object", "string, number or boolean"),
    ],
)
def test_malformed_expressions_are_refused_with_a_fix(value: Any, what: str, fix: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse_expression(value, where="here")
    (problem,) = caught.value.problems
    assert problem.where.startswith("here")
    assert what in problem.what
    assert fix in problem.fix


@pytest.mark.parametrize(
    ("text", "path"),
    [
        ("a", ("a",)),
        ("a.b['k'][0]", ("a", "b", "k", 0)),
        ('a["k.l"].m', ("a", "k.l", "m")),
        ("[2].x", (2, "x")),
        ("report.weighted avg.f1-score", ("report", "weighted avg", "f1-score")),
    ],
)
def test_paths_of_the_grammar(text: str, path: tuple[str | int, ...]) -> None:
    assert parse_path(text) == path


@pytest.mark.parametrize("text", ["", ".", ".a", "a.", "a..b", "a[b]", "a[-1]", "a[0", "a]b", "a['k'", "a['k']b", "[]"])
def test_paths_outside_the_grammar_are_refused(text: str) -> None:
    with pytest.raises(DefinitionError, match="is not a path"):
        parse_path(text)


@given(st.lists(st.one_of(st.integers(0, 99), st.text("ab-_ .[]0", max_size=5)), min_size=1).map(tuple))
def test_a_rendered_path_parses_back(path: tuple[str | int, ...]) -> None:
    assert parse_path(render_path(path)) == path
