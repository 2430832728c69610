"""Definition text → JSON, read more strictly than Python does: no duplicate keys, no NaN, no infinite numbers.

Text in; a dict, or the canonical form and its digest, out.
"""

from __future__ import annotations

import hashlib
import json
import math
from typing import Any, Final

from pipelines.errors import DefinitionError

# Deeper than any real definition; keeps every recursive walk over one far from Python's own limit.
MAX_DEPTH: Final = 100


class _RefusedError(ValueError):
    """What JSON allows Python to read but a definition must not hold."""


def read_document(text: str, *, where: str) -> dict[str, Any]:
    """The JSON object in `text`; DefinitionError when there is none."""
    try:
        document = json.loads(
            text, object_pairs_hook=_unique, parse_constant=_refuse_constant, parse_float=_finite_float
        )
    except json.JSONDecodeError as error:
        raise DefinitionError(
            f"not JSON: {error.msg}",
            where=f"{where}:{error.lineno}:{error.colno}",
            fix="pass the definition as SageMaker takes it: one JSON object",
        ) from error
    except RecursionError as error:
        raise _too_deep(where) from error
    except ValueError as error:
        raise DefinitionError(str(error), where=where, fix="mend the JSON at this key or number") from error
    if not isinstance(document, dict):
        raise DefinitionError(
            "the definition is not a JSON object", where=where, fix='write {"Version": "2020-12-01", "Steps": […]}'
        )
    if _depth(document) > MAX_DEPTH:
        raise _too_deep(where)
    return document


def canonical(value: Any) -> str:
    """One text for equal JSON values: sorted keys, no blanks, ASCII only."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)


def digest(value: Any) -> str:
    """SHA-256 over the canonical form, in hex."""
    return hashlib.sha256(canonical(value).encode("ascii")).hexdigest()


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        seen: set[str] = set()
        for key, _ in pairs:
            if key in seen:
                raise _RefusedError(f'the key "{key}" stands twice in one object')
            seen.add(key)
    return result


def _refuse_constant(text: str) -> Any:
    raise _RefusedError(f"{text} is not a JSON number")


def _finite_float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise _RefusedError(f"{text} is too large a number")
    return value


def _depth(document: Any) -> int:
    """How many lists and objects lie inside one another at most."""
    depth, level = 0, [document]
    while level:
        depth += 1
        values = [value for holder in level for value in (holder.values() if isinstance(holder, dict) else holder)]
        level = [value for value in values if isinstance(value, (dict, list))]
    return depth


def _too_deep(where: str) -> DefinitionError:
    return DefinitionError(
        f"values nested more than {MAX_DEPTH} levels deep",
        where=where,
        fix="flatten the value; no step needs such depth",
    )
