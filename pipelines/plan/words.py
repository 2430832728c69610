"""Expressions and conditions of a definition as pipeline.yaml writes them: JSON in, one line of text out.

`${{ parameters.X }}`, `${{ steps.A.outputs.train }}`, `${{ steps.E.reports.metrics.auc }} >= 0.65`. What pipeline.yaml
has no word for is written with the definition's own words.
"""

from __future__ import annotations

import json
from typing import Any, Final

from pipelines.definition import Path, parse_expression, render_path
from pipelines.definition.expressions import (
    ExecutionReference,
    Expression,
    Join,
    JsonGet,
    Literal,
    OtherFunction,
    ParameterReference,
    PropertyFileReference,
    StepReference,
    is_expression,
)
from pipelines.definition.texts import one_line
from pipelines.spec.expressions import EXECUTION_VARIABLES

_EXECUTION: Final = {variable: name for name, variable in EXECUTION_VARIABLES.items()}
_COMPARISONS: Final = {
    "Equals": "==",
    "NotEquals": "!=",
    "GreaterThan": ">",
    "GreaterThanOrEqualTo": ">=",
    "LessThan": "<",
    "LessThanOrEqualTo": "<=",
}


def words(value: Any) -> str:
    """A JSON value: a scalar, an expression, or (as YAML's flow style) a list or object of them."""
    if isinstance(value, str):
        return one_line(value)
    if isinstance(value, list):
        return f"[{', '.join(map(words, value))}]"
    if isinstance(value, dict) and not is_expression(value):
        return f"{{{', '.join(f'{key}: {words(value[key])}' for key in sorted(value))}}}"
    return one_line(_expression(parse_expression(value)))


def _expression(expression: Expression) -> str:
    match expression:
        case Literal(value=str(value)):
            return value
        case Literal(value=value):
            return json.dumps(value)
        case Join(on=on, values=values):
            return on.join(map(_expression, values))
        case OtherFunction(name=name, argument=argument):
            return f"{name}({json.dumps(argument, sort_keys=True)})"
        case _:
            return f"${{{{ {_reference(expression)} }}}}"


def _reference(expression: Expression) -> str:
    match expression:
        case ParameterReference(name=name):
            return f"parameters.{name}"
        case ExecutionReference(variable=variable):
            return f"execution.{_EXECUTION[variable]}" if variable in _EXECUTION else f"Execution.{variable}"
        case StepReference(step=step, path=path):
            return f"steps.{step}{_property(path)}"
        case PropertyFileReference(step=step, name=name):
            return f"steps.{step}.reports.{name}"
        case JsonGet(source=source, path=path):
            inner = _reference(source) if isinstance(source, PropertyFileReference) else _expression(source)
            return f"{inner}{_after(path)}"
        case _:
            return str(expression)


def _property(path: Path) -> str:
    match path:
        case ("ProcessingOutputConfig", "Outputs", name, "S3Output", "S3Uri"):
            return f".outputs.{name}"
        case ("ModelArtifacts", "S3ModelArtifacts"):
            return ".model"
        case _:
            return _after(path)


def _after(path: Path) -> str:
    text = render_path(path)
    return text if not text or text.startswith("[") else f".{text}"


def condition_words(conditions: Any) -> str:
    """The conditions of a step as the `if` of pipeline.yaml."""
    if not isinstance(conditions, list):
        return words(conditions)
    return " and ".join(_condition(condition) for condition in conditions) or "true"


def _condition(condition: Any) -> str:
    match condition:
        case {"Type": str(kind), "LeftValue": left, "RightValue": right} if kind in _COMPARISONS:
            return f"{_operand(left)} {_COMPARISONS[kind]} {_operand(right)}"
        case {"Type": "In", "QueryValue": query, "Values": list(values)}:
            return f"{_operand(query)} in [{', '.join(map(_operand, values))}]"
        case {"Type": "Or", "Conditions": list(inner)}:
            return f"({' or '.join(map(_condition, inner))})"
        case {"Type": "Not", "Condition": inner}:
            return _negated(inner)
        case _:
            return words(condition) if isinstance(condition, dict | list) else str(condition)


def _negated(condition: Any) -> str:
    """Not of a comparison as the operator that says it; not of an or of nots as the and that it was compiled from."""
    match condition:
        case {"Type": "Equals", "LeftValue": left, "RightValue": right}:
            return f"{_operand(left)} != {_operand(right)}"
        case {"Type": "In", "QueryValue": query, "Values": list(values)}:
            return f"{_operand(query)} not in [{', '.join(map(_operand, values))}]"
        case {"Type": "Or", "Conditions": [{"Type": "Not"}, *_] as inner} if all(_is_not(part) for part in inner):
            return f"({' and '.join(_condition(part['Condition']) for part in inner)})"
        case _:
            return f"not ({_condition(condition)})"


def _is_not(condition: Any) -> bool:
    return isinstance(condition, dict) and condition.get("Type") == "Not" and "Condition" in condition


def _operand(value: Any) -> str:
    """A text is quoted, as in pipeline.yaml."""
    return f"'{one_line(value)}'" if isinstance(value, str) else words(value)
