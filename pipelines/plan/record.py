"""The record that a deployment leaves beside its assets: what went with a definition, for rollback and promotion.

It lies at PREFIX/deployments/DIGEST.json, DIGEST being the definition's, and is written before the pipeline: so every
version of the pipeline that `deploy` made has one. A later deployment of the same definition replaces it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines.errors import Mend, UsageError
from pipelines.plan.codec import decode, encode, read_json
from pipelines.plan.desired import Desired, Image, Upload
from pipelines.schedule import Schedule
from pipelines.spec import Notification

FORMAT = 1


@dataclass(frozen=True)
class Record:
    """What was deployed with a definition (by digest). Uploads and images have no local paths here.

    `version` is the version that this one is again, where a rollback deployed it.
    """

    pipeline: str
    environment: str
    definition: str
    neutral: str
    role: str
    description: str = ""
    parallelism: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    uploads: tuple[Upload, ...] = ()
    images: tuple[Image, ...] = ()
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    notifications: Mapping[str, Notification] = field(default_factory=dict)
    version: int | None = None


def record_of(desired: Desired) -> Record:
    return Record(
        pipeline=desired.pipeline,
        environment=desired.environment,
        definition=desired.definition.digest,
        neutral=desired.neutral,
        role=desired.role,
        description=desired.description,
        parallelism=desired.parallelism,
        tags=desired.tags,
        uploads=tuple(replace(upload, path="") for upload in desired.uploads),
        images=tuple(replace(image, folder="", copy_from="", digest="") for image in desired.images),
        schedules=desired.schedules,
        notifications=desired.notifications,
        version=desired.version,
    )


def with_digests(text: str, digests: Mapping[str, str]) -> str:
    """A record's text with the digests of its images, as far as they are known (by URI)."""
    document = json.loads(text)
    for image in document["images"]:
        image["digest"] = digests.get(image["uri"], "")
    return _written(document)


def record_key(prefix: str, definition_digest: str) -> str:
    """Where the record of a definition lies in the environment's bucket."""
    return f"{prefix}/deployments/{definition_digest}.json"


def write_record(record: Record) -> str:
    """The record's text: the same for the same record."""
    return _written({"format": FORMAT, **encode(record)})


def _written(document: Mapping[str, Any]) -> str:
    return json.dumps(document, sort_keys=True, indent=1) + "\n"


def known_record(text: str | None) -> Record | None:
    """The record in a text, None when there is none that can be read."""
    try:
        return read_record(text, where="") if text else None
    except UsageError:
        return None


def read_record(text: str, *, where: str, option: str = "") -> Record:
    """The record in a text; `option` names its environment. Raises `UsageError` when damaged or of another version."""
    fix = Mend("deploy from the files instead", f"deploy{option}")
    return decode(Record, read_json(text, FORMAT, where, fix), where, fix)
