"""A YAML file → plain values, and the place (line and column) of every one of them.

Takes the path or the text of a YAML file; gives a `Source`. Scalars follow YAML 1.2's core schema: `yes`, `no`, `on`,
`12:30` and `2013-01-01` are text, as everyone but YAML 1.1 expects.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pipelines.errors import Problem, SpecError
from pipelines.spec.nodes import LOADER, MAX_DEPTH, Node, Place, parse_nodes
from pipelines.spec.scalars import plain_scalar

Key = str | int
ValuePath = tuple[Key, ...]

# Aliases are expanded by value: a few lines of nested ones could otherwise grow without bound.
MAX_VALUES = 200_000


@dataclass(frozen=True)
class Source:
    """A YAML document: its file, its plain value and where each value and each mapping key of it stands."""

    file: Path
    value: Any
    places: Mapping[ValuePath, Place]
    keys: Mapping[ValuePath, Place]

    def place(self, path: ValuePath, *, key: bool = False) -> Place:
        """Line and column of the value (or of the mapping key) at `path`, or of the nearest value around it."""
        if key and path in self.keys:
            return self.keys[path]
        while path not in self.places and path:
            path = path[:-1]
        return self.places.get(path, (1, 1))

    def where(self, path: ValuePath, *, key: bool = False) -> str:
        """That place as `file:line:column`."""
        line, column = self.place(path, key=key)
        return f"{self.file}:{line}:{column}"


class Problems:
    """Collects what is wrong with a source, to be raised in the order of the file."""

    def __init__(self, source: Source) -> None:
        self.source = source
        self._found: list[tuple[Place, Problem]] = []

    def add(self, path: ValuePath, what: str, fix: str, *, key: bool = False) -> None:
        """Note a problem of the value (or of the mapping key) at `path`."""
        problem = Problem(self.source.where(path, key=key), what, fix)
        self._found.append((self.source.place(path, key=key), problem))

    def __len__(self) -> int:
        return len(self._found)

    def raise_any(self) -> None:
        """Raises `SpecError` when there is a problem."""
        if self._found:
            raise SpecError([problem for _, problem in sorted(self._found, key=lambda found: found[0])])


def read_source(file: Path) -> Source:
    """Read a YAML file. Raises `SpecError` when it is missing, unreadable or malformed."""
    try:
        text = file.read_text(encoding="utf-8-sig")
    except FileNotFoundError as error:
        what = "there is no such file"
        fix = "run the command in the folder of your pipeline.yaml, or name the file with -f"
        raise SpecError([Problem(str(file), what, fix)]) from error
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else f"byte {error.start} is not UTF-8"
        problem = Problem(str(file), f"cannot be read: {reason}", "make it a readable UTF-8 text file")
        raise SpecError([problem]) from error
    return parse_source(text, file)


def parse_source(text: str, file: Path, *, loader: type[Any] = LOADER) -> Source:
    """Parse YAML text as if it stood in `file`. Raises `SpecError` with the place of what is malformed."""
    root = parse_nodes(text, file, loader)
    if root is None:
        fix = "write a pipeline: docs/reference/pipeline-yaml.md names its keys"
        raise SpecError([Problem(f"{file}:1:1", "the file is empty", fix)])
    builder = _Builder(file)
    value = builder.build(root, ())
    if builder.problems:
        raise SpecError([problem for _, problem in sorted(builder.problems, key=lambda found: found[0])])
    return Source(file, value, builder.places, builder.keys)


class _Builder:
    """Walks the nodes of a document once, collecting values, places and problems."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.places: dict[ValuePath, Place] = {}
        self.keys: dict[ValuePath, Place] = {}
        self.problems: list[tuple[Place, Problem]] = []
        self.open_nodes: set[int] = set()

    def build(self, node: Node, path: ValuePath) -> Any:
        self.places[path] = node.place
        if len(self.places) > MAX_VALUES:
            fix = "write the values out instead of nesting aliases"
            raise SpecError([Problem(str(self.file), f"more than {MAX_VALUES:,} values", fix)])
        if node.tag:
            tag = node.tag.replace("tag:yaml.org,2002:", "!!")
            self.refuse(node, f"the tag {tag} is not supported", "remove the tag; put texts in quotes")
        if node.text is not None:
            return self.scalar(node, node.text)
        if id(node) in self.open_nodes:
            self.refuse(node, "an alias refers to a value that contains it", "remove the alias")
            return None
        if len(path) > MAX_DEPTH:
            self.refuse(node, f"aliases nest values more than {MAX_DEPTH} deep", "write them less deeply")
            return None
        self.open_nodes.add(id(node))
        if node.pairs is not None:
            value: Any = dict(self.pairs(node.pairs, path))
        else:
            value = [self.build(item, (*path, index)) for index, item in enumerate(node.items)]
        self.open_nodes.discard(id(node))
        return value

    def pairs(self, pairs: list[tuple[Node, Node]], path: ValuePath) -> Iterator[tuple[str, Any]]:
        for key_node, value_node in pairs:
            key = key_node.text
            if key is None or key_node.tag:
                self.refuse(key_node, "a key must be text", "write the key as a plain word")
            elif key == "<<" and key_node.is_plain:
                self.refuse(key_node, "merge keys (<<) are not supported", "use `defaults`, or write the keys out")
            elif (*path, key) in self.keys:
                self.refuse(key_node, f"the key {key!r} stands here twice", "remove one of the two")
            else:
                self.keys[(*path, key)] = key_node.place
                yield key, self.build(value_node, (*path, key))

    def scalar(self, node: Node, text: str) -> str | int | float | bool | None:
        if not node.is_plain:  # quoted and block scalars are text
            return text
        try:
            return plain_scalar(text)
        except ValueError as error:
            self.refuse(node, str(error), "put it in quotes to make it a text")
            return None

    def refuse(self, node: Node, what: str, fix: str) -> None:
        line, column = node.place
        self.problems.append((node.place, Problem(f"{self.file}:{line}:{column}", what, fix)))
