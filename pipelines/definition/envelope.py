"""The optional parts of a step's envelope (CONTRACT.md 1.2): raw step in; dependencies, cache, retries, files out."""

from __future__ import annotations

from typing import Any

from pipelines.definition.fields import key_of, optional_list, optional_number, optional_text, required_text
from pipelines.definition.model import Cache, Dependency, PropertyFile, RetryPolicy
from pipelines.definition.step_types import COMPLETED
from pipelines.errors import DefinitionError


def read_dependencies(raw: dict[str, Any], where: str) -> tuple[Dependency, ...]:
    """DependsOn: names, or objects with Step and Trigger; a plain name means Completed."""
    return tuple(_dependency(item, at) for at, item in optional_list(raw, "DependsOn", where))


def _dependency(item: Any, where: str) -> Dependency:
    if isinstance(item, str) and item:
        return Dependency(item)
    if isinstance(item, dict):
        return Dependency(required_text(item, "Step", where), optional_text(item, "Trigger", where) or COMPLETED)
    raise DefinitionError(
        "an entry of DependsOn is neither a step name nor an object",
        where=where,
        fix='write "StepName" or {"Step": "StepName", "Trigger": "Failed"}',
    )


def read_property_files(raw: dict[str, Any], where: str) -> tuple[PropertyFile, ...]:
    return tuple(
        PropertyFile(
            required_text(item, "PropertyFileName", at),
            required_text(item, "OutputName", at),
            required_text(item, "FilePath", at),
        )
        for at, item in optional_list(raw, "PropertyFiles", where, of_objects=True)
    )


def read_cache(raw: dict[str, Any], where: str) -> Cache | None:
    """CacheConfig; anything but the JSON value true leaves it switched off."""
    value = raw.get("CacheConfig")
    at = key_of(where, "CacheConfig")
    if value is None:
        return None
    if not isinstance(value, dict):
        raise DefinitionError(
            "CacheConfig is not an object", where=at, fix='write {"Enabled": true, "ExpireAfter": "P30D"}'
        )
    return Cache(value.get("Enabled") is True, optional_text(value, "ExpireAfter", at))


def read_retry_policies(raw: dict[str, Any], where: str) -> tuple[RetryPolicy, ...]:
    return tuple(_retry_policy(item, at) for at, item in optional_list(raw, "RetryPolicies", where, of_objects=True))


def _retry_policy(item: dict[str, Any], where: str) -> RetryPolicy:
    types = item.get("ExceptionType")
    # The community schema writes a single type as a plain string.
    types = [types] if isinstance(types, str) else types
    if not isinstance(types, list) or not all(isinstance(name, str) for name in types):
        raise DefinitionError(
            "ExceptionType is missing or not a list of names",
            where=where,
            fix='write "ExceptionType": ["Step.SERVICE_FAULT"]',
        )
    attempts = optional_number(item, "MaxAttempts", where)
    return RetryPolicy(
        exception_types=tuple(types),
        interval_seconds=optional_number(item, "IntervalSeconds", where),
        backoff_rate=optional_number(item, "BackoffRate", where),
        max_attempts=None if attempts is None else int(attempts),
        expire_after_min=optional_number(item, "ExpireAfterMin", where),
    )
