"""A column of a source file, its declared type, and a place in the recipe."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ColumnType(StrEnum):
    """What a column of a source file holds."""

    STRING = "string"
    INTEGER = "integer"
    NUMBER = "number"
    BOOLEAN = "boolean"
    DATE = "date"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True)
class Place:
    """Where a value stands in the recipe file."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Column:
    """A column of a source; its text, `source.column`, is its name from staging on."""

    source: str
    name: str
    type: ColumnType

    def __str__(self) -> str:
        return f"{self.source}.{self.name}"
