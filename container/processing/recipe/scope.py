"""Resolves column names of the recipe: `temp`, or `weather.temp` where several sources have one."""

from __future__ import annotations

from collections.abc import Mapping

from processing.columns import Column, ColumnType
from processing.nearest import suggestion
from processing.recipe.fields import Fields

UNKNOWN = Column("", "", ColumnType.STRING)
"""Stands for a column that was refused; it never leaves the reader."""


class Scope:
    """The declared columns of all sources; `copies` are those that only their full name reaches."""

    def __init__(self, columns: Mapping[str, Mapping[str, Column]], copies: frozenset[Column] = frozenset()) -> None:
        self._columns = columns
        self._copies = copies

    def names(self) -> list[str]:
        """Every way to name a column."""
        short = {name for columns in self._columns.values() for name in columns}
        return sorted(
            short | {str(column) for columns in self._columns.values() for column in columns.values() if column.name}
        )

    def find(self, name: str) -> list[Column]:
        source, _, rest = name.partition(".")
        if rest and source in self._columns:
            return [column for key, column in self._columns[source].items() if key == rest]
        found = [columns[name] for columns in self._columns.values() if name in columns]
        return [column for column in found if column not in self._copies]

    def resolve(self, name: str, fields: Fields, key: str, offset: int = 0) -> Column:
        """The column called `name`, written under `key`; a problem is noted when there is none, or more than one."""
        found = self.find(name)
        if len(found) == 1:
            return found[0]
        if found:
            choices = " or ".join(f"'{column}'" for column in found)
            fields.refuse(key, f"'{name}' is a column of several sources", f"write {choices}", offset)
        else:
            fix = f"{suggestion(name, self.names())} Or declare it under its source's 'columns'."
            fields.refuse(key, f"no column '{name}' is declared", fix, offset)
        return UNKNOWN

    def column(self, fields: Fields, key: str, allowed: tuple[ColumnType, ...]) -> Column:
        """The column named by the field `key`, of one of the allowed types."""
        name = fields.text(key)
        return self.checked(name, fields, key, allowed) if name else UNKNOWN

    def checked(self, name: str, fields: Fields, key: str, allowed: tuple[ColumnType, ...], offset: int = 0) -> Column:
        """The column of that name, of one of the allowed types."""
        column = self.resolve(name, fields, key, offset)
        if column is not UNKNOWN and column.type not in allowed:
            kinds = " or ".join(allowed)
            fields.refuse(
                key,
                f"'{name}' is declared {column.type}; this needs {kinds}",
                f"take another column, or declare '{name}: {allowed[0]}' if that is what the file holds",
                offset,
            )
        return column
