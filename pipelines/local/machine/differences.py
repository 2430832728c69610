"""Two JSON values in; one line for each difference, by path, out.

Lists whose items carry a name (inputs, channels) are compared by name, so that one input more shows as one difference.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Final

from pipelines.definition.document import canonical
from pipelines.definition.paths import Path, render_path

_NAMES: Final = ("InputName", "OutputName", "ChannelName", "Name")
_LONGEST: Final = 200  # characters of a value shown


def differences(old: Any, new: Any, path: Path = ()) -> list[str]:
    """Every difference, in the order of the new value; [] when the two are equal."""
    return list(_differences(old, new, path))


def _differences(old: Any, new: Any, path: Path) -> Iterator[str]:
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        yield from _in_objects(old, new, path)
    elif isinstance(old, (list, tuple)) and isinstance(new, (list, tuple)):
        yield from _in_lists(old, new, path)
    elif canonical(old) != canonical(new):
        yield f"{_at(path)} changed from {_show(old)} to {_show(new)}"


def _in_objects(old: Mapping[str, Any], new: Mapping[str, Any], path: Path) -> Iterator[str]:
    for key, value in new.items():
        if key in old:
            yield from _differences(old[key], value, (*path, key))
        else:
            yield f"{_at((*path, key))} was added: {_show(value)}"
    for key, value in old.items():
        if key not in new:
            yield f"{_at((*path, key))} was removed: {_show(value)}"


def _in_lists(old: Any, new: Any, path: Path) -> Iterator[str]:
    was, now = _by_name(old), _by_name(new)
    if was and now:
        found = list(_in_objects(was, now, path))
        if not found and list(was) != list(now):
            found = [f"{_at(path)} changed its order from {', '.join(was)} to {', '.join(now)}"]
        yield from found
        return
    for index in range(max(len(old), len(new))):
        place = (*path, index)
        if index >= len(old):
            yield f"{_at(place)} was added: {_show(new[index])}"
        elif index >= len(new):
            yield f"{_at(place)} was removed: {_show(old[index])}"
        else:
            yield from _differences(old[index], new[index], place)


def _by_name(items: Any) -> dict[str, Any]:
    """The items by their names; {} unless each has one of its own."""
    for naming in _NAMES:
        if all(isinstance(item, dict) and isinstance(item.get(naming), str) for item in items):
            named = {item[naming]: item for item in items}
            return named if len(named) == len(items) else {}
    return {}


def _at(path: Path) -> str:
    return render_path(path) or "the value"


def _show(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
