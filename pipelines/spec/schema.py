"""The JSON Schema (draft 2020-12) of pipeline.yaml, for editors: the types of `model.py` in JSON Schema's words.

`python -m pipelines.spec.schema` writes pipeline.schema.json beside this file. The schema knows what the types know;
what only the whole of a spec can tell (references to steps, cycles, conditions' syntax) it leaves to the reader.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, Field
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

from pipelines.spec.conditions import Condition
from pipelines.spec.expressions import TEMPLATE_PATTERN, Template
from pipelines.spec.kinds import is_record, keys, options, unwrap
from pipelines.spec.limits import Between, Doc, Duration, Pattern
from pipelines.spec.model import KINDS, Pipeline, Step

FILE = Path(__file__).with_name("pipeline.schema.json")
_HAS_REFERENCE = r"\$\{\{"
_TEXTS: dict[Any, dict[str, Any]] = {
    str: {"type": "string", "not": {"pattern": _HAS_REFERENCE}},
    Template: {"type": "string", "pattern": f"^{TEMPLATE_PATTERN}$"},
    Duration: {"type": "string", "pattern": f"^{Duration.PATTERN}$"},
    Condition: {"type": "string", "pattern": r"\S"},
}
_NUMBERS = {bool: "boolean", int: "integer", float: "number"}


def schema() -> dict[str, Any]:
    """The whole schema, as a JSON document."""
    definitions: dict[str, Any] = {}
    root = _record(Pipeline, definitions)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "pipeline.yaml"}
    return {**head, **root, "$defs": dict(sorted(definitions.items()))}


def _record(model: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    properties = {key: _field(field, hint, definitions) for key, (field, hint) in keys(model).items()}
    required = [key for key, (field, _) in keys(model).items() if _default(field) is MISSING]
    document = {"description": model.__doc__, "type": "object", "properties": properties}
    if required:
        document["required"] = required
    if model is Step:
        document["oneOf"] = [{"required": [kind]} for kind in KINDS]
    return document | {"additionalProperties": False}


def _field(field: Field[Any], hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    _, beside = unwrap(hint)
    text = next((item.text for item in beside if isinstance(item, Doc)), "")
    document = {"description": text} | _kind(hint, definitions)
    default = plain_default(field)
    return document if default is None else document | {"default": default}


def _default(field: Field[Any]) -> Any:
    return field.default_factory() if field.default_factory is not MISSING else field.default


def plain_default(field: Field[Any]) -> Any:
    """A field's default as it would stand in the file; None when there is none to speak of."""
    default = _default(field)
    if isinstance(default, Duration):
        return default.text
    if isinstance(default, tuple):
        return list(default) or None
    return default if isinstance(default, str | int | float) and default != "" else None


def _kind(hint: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    kind, beside = unwrap(hint)
    found = [_option(option, beside, definitions) for option in options(kind)]
    return found[0] if len(found) == 1 else {"anyOf": found}


def _option(hint: Any, outer: tuple[Any, ...], definitions: dict[str, Any]) -> dict[str, Any]:
    kind, inner = unwrap(hint)
    limits = [limit for limit in (*outer, *inner) if isinstance(limit, Between)]
    patterns = [limit for limit in (*outer, *inner) if isinstance(limit, Pattern)]
    if kind is Any:
        return {}
    if is_record(kind):
        return _reference(kind, definitions)
    if get_origin(kind) is Literal:
        return {"enum": list(get_args(kind))}
    if get_origin(kind) is tuple:
        return {"type": "array", "items": _kind(get_args(kind)[0], definitions)} | _sized("Items", limits)
    if get_origin(kind) is Mapping:
        return _mapping(kind, definitions) | _sized("Properties", limits)
    if kind in _NUMBERS:
        sized = {} if kind is bool else _ranged(limits)
        return {"type": _NUMBERS[kind]} | sized
    text = _TEXTS[kind] | (_sized("Length", limits) if kind is str else {})
    return text | _patterns(kind, patterns)


def _reference(model: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    name = model.__name__
    if name not in definitions:
        definitions[name] = {}  # begun: a type that refers to itself ends here
        definitions[name] = _record(model, definitions)
    return {"$ref": f"#/$defs/{name}"}


def _mapping(kind: Any, definitions: dict[str, Any]) -> dict[str, Any]:
    key_hint, item_hint = get_args(kind)
    names = [limit for limit in unwrap(key_hint)[1] if isinstance(limit, Pattern)]
    document: dict[str, Any] = {"type": "object", "additionalProperties": _kind(item_hint, definitions)}
    return document | ({"propertyNames": {"pattern": f"^(?:{names[0].regex})$"}} if names else {})


def _patterns(kind: Any, patterns: list[Pattern]) -> dict[str, Any]:
    """A limit on a text with references holds for texts without one only."""
    if not patterns:
        return {}
    whole = [{"pattern": f"^(?:{pattern.regex})$"} for pattern in patterns]
    return {"allOf": whole} if kind is str else {"anyOf": [{"pattern": _HAS_REFERENCE}, *whole]}


def _ranged(limits: list[Between]) -> dict[str, Any]:
    return {"minimum": limits[0].low, "maximum": limits[0].high} if limits else {}


def _sized(what: str, limits: list[Between]) -> dict[str, Any]:
    return {f"min{what}": limits[0].low, f"max{what}": limits[0].high} if limits else {}


def text() -> str:
    """The schema as it stands in the file."""
    return json.dumps(schema(), indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    FILE.write_text(text(), encoding="utf-8")
