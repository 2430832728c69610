"""AWS's own model of a service (botocore's data): what a request may be.

Takes an operation and a request; gives the faults that the service would name. No client, no credentials, no network.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from botocore.loaders import Loader
from botocore.model import ServiceModel, Shape


@dataclass(frozen=True)
class Fault:
    """One value that breaks the model: its path in the request, and the constraint it breaks."""

    path: str
    what: str


@cache
def service(name: str) -> ServiceModel:
    """A service's model by botocore's name for it."""
    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def request_faults(service_name: str, operation: str, request: Any) -> list[Fault]:
    """What the service would refuse in a request. Raises `KeyError` for an operation that it does not have."""
    model = service(service_name)
    if operation not in model.operation_names:
        raise KeyError(operation)
    shape = model.operation_model(operation).input_shape
    return [] if shape is None else list(shape_faults(shape, request, ""))


def is_expression(value: Any) -> bool:
    """Whether a value of a definition stands for one that is known only in an execution."""
    return isinstance(value, dict) and len(value) == 1 and next(iter(value)) in ("Get", "Std:Join", "Std:JsonGet")


def shape_faults(shape: Shape, value: Any, path: str) -> Iterator[Fault]:
    """The faults of a value; expressions of a definition pass, as their values are not known yet."""
    if is_expression(value) or value is None:
        return
    match shape.type_name:
        case "structure":
            yield from _structure(shape, value, path)
        case "list":
            yield from _list(shape, value, path)
        case "map":
            yield from _map(shape, value, path)
        case "string":
            yield from _string(shape, value, path)
        case "integer" | "long" | "float" | "double":
            yield from _number(shape, value, path)
        case "boolean" if not isinstance(value, bool):
            yield Fault(path, f"must be true or false, not {value!r}")


def _structure(shape: Any, value: Any, path: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(path, f"must be an object, not {value!r}")
        return
    for name in shape.required_members:
        if value.get(name) is None:
            yield Fault(_at(path, name), "is required")
    for name, item in value.items():
        if name in shape.members:
            yield from shape_faults(shape.members[name], item, _at(path, name))
        else:
            yield Fault(_at(path, name), "is not known to the service")


def _list(shape: Any, value: Any, path: str) -> Iterator[Fault]:
    if not isinstance(value, list):
        yield Fault(path, f"must be a list, not {value!r}")
        return
    yield from _size(shape, len(value), path, "entries")
    for index, item in enumerate(value):
        yield from shape_faults(shape.member, item, f"{path}[{index}]")


def _map(shape: Any, value: Any, path: str) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield Fault(path, f"must be an object, not {value!r}")
        return
    yield from _size(shape, len(value), path, "entries")
    for key, item in value.items():
        yield from shape_faults(shape.key, key, f"{path} (key {key!r})")
        yield from shape_faults(shape.value, item, f"{path}[{key!r}]")


def _string(shape: Any, value: Any, path: str) -> Iterator[Fault]:
    if not isinstance(value, str):
        yield Fault(path, f"must be text, not {value!r}")
        return
    yield from _size(shape, len(value), path, "characters")
    if shape.enum and value not in shape.enum:
        yield Fault(path, f"must be one of {', '.join(shape.enum[:20])}; it is {value!r}")
    pattern = shape.metadata.get("pattern")
    if pattern and not _pattern(pattern).fullmatch(value):
        yield Fault(path, f"must match {pattern}; it is {value[:80]!r}")


def _number(shape: Any, value: Any, path: str) -> Iterator[Fault]:
    whole = shape.type_name in ("integer", "long")
    if isinstance(value, bool) or not isinstance(value, int if whole else (int, float)):
        yield Fault(path, f"must be a {'whole ' if whole else ''}number, not {value!r}")
        return
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    if (low is not None and value < low) or (high is not None and value > high):
        yield Fault(path, f"must be between {low} and {high}; it is {value}")


def _size(shape: Any, size: int, path: str, unit: str) -> Iterator[Fault]:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if size < low or (high is not None and size > high):
        yield Fault(path, f"takes {low} to {high if high is not None else 'any number of'} {unit}; it has {size}")


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of the model; the few that Python cannot read allow anything."""
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return re.compile(r".*", re.DOTALL)


def _at(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name
