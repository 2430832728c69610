"""JSON text that a person can read and two runs write alike: one key a line, a list of scalars on one line.

NaN and infinity are refused: they are no JSON, and the readers of these files would fail far from here.
"""

from __future__ import annotations

import json

WIDTH = 160


def to_json(document: object) -> str:
    """The document as text, with a line's end."""
    return _text(document, "") + "\n"


def _text(value: object, indent: str) -> str:
    flat = json.dumps(value, ensure_ascii=False, allow_nan=False)
    inner = indent + " "
    if isinstance(value, dict) and value and (len(flat) > WIDTH or _nested(value.values())):
        body = ",\n".join(
            f"{inner}{json.dumps(str(key), ensure_ascii=False)}: {_text(item, inner)}" for key, item in value.items()
        )
        return f"{{\n{body}\n{indent}}}"
    if isinstance(value, list) and value and len(flat) > WIDTH:
        body = ",\n".join(f"{inner}{_text(item, inner)}" for item in value)
        return f"[\n{body}\n{indent}]" if _nested(value) else flat
    return flat


def _nested(items: object) -> bool:
    return any(isinstance(item, dict | list) and item for item in items)  # type: ignore[attr-defined]
