"""Plain values → the types of `model.py`, with every problem found and its place.

Takes a type and a `Source`; gives a value of that type, or raises with all problems. The grammar of types is small:
dataclasses, `Mapping[str, T]`, `tuple[T, ...]`, unions (told apart by the kind of YAML value), literals, texts,
numbers, `Template`, `Condition`, `Duration`, and `Any` for a value that is handed on as it is.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import MISSING, Field
from typing import Any, Literal, get_args, get_origin

from pipelines.nearest import suggestion
from pipelines.spec.conditions import Condition, parse_condition
from pipelines.spec.expressions import ExpressionError, Template, parse_template
from pipelines.spec.kinds import accepts, describe, found, is_record, keys, options, range_words, unwrap
from pipelines.spec.limits import Between, Duration, Pattern
from pipelines.spec.source import Problems, Source, ValuePath

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Invalid:
    """Stands where a value could not be read; its problem is already noted."""


INVALID = _Invalid()


def read_as(model: type[Any], source: Source) -> Any:
    """The source's value as `model`. Raises `SpecError` with all problems, in the file's order."""
    reader = _Reader(source)
    value = reader.read(model, source.value, ())
    reader.problems.raise_any()
    return value


class _Reader:
    """Reads values of one source; problems are collected, not raised."""

    def __init__(self, source: Source) -> None:
        self.problems = Problems(source)

    def refuse(self, path: ValuePath, what: str, fix: str, *, key: bool = False) -> _Invalid:
        self.problems.add(path, what, fix, key=key)
        return INVALID

    def read(self, hint: Any, value: Any, path: ValuePath) -> Any:
        """`value` as `hint` says, or `INVALID`."""
        hint, beside = unwrap(hint)
        kind = next((kind for kind in options(hint) if accepts(kind, value)), None)
        if kind is None:
            what = f"expected {describe(hint)}, found {found(value)}"
            return self.refuse(path, what, _kind_fix(hint, value))
        kind, inner = unwrap(kind)
        result = self.content(kind, value, path)
        return result if result is INVALID else self.limited(result, (*beside, *inner), path)

    def content(self, kind: Any, value: Any, path: ValuePath) -> Any:
        """A value whose kind is right already."""
        if kind is Any:
            return self.whole(value, path)
        if is_record(kind):
            return self.record(kind, value, path)
        if get_origin(kind) is Mapping:
            return self.mapping(kind, value, path)
        if get_origin(kind) is tuple:
            items = [self.read(get_args(kind)[0], item, (*path, index)) for index, item in enumerate(value)]
            return INVALID if INVALID in items else tuple(items)
        if kind is Duration:
            return self.duration(value, path)
        if kind is Template or kind == Condition:
            return self.expression(kind, value, path)
        if kind is str:
            return self.text(value, path)
        return float(value) if kind is float else value

    def text(self, value: str, path: ValuePath) -> Any:
        if "${{" in value:
            return self.refuse(path, "expressions are not evaluated here", "write the text itself")
        return value

    def whole(self, value: Any, path: ValuePath) -> Any:
        """Any value, as it is: lists and mappings with all that is in them."""
        if isinstance(value, str):
            return self.text(value, path)
        pairs = value.items() if isinstance(value, dict) else enumerate(value if isinstance(value, list) else ())
        if INVALID in [self.whole(item, (*path, key)) for key, item in pairs]:
            return INVALID
        return value

    def record(self, model: Any, value: Mapping[str, Any], path: ValuePath) -> Any:
        known = keys(model)
        for key in value:
            if key not in known:
                self.refuse((*path, key), f"unknown key {key!r}", suggestion(key, known), key=True)
        read = {field.name: self.field(key, field, hint, value, path) for key, (field, hint) in known.items()}
        given = {name: item for name, item in read.items() if item is not MISSING}
        return INVALID if INVALID in given.values() else model(**given)

    def field(self, key: str, field: Field[Any], hint: Any, value: Mapping[str, Any], path: ValuePath) -> Any:
        if key in value and value[key] is not None:
            return self.read(hint, value[key], (*path, key))
        required = field.default is MISSING and field.default_factory is MISSING
        if key in value:
            fix = "give it one" if required else "give it one, or remove the key"
            return self.refuse((*path, key), f"{key!r} has no value", fix, key=True)
        if required:
            return self.refuse(path, f"the key {key!r} is missing", f"add `{key}:` here", key=True)
        return MISSING

    def mapping(self, kind: Any, value: Mapping[str, Any], path: ValuePath) -> Any:
        key_hint, item_hint = get_args(kind)
        patterns = [beside for beside in unwrap(key_hint)[1] if isinstance(beside, Pattern)]
        items: dict[str, Any] = {}
        for key, item in value.items():
            for pattern in patterns:
                if not re.fullmatch(pattern.regex, key):
                    self.refuse((*path, key), f"the name {key!r} is not allowed", f"use {pattern.what}", key=True)
            items[key] = self.read(item_hint, item, (*path, key))
        return INVALID if INVALID in items.values() else items

    def expression(self, kind: Any, value: str, path: ValuePath) -> Any:
        try:
            return parse_template(value) if kind is Template else parse_condition(value)
        except ExpressionError as error:
            return self.refuse(path, error.what, error.fix)

    def duration(self, value: str, path: ValuePath) -> Any:
        match = re.fullmatch(Duration.PATTERN, value)
        if not match:
            fix = "write a number and one of s, m, h, d, such as 30m or 7d"
            return self.refuse(path, f"{value!r} is not a time", fix)
        return Duration(int(match[1]) * _UNITS[match[2]], value)

    def limited(self, value: Any, limits: tuple[Any, ...], path: ValuePath) -> Any:
        text = value.literal if isinstance(value, Template) else value
        for limit in limits:
            if isinstance(limit, Pattern) and isinstance(text, str) and not re.fullmatch(limit.regex, text):
                return self.refuse(path, f"{text!r} is not allowed here", f"use {limit.what}")
            if isinstance(limit, Between) and (size := _size(value)) and not limit.low <= size[0] <= limit.high:
                allowed = range_words(limit, is_time=isinstance(value, Duration))
                return self.refuse(path, f"{size[1]} is out of range", f"use {allowed}{size[2]}")
        return value


def _size(value: Any) -> tuple[float, str, str] | None:
    """What a limit counts, how to say it, and its unit. A duration is limited by its seconds."""
    match value:
        case bool():
            return None
        case int() | float():
            return value, str(value), ""
        case Duration():
            return value.seconds, value.text, ""
        case str():
            return len(value), f"a text of {len(value)} characters", " characters"
        case tuple():
            return len(value), f"a list of {len(value)} entries", " entries"
        case Mapping():
            return len(value), f"a mapping of {len(value)} entries", " entries"
    return None


def _kind_fix(hint: Any, value: Any) -> str:
    kinds = [unwrap(option)[0] for option in options(hint)]
    choice = next((kind for kind in kinds if get_origin(kind) is Literal), None)
    if choice is not None and isinstance(value, str) and all(isinstance(known, str) for known in get_args(choice)):
        return suggestion(value, get_args(choice))
    if isinstance(value, int | float) and any(kind in (str, Template) for kind in kinds):
        return "put it in quotes"
    if any(get_origin(kind) is tuple for kind in kinds) and isinstance(value, str):
        return f"write it as a list: [{value}]"
    return f"write {describe(hint)}"
