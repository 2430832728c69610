"""YAML text → a tree of nodes, each with its place: what PyYAML's composer does, with limits.

Takes the text of a YAML file; gives its root `Node`. PyYAML's composer on top of libyaml overflows the C stack on
deeply nested input, and resolves scalars by YAML 1.1; so only the parser's flat stream of events is used here.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from pipelines.errors import Problem, SpecError

Place = tuple[int, int]

MAX_DEPTH = 40
LOADER: type[Any] = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # libyaml, which PyYAML may be built without

_CHECK = "check indentation, quotes and brackets at this place"


@dataclass(slots=True, eq=False)
class Node:
    """A value of the file: a `text`, a mapping's `pairs`, or a sequence's `items`."""

    place: Place
    tag: str | None
    text: str | None = None
    is_plain: bool = False
    items: list[Node] = field(default_factory=list)
    pairs: list[tuple[Node, Node]] | None = None


def parse_nodes(text: str, file: Path, loader: type[Any] = LOADER) -> Node | None:
    """The root node, or None of an empty file. Raises `SpecError` with the place of what is malformed."""
    try:
        return _Composer(yaml.parse(text, Loader=loader), file).root()
    except yaml.reader.ReaderError as error:
        raise SpecError([_character_problem(error, text, file)]) from error
    except yaml.MarkedYAMLError as error:
        raise SpecError([_syntax_problem(error, file)]) from error
    except (ValueError, OverflowError) as error:  # PyYAML's own parser, of impossible escapes and versions
        raise SpecError([Problem(str(file), f"not valid YAML: {error}", _CHECK)]) from error


def _syntax_problem(error: yaml.MarkedYAMLError, file: Path) -> Problem:
    mark = error.problem_mark or error.context_mark
    place = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else str(file)
    reason = " ".join(part for part in (error.context, error.problem) if part)
    return Problem(place, f"not valid YAML: {reason}", _CHECK)


def _character_problem(error: Any, text: str, file: Path) -> Problem:
    lines = text[: error.position].splitlines() or [""]
    code = error.character if isinstance(error.character, int) else ord(error.character)
    place = f"{file}:{len(lines)}:{len(lines[-1]) + 1}"
    return Problem(place, f"the character U+{code:04X} is not allowed in YAML", "remove it")


class _Composer:
    """Puts events together; an alias becomes the very node that its anchor stands at."""

    def __init__(self, events: Iterator[Any], file: Path) -> None:
        self.events = events
        self.file = file
        self.anchors: dict[str, Node] = {}

    def root(self) -> Node | None:
        root = None
        for event in self.events:
            if isinstance(event, yaml.DocumentStartEvent):
                if root is not None:
                    raise self.refusal(event, "a second document begins here", "keep one document in a file")
                root = self.node(next(self.events), 0)
        return root

    def node(self, event: Any, depth: int) -> Node:
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self.anchors:
                raise self.refusal(event, f"there is no anchor &{event.anchor}", "write the value out")
            return self.anchors[event.anchor]
        if depth > MAX_DEPTH:
            raise self.refusal(event, f"values are nested more than {MAX_DEPTH} deep", "write them less deeply")
        node = Node(_place(event), event.tag)
        if event.anchor:
            self.anchors[event.anchor] = node
        if isinstance(event, yaml.ScalarEvent):
            node.text, node.is_plain = event.value, not event.style
        elif isinstance(event, yaml.SequenceStartEvent):
            node.items = list(self.nodes(yaml.SequenceEndEvent, depth))
        else:
            inner = self.nodes(yaml.MappingEndEvent, depth)
            node.pairs = list(zip(inner, inner, strict=True))
        return node

    def nodes(self, end: type[Any], depth: int) -> Iterator[Node]:
        while not isinstance(event := next(self.events), end):
            yield self.node(event, depth + 1)

    def refusal(self, event: Any, what: str, fix: str) -> SpecError:
        line, column = _place(event)
        return SpecError([Problem(f"{self.file}:{line}:{column}", what, fix)])


def _place(event: Any) -> Place:
    return event.start_mark.line + 1, event.start_mark.column + 1
