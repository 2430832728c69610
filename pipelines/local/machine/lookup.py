"""Following a path into JSON: a value and a path in; what lies there, or a LookupFailedError that says how far it went.

`property_at` also knows the lists of a Describe response that the service keys by name, the output parameters of Lambda
and Callback steps, and the JSON text in a Job's description (CONTRACT.md 1.3, 1.6).
"""

from __future__ import annotations

import json
from typing import Any, Final

from pipelines.definition.paths import Path, render_path
from pipelines.nearest import nearest

# Path of a list in a Describe response → the member that names its items.
_NAMED_LISTS: Final[dict[Path, str]] = {
    ("ProcessingInputs",): "InputName",
    ("ProcessingOutputConfig", "Outputs"): "OutputName",
    ("FinalMetricDataList",): "MetricName",
}
_OUTPUT_PARAMETERS: Final[Path] = ("OutputParameters",)
_JSON_TEXTS: Final[frozenset[Path]] = frozenset({("JobConfigDocument",)})


class LookupFailedError(Exception):
    """The path leads nowhere; the message says what is there instead."""


def value_at(document: Any, path: Path) -> Any:
    """The value at `path` in a JSON document."""
    value = document
    for index, segment in enumerate(path):
        value = _descend(value, segment, path[:index])
    return value


def property_at(properties: Any, path: Path) -> Any:
    """The value at `path` in a job's Describe response, with its named lists keyed by name."""
    value = properties
    for index, segment in enumerate(path):
        before = path[:index]
        naming = _NAMED_LISTS.get(before)
        if naming is not None and isinstance(value, list):
            value = _keyed_by_name(value, naming, segment, before)
        elif before == _OUTPUT_PARAMETERS:
            value = _output_parameters(value)
        elif before in _JSON_TEXTS and isinstance(value, str):
            value = _parsed(value, before)
        value = _descend(value, segment, before)
    return value


def describe(value: Any) -> str:
    """A JSON value in a few words: its kind, and a scalar's text."""
    match value:
        case None:
            return "null"
        case bool():
            return f"the boolean {str(value).lower()}"
        case int() | float():
            return f"the number {value!r}"
        case str():
            return f'the string "{value}"'
        case list():
            return f"a list of {len(value)}"
        case _:
            return "an object"


def _keyed_by_name(items: list[Any], naming: str, segment: str | int, before: Path) -> dict[str, Any]:
    keyed = {str(item[naming]): item for item in items if isinstance(item, dict) and naming in item}
    if isinstance(segment, int):
        example = f"['{next(iter(keyed))}']" if keyed else "['name']"
        raise LookupFailedError(
            f"{render_path(before)} is keyed by {naming}, not by position: write {example} instead of [{segment}]"
        )
    return keyed


def _output_parameters(value: Any) -> Any:
    """Output parameters by name, as an object or in the API's Name-Value form; nested values are one JSON text."""
    if isinstance(value, list):
        value = {str(item["Name"]): item.get("Value") for item in value if isinstance(item, dict) and "Name" in item}
    if not isinstance(value, dict):
        return value
    return {
        name: json.dumps(inner, ensure_ascii=False) if isinstance(inner, (dict, list)) else inner
        for name, inner in value.items()
    }


def _parsed(text: str, before: Path) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise LookupFailedError(f"{render_path(before)} is not valid JSON: {error}") from error


def _descend(value: Any, segment: str | int, before: Path) -> Any:
    here = render_path(before) or "the document"
    match value, segment:
        case dict(), str():
            if segment in value:
                return value[segment]
            raise LookupFailedError(f'{here} has no "{segment}"; {_there(segment, value)}')
        case list(), int():
            if segment < len(value):
                return value[segment]
            raise LookupFailedError(f"{here} has no item [{segment}]: it is {describe(value)}")
        case _, int():
            raise LookupFailedError(f"{here} is {describe(value)}: [{segment}] needs a list")
        case _:
            raise LookupFailedError(f'{here} is {describe(value)}: "{segment}" needs an object')


def _there(segment: str, value: dict[str, Any]) -> str:
    if not value:
        return "it is empty"
    close = nearest(segment, value)
    if close:
        return f'the nearest is "{close}"'
    names = sorted(value)
    more = ", …" if len(names) > 10 else ""
    return f"it has {', '.join(names[:10])}{more}"
