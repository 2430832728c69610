"""Checks of the declared parameters (CONTRACT.md 1.4)."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator
from typing import Any, Final

from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject
from pipelines.definition import Parameter
from pipelines.definition.expressions import ParameterReference
from pipelines.nearest import nearest

TYPES: Final = ("String", "Integer", "Float", "Boolean")
MAX_ENUM: Final = 16
_NAME: Final = re.compile(r"[A-Za-z0-9_-]{1,256}")
_EXAMPLES: Final = {"String": '"text"', "Integer": "3", "Float": "0.5", "Boolean": "true"}


def names(subject: Subject) -> Iterator[Found]:
    for where, parameter in _parameters(subject):
        if not _NAME.fullmatch(parameter.name):
            what = f"{parameter.name!r:.100} is no name of a parameter: letters, digits, - and _, at most 256"
            mended = re.sub(r"[^A-Za-z0-9_-]+", "-", parameter.name)[:256].strip("-") or "Parameter"
            yield Found(None, f"{where}.Name", what, f'rename it, for example "{mended}"')


def types(subject: Subject) -> Iterator[Found]:
    for where, parameter in _parameters(subject):
        if parameter.type not in TYPES:
            close = nearest(parameter.type, TYPES)
            fix = f'write "{close}"' if close else f"write one of {', '.join(TYPES)}"
            yield Found(None, f"{where}.Type", f"{parameter.name} has the unknown type {parameter.type!r:.100}", fix)


def defaults(subject: Subject) -> Iterator[Found]:
    for where, parameter in _parameters(subject):
        at = f"{where}.DefaultValue"
        if not parameter.has_default or parameter.type not in TYPES:
            continue
        if not fits(parameter.type, parameter.default):
            what = f"{parameter.name} is of type {parameter.type}, its default is {_kind(parameter.default)}"
            yield Found(None, at, what, f"write a default such as {_EXAMPLES[parameter.type]}, or change the type")
        elif parameter.enum and parameter.default not in parameter.enum:
            what = f"the default of {parameter.name} is not among its EnumValues"
            yield Found(None, at, what, f"use one of {', '.join(map(str, parameter.enum))}")


def enums(subject: Subject) -> Iterator[Found]:
    for where, parameter in _parameters(subject):
        at = f"{where}.EnumValues"
        if parameter.enum and parameter.type != "String" and parameter.type in TYPES:
            what = f"{parameter.name} is of type {parameter.type}; only a String may have EnumValues"
            yield Found(None, at, what, "remove EnumValues, or make the parameter a String")
        elif len(parameter.enum) > MAX_ENUM:
            what = f"{parameter.name} has {len(parameter.enum)} EnumValues; at most {MAX_ENUM} are allowed"
            yield Found(None, at, what, f"keep {MAX_ENUM} of them, or remove EnumValues")
        elif not all(isinstance(value, str) for value in parameter.enum):
            yield Found(None, at, f"EnumValues of {parameter.name} are not all text", "write each one in quotes")


def unused(subject: Subject) -> Iterator[Found]:
    used = {
        reference.name
        for placed in subject.placed
        for reference in placed.references
        if isinstance(reference, ParameterReference)
    }
    for where, parameter in _parameters(subject):
        if parameter.name not in used:
            what = f"no step reads the parameter {parameter.name}: a value given for it changes nothing"
            yield Found(None, where, what, f'use {{"Get": "Parameters.{parameter.name}"}} in a step, or remove it')


def fits(kind: str, value: Any) -> bool:
    """Whether a native value is of a parameter's type; a whole number is a Float as well."""
    match kind:
        case "String":
            return isinstance(value, str)
        case "Boolean":
            return isinstance(value, bool)
        case "Integer":
            return isinstance(value, int) and not isinstance(value, bool)
        case "Float":
            return isinstance(value, (int, float)) and not isinstance(value, bool) and _finite(value)
        case _:
            return True


def _finite(value: float) -> bool:
    try:
        return math.isfinite(value)
    except OverflowError:
        return False


def _parameters(subject: Subject) -> Iterator[tuple[str, Parameter]]:
    for index, parameter in enumerate(subject.definition.parameters):
        yield f"Parameters[{index}]", parameter


def _kind(value: Any) -> str:
    names = {str: "text", bool: "a boolean", int: "a whole number", float: "a number", list: "a list"}
    return names.get(type(value), "an object")
