"""YAML text → plain values, and the place (file:line:column) of every one of them.

Takes the text of a YAML file; gives a `Source`. Scalars follow YAML 1.2's core schema: `yes`, `no`, `on`, `12:30`
and `2013-01-01` are text, as everyone but YAML 1.1 expects.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import Problem, SpecError

Key = str | int
ValuePath = tuple[Key, ...]

# Aliases are expanded by value: a few lines of nested ones could otherwise grow without bound.
MAX_VALUES = 200_000

_INTEGER = re.compile(r"[-+]?[0-9]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_CORE_TAGS = {
    f"tag:yaml.org,2002:{kind}"
    for kind in ("str", "int", "float", "bool", "null", "timestamp", "value", "merge", "map", "seq")
}
_NULLS = {"", "~", "null", "Null", "NULL"}
_BOOLEANS = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}


@dataclass(frozen=True)
class Source:
    """A YAML document: its file, its plain value and where each part of it stands."""

    file: Path
    value: Any
    places: dict[ValuePath, tuple[int, int]]

    def where(self, path: ValuePath) -> str:
        """`file:line:column` of the value at `path`, or of the nearest value around it."""
        while path not in self.places and path:
            path = path[:-1]
        line, column = self.places.get(path, (1, 1))
        return f"{self.file}:{line}:{column}"

    def where_key(self, path: ValuePath) -> str:
        """`file:line:column` of the mapping key at `path`."""
        return self.where((*path[:-1], f"\0{path[-1]}"))


def read_source(file: Path) -> Source:
    """Read a YAML file. Raises `SpecError` when it is missing, unreadable or malformed."""
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        what = "there is no such file"
        fix = "run the command in the folder of your pipeline.yaml, or name the file as an argument"
        raise SpecError([Problem(str(file), what, fix)]) from error
    except (OSError, UnicodeDecodeError) as error:
        raise SpecError(
            [Problem(str(file), f"cannot be read: {error}", "make it a readable UTF-8 text file")]
        ) from error
    return parse_source(text, file)


def parse_source(text: str, file: Path) -> Source:
    """Parse YAML text as if it stood in `file`. Raises `SpecError` with the place of what is malformed."""
    try:
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise SpecError([_syntax_problem(error, file)]) from error
    if node is None:
        raise SpecError([Problem(f"{file}:1:1", "the file is empty", "see docs/reference.md for its keys")])
    builder = _Builder(file)
    value = builder.build(node, ())
    if builder.problems:
        raise SpecError(builder.problems)
    return Source(file, value, builder.places)


def _syntax_problem(error: yaml.YAMLError, file: Path) -> Problem:
    mark = getattr(error, "problem_mark", None)
    place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
    reason = " ".join(str(part) for part in (getattr(error, "context", None), getattr(error, "problem", None)) if part)
    return Problem(place, f"not valid YAML: {reason or error}", "check indentation, quotes and brackets at this place")


class _Builder:
    """Walks a composed YAML document once, collecting values, places and problems."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.places: dict[ValuePath, tuple[int, int]] = {}
        self.problems: list[Problem] = []
        self.open_nodes: set[int] = set()

    def build(self, node: yaml.Node, path: ValuePath) -> Any:
        self.places[path] = _place(node)
        if len(self.places) > MAX_VALUES:
            fix = "write the values out instead of nesting aliases"
            raise SpecError([Problem(str(self.file), f"more than {MAX_VALUES:,} values", fix)])
        if node.tag not in _CORE_TAGS:
            self.refuse(node, f"the tag {node.tag} is not supported", "remove the tag")
        if isinstance(node, yaml.ScalarNode):
            return scalar(node)
        if id(node) in self.open_nodes:
            self.refuse(node, "an alias refers to a value that contains it", "remove the alias")
            return None
        self.open_nodes.add(id(node))
        try:
            if isinstance(node, yaml.SequenceNode):
                return [self.build(item, (*path, index)) for index, item in enumerate(node.value)]
            return dict(self.pairs(node, path))
        finally:
            self.open_nodes.discard(id(node))

    def pairs(self, node: yaml.Node, path: ValuePath) -> Iterator[tuple[str, Any]]:
        seen: set[str] = set()
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                self.refuse(key_node, "a key must be text", "write the key as a plain word")
                continue
            key = key_node.value
            if key == "<<" and key_node.style is None:
                self.refuse(key_node, "merge keys (<<) are not supported", "use `defaults`, or write the keys out")
                continue
            if key in seen:
                self.refuse(key_node, f"the key {key!r} stands here twice", "remove one of the two")
                continue
            seen.add(key)
            self.places[(*path, f"\0{key}")] = _place(key_node)
            yield key, self.build(value_node, (*path, key))

    def refuse(self, node: yaml.Node, what: str, fix: str) -> None:
        line, column = _place(node)
        self.problems.append(Problem(f"{self.file}:{line}:{column}", what, fix))


def _place(node: yaml.Node) -> tuple[int, int]:
    return node.start_mark.line + 1, node.start_mark.column + 1


def scalar(node: yaml.ScalarNode) -> str | int | float | bool | None:
    """The value of a scalar by YAML 1.2's core schema; quoted and block scalars are text."""
    text: str = node.value
    if node.style is not None:
        return text
    if text in _NULLS:
        return None
    if text in _BOOLEANS:
        return _BOOLEANS[text]
    if _INTEGER.fullmatch(text):
        return int(text)
    if _FLOAT.fullmatch(text):
        return float(text)
    return text
