"""The conditions of a Condition step (CONTRACT.md 1.7): their JSON and a way to resolve operands in, a boolean out.

A list is ANDed and may be empty; evaluation stops where the outcome is certain. Numbers compare with numbers, strings
with strings (in character order), booleans only for equality. Anything else is a ConditionError, which fails the step:
`"5" > 3` has no answer.
"""

from __future__ import annotations

import operator
from collections.abc import Callable, Mapping
from typing import Any, Final

from pipelines.local.machine.lookup import describe
from pipelines.nearest import nearest

Resolve = Callable[[Any], Any]

_ORDERINGS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "GreaterThan": operator.gt,
    "GreaterThanOrEqualTo": operator.ge,
    "LessThan": operator.lt,
    "LessThanOrEqualTo": operator.le,
}
_TYPES: Final = ("Equals", *_ORDERINGS, "In", "Not", "Or")


class ConditionError(Exception):
    """A condition cannot be evaluated; the message is the failure reason of the Condition step."""


def evaluate_all(conditions: Any, resolve: Resolve) -> bool:
    """Whether every condition of a list holds."""
    if not isinstance(conditions, list):
        raise ConditionError(f"Conditions is {describe(conditions)}, not a list")
    return all(evaluate(condition, resolve) for condition in conditions)


def evaluate(condition: Any, resolve: Resolve) -> bool:
    """Whether one condition holds."""
    # A nested list is an And, as at the top.
    if isinstance(condition, list):
        return evaluate_all(condition, resolve)
    if not isinstance(condition, dict):
        raise ConditionError(f"a condition is {describe(condition)}, not an object")
    kind = condition.get("Type")
    match kind:
        case "Equals":
            return _equal(kind, *_operands(condition, resolve))
        case "GreaterThan" | "GreaterThanOrEqualTo" | "LessThan" | "LessThanOrEqualTo":
            return _ordered(kind, *_operands(condition, resolve))
        case "In":
            return _contained(condition, resolve)
        case "Not":
            return not evaluate(_member(condition, "Condition"), resolve)
        case "Or":
            return any(evaluate(inner, resolve) for inner in _listed(condition, "Conditions"))
        case _:
            close = nearest(str(kind), _TYPES)
            hint = f'; the nearest is "{close}"' if close else f"; known are {', '.join(_TYPES)}"
            raise ConditionError(f'a condition has the type "{kind}", which is unknown{hint}')


def _operands(condition: Mapping[str, Any], resolve: Resolve) -> tuple[Any, Any]:
    return resolve(_member(condition, "LeftValue")), resolve(_member(condition, "RightValue"))


def _contained(condition: Mapping[str, Any], resolve: Resolve) -> bool:
    query = resolve(_member(condition, "QueryValue"))
    return any(_equal("In", query, resolve(value)) for value in _listed(condition, "Values"))


def _equal(kind: str, left: Any, right: Any) -> bool:
    if _class_of(left) != _class_of(right):
        raise _incomparable(kind, left, right)
    return bool(left == right)


def _ordered(kind: str, left: Any, right: Any) -> bool:
    if _class_of(left) != _class_of(right) or _class_of(left) == "boolean":
        raise _incomparable(kind, left, right)
    return _ORDERINGS[kind](left, right)


def _class_of(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    return "string" if isinstance(value, str) else "number"


def _incomparable(kind: str, left: Any, right: Any) -> ConditionError:
    return ConditionError(f"{kind} cannot compare {describe(left)} with {describe(right)}")


def _member(condition: Mapping[str, Any], key: str) -> Any:
    if key not in condition:
        raise ConditionError(f"a condition of type {condition.get('Type')} lacks {key}")
    return condition[key]


def _listed(condition: Mapping[str, Any], key: str) -> list[Any]:
    value = _member(condition, key)
    if not isinstance(value, list):
        raise ConditionError(f"{key} of a condition of type {condition.get('Type')} is {describe(value)}, not a list")
    return value
