"""The step cache (CONTRACT.md 1.9): what counts of a step, whether an older result may stand for it, and if not, why.

A key holds the attributes that the guide names for the step's type, with every expression resolved. An older result is
used when it is of the same pipeline and step, ended Succeeded with an equal key, and no longer ago than ExpireAfter.
Where the service's behaviour is not documented:

- The window counts from the end of the step that computed the result; a hit does not renew it.
- A result is kept whether or not its step had caching enabled, and whatever became of its execution.
- Order counts in lists; an absent attribute differs from an empty one.
- A child of a ForEach is looked up by its own name (`<body step>-<index>`).
- Types that the guide does not name (Lambda, Callback, Endpoint …) are not cached, even where the SDK lets them say so.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from typing import Any

from pipelines.definition import step_types as types
from pipelines.definition.cache_keys import ATTRIBUTES, TRAINING_JOB_DEFINITION
from pipelines.definition.document import digest
from pipelines.definition.durations import parse_duration
from pipelines.definition.model import Cache
from pipelines.errors import DefinitionError
from pipelines.local.machine.differences import differences
from pipelines.local.machine.state import SUCCEEDED


@dataclass(frozen=True)
class CacheEntry:
    """One ended run of a step: what it was run with (`key`, and its `digest`) and what it gave."""

    pipeline: str
    step: str
    execution_arn: str
    status: str
    end: datetime
    digest: str
    key: Mapping[str, Any]
    properties: Mapping[str, Any] = field(default_factory=dict)
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "end": self.end.isoformat()}

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> CacheEntry:
        return CacheEntry(**{**value, "end": datetime.fromisoformat(value["end"])})


def cacheable(step_type: str) -> bool:
    """Whether results of this type of step are ever looked up."""
    return step_type in ATTRIBUTES


def cache_key(
    step_type: str, arguments: Mapping[str, Any], settings: Mapping[str, Any] | None = None
) -> dict[str, Any]:
    """What counts of a step: resolved Arguments, and the resolved keys beside them, in; the key out."""
    given = {**(settings or {}), **arguments}
    key = {name: given[name] for name in ATTRIBUTES[step_type] if name in given}
    definition = key.get("TrainingJobDefinition")
    if isinstance(definition, dict):
        key["TrainingJobDefinition"] = {
            name: definition[name] for name in TRAINING_JOB_DEFINITION if name in definition
        }
    return key


def key_digest(key: Mapping[str, Any]) -> str:
    """SHA-256 of a key's canonical JSON."""
    return digest(dict(key))


def window(cache: Cache | None) -> timedelta | None:
    """How old a result may be; None when the step is not to be looked up (`why_not_enabled` says why)."""
    return None if cache is None or why_not_enabled(cache) else parse_duration(cache.expire_after or "")


def why_not_enabled(cache: Cache | None, step_type: str = types.PROCESSING) -> str | None:
    """Why a step is not looked up at all; None when it is."""
    if not cacheable(step_type):
        return f"not enabled: steps of type {step_type} are not cached"
    if cache is None:
        return "not enabled: the step has no CacheConfig"
    if not cache.enabled:
        return "not enabled: CacheConfig.Enabled is not true"
    if cache.expire_after is None:
        return "not enabled: CacheConfig has no ExpireAfter"
    try:
        parse_duration(cache.expire_after)
    except DefinitionError as error:
        return f"not enabled: CacheConfig.ExpireAfter: {error.what}"
    return None


def look_up(
    entries: Iterable[CacheEntry], key_or_digest: Mapping[str, Any] | str, oldest: datetime
) -> tuple[CacheEntry | None, CacheEntry | None]:
    """The newest entry of a step that is a hit, and, when none is, the one that came nearest."""
    wanted = key_or_digest if isinstance(key_or_digest, str) else key_digest(key_or_digest)
    best = max(entries, key=lambda entry: _nearness(entry, wanted), default=None)
    if best is not None and is_hit(best, wanted, oldest):
        return best, None
    return None, best


def is_hit(entry: CacheEntry, wanted: str, oldest: datetime) -> bool:
    """Whether this result of the same step may stand for one with the key digest `wanted`."""
    return entry.digest == wanted and entry.status == SUCCEEDED and entry.end >= oldest


def why_missed(
    cache: Cache | None, step_type: str, key: Mapping[str, Any], nearest: CacheEntry | None, at: datetime
) -> str:
    """Why a step had no hit at `at`, given the nearest entry of `look_up` (None when it never ran)."""
    disabled = why_not_enabled(cache, step_type)
    if disabled:
        return disabled
    if nearest is None:
        return "never run: no earlier result of this step is kept"
    if nearest.digest != key_digest(key):
        return f"key changed since {nearest.execution_arn}: {explain(nearest.key, key)}"
    if nearest.status != SUCCEEDED:
        return f"source did not succeed: with the same key the step ended {nearest.status} in {nearest.execution_arn}"
    expired = nearest.end + (window(cache) or timedelta())
    if expired >= at:
        return f"not used: the result of {nearest.execution_arn} was offered as no hit"
    return f"expired since {expired.isoformat(timespec='seconds')}: the result is of {nearest.execution_arn}"


def explain(old_key: Mapping[str, Any], new_key: Mapping[str, Any]) -> str:
    """Every difference of two keys by path: `AppSpecification.ContainerArguments[3] changed from "a" to "b"; …`."""
    return "; ".join(differences(old_key, new_key)) or "nothing changed"


def _nearness(entry: CacheEntry, wanted: str) -> tuple[bool, bool, datetime]:
    return entry.digest == wanted, entry.status == SUCCEEDED, entry.end
