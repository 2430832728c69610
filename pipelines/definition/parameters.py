"""Parameter values of one execution (CONTRACT.md 1.4): declared parameters and override texts in, native values out."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from typing import Final

from pipelines.definition.model import Definition, Parameter
from pipelines.errors import Problem, UsageError
from pipelines.nearest import nearest

Native = str | int | float | bool

# Stricter than int() and float(), which take blanks, underscores and foreign digits.
_INTEGER: Final = re.compile(r"[+-]?[0-9]{1,300}")
_FLOAT: Final = re.compile(r"[+-]?([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?")
_EXPECTED: Final = {
    "String": "a text",
    "Integer": "a whole number such as 3",
    "Float": "a finite number such as 0.5",
    "Boolean": "true or false",
}


class ParameterError(UsageError):
    """The values given do not fit the parameters declared; carries every problem found."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        Exception.__init__(self, "\n".join(str(problem) for problem in self.problems))


class _UnfitError(Exception):
    """One value is refused: what is wrong with it and how to mend it."""

    def __init__(self, what: str, fix: str) -> None:
        super().__init__(what)
        self.problem = what, fix


def resolve_parameters(definition: Definition, overrides: Mapping[str, str]) -> dict[str, Native]:
    """Every declared parameter with its value, by name; ParameterError lists all that is wrong."""
    problems = [_unknown(definition, name) for name in overrides if definition.parameter(name) is None]
    values: dict[str, Native] = {}
    for parameter in definition.parameters:
        try:
            values[parameter.name] = _value(parameter, overrides)
        except _UnfitError as error:
            problems.append(Problem(f"Parameters.{parameter.name}", *error.problem))
    if problems:
        raise ParameterError(problems)
    return values


def _unknown(definition: Definition, name: str) -> Problem:
    close = nearest(name, (parameter.name for parameter in definition.parameters))
    known = ", ".join(parameter.name for parameter in definition.parameters) or "none"
    fix = f"write {close}" if close else f"leave it out; the pipeline declares {known}"
    return Problem(f"Parameters.{name}", f'Unknown parameter "{name}"', fix)


def _value(parameter: Parameter, overrides: Mapping[str, str]) -> Native:
    name = parameter.name
    if parameter.type not in _EXPECTED:
        known = ", ".join(_EXPECTED)
        raise _UnfitError(f'the type "{parameter.type}" is unknown', f"declare it as one of {known}")
    if name in overrides:
        value = _from_text(parameter, overrides[name])
    elif parameter.has_default:
        value = _from_default(parameter)
    else:
        raise _UnfitError(f'Parameter "{name}" has no default and no value', f"give it a value, as in {name}=…")
    if parameter.enum and value not in parameter.enum:
        allowed = ", ".join(str(item) for item in parameter.enum)
        raise _UnfitError(f'"{value}" is not one of the values of {name}', f"use one of {allowed}")
    return value


def _from_text(parameter: Parameter, text: str) -> Native:
    if text == "":
        raise _UnfitError(
            'Value is invalid: [string "" is too short (length: 0, required minimum: 1)]',
            f"give {parameter.name} a value, or leave it out to use its default",
        )
    value = _parse(parameter.type, text)
    if value is None:
        raise _unfit(parameter, f'"{text}"')
    return value


def _parse(kind: str, text: str) -> Native | None:
    match kind:
        case "Integer":
            return int(text) if _INTEGER.fullmatch(text) else None
        case "Float":
            number = float(text) if _FLOAT.fullmatch(text) else math.inf
            return number if math.isfinite(number) else None
        case "Boolean":
            return {"true": True, "false": False}.get(text.lower())
        case _:
            return text


def _from_default(parameter: Parameter) -> Native:
    value = parameter.default
    match parameter.type:
        case "Float" if isinstance(value, (int, float)) and not isinstance(value, bool):
            # As text, a whole number too large for a float becomes infinite and is refused like any other.
            number = _parse("Float", repr(value))
            if number is not None:
                return number
        case "Integer" if isinstance(value, int) and not isinstance(value, bool):
            return value
        case "Boolean" if isinstance(value, bool):
            return value
        case "String" if isinstance(value, str):
            return value
    raise _unfit(parameter, f"the default {value!r}")


def _unfit(parameter: Parameter, found: str) -> _UnfitError:
    what = f"Unexpected type for parameter {parameter.name}: expected {parameter.type}, found {found}"
    return _UnfitError(what, f"write {_EXPECTED[parameter.type]}")
