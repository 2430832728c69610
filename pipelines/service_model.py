"""AWS's own model of a service (botocore's data): what a request may be, and what a response holds.

Takes a shape and a value; gives the faults that the service would name. No client, no credentials, no network.
botocore is imported at the first use: loading it and the model of SageMaker takes a third of a second.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, NamedTuple

from pipelines.definition.expressions import is_expression
from pipelines.nearest import nearest

# What a fault is about.
REQUIRED: Final = "required"
UNKNOWN: Final = "unknown"
TYPE: Final = "type"
ENUM: Final = "enum"
PATTERN: Final = "pattern"
SIZE: Final = "size"
RANGE: Final = "range"
UNION: Final = "union"

_PLAIN_KEY: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_:-]*")
_TYPE_NAMES: Final = {"structure": "an object", "map": "an object", "list": "a list", "string": "text"}
_LISTED: Final = 12


@dataclass(frozen=True)
class Fault:
    """One value that breaks the model: its path, the constraint it breaks, which kind that is, and the mend."""

    path: str
    what: str
    kind: str = ""
    fix: str = ""


class Spot(NamedTuple):
    """One value inside a request; `shape` is None where the model knows nothing of it."""

    path: str
    shape: Any
    value: Any


@cache
def service(name: str) -> Any:
    """botocore's `ServiceModel` of a service, by botocore's name for it."""
    from botocore.loaders import Loader
    from botocore.model import ServiceModel

    return ServiceModel(Loader().load_service_model(name, "service-2"), name)


def request_shape(service_name: str, operation: str) -> Any:
    """The shape of an operation's request (None when it takes nothing); KeyError when there is no such operation."""
    return _operation(service_name, operation).input_shape


def response_shape(service_name: str, operation: str) -> Any:
    """The shape of an operation's response; KeyError when there is no such operation."""
    return _operation(service_name, operation).output_shape


def _operation(service_name: str, operation: str) -> Any:
    model = service(service_name)
    if operation not in model.operation_names:
        raise KeyError(operation)
    return model.operation_model(operation)


def request_faults(service_name: str, operation: str, request: Any) -> list[Fault]:
    """What the service would refuse in a request. Raises `KeyError` for an operation that it does not have."""
    shape = request_shape(service_name, operation)
    return [] if shape is None else list(shape_faults(shape, request, ""))


def shape_faults(shape: Any, value: Any, path: str) -> Iterator[Fault]:
    """The faults of a value; expressions of a definition pass, as their values are not known yet."""
    for spot in spots(shape, value, path):
        yield from faults(spot)


def spots(shape: Any, value: Any, path: str) -> Iterator[Spot]:
    """A value and every value inside it, each with its shape; nothing inside an expression."""
    yield Spot(path, shape, value)
    if isinstance(value, list):
        member = shape.member if shape is not None and shape.type_name == "list" else None
        for index, item in enumerate(value):
            yield from spots(member, item, f"{path}[{index}]")
    elif isinstance(value, dict) and not is_expression(value):
        for key, item in value.items():
            yield from spots(_inner(shape, key), item, _path_of(shape, path, key))


def _inner(shape: Any, key: str) -> Any:
    match shape.type_name if shape is not None else None:
        case "structure":
            return shape.members.get(key)
        case "map":
            return shape.value
        case _:
            return None


def _path_of(shape: Any, path: str, key: str) -> str:
    """Members are written with a dot; keys of maps, and whatever is no plain word, in brackets."""
    if (shape is not None and shape.type_name == "map") or not _PLAIN_KEY.fullmatch(key):
        return f"{path}[{key!r}]"
    return f"{path}.{key}" if path else key


def faults(spot: Spot) -> Iterator[Fault]:
    """The faults of one value by itself, not of those inside it."""
    if spot.shape is None or spot.value is None or is_expression(spot.value):
        return
    match spot.shape.type_name:
        case "structure":
            yield from _structure(*spot)
        case "list":
            yield from _list(*spot)
        case "map":
            yield from _map(*spot)
        case "string":
            yield from _string(*spot)
        case "integer" | "long" | "float" | "double":
            yield from _number(*spot)
        case "boolean" if not isinstance(spot.value, bool):
            yield Fault(spot.path, f"must be true or false, not {_short(spot.value)}", TYPE, "write true or false")


def _structure(path: str, shape: Any, value: Any) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield _mistyped(path, shape, value)
        return
    for name in shape.required_members:
        if value.get(name) is None:
            yield Fault(_path_of(shape, path, name), "is required", REQUIRED, f'add "{name}"')
    for name in value:
        if name not in shape.members:
            fix = _nearest_or_all(name, shape.members)
            yield Fault(_path_of(shape, path, name), "is not known to the service", UNKNOWN, fix)
    given = [name for name in value if name in shape.members and value[name] is not None]
    if shape.is_tagged_union and len(given) != 1:
        what = f"takes exactly one of {', '.join(shape.members)}; it has {len(given)}"
        yield Fault(path, what, UNION, f"keep one of {', '.join(given or shape.members)}")


def _list(path: str, shape: Any, value: Any) -> Iterator[Fault]:
    if isinstance(value, list):
        yield from _size(path, shape, len(value), "entries")
    else:
        yield _mistyped(path, shape, value)


def _map(path: str, shape: Any, value: Any) -> Iterator[Fault]:
    if not isinstance(value, dict):
        yield _mistyped(path, shape, value)
        return
    yield from _size(path, shape, len(value), "entries")
    for key in value:
        for fault in faults(Spot(_path_of(shape, path, key), shape.key, key)):
            yield Fault(fault.path, f"has a key that {fault.what}", fault.kind, f"rename the key: {fault.fix}")


def _string(path: str, shape: Any, value: Any) -> Iterator[Fault]:
    if not isinstance(value, str):
        fix = f'write "{_as_text(value)}"' if isinstance(value, (bool, int, float)) else "write a text"
        yield Fault(path, f"must be text, not {_short(value)}", TYPE, fix)
        return
    too_large = list(_size(path, shape, len(value), "characters"))
    yield from too_large
    pattern = shape.metadata.get("pattern")
    if shape.enum:
        if value not in shape.enum:
            what = f"must be one of the values that the service knows; it is {_short(value)}"
            yield Fault(path, what, ENUM, _nearest_or_all(value, shape.enum))
    elif pattern and not too_large and not _pattern(pattern).fullmatch(value):
        # A value that is too long says so once, and never meets a pattern's backtracking.
        fix = _PATTERN_FIXES.get(pattern, f"write a value that matches {pattern}")
        yield Fault(path, f"must match {pattern}; it is {_short(value)}", PATTERN, fix)


def _number(path: str, shape: Any, value: Any) -> Iterator[Fault]:
    whole = shape.type_name in ("integer", "long")
    fits = isinstance(value, int) or (isinstance(value, float) and (not whole or value.is_integer()))
    low, high = shape.metadata.get("min"), shape.metadata.get("max")
    fix = f"write a {'whole ' if whole else ''}number{_bounds(low, high)}"
    if isinstance(value, bool) or not fits:
        yield Fault(path, f"must be a {'whole ' if whole else ''}number, not {_short(value)}", TYPE, fix)
    elif (low is not None and value < low) or (high is not None and value > high):
        yield Fault(path, f"must be a number{_bounds(low, high)}; it is {value}", RANGE, fix)


def _size(path: str, shape: Any, size: int, unit: str) -> Iterator[Fault]:
    low, high = shape.metadata.get("min", 0), shape.metadata.get("max")
    if high is not None and size > high:
        yield Fault(path, f"takes at most {high} {unit}; it has {size}", SIZE, f"keep at most {high} {unit}")
    elif size < low:
        fix = f"give it {low} or more, or leave it out"
        yield Fault(path, f"takes at least {low} {unit}; it has {size}", SIZE, fix)


def _bounds(low: Any, high: Any) -> str:
    match low, high:
        case None, None:
            return ""
        case _, None:
            return f" from {low} on"
        case None, _:
            return f" up to {high}"
        case _:
            return f" from {low} to {high}"


def _mistyped(path: str, shape: Any, value: Any) -> Fault:
    wanted = _TYPE_NAMES[shape.type_name]
    example = "[…]" if shape.type_name == "list" else "{…}"
    return Fault(path, f"must be {wanted}, not {_short(value)}", TYPE, f"write {example}")


def _nearest_or_all(name: str, known: Iterable[str]) -> str:
    names = list(known)
    close = nearest(name, names)
    if close:
        return f'write "{close}"'
    more = ", …" if len(names) > _LISTED else ""
    return f"use one of {', '.join(names[:_LISTED])}{more}" if names else "remove it"


def _short(value: Any) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case str():
            return repr(value) if len(value) <= 80 else f"{value[:77]!r}…"
        case dict():
            return "an object"
        case list():
            return "a list"
        case _:
            return repr(value)


def _as_text(value: bool | int | float) -> str:
    return str(value).lower() if isinstance(value, bool) else repr(value)


@cache
def _pattern(pattern: str) -> re.Pattern[str]:
    """A pattern of the model; the few that Python cannot read allow anything."""
    try:
        return re.compile(pattern, re.DOTALL)
    except re.error:
        return re.compile(r".*", re.DOTALL)


_PATTERN_FIXES: Final = {
    r"(https|s3)://([^/]+)/?(.*)": "write s3://bucket/key",
    r"arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+": "write arn:aws:iam::ACCOUNT:role/NAME",
}
