"""What the types of `model.py` say, for those who follow them: the reader, the JSON Schema and the reference page."""

from __future__ import annotations

import types
import typing
from collections.abc import Mapping
from dataclasses import Field, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pipelines.spec.conditions import Condition
from pipelines.spec.expressions import Template
from pipelines.spec.limits import Between, Duration

_WORDS = {
    str: "text",
    Template: "text",
    Condition: "a comparison",
    Duration: "a time such as 30m",
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    Any: "anything",
}


def key_of(name: str) -> str:
    """The key in the file of a dataclass's field."""
    return name.rstrip("_")


@cache
def keys(model: Any) -> dict[str, tuple[Field[Any], Any]]:
    """A dataclass's fields and their types, by key in the file."""
    hints = typing.get_type_hints(model, include_extras=True)
    return {key_of(field.name): (field, hints[field.name]) for field in fields(model)}


@cache
def unwrap(hint: Any) -> tuple[Any, tuple[Any, ...]]:
    """A type without `Annotated`, and what stood beside it."""
    if get_origin(hint) is Annotated:
        kind, *beside = get_args(hint)
        return kind, tuple(beside)
    return hint, ()


@cache
def options(kind: Any) -> tuple[Any, ...]:
    """The kinds of a union, None apart, or the one kind."""
    if kind == Condition or get_origin(kind) not in (types.UnionType, typing.Union):
        return (kind,)
    flat = (option for part in get_args(kind) for option in options(part))
    return tuple(option for option in flat if option is not type(None))


@cache
def is_record(kind: Any) -> bool:
    """Whether it is a mapping with keys of its own."""
    return is_dataclass(kind) and kind not in (Template, Duration)


def accepts(hint: Any, value: Any) -> bool:
    """Whether a YAML value is of a kind (no union), before its content is looked at."""
    kind, _ = unwrap(hint)
    if kind is Any:
        return True
    match get_origin(kind):
        case typing.Literal:
            return any(type(value) is type(option) and value == option for option in get_args(kind))
        case builtin if builtin is tuple:
            return isinstance(value, list)
        case abstract if abstract is Mapping:
            return isinstance(value, dict)
    if kind in (str, Template, Duration) or kind == Condition:
        return isinstance(value, str)
    if kind in (bool, int):
        return type(value) is kind
    if kind is float:
        return type(value) in (int, float)
    if is_record(kind):
        return isinstance(value, dict)
    raise TypeError(f"the spec's types do not know {kind!r}")


def describe(hint: Any) -> str:
    """A type in words."""
    kind, _ = unwrap(hint)
    words = list(dict.fromkeys(_describe(option) for option in options(kind)))
    if "a number" in words and "a whole number" in words:
        words.remove("a whole number")
    return " or ".join(words)


def _describe(option: Any) -> str:
    kind, _ = unwrap(option)
    if get_origin(kind) is Literal:
        return " or ".join(str(value).lower() if isinstance(value, bool) else value for value in get_args(kind))
    if get_origin(kind) is tuple:
        return "a list"
    if get_origin(kind) is Mapping or is_record(kind):
        return "a mapping"
    return _WORDS[kind]


def range_words(limit: Between, *, is_time: bool = False) -> str:
    """A limit in words: `1 to 100`, `1s to 12h`."""
    return " to ".join(_time(end) if is_time else f"{end:,g}" for end in (limit.low, limit.high))


def _time(seconds: float) -> str:
    units = {"d": 86400, "h": 3600, "m": 60}
    unit, size = next(((unit, size) for unit, size in units.items() if seconds % size == 0), ("s", 1))
    return f"{seconds // size:g}{unit}"


def found(value: Any) -> str:
    """A YAML value in words."""
    match value:
        case None:
            return "nothing"
        case bool():
            return str(value).lower()
        case int() | float():
            return f"the number {value}"
        case str():
            return f"the text {value[:40]!r}"
        case list():
            return "a list"
    return "a mapping"
