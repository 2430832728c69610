"""Frozen dataclasses ↔ plain JSON, strictly: every key known, every type right, or a clear refusal.

Types are those that plans are made of: texts, numbers, booleans, None, tuples, frozensets, mappings of texts, literals,
dataclasses, and unions of dataclasses, told apart by a key "is" with the class's name.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from functools import cache
from typing import Any, Literal, TypeVar, get_args, get_origin

from pipelines.errors import UsageError

T = TypeVar("T")
_KIND = "is"


class _Misfit(Exception):
    """A value that is not of its type: where in the document, and what is wrong."""

    def __init__(self, path: str, what: str) -> None:
        self.path, self.what = path, what
        super().__init__(what)


def encode(value: Any) -> Any:
    """A frozen value as JSON."""
    if is_dataclass(value):
        hints = _hints(value.__class__)
        return {name: _encoded(hint, getattr(value, name)) for name, hint in hints.items()}
    return value


def _encoded(hint: Any, value: Any) -> Any:
    if is_dataclass(value):
        kind = {_KIND: type(value).__name__} if len(_classes(hint)) > 1 else {}
        return kind | encode(value)
    if isinstance(value, tuple | frozenset):
        inner = get_args(hint)[0]
        items = [_encoded(inner, item) for item in value]
        return sorted(items, key=json.dumps) if isinstance(value, frozenset) else items
    if isinstance(value, Mapping):
        inner = get_args(_options(hint)[0])[1]
        return {key: _encoded(inner, item) for key, item in value.items()}
    return value


def read_json(text: str, known_format: int, where: str, fix: str) -> dict[str, Any]:
    """A document without its "format". Raises `UsageError` when it is none, or of another format."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UsageError(f"it cannot be read: {error}", where=where, fix=fix) from error
    found = document.get("format") if isinstance(document, dict) else None
    if type(found) is not int:
        raise UsageError("it has no format number", where=where, fix=fix)
    if found != known_format:
        raise UsageError(f"it has format {found}; this version reads format {known_format}", where=where, fix=fix)
    return {key: value for key, value in document.items() if key != "format"}


def decode(model: type[T], document: Any, where: str, fix: str) -> T:
    """The value that a document says. Raises `UsageError` with the place of what does not fit."""
    try:
        read: T = _read(model, document, "")
    except _Misfit as error:
        at = f"{error.path.removeprefix('.')}: " if error.path else ""
        raise UsageError(f"{at}{error.what}", where=where, fix=fix) from error
    return read


def _read(hint: Any, value: Any, path: str) -> Any:
    options = _options(hint)
    if value is None:
        if type(None) in options:
            return None
        raise _Misfit(path, "nothing stands here")
    origin = get_origin(options[0])
    if _classes(hint):
        return _record(hint, value, path)
    if origin in (tuple, frozenset):
        items = _typed(list, value, path)
        return origin(_read(get_args(options[0])[0], item, f"{path}[{index}]") for index, item in enumerate(items))
    if origin is Mapping:
        inner = get_args(options[0])[1]
        return {key: _read(inner, item, f"{path}.{key}") for key, item in _typed(dict, value, path).items()}
    if origin is Literal:
        if value not in get_args(options[0]) or isinstance(value, bool):
            raise _Misfit(path, f"{value!r} is not one of {', '.join(map(str, get_args(options[0])))}")
        return value
    return _typed(options[0], value, path)


def _record(hint: Any, value: Any, path: str) -> Any:
    given = dict(_typed(dict, value, path))
    classes = _classes(hint)
    if len(classes) > 1:
        name = given.pop(_KIND, None)
        model = classes.get(name) if isinstance(name, str) else None
        if model is None:
            raise _Misfit(path, f"{name!r} is none of {', '.join(classes)}")
    else:
        (model,) = classes.values()
    hints = _hints(model)
    for key in (*hints, *given):
        if (key in hints) != (key in given):
            raise _Misfit(path, f"{key!r} is {'missing' if key in hints else 'unknown'}")
    return model(**{key: _read(inner, given[key], f"{path}.{key}") for key, inner in hints.items()})


def _typed(kind: Any, value: Any, path: str) -> Any:
    if type(value) is not kind:
        names = {str: "a text", int: "a whole number", bool: "true or false", list: "a list", dict: "an object"}
        raise _Misfit(path, f"expected {names[kind]}, found {json.dumps(value)[:40]}")
    return value


@cache
def _hints(model: Any) -> dict[str, Any]:
    hints = typing.get_type_hints(model)
    return {field.name: hints[field.name] for field in fields(model)}


@cache
def _options(hint: Any) -> tuple[Any, ...]:
    """The types of a union, None last; the type itself otherwise."""
    if get_origin(hint) in (types.UnionType, typing.Union):
        return tuple(sorted(get_args(hint), key=lambda option: option is type(None)))
    return (hint,)


@cache
def _classes(hint: Any) -> dict[str, Any]:
    return {option.__name__: option for option in _options(hint) if is_dataclass(option) and isinstance(option, type)}
