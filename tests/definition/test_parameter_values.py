"""Override texts → native parameter values."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipelines.definition import Definition, parse
from pipelines.definition.parameters import ParameterError, resolve_parameters


def declaring(*parameters: dict[str, Any]) -> Definition:
    return parse(json.dumps({"Parameters": list(parameters), "Steps": []}))


def one(kind: str, text: str, **rest: Any) -> Any:
    return resolve_parameters(declaring({"Name": "P", "Type": kind, **rest}), {"P": text})["P"]


@pytest.mark.parametrize(
    ("kind", "text", "value"),
    [
        ("String", "a b", "a b"),
        ("String", "1", "1"),
        ("Integer", "3", 3),
        ("Integer", "-03", -3),
        ("Float", "0.5", 0.5),
        ("Float", "1", 1.0),
        ("Float", "1e-3", 0.001),
        ("Boolean", "True", True),
        ("Boolean", "false", False),
        ("Boolean", "TRUE", True),
    ],
)
def test_texts_become_native_values(kind: str, text: str, value: object) -> None:
    found = one(kind, text)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("kind", "text", "fix"),
    [
        ("Integer", "3.0", "a whole number such as 3"),
        ("Integer", "1_000", "a whole number such as 3"),
        ("Integer", " 1", "a whole number such as 3"),
        ("Integer", "٣", "a whole number such as 3"),
        ("Float", "nan", "a finite number such as 0.5"),
        ("Float", "inf", "a finite number such as 0.5"),
        ("Float", "1e999", "a finite number such as 0.5"),
        ("Boolean", "yes", "true or false"),
    ],
)
def test_texts_of_another_type_are_refused(kind: str, text: str, fix: str) -> None:
    with pytest.raises(ParameterError) as caught:
        one(kind, text)
    (problem,) = caught.value.problems
    assert problem.what == f'Unexpected type for parameter P: expected {kind}, found "{text}"'
    assert problem.fix == f"write {fix}"


def test_defaults_fill_in_with_the_declared_type() -> None:
    definition = declaring(
        {"Name": "S", "DefaultValue": ""},
        {"Name": "F", "Type": "Float", "DefaultValue": 1},
        {"Name": "I", "Type": "Integer", "DefaultValue": 0},
        {"Name": "B", "Type": "Boolean", "DefaultValue": False},
    )
    found = resolve_parameters(definition, {})
    assert found == {"S": "", "F": 1.0, "I": 0, "B": False}
    assert [type(value) for value in found.values()] == [str, float, int, bool]


@pytest.mark.parametrize(
    ("kind", "default"),
    [("Integer", True), ("Integer", 1.5), ("Float", "1"), ("String", 1), ("Boolean", 0), ("Float", 10**400)],
)
def test_defaults_of_another_type_are_refused(kind: str, default: object) -> None:
    with pytest.raises(ParameterError, match="expected " + kind + ", found the default"):
        resolve_parameters(declaring({"Name": "P", "Type": kind, "DefaultValue": default}), {})


def test_every_problem_is_listed_with_its_fix() -> None:
    definition = declaring(
        {"Name": "MinAuc", "Type": "Float"},
        {"Name": "Size", "EnumValues": ["small", "large"], "DefaultValue": "small"},
        {"Name": "Bucket"},
        {"Name": "Odd", "Type": "Date"},
    )
    with pytest.raises(ParameterError) as caught:
        resolve_parameters(definition, {"MinAUC": "1", "Zzz": "1", "Size": "huge", "Bucket": ""})
    assert [(problem.where, problem.what, problem.fix) for problem in caught.value.problems] == [
        ("Parameters.MinAUC", 'Unknown parameter "MinAUC"', "write MinAuc"),
        (
            "Parameters.Zzz",
            'Unknown parameter "Zzz"',
            "leave it out; the pipeline declares MinAuc, Size, Bucket, Odd",
        ),
        ("Parameters.MinAuc", 'Parameter "MinAuc" has no default and no value', "give it a value, as in MinAuc=…"),
        ("Parameters.Size", '"huge" is not one of the values of Size', "use one of small, large"),
        (
            "Parameters.Bucket",
            'Value is invalid: [string "" is too short (length: 0, required minimum: 1)]',
            "give Bucket a value, or leave it out to use its default",
        ),
        ("Parameters.Odd", 'the type "Date" is unknown', "declare it as one of String, Integer, Float, Boolean"),
    ]
