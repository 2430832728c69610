"""Looking into Arguments that may hold anything: the value or items at a place out, nothing where there is none."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pipelines.definition.expressions import is_expression


def dig(value: Any, *keys: str) -> Any:
    """The value under nested keys; None when the way there ends early."""
    for key in keys:
        if not isinstance(value, dict) or is_expression(value):
            return None
        value = value.get(key)
    return value


def items(value: Any, *keys: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Position and value of every object in the list under nested keys."""
    holder = dig(value, *keys) if keys else value
    if isinstance(holder, list):
        for index, item in enumerate(holder):
            if isinstance(item, dict) and not is_expression(item):
                yield index, item


def text_at(value: Any, *keys: str) -> str | None:
    """The literal string under nested keys."""
    found = dig(value, *keys)
    return found if isinstance(found, str) else None


def given(value: Any, name: str) -> bool:
    """Whether an object has something other than null under a key."""
    return isinstance(value, dict) and value.get(name) is not None
