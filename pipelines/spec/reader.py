"""Plain values → the types of `model.py`, with every problem found and its place.

Takes a type, a `Source` and collects problems; gives a value of that type. The grammar of types is small: dataclasses,
`Mapping[str, T]`, `tuple[T, ...]`, unions (told apart by the kind of YAML value), literals, texts, numbers, `Template`,
`Condition` and `Duration`.
"""

from __future__ import annotations

import re
import types
import typing
from collections.abc import Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from functools import cache
from typing import Annotated, Any, Literal, get_args, get_origin

from pipelines.errors import Problem, SpecError
from pipelines.nearest import suggestion
from pipelines.spec.expressions import Condition, ExpressionError, Template, parse_condition, parse_template
from pipelines.spec.model import Between, Duration, Pattern
from pipelines.spec.source import Source, ValuePath

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86400}


class _Invalid:
    """Stands where a value could not be read; its problem is already noted."""


INVALID = _Invalid()


def read_as(model: type[Any], source: Source) -> Any:
    """The source's value as `model`. Raises `SpecError` with all problems, in the file's order."""
    reader = Reader(source)
    value = reader.read(model, source.value, ())
    if reader.problems:
        raise SpecError(sorted(reader.problems, key=lambda problem: _position(problem.where)))
    return value


def _position(where: str) -> tuple[int, ...]:
    return tuple(int(part) for part in where.rsplit(":", 2)[1:])


def key_of(name: str) -> str:
    """The key in the file of a dataclass's field."""
    return name.rstrip("_")


@cache
def hints(model: Any) -> dict[str, Any]:
    """A dataclass's types by field name, with what stands beside them."""
    return typing.get_type_hints(model, include_extras=True)


def is_condition(kind: Any) -> bool:
    return bool(kind == Condition)


class Reader:
    """Reads values of one source; problems are collected, not raised."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def refuse(self, path: ValuePath, what: str, fix: str, *, key: bool = False) -> _Invalid:
        where = self.source.where_key(path) if key else self.source.where(path)
        self.problems.append(Problem(where, what, fix))
        return INVALID

    def read(self, kind: Any, value: Any, path: ValuePath) -> Any:
        """`value` as `kind`, or `INVALID`."""
        limits: tuple[Any, ...] = ()
        if get_origin(kind) is Annotated:
            kind, *beside = get_args(kind)
            limits = tuple(beside)
        if is_condition(kind):
            result = self.condition(value, path)
        elif get_origin(kind) in (types.UnionType, typing.Union):
            result = self.union(get_args(kind), value, path)
        else:
            result = self.plain(kind, value, path)
        return result if result is INVALID else self.limited(result, limits, path)

    def plain(self, kind: Any, value: Any, path: ValuePath) -> Any:
        if not accepts(kind, value):
            return self.refuse(path, f"expected {describe(kind)}, found {found(value)}", _kind_fix(kind, value, path))
        if is_dataclass(kind) and kind not in (Template, Duration):
            return self.structure(kind, value, path)
        origin = get_origin(kind)
        if origin is Mapping or origin is dict:
            return self.mapping(kind, value, path)
        if origin is tuple:
            items = [self.read(get_args(kind)[0], item, (*path, index)) for index, item in enumerate(value)]
            return INVALID if INVALID in items else tuple(items)
        if kind is Template:
            return self.template(str(value), path)
        if kind is Duration:
            return self.duration(value, path)
        return float(value) if kind is float else value

    def union(self, kinds: tuple[Any, ...], value: Any, path: ValuePath) -> Any:
        for kind in kinds:
            if kind is type(None) and value is None:
                return None
            if accepts(kind, value):
                return self.read(kind, value, path)
        # The kind that the value comes nearest to tells best what was expected.
        literal = next((kind for kind in kinds if get_origin(kind) is Literal and isinstance(value, str)), None)
        names = [describe(kind) for kind in kinds if kind is not type(None)]
        fix = suggestion(value, map(str, get_args(literal))) if literal else "write one of these"
        return self.refuse(path, f"expected {' or '.join(names)}, found {found(value)}", fix)

    def structure(self, model: Any, value: Mapping[str, Any], path: ValuePath) -> Any:
        known = {key_of(field.name): field for field in fields(model)}
        for key in value:
            if key not in known:
                self.refuse((*path, key), f"unknown key {key!r}", suggestion(key, known), key=True)
        read = {field.name: self.field(model, key, field, value, path) for key, field in known.items()}
        given = {name: item for name, item in read.items() if item is not MISSING}
        return INVALID if INVALID in given.values() else model(**given)

    def field(self, model: Any, key: str, field: Field[Any], value: Mapping[str, Any], path: ValuePath) -> Any:
        required = field.default is MISSING and field.default_factory is MISSING
        if key not in value:
            if required:
                return self.refuse(path, f"the key {key!r} is missing", f"add `{key}:` here")
            return MISSING
        if value[key] is None and not required:
            return self.refuse((*path, key), f"{key!r} has no value", "give it one, or remove the key")
        return self.read(hints(model)[field.name], value[key], (*path, key))

    def mapping(self, kind: Any, value: Mapping[str, Any], path: ValuePath) -> Any:
        key_kind, item_kind = get_args(kind)
        patterns = [beside for beside in get_args(key_kind)[1:] if isinstance(beside, Pattern)]
        for key in value:
            for pattern in patterns:
                if not re.fullmatch(pattern.regex, key):
                    self.refuse((*path, key), f"the name {key!r} is not allowed", f"use {pattern.what}", key=True)
        items = {key: self.read(item_kind, item, (*path, key)) for key, item in value.items()}
        return INVALID if INVALID in items.values() else items

    def template(self, text: str, path: ValuePath) -> Any:
        try:
            return parse_template(text)
        except ExpressionError as error:
            return self.refuse(path, error.what, error.fix)

    def condition(self, value: Any, path: ValuePath) -> Any:
        if not isinstance(value, str):
            return self.refuse(
                path, f"expected a comparison, found {found(value)}", "write it as text: ${{ … }} >= 0.5"
            )
        try:
            return parse_condition(value)
        except ExpressionError as error:
            return self.refuse(path, error.what, error.fix)

    def duration(self, value: str, path: ValuePath) -> Any:
        match = re.fullmatch(r"([0-9]{1,9})([smhd])", value)
        if not match or int(match[1]) == 0:
            return self.refuse(
                path, f"{value!r} is not a time", "write a number and one of s, m, h, d, such as 30m or 7d"
            )
        return Duration(int(match[1]) * _UNITS[match[2]], value)

    def limited(self, value: Any, limits: tuple[Any, ...], path: ValuePath) -> Any:
        for limit in limits:
            if isinstance(limit, Pattern) and isinstance(value, str) and not re.fullmatch(limit.regex, value):
                return self.refuse(path, f"{value!r} is not allowed here", f"use {limit.what}")
            if isinstance(limit, Between) and (problem := _outside(limit, value)):
                return self.refuse(path, problem, f"keep it between {limit.low:g} and {limit.high:g}")
        return value


def _outside(limit: Between, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, (int, float, str, tuple, Mapping)):
        return ""
    size = value if isinstance(value, (int, float)) else len(value)
    if limit.low <= size <= limit.high:
        return ""
    return f"{value} is out of range" if isinstance(value, (int, float)) else f"{size} entries or characters"


def accepts(kind: Any, value: Any) -> bool:
    """Whether a YAML value is of the kind, before its content is looked at."""
    if get_origin(kind) is Annotated:
        return accepts(get_args(kind)[0], value)
    origin = get_origin(kind)
    if origin is Literal:
        return any(value is option or (isinstance(value, str) and value == option) for option in get_args(kind))
    if origin is tuple:
        return isinstance(value, list)
    if origin is Mapping:
        return isinstance(value, dict)
    if kind in (str, Template, Duration):
        return isinstance(value, str)
    if kind is bool:
        return isinstance(value, bool)
    if kind is int:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind is float:
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    if is_dataclass(kind):
        return isinstance(value, dict)
    if is_condition(kind):
        return isinstance(value, str)
    raise TypeError(f"the spec's types do not know {kind!r}")


def describe(kind: Any) -> str:
    """A kind in words."""
    if get_origin(kind) is Annotated:
        return describe(get_args(kind)[0])
    origin = get_origin(kind)
    if origin is Literal:
        return " or ".join(str(option).lower() if isinstance(option, bool) else option for option in get_args(kind))
    if origin is tuple:
        return "a list"
    if origin is Mapping or (is_dataclass(kind) and kind not in (Template, Duration)):
        return "a mapping"
    words = {
        str: "text",
        Template: "text",
        Duration: "a time such as 30m",
        bool: "true or false",
        int: "a whole number",
    }
    return words.get(kind, "a number")


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


def _kind_fix(kind: Any, value: Any, path: ValuePath) -> str:
    if kind in (str, Template) and isinstance(value, (int, float)):
        return "put it in quotes"
    if get_origin(kind) is Literal and isinstance(value, str):
        return suggestion(value, [str(option) for option in get_args(kind)])
    if get_origin(kind) is tuple and not isinstance(value, dict):
        return f"write it as a list: [{value}]"
    return f"make {path[-1]!r} {describe(kind)}" if path else f"make the file {describe(kind)}"
