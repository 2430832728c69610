"""OutputParameters of Lambda and Callback steps: what the definition declares, and values of its types (CONTRACT.md).

Values come as text from the API, as JSON from a function; both become what references to the step read.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Final

from pipelines.local.machine.events import Launch
from pipelines.local.steps.step import Json
from pipelines.nearest import nearest

_BOOLEANS: Final = {"true": True, "false": False}
_VALUE: Final = 1024  # characters


class OutputError(ValueError):
    """A value that is not declared, not of its type, or too long; the text says which and why."""


def declared(launch: Launch) -> dict[str, str]:
    """The type of each output parameter, by name."""
    return {
        item["OutputName"]: item.get("OutputType", "String") for item in launch.settings.get("OutputParameters") or []
    }


def typed(declared: Mapping[str, str], values: Mapping[str, Any]) -> Json:
    """The values that are declared, each of its declared type. Raises `OutputError`."""
    return {name: _typed(name, declared[name], values[name]) for name in declared if name in values}


def refuse_unknown(declared: Mapping[str, str], values: Mapping[str, Any]) -> None:
    """Raises `OutputError` for a value that is not declared."""
    for name in values:
        if name not in declared:
            close = nearest(name, declared)
            hint = f'; the nearest is "{close}"' if close else ""
            raise OutputError(f'output parameter "{name}" is not declared in the step\'s OutputParameters{hint}')


def listed(values: Mapping[str, Any]) -> list[Json]:
    """Output parameters as the API's Metadata has them."""
    return [{"Name": name, "Value": _text(value)} for name, value in values.items()]


def _typed(name: str, wanted: str, value: Any) -> Any:
    if isinstance(value, str) and len(value) > _VALUE:
        raise OutputError(f'output parameter "{name}" has {len(value):,} characters; {_VALUE:,} at most')
    try:
        match wanted:
            case "Integer":
                return _integer(value)
            case "Float":
                return float(_number(value))
            case "Boolean":
                return value if isinstance(value, bool) else _BOOLEANS[str(value).lower()]
            case _:
                return _text(value)
    except (ValueError, KeyError, TypeError) as error:
        raise OutputError(f'output parameter "{name}" is no {wanted}: {_text(value)[:100]!r}') from error


def _integer(value: Any) -> int:
    number = _number(value)
    if isinstance(number, float) and not number.is_integer():
        raise ValueError(number)
    return int(number)


def _number(value: Any) -> int | float:
    if isinstance(value, bool):
        raise TypeError(value)
    if isinstance(value, int | float):
        return value
    return int(value) if str(value).strip().lstrip("+-").isdigit() else float(value)


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
