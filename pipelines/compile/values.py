"""Expressions of a spec → the SDK's pipeline variables.

Takes templates, scalars and conditions; gives texts, numbers and SDK objects. Only whole leaves may be expressions, and
a field that takes text takes a number or boolean parameter only inside a Join (CONTRACT.md section 1.5): `text` sees to
that, so that an author need not know.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from pipelines.compile.sdk import Sdk
from pipelines.spec import Target
from pipelines.spec.conditions import AllOf, AnyOf, Comparison, Condition, In, Not, Operand
from pipelines.spec.expressions import (
    EnvironmentValue,
    ExecutionValue,
    Model,
    Output,
    Parameter,
    Reference,
    Report,
    Template,
)
from pipelines.spec.model import Processing, Scalar, Step

_COMPARISONS = {
    "==": "ConditionEquals",
    ">": "ConditionGreaterThan",
    ">=": "ConditionGreaterThanOrEqualTo",
    "<": "ConditionLessThan",
    "<=": "ConditionLessThanOrEqualTo",
}


@dataclass
class Scope:
    """What expressions can refer to while a pipeline is built: filled step by step, in dependency order."""

    sdk: Sdk
    target: Target
    specs: Mapping[str, Step]
    parameters: Mapping[str, Any]
    steps: dict[str, Any] = field(default_factory=dict)

    def reference(self, reference: Reference) -> Any:
        """A reference as a text that is known now, or as an SDK variable."""
        match reference:
            case Parameter(name):
                return self.parameters[name]
            case EnvironmentValue():
                return self.target.value(reference)
            case ExecutionValue(variable):
                return self.sdk.ExecutionVariable(variable)
            case Output(step, output):
                return self._output(step, output)
            case Model(step):
                return self.steps[step].properties.ModelArtifacts.S3ModelArtifacts
            case Report(step, report, ""):
                output, _, file = self._report(step, report).partition("/")
                return self.sdk.Join(on="/", values=[self._output(step, output), file])
            case Report(step, report, path):
                return self.sdk.JsonGet(step_name=step, property_file=report, json_path=path)
        raise TypeError(f"no such reference: {reference!r}")

    def _output(self, step: str, output: str) -> Any:
        return self.steps[step].properties.ProcessingOutputConfig.Outputs[output].S3Output.S3Uri

    def _report(self, step: str, report: str) -> str:
        body = self.specs[step].body
        assert isinstance(body, Processing)  # noqa: S101 -- validated by spec/meaning.py
        return body.reports[report]

    def text(self, value: Scalar | None) -> Any:
        """For a field that takes text: a text, or a variable that yields text; None as it is."""
        if value is None:
            return None
        if isinstance(value, bool):
            return str(value).lower()
        if not isinstance(value, Template):
            return str(value)
        parts = [part if isinstance(part, str) else self.reference(part) for part in value.parts]
        if all(isinstance(part, str) for part in parts):
            return "".join(parts)
        if len(parts) > 1:
            return self.sdk.Join(on="", values=_merged(parts))
        return self.sdk.Join(on="", values=parts) if self._needs_cast(value.only) else parts[0]

    def _needs_cast(self, reference: Reference | None) -> bool:
        if isinstance(reference, Parameter):
            return bool(self.parameters[reference.name].parameter_type.value != "String")
        return isinstance(reference, Report) and bool(reference.path)

    def number(self, value: Template | int | None) -> Any:
        """For a field that takes a whole number: the number, or an Integer parameter; None as it is."""
        if not isinstance(value, Template):
            return value
        only = value.only
        assert isinstance(only, Parameter)  # noqa: S101 -- validated by spec/meaning.py
        return self.parameters[only.name]

    def conditions(self, condition: Condition) -> list[Any]:
        """The conditions of a step: the service takes a list, of which all must hold."""
        parts = condition.conditions if isinstance(condition, AllOf) else (condition,)
        return [self._condition(part) for part in parts]

    def _condition(self, condition: Condition) -> Any:
        match condition:
            case Comparison(operator, left, right):
                kind = getattr(self.sdk, _COMPARISONS[operator])
                return kind(left=self._operand(left), right=self._operand(right))
            case In(operand, values):
                return self.sdk.ConditionIn(
                    value=self._operand(operand), in_values=[self._operand(value) for value in values]
                )
            case Not(inner):
                return self.sdk.ConditionNot(expression=self._condition(inner))
            case AnyOf(conditions):
                return self.sdk.ConditionOr(conditions=[self._condition(part) for part in conditions])
            case AllOf(conditions):
                # The service has no And inside of Or and Not: a and b = not (not a or not b).
                return self._condition(Not(AnyOf(tuple(Not(part) for part in conditions))))
        raise TypeError(f"no such condition: {condition!r}")

    def _operand(self, operand: Operand) -> Any:
        return operand if isinstance(operand, (str, int, float, bool)) else self.reference(operand)


def _merged(parts: list[Any]) -> list[Any]:
    """Neighbouring texts as one."""
    merged: list[Any] = []
    for part in parts:
        if merged and isinstance(part, str) and isinstance(merged[-1], str):
            merged[-1] += part
        else:
            merged.append(part)
    return merged
