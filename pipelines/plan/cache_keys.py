"""What counts of a step for the cache (CONTRACT.md 1.9; the guide's "default cache key attributes by step type").

A step in; those of its arguments, and of the keys beside them, that make its cache key. Nothing else of a step does:
neither instances nor role, outputs, network or stopping condition.
"""

from __future__ import annotations

from typing import Any

from pipelines.definition import Step, parse_duration
from pipelines.definition.cache_keys import ATTRIBUTES, TRAINING_JOB_DEFINITION
from pipelines.errors import DefinitionError


def key_attributes(step: Step) -> dict[str, Any]:
    """The part of a step that makes its cache key, unresolved."""
    given = {**step.raw, **step.arguments}
    found = {name: given[name] for name in ATTRIBUTES[step.type] if name in given}
    inner = found.get("TrainingJobDefinition")
    if isinstance(inner, dict):
        found["TrainingJobDefinition"] = {name: inner[name] for name in TRAINING_JOB_DEFINITION if name in inner}
    return found


def is_cached(step: Step) -> bool:
    """Whether the service looks for an earlier result of the step."""
    cache = step.cache
    if step.type not in ATTRIBUTES or cache is None or not cache.enabled or cache.expire_after is None:
        return False
    try:
        parse_duration(cache.expire_after)
    except DefinitionError:
        return False
    return True
