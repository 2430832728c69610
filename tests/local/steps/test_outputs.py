"""Output parameters: declared names and types."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.local.machine.events import Launch
from pipelines.local.steps.outputs import OutputError, declared, listed, refuse_unknown, typed


def test_the_type_of_a_parameter_is_a_text_where_none_is_declared() -> None:
    settings = {"OutputParameters": [{"OutputName": "a", "OutputType": "Integer"}, {"OutputName": "b"}]}
    assert declared(Launch("S", "Lambda", {}, "job", settings)) == {"a": "Integer", "b": "String"}


@pytest.mark.parametrize(
    ("wanted", "given", "expected"),
    [
        ("Integer", "7", 7),
        ("Integer", " -7 ", -7),
        ("Integer", 7.0, 7),
        ("Float", "7", 7.0),
        ("Float", "1e-3", 0.001),
        ("Boolean", "TRUE", True),
        ("Boolean", False, False),
        ("String", "7", "7"),
        ("String", 7, "7"),
        ("String", {"a": [1]}, '{"a": [1]}'),
    ],
)
def test_a_value_becomes_one_of_its_type(wanted: str, given: Any, expected: Any) -> None:
    found = typed({"p": wanted}, {"p": given})["p"]
    assert (found, type(found)) == (expected, type(expected))


@pytest.mark.parametrize(
    ("wanted", "given"),
    [("Integer", "7.5"), ("Integer", 7.5), ("Integer", True), ("Float", "x"), ("Float", [1]), ("Boolean", "yes")],
)
def test_a_value_of_another_type_is_refused_by_name(wanted: str, given: Any) -> None:
    with pytest.raises(OutputError, match=f'output parameter "p" is no {wanted}: '):
        typed({"p": wanted}, {"p": given})


def test_too_long_a_text_is_refused() -> None:
    with pytest.raises(OutputError, match="has 1,025 characters; 1,024 at most"):
        typed({"p": "String"}, {"p": "x" * 1025})


def test_an_undeclared_name_is_refused_with_the_nearest() -> None:
    with pytest.raises(OutputError, match=r'"acuracy" is not declared .*the nearest is "accuracy"'):
        refuse_unknown({"accuracy": "Float"}, {"acuracy": "1"})


def test_values_are_listed_as_texts() -> None:
    assert listed({"a": 1, "b": "x", "c": True}) == [
        {"Name": "a", "Value": "1"},
        {"Name": "b", "Value": "x"},
        {"Name": "c", "Value": "true"},
    ]
