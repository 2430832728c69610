"""Reading single fields of a JSON object: the field's value out, or a DefinitionError with the path to it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.errors import DefinitionError


def key_of(where: str, key: str) -> str:
    """The path of a key in the object at `where`; the document itself has an empty path."""
    return f"{where}.{key}" if where else key


def required_text(holder: dict[str, Any], key: str, where: str) -> str:
    """The non-empty string under `key`."""
    value = holder.get(key)
    if not isinstance(value, str) or not value:
        raise DefinitionError(f"{key} is missing or not a string", where=where, fix=f'add "{key}": "…"')
    return value


def optional_text(holder: dict[str, Any], key: str, where: str) -> str | None:
    """The string under `key`; None when it is absent or null."""
    value = holder.get(key)
    if value is not None and not isinstance(value, str):
        raise DefinitionError(f"{key} is not a string", where=key_of(where, key), fix=f'write "{key}": "…"')
    return value


def optional_number(holder: dict[str, Any], key: str, where: str) -> int | float | None:
    """The number under `key`; None when it is absent or null."""
    value = holder.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise DefinitionError(f"{key} is not a number", where=key_of(where, key), fix=f'write "{key}": 1')
    return value


def optional_list(
    holder: dict[str, Any], key: str, where: str, *, of_objects: bool = False
) -> Iterator[tuple[str, Any]]:
    """Path and value of every item under `key`; nothing when it is absent or null."""
    value = holder.get(key)
    at = key_of(where, key)
    if value is None:
        return
    if not isinstance(value, list):
        raise DefinitionError(f"{key} is not a list", where=at, fix=f'write "{key}": […]')
    for index, item in enumerate(value):
        if of_objects and not isinstance(item, dict):
            raise DefinitionError(f"an item of {key} is not an object", where=f"{at}[{index}]", fix="write {…}")
        yield f"{at}[{index}]", item
