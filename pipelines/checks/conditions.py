"""Checks of a Condition step's conditions (CONTRACT.md 1.7)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject, inside
from pipelines.checks.value_types import static_type
from pipelines.definition import Step
from pipelines.definition.expressions import is_expression, parse_expression
from pipelines.definition.step_types import CONDITION
from pipelines.nearest import nearest

_COMPARISONS: Final = ("Equals", "GreaterThan", "GreaterThanOrEqualTo", "LessThan", "LessThanOrEqualTo")
_KEYS: Final = {
    **dict.fromkeys(_COMPARISONS, ("LeftValue", "RightValue")),
    "In": ("QueryValue", "Values"),
    "Not": ("Condition",),
    "Or": ("Conditions",),
}
# The community's schema has them, the SDK has not; whether the service takes them is not known.
_UNDECIDED: Final = ("NotEquals", "NotIn")
_NUMBERS: Final = ("Integer", "Float")


class _Placed(NamedTuple):
    step: Step
    where: str
    condition: Any


def forms(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        if step.type == CONDITION and not isinstance(step.arguments.get("Conditions"), list):
            yield Found(step.name, f"{inside(step)}.Conditions", "Conditions must be a list", 'write "Conditions": […]')
    for placed in _conditions(subject):
        yield from _form(placed)


def _form(placed: _Placed) -> Iterator[Found]:
    step, where, condition = placed
    kind = condition.get("Type") if isinstance(condition, dict) else None
    if not isinstance(kind, str):
        yield Found(step.name, where, "a condition is an object with a Type", 'write {"Type": "Equals", …}')
    elif kind not in _KEYS and kind not in _UNDECIDED:
        close = nearest(kind, _KEYS)
        fix = f'write "{close}"' if close else f"use one of {', '.join(_KEYS)}"
        yield Found(step.name, f"{where}.Type", f"{kind!r:.100} is no type of condition", fix)
    for key in _KEYS.get(kind, ()) if isinstance(kind, str) else ():
        if condition.get(key) is None:
            yield Found(step.name, f"{where}.{key}", f"{kind} needs {key}", f'add "{key}"')
        elif key in ("Conditions", "Values") and not isinstance(condition[key], list):
            yield Found(step.name, f"{where}.{key}", f"{key} must be a list", f'write "{key}": […]')
        elif key in ("LeftValue", "RightValue", "QueryValue") and not _is_scalar(condition[key]):
            what = f"{key} must be a single value or an expression"
            yield Found(step.name, f"{where}.{key}", what, "compare one of the values inside it")


def types(subject: Subject) -> Iterator[Found]:
    """Text is never equal to a number, nor comes before one."""
    for step, where, condition in _conditions(subject):
        if not isinstance(condition, dict) or condition.get("Type") not in _COMPARISONS:
            continue
        left, right = (_type(subject, condition.get(key)) for key in ("LeftValue", "RightValue"))
        if left and right and left != right and not (left in _NUMBERS and right in _NUMBERS):
            what = f"compares a value of type {left} with one of type {right}"
            yield Found(step.name, where, what, f"make both {right if left == 'String' else left}")


def _type(subject: Subject, value: Any) -> str | None:
    return static_type(subject, parse_expression(value)) if value is not None and _is_scalar(value) else None


def _conditions(subject: Subject) -> Iterator[_Placed]:
    for step in subject.steps:
        if step.type == CONDITION:
            yield from _inside(step, f"{inside(step)}.Conditions", step.arguments.get("Conditions"))


def _inside(step: Step, where: str, conditions: Any) -> Iterator[_Placed]:
    """Every condition of a list, and those inside Or and Not."""
    for index, condition in enumerate(conditions if isinstance(conditions, list) else ()):
        yield from _one(step, f"{where}[{index}]", condition)


def _one(step: Step, where: str, condition: Any) -> Iterator[_Placed]:
    yield _Placed(step, where, condition)
    if isinstance(condition, dict) and condition.get("Type") == "Or":
        yield from _inside(step, f"{where}.Conditions", condition.get("Conditions"))
    elif isinstance(condition, dict) and condition.get("Type") == "Not" and condition.get("Condition") is not None:
        yield from _one(step, f"{where}.Condition", condition["Condition"])


def _is_scalar(value: Any) -> bool:
    return value is None or isinstance(value, (str, int, float)) or is_expression(value)
