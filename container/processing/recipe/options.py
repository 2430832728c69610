"""What a part of a recipe may say, declared once: a frozen dataclass whose fields are made by `option`.

The reader (`read_options`), the JSON Schema (recipe/schema.py) and the reference page (recipe/reference.py) all follow
from these declarations, so none can say what another does not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import MISSING, dataclass, field, fields
from itertools import pairwise
from typing import Any, Protocol, TypeVar

from processing.columns import ColumnType
from processing.recipe.fields import Fields
from processing.recipe.scope import Scope

T = TypeVar("T")
Schema = dict[str, Any]


class Kind(Protocol):
    """What may stand under a key."""

    def read(self, fields: Fields, key: str, scope: Scope) -> Any:
        """The typed value under the key; a neutral one, with the problem noted, where it is wrong or missing."""
        ...

    def schema(self) -> Schema: ...

    def words(self) -> str:
        """For the reference page."""
        ...


@dataclass(frozen=True)
class Option:
    """One key: its name in the recipe, what may stand there, what it means; `given` tells its default in words."""

    key: str
    kind: Kind
    help: str
    required: bool
    given: str


def option(kind: Kind, meaning: str, *, default: Any = MISSING, given: str = "", key: str = "") -> Any:
    """A dataclass field that is read from the recipe; required unless it has a default."""
    metadata = {"kind": kind, "help": meaning, "given": given, "key": key}
    return field(default=default, metadata=metadata)


def options_of(cls: type) -> Iterator[tuple[str, Option]]:
    """Every option of a class, by the name of its field."""
    for item in fields(cls):
        if "kind" in item.metadata:
            required = item.default is MISSING
            given = item.metadata["given"] or ("" if required or item.default in (None, ()) else _plain(item.default))
            key = item.metadata["key"] or item.name
            yield item.name, Option(key, item.metadata["kind"], item.metadata["help"], required, given)


def _plain(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        return ", ".join(map(str, value))
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def read_options(cls: type[T], fields: Fields, scope: Scope) -> T:
    """An instance from the mapping; its `check(fields)`, where there is one, sees to what concerns several keys."""
    values = {name: one.kind.read(fields, one.key, scope) for name, one in options_of(cls) if _given(one, fields)}
    made = cls(**values)
    check = getattr(made, "check", None)
    if check is not None:
        check(fields)
    return made


def read_option(cls: type, name: str, fields: Fields, scope: Scope) -> Any:
    """The value of one option of a class, for readers that take them one by one; None when left out."""
    one = next(found for field_name, found in options_of(cls) if field_name == name)
    return one.kind.read(fields, one.key, scope) if _given(one, fields) else None


def _given(one: Option, fields: Fields) -> bool:
    """Whether to read the option: asked for in any case, so that its key is known."""
    return fields.has(one.key) or one.required


@dataclass(frozen=True)
class Text:
    """A text."""

    length: int | None = None

    def read(self, fields: Fields, key: str, _scope: Scope) -> str:
        text = fields.text(key)
        if self.length is not None and text and len(text) != self.length:
            fields.refuse(key, f"'{key}' is {self.length} character(s) long", f"write '{key}: \",\"'")
        return text

    def schema(self) -> Schema:
        # An unquoted 5 is the text '5' to the reader.
        exact = {"minLength": self.length, "maxLength": self.length} if self.length is not None else {}
        return {"type": ["string", "number", "boolean"], **exact}

    def words(self) -> str:
        return "one character" if self.length == 1 else "text"


@dataclass(frozen=True)
class Texts:
    """One text, or a list of texts."""

    empty: bool = False

    def read(self, fields: Fields, key: str, _scope: Scope) -> tuple[str, ...]:
        return fields.texts(key, () if self.empty else None)

    def schema(self) -> Schema:
        item = Text().schema()
        return {"anyOf": [item, {"type": "array", "items": item, **({} if self.empty else {"minItems": 1})}]}

    def words(self) -> str:
        return "text, or list of texts"


@dataclass(frozen=True)
class Choice:
    """One of a few words."""

    words_: tuple[str, ...]

    def read(self, fields: Fields, key: str, _scope: Scope) -> str:
        return fields.choice(key, self.words_)

    def schema(self) -> Schema:
        return {"enum": [int(word) if word.isdigit() else word for word in self.words_]}

    def words(self) -> str:
        return ", ".join(f"`{word}`" for word in self.words_)


@dataclass(frozen=True)
class ChoiceNumber(Choice):
    """One of a few whole numbers."""

    def read(self, fields: Fields, key: str, scope: Scope) -> Any:
        return int(super().read(fields, key, scope))


@dataclass(frozen=True)
class Choices(Choice):
    """One of a few words, or a list of them."""

    def read(self, fields: Fields, key: str, _scope: Scope) -> Any:
        return fields.choices(key, self.words_)

    def schema(self) -> Schema:
        one = super().schema()
        return {"anyOf": [one, {"type": "array", "items": one, "minItems": 1}]}

    def words(self) -> str:
        return f"one or a list of {super().words()}"


@dataclass(frozen=True)
class Real:
    """A number within bounds."""

    low: float
    high: float

    def read(self, fields: Fields, key: str, _scope: Scope) -> float:
        return fields.number(key, low=self.low, high=self.high)

    def schema(self) -> Schema:
        return {"type": "number", "minimum": self.low, "maximum": self.high}

    def words(self) -> str:
        return f"number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Whole:
    """A whole number within bounds."""

    low: int
    high: int

    def read(self, fields: Fields, key: str, _scope: Scope) -> int:
        return fields.integer(key, low=self.low, high=self.high)

    def schema(self) -> Schema:
        return {"type": "integer", "minimum": self.low, "maximum": self.high}

    def words(self) -> str:
        return f"whole number from {self.low:g} to {self.high:g}"


@dataclass(frozen=True)
class Flag:
    """True or false."""

    def read(self, fields: Fields, key: str, _scope: Scope) -> bool:
        return fields.flag(key)

    def schema(self) -> Schema:
        return {"type": "boolean"}

    def words(self) -> str:
        return "`true` or `false`"


@dataclass(frozen=True)
class Rising:
    """A list of rising numbers within bounds: exactly `count` of them, or at least one."""

    low: float
    high: float
    count: int | None = None

    def read(self, fields: Fields, key: str, _scope: Scope) -> tuple[float, ...] | None:
        values = fields.numbers(key, self.count)
        if values is None:
            return None
        inside = all(self.low <= value <= self.high for value in values)
        if not inside or any(one >= two for one, two in pairwise(values)):
            fields.refuse(key, f"'{key}' is a {self.words()}", f"write '{key}: [{self._example()}]'")
            return None
        return values

    def _example(self) -> str:
        return "0.01, 0.99" if self.high == 1 else "10, 20, 50"

    def schema(self) -> Schema:
        count = {"minItems": self.count, "maxItems": self.count} if self.count else {"minItems": 1}
        items = {"type": "number", "minimum": self.low, "maximum": self.high}
        return {"type": "array", "items": items, "uniqueItems": True, **count}

    def words(self) -> str:
        count = {2: "two", 3: "three"}.get(self.count or 0, "")
        return f"list of {count} rising numbers from {self.low:g} to {self.high:g}".replace("  ", " ")


@dataclass(frozen=True)
class ColumnName:
    """A declared column of one of the types."""

    types: tuple[ColumnType, ...]

    def read(self, fields: Fields, key: str, scope: Scope) -> Any:
        return scope.column(fields, key, self.types)

    def schema(self) -> Schema:
        return {"type": "string"}

    def words(self) -> str:
        return "column" if set(self.types) == set(ColumnType) else f"column ({', '.join(self.types)})"


@dataclass(frozen=True)
class ColumnNames:
    """One declared column of one of the types, or a list of them."""

    types: tuple[ColumnType, ...]

    def read(self, fields: Fields, key: str, scope: Scope) -> Any:
        return tuple(scope.checked(name, fields, key, self.types) for name in fields.texts(key))

    def schema(self) -> Schema:
        return {"anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}, "minItems": 1}]}

    def words(self) -> str:
        return f"column ({', '.join(self.types)}), or list of columns"


@dataclass(frozen=True)
class Section:
    """A mapping of its own; with `short`, a lone text stands for `{short: text}`."""

    cls: type
    short: str | None = None

    def read(self, fields: Fields, key: str, scope: Scope) -> Any:
        inner = fields.lone(key, self.short) if self.short is not None else None
        inner = inner or fields.fields(key, f"'{key}'")
        if inner is None:
            return None
        made: Any = read_options(self.cls, inner, scope)
        inner.finish()
        return made

    def schema(self) -> Schema:
        whole = mapping_schema(self.cls)
        if self.short is None:
            return whole
        kind = next(one.kind for _, one in options_of(self.cls) if one.key == self.short)
        return {"anyOf": [kind.schema(), whole]}

    def words(self) -> str:
        inner = "; ".join(f"`{one.key}`: {one.kind.words()}" for _, one in options_of(self.cls))
        return f"{{{inner}}}" + (f", or the `{self.short}` alone" if self.short is not None else "")


def mapping_schema(cls: type) -> Schema:
    """The JSON Schema of a mapping that is read into `cls`."""
    known = [one for _, one in options_of(cls)]
    properties = {one.key: {**one.kind.schema(), "description": one.help} for one in known}
    required = [one.key for one in known if one.required]
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return schema | ({"required": required} if required else {})
