"""The path grammar of step properties and of JsonGet: `a.b['k'][0]` (CONTRACT.md 1.5, 1.6).

Text in, a tuple of segments out: a string for a member or a quoted key, an integer for a list position.
"""

from __future__ import annotations

import re
from typing import Final

from pipelines.errors import DefinitionError

Path = tuple[str | int, ...]

_SEGMENT: Final = re.compile(
    r"""\.?(?P<member>[^.\[\]]+)|\[(?P<index>[0-9]+)\]|\['(?P<single>[^']*)'\]|\["(?P<double>[^"]*)"\]"""
)
_PLAIN: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_-]*")


def parse_path(text: str, *, where: str = "path") -> Path:
    """The segments of `text`; DefinitionError when it does not follow the grammar."""
    segments: list[str | int] = []
    position = 0
    while position < len(text):
        match = _SEGMENT.match(text, position)
        # A member needs its dot everywhere but at the start, and the start must not have one.
        if match is None or (match["member"] is not None and (text[position] == ".") != (position > 0)):
            raise _malformed(text, position, where)
        segments.append(_value(match))
        position = match.end()
    if not segments:
        raise _malformed(text, 0, where)
    return tuple(segments)


def render_path(path: Path) -> str:
    """The text of a path, as the SDK would write it."""
    text = ""
    for segment in path:
        if isinstance(segment, int):
            text += f"[{segment}]"
        elif _PLAIN.fullmatch(segment):
            text += f".{segment}" if text else segment
        else:
            text += f"['{segment}']"
    return text


def _value(match: re.Match[str]) -> str | int:
    if match["member"] is not None:
        return match["member"]
    if match["index"] is not None:
        return int(match["index"])
    return match["single"] if match["single"] is not None else match["double"]


def _malformed(text: str, position: int, where: str) -> DefinitionError:
    return DefinitionError(
        f'"{text}" is not a path: cannot read on at position {position}',
        where=where,
        fix="write members with dots, keys as ['key'] and list positions as [0], for example a.b['key'][0]",
    )
