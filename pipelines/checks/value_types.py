"""Checks of the types that expressions have where they stand (CONTRACT.md 1.5: static typing at creation)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipelines.checks.finding import Found
from pipelines.checks.parameters import fits
from pipelines.checks.properties import Property, follow
from pipelines.checks.shapes import label
from pipelines.checks.subject import Placed, Subject
from pipelines.checks.text import constant
from pipelines.definition import Parameter
from pipelines.definition.expressions import (
    ExecutionReference,
    Expression,
    Join,
    Literal,
    ParameterReference,
    StepReference,
)
from pipelines.service_model import Spot, faults

_TIMES: Final = ("StartDateTime", "CurrentDateTime")
_WANTED: Final = {
    "string": ("String",),
    "integer": ("Integer",),
    "long": ("Integer",),
    "float": ("Float", "Integer"),
    "double": ("Float", "Integer"),
    "boolean": ("Boolean",),
}
_TYPES: Final = ("String", "Integer", "Float", "Boolean")


def misfits(subject: Subject) -> Iterator[Found]:
    """A value of one type in a place of another: "Cannot assign property reference [Parameters.x] to … [String]"."""
    for placed in subject.placed:
        wanted = _WANTED.get(placed.shape.type_name, ()) if placed.shape is not None else ()
        actual = static_type(subject, placed.expression)
        if wanted and actual in _TYPES and actual not in wanted and placed.step is not None:
            what = (
                f"{label(placed.where)} takes {_article(wanted[0])}; {_called(placed.expression)} is {_article(actual)}"
            )
            yield Found(placed.step.name, placed.where, what, _mend(placed.expression, wanted[0], actual))


def static_type(subject: Subject, expression: Expression) -> str | None:
    """The type that a value will have, by the name of a parameter's type; None when nothing says so."""
    match expression:
        case ParameterReference(name=name):
            parameter = subject.definition.parameter(name)
            return parameter.type if parameter else None
        case ExecutionReference(variable=variable):
            return None if variable in _TIMES else "String"
        case Join():
            return "String"
        case Literal(value=value):
            return next((kind for kind in ("String", "Boolean", "Integer", "Float") if fits(kind, value)), None)
        case StepReference(step=name, path=path) if subject.definition.has_step(name):
            followed = follow(subject, subject.definition.step(name), path)
            return followed.type if isinstance(followed, Property) else None
        case _:
            return None


def unfit_parameters(subject: Subject) -> Iterator[Found]:
    """A default, or a value of an enumeration, that the place it flows into does not take."""
    for placed in subject.placed:
        if placed.shape is None or placed.step is None or not _fitting(subject, placed):
            continue
        for source, value in _values(subject, placed.expression):
            fault = next(faults(Spot(placed.where, placed.shape, value)), None)
            if fault is not None:
                what = f"with {source}, {label(placed.where)} {fault.what}"
                yield Found(placed.step.name, placed.where, what, f"{fault.fix} there")
                break


def _fitting(subject: Subject, placed: Placed) -> bool:
    wanted = _WANTED.get(placed.shape.type_name, ())
    return static_type(subject, placed.expression) in wanted


def _values(subject: Subject, expression: Expression) -> Iterator[tuple[str, Any]]:
    """The values that the definition itself gives an expression, each with where it comes from."""
    if isinstance(expression, ParameterReference):
        parameter = subject.definition.parameter(expression.name)
        if parameter is not None:
            yield from _parameter_values(parameter)
        return
    text = constant(subject, expression)
    if text is not None:
        yield "the defaults of the parameters" if list(_parameters(expression)) else "its literal parts", text


def _parameter_values(parameter: Parameter) -> Iterator[tuple[str, Any]]:
    if parameter.has_default and fits(parameter.type, parameter.default):
        yield f"the default of {parameter.name}", parameter.default
    for value in parameter.enum:
        if fits(parameter.type, value):
            yield f"{value!r:.100} of the EnumValues of {parameter.name}", value


def _parameters(expression: Expression) -> Iterator[ParameterReference]:
    match expression:
        case ParameterReference():
            yield expression
        case Join(values=values):
            for value in values:
                yield from _parameters(value)


def _mend(expression: Expression, wanted: str, actual: str) -> str:
    if wanted == "String":
        return f'write {{"Std:Join": {{"On": "", "Values": [{{"Get": "{expression}"}}]}}}}'
    if isinstance(expression, ParameterReference):
        return f"declare the parameter {expression.name} as {wanted}"
    return f"put {_article(wanted)} there; there is no cast from {actual}"


def _called(expression: Expression) -> str:
    return "a Join" if isinstance(expression, Join) else str(expression)


def _article(kind: str) -> str:
    return f"an {kind}" if kind == "Integer" else f"a {kind}"
