"""Conditions → outcomes."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.local.machine.conditions import ConditionError, evaluate_all


def compare(kind: str, left: Any, right: Any) -> dict[str, Any]:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


TRUE = compare("Equals", 1, 1)
FALSE = compare("Equals", 1, 2)


def outcome(*conditions: Any) -> bool:
    return evaluate_all(list(conditions), lambda value: value)


@pytest.mark.parametrize(
    ("conditions", "expected"),
    [
        ([], True),
        ([TRUE, TRUE], True),
        ([TRUE, FALSE], False),
        ([compare("Equals", 1, 1.0)], True),
        ([compare("Equals", "a", "a")], True),
        ([compare("Equals", True, False)], False),
        ([compare("GreaterThan", 2, 1)], True),
        ([compare("GreaterThan", 1, 1)], False),
        ([compare("GreaterThan", "1", "3")], False),
        ([compare("GreaterThan", "10", "3")], False),
        ([compare("GreaterThanOrEqualTo", 1, 1)], True),
        ([compare("LessThan", 0.5, 1)], True),
        ([compare("LessThanOrEqualTo", "b", "a")], False),
        ([{"Type": "In", "QueryValue": 2, "Values": [1, 2]}], True),
        ([{"Type": "In", "QueryValue": "x", "Values": []}], False),
        ([{"Type": "Not", "Condition": TRUE}], False),
        ([{"Type": "Not", "Condition": [TRUE, FALSE]}], True),
        ([{"Type": "Or", "Conditions": [FALSE, TRUE]}], True),
        ([{"Type": "Or", "Conditions": []}], False),
        ([{"Type": "Or", "Conditions": [{"Type": "Not", "Condition": TRUE}, [TRUE, TRUE]]}], True),
    ],
)
def test_conditions_have_these_outcomes(conditions: list[Any], expected: bool) -> None:
    assert outcome(*conditions) is expected


@pytest.mark.parametrize(
    ("condition", "message"),
    [
        (compare("Equals", "1", 1), 'Equals cannot compare the string "1" with the number 1'),
        (compare("Equals", True, 1), "Equals cannot compare the boolean true with the number 1"),
        (compare("LessThan", True, False), "LessThan cannot compare the boolean true with the boolean false"),
        (compare("GreaterThan", "5", 3), 'GreaterThan cannot compare the string "5" with the number 3'),
        ({"Type": "In", "QueryValue": "1", "Values": [1]}, 'In cannot compare the string "1" with the number 1'),
        ({"Type": "Equal"}, 'a condition has the type "Equal", which is unknown; the nearest is "Equals"'),
        ({"Type": "And", "Conditions": []}, 'a condition has the type "And", which is unknown'),
        ({"Type": "Equals", "LeftValue": 1}, "a condition of type Equals lacks RightValue"),
        ({"Type": "Or", "Conditions": 1}, "Conditions of a condition of type Or is the number 1, not a list"),
        ("x", 'a condition is the string "x", not an object'),
    ],
)
def test_conditions_without_an_answer_say_why(condition: Any, message: str) -> None:
    with pytest.raises(ConditionError) as caught:
        outcome(condition)
    assert message in str(caught.value)


def test_conditions_that_are_no_list_say_so() -> None:
    with pytest.raises(ConditionError, match="Conditions is an object, not a list"):
        evaluate_all({}, lambda value: value)
