"""What a deployment is to bring about: spec, environment and compiled definition in; one frozen `Desired` out.

A rollback and a promotion are `Desired` values too (`rollback.py`, `promotion.py`), planned like any other.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace

from pipelines.definition import Definition
from pipelines.schedule import Schedule
from pipelines.spec import Notification, Pipeline, Target


@dataclass(frozen=True)
class Upload:
    """A file that must lie in S3; `path` is relative to the project's folder, empty when its content is not here."""

    bucket: str
    key: str
    sha256: str
    path: str = ""

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Image:
    """An image that must be in its registry: built from `folder`, or copied from the image `copy_from`.

    In a record, `digest` is what its registry had for its tag when it was deployed.
    """

    uri: str
    repository: str
    tag: str
    folder: str = ""
    copy_from: str = ""
    digest: str = ""


@dataclass(frozen=True)
class Desired:
    """A pipeline in an environment. `version` is the one that a rollback goes back to.

    `neutral` is the digest of the definition compiled for no environment (docs/decisions/0008), the same in all.
    """

    pipeline: str
    environment: str
    account: str
    region: str
    bucket: str
    prefix: str
    role: str
    definition: Definition
    neutral: str = ""
    description: str = ""
    parallelism: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    uploads: tuple[Upload, ...] = ()
    images: tuple[Image, ...] = ()
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    notifications: Mapping[str, Notification] = field(default_factory=dict)
    makes_bucket: bool = False
    version: int | None = None


def desired(
    pipeline: Pipeline,
    target: Target,
    definition: Definition,
    *,
    neutral: str = "",
    uploads: Iterable[Upload] = (),
    images: Iterable[Image] = (),
) -> Desired:
    """What pipeline.yaml says for an environment."""
    return replace(
        bare(pipeline.name, target, definition),
        neutral=neutral or definition.digest,
        description=pipeline.description,
        parallelism=pipeline.max_parallel_steps,
        tags=target.tags,
        uploads=tuple(uploads),
        images=tuple(images),
        schedules=target.schedules,
        notifications=target.notifications,
    )


def bare(pipeline: str, target: Target, definition: Definition) -> Desired:
    """A definition and nothing beside it. Only the local environment makes its bucket by the way."""
    return Desired(
        pipeline=pipeline,
        environment=target.name,
        account=target.account,
        region=target.region,
        bucket=target.bucket,
        prefix=target.prefix,
        role=target.role,
        definition=definition,
        neutral=definition.digest,
        makes_bucket=target.is_local,
    )
