"""Reads YAML mappings field by field: types, unknown and repeated keys, with the place of every mistake.

In: YAML text. Out: `Fields` over its nodes. Mistakes are collected, not raised, so that a recipe's are told at once;
what a reading method gives after a mistake is a neutral value that never leaves the reader (reader.py raises).
Keys and texts are taken as written: YAML 1.1 would make a boolean of `on` and `no`, and sixty of `1:00`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import yaml

from processing.columns import Place
from processing.errors import Problem, RecipeError
from processing.nearest import suggestion

Scalar = str | int | float | bool | None

_NUMBER = re.compile(r"[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?")


def compose(text: str, file: str) -> yaml.MappingNode:
    """The root mapping of a YAML document; RecipeError where there is none."""
    try:
        aliases = [event for event in yaml.parse(text, Loader=yaml.SafeLoader) if isinstance(event, yaml.AliasEvent)]
        node = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        raise RecipeError([Problem(where, f"not YAML: {error.problem}", "mend the syntax at this place")]) from error
    except yaml.YAMLError as error:
        raise RecipeError([Problem(file, f"not YAML: {error}", "save the file as UTF-8 text")]) from error
    if aliases:
        raise RecipeError([Problem(_place(aliases[0], file), "YAML aliases are not read", "write the value out")])
    if not isinstance(node, yaml.MappingNode):
        raise RecipeError([Problem(f"{file}:1:1", "a recipe is a mapping", "start with 'sources:'")])
    return node


def _place(node: yaml.Node | yaml.Event, file: str) -> str:
    mark = node.start_mark
    return f"{file}:{mark.line + 1}:{mark.column + 1}" if mark is not None else file


def _scalar(node: yaml.Node) -> Scalar:
    """The value of a scalar: numbers, true, false, null; anything else, and anything quoted, is text."""
    raw = str(node.value)
    if isinstance(node, yaml.ScalarNode) and node.style is not None:
        return raw
    if raw in ("", "~", "null"):
        return None
    if raw in ("true", "false"):
        return raw == "true"
    if _NUMBER.fullmatch(raw):
        return int(raw) if raw.lstrip("+-").isdigit() else float(raw)
    return raw


def plain(node: yaml.Node) -> object:
    """The node as plain data, fit for JSON."""
    if isinstance(node, yaml.MappingNode):
        return {key.value: plain(value) for key, value in node.value}
    if isinstance(node, yaml.SequenceNode):
        return [plain(item) for item in node.value]
    return _scalar(node)


class Fields:
    """One mapping, read field by field; `finish` refuses the keys that nobody asked for."""

    def __init__(self, node: yaml.Node, file: str, problems: list[Problem], what: str) -> None:
        self.file = file
        self.problems = problems
        self.what = what
        self.place = Place(file, node.start_mark.line + 1, node.start_mark.column + 1)
        self._keys: dict[str, yaml.Node] = {}
        self._values: dict[str, yaml.Node] = {}
        self._asked: list[str] = []
        if not isinstance(node, yaml.MappingNode):
            self.refuse(None, f"{what} is a mapping", "write it as 'key: value' lines")
            return
        for key, value in node.value:
            self._add(key, value)

    def _add(self, key: yaml.Node, value: yaml.Node) -> None:
        name = str(key.value)
        if name in self._keys:
            first = self._keys[name].start_mark.line + 1
            self._refuse_at(key, f"'{name}' stands twice (first in line {first})", "remove one of the two")
            return
        self._keys[name] = key
        self._values[name] = value

    @property
    def keys(self) -> Sequence[str]:
        return tuple(self._keys)

    def has(self, key: str) -> bool:
        """Whether an optional key is there; asking makes it known."""
        self._asked.append(key)
        return key in self._keys

    def place_of(self, key: str | None = None) -> Place:
        """Where the value of `key` stands; where the mapping stands when there is none."""
        node = self._values.get(key) if key is not None else None
        if node is None:
            return self.place
        return Place(self.file, node.start_mark.line + 1, node.start_mark.column + 1)

    def refuse(self, key: str | None, what: str, fix: str, offset: int = 0) -> None:
        """Note a problem; `offset` is how far into the text under `key` it lies."""
        place = self.inside(key, offset) if key is not None and offset else self.place_of(key)
        self.problems.append(Problem(str(place), what, fix))

    def _refuse_at(self, node: yaml.Node, what: str, fix: str) -> None:
        self.problems.append(Problem(_place(node, self.file), what, fix))

    def _take(self, key: str, required: bool) -> yaml.Node | None:
        self._asked.append(key)
        if key not in self._values and required:
            self.refuse(None, f"{self.what} lacks '{key}'", f"add '{key}: …'")
        return self._values.get(key)

    def text(self, key: str, default: str | None = None) -> str:
        node = self._take(key, default is None)
        if node is None:
            return default or ""
        if not isinstance(node, yaml.ScalarNode) or _scalar(node) is None:
            self.refuse(key, f"'{key}' is a text", f"write '{key}: some text'")
            return default or ""
        return str(node.value)

    def choice(self, key: str, options: Sequence[str], default: str | None = None) -> str:
        value = self.text(key, default)
        if key in self._keys and value not in options:
            self.refuse(key, f"'{key}: {value}' is unknown", suggestion(value, options))
        return value if value in options else options[0]

    def choices(self, key: str, options: Sequence[str]) -> tuple[str, ...]:
        """One of the options, or a list of different ones."""
        values = self.texts(key)
        for value in values:
            if value not in options:
                self.refuse(key, f"'{key}: {value}' is unknown", suggestion(value, options))
        return tuple(dict.fromkeys(value for value in values if value in options))

    def texts(self, key: str, default: Sequence[str] | None = None) -> tuple[str, ...]:
        """One text, or a list of texts."""
        node = self._take(key, default is None)
        if node is None:
            return tuple(default or ())
        items = node.value if isinstance(node, yaml.SequenceNode) else [node]
        allowed = bool(items) or default is not None
        if not allowed or not all(isinstance(item, yaml.ScalarNode) for item in items):
            self.refuse(key, f"'{key}' is a text or a list of texts", f"write '{key}: [one, two]'")
            return tuple(default or ())
        return tuple(str(item.value) for item in items)

    def number(self, key: str, default: float | None = None, *, low: float, high: float) -> float:
        node = self._take(key, default is None)
        if node is None:
            return default if default is not None else low
        value = _scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if isinstance(value, bool) or not isinstance(value, int | float) or not low <= value <= high:
            self.refuse(key, f"'{key}' is a number from {low:g} to {high:g}", f"write '{key}: {low:g}'")
            return low
        return float(value)

    def integer(self, key: str, default: int | None = None, *, low: int, high: int) -> int:
        value = self.number(key, default, low=low, high=high)
        if value != int(value):
            self.refuse(key, f"'{key}' is a whole number", f"write '{key}: {round(value)}'")
        return int(value)

    def numbers(self, key: str, length: int | None) -> tuple[float, ...] | None:
        """A list of exactly `length` numbers (None: one at least); None when left out or wrong."""
        node = self._take(key, False)
        if node is None:
            return None
        values = plain(node)
        if isinstance(values, list) and values and len(values) == (length or len(values)):
            found = [float(value) for value in values if isinstance(value, int | float) and not isinstance(value, bool)]
            if len(found) == len(values):
                return tuple(found)
        example = ", ".join(["0.5"] * (length or 1))
        count = f"{length} numbers" if length else "numbers"
        self.refuse(key, f"'{key}' is a list of {count}", f"write '{key}: [{example}]'")
        return None

    def flag(self, key: str, default: bool = False) -> bool:
        node = self._take(key, False)
        if node is None:
            return default
        value = _scalar(node) if isinstance(node, yaml.ScalarNode) else None
        if not isinstance(value, bool):
            self.refuse(key, f"'{key}' is true or false", f"write '{key}: true'")
            return default
        return value

    def is_mapping(self, key: str) -> bool:
        return isinstance(self._values.get(key), yaml.MappingNode)

    def inside(self, key: str, offset: int) -> Place:
        """The place of a character of the text under `key`."""
        place, node = self.place_of(key), self._values.get(key)
        quoted = isinstance(node, yaml.ScalarNode) and node.style in ("'", '"')
        one_line = node is not None and node.start_mark.line == node.end_mark.line
        return Place(place.file, place.line, place.column + offset + quoted) if one_line else place

    def lone(self, key: str, inner: str) -> Fields | None:
        """A lone text or number under `key` as if it were `{inner: text}`; None when it is a mapping."""
        node = self._values.get(key)
        if not isinstance(node, yaml.ScalarNode) or _scalar(node) is None:
            return None
        self._asked.append(key)
        name = yaml.ScalarNode("tag:yaml.org,2002:str", inner, node.start_mark, node.end_mark)
        pairs = yaml.MappingNode("tag:yaml.org,2002:map", [(name, node)], node.start_mark, node.end_mark)
        return Fields(pairs, self.file, self.problems, f"'{key}'")

    def fields(self, key: str, what: str) -> Fields | None:
        """The mapping under `key`; None, with the problem noted, when it is missing."""
        node = self._take(key, True)
        return None if node is None else Fields(node, self.file, self.problems, what)

    def items(self, key: str, what: str) -> list[Fields]:
        """The list of mappings under `key`; empty when left out."""
        node = self._take(key, False)
        if node is None:
            return []
        if not isinstance(node, yaml.SequenceNode):
            self.refuse(key, f"'{key}' is a list", f"start each {what} with '- '")
            return []
        return [Fields(item, self.file, self.problems, what) for item in node.value]

    def finish(self) -> None:
        """Refuse every key that was not asked for."""
        for key, node in self._keys.items():
            if key not in self._asked:
                self._refuse_at(node, f"{self.what} has no key '{key}'", suggestion(key, set(self._asked)))


def as_mapping(node: yaml.MappingNode) -> Mapping[str, object]:
    """The whole document as plain data."""
    value = plain(node)
    if not isinstance(value, dict):
        raise TypeError("a mapping node gives a dict")
    return value
