"""What is there now: a small interface to the live side, and the frozen `Live` that planning reads.

`Remote` is all that a plan needs to know of AWS; the gateway implements it, tests do so in memory. `read_live` asks it
once and gives a `Live`. `fingerprint` is over what a deployment changes; a saved plan holds it, and is refused when it
has become another one.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any, Final, Protocol

from pipelines.definition import Definition, digest, parse
from pipelines.errors import DefinitionError
from pipelines.plan.marks import mark_of, value_digest, without_mark
from pipelines.schedule import Schedule
from pipelines.spec import Notification

# Tags that AWS itself puts on pipelines: they are removed by nobody, and changed where pipeline.yaml names them.
AWS_TAGS: Final = ("aws:", "sagemaker:")


@dataclass(frozen=True)
class LivePipeline:
    """A described pipeline; the description still has its mark."""

    arn: str
    definition: str
    role: str
    description: str = ""
    parallelism: int | None = None
    version: int | None = None

    @cached_property
    def parsed(self) -> Definition | None:
        """The definition, None when it cannot be read (somebody else's, by hand)."""
        try:
            return parse(self.definition, where=self.arn)
        except DefinitionError:
            return None

    @cached_property
    def digest(self) -> str:
        """The definition's digest; of its text when it cannot be read."""
        return self.parsed.digest if self.parsed else hashlib.sha256(self.definition.encode()).hexdigest()

    @property
    def own_description(self) -> str:
        return without_mark(self.description)

    @property
    def mark(self) -> tuple[str, ...]:
        return mark_of(self.description)


@dataclass(frozen=True)
class LiveSchedule:
    """A schedule that is there, and its description."""

    value: Schedule
    description: str = ""

    @property
    def is_as_deployed(self) -> bool:
        return mark_of(self.description) == (value_digest(self.value),)


@dataclass(frozen=True)
class LiveNotification:
    """An EventBridge rule of ours that is there, and its description."""

    value: Notification
    description: str = ""

    @property
    def is_as_deployed(self) -> bool:
        return mark_of(self.description) == (value_digest(self.value),)


@dataclass(frozen=True)
class Running:
    """An execution that has not ended."""

    arn: str
    status: str


@dataclass(frozen=True)
class Object:
    """An object in S3, by its content."""

    bucket: str
    key: str
    sha256: str

    @property
    def uri(self) -> str:
        return f"s3://{self.bucket}/{self.key}"


@dataclass(frozen=True)
class Needs:
    """What to look for: objects and images that must be there, and the key of the definition's record."""

    pipeline: str
    bucket: str
    objects: tuple[Object, ...] = ()
    images: tuple[str, ...] = ()
    record: str = ""


@dataclass(frozen=True)
class Live:
    """The state of a pipeline and of what belongs to it. `objects` and `images` are those of the needs that are there.

    `images` has their digests, `homeless` those whose repository is not there either; `record` is the text of the
    definition's record, as it is there. `others` names schedules that start the pipeline and are not pipeline.yaml's.
    """

    pipeline: LivePipeline | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    schedules: Mapping[str, LiveSchedule] = field(default_factory=dict)
    notifications: Mapping[str, LiveNotification] = field(default_factory=dict)
    others: tuple[str, ...] = ()
    has_bucket: bool = True
    objects: frozenset[Object] = frozenset()
    images: Mapping[str, str] = field(default_factory=dict)
    homeless: tuple[str, ...] = ()
    record: str | None = None
    running: tuple[Running, ...] = ()

    def tags_beside(self, wanted: Iterable[str]) -> dict[str, str]:
        """The tags that are a deployment's to change: those of these keys, and those that are not AWS's own."""
        keys = set(wanted)
        return {key: value for key, value in self.tags.items() if key in keys or not key.startswith(AWS_TAGS)}


class Remote(Protocol):
    """What a plan asks of AWS. Every method only reads, and may raise `AwsError`."""

    def pipeline(self, name: str) -> LivePipeline | None:
        """The pipeline's latest version, or None."""

    def tags(self, arn: str) -> Mapping[str, str]:
        """A pipeline's tags, all pages."""

    def schedules(self, pipeline: str) -> Mapping[str, LiveSchedule]:
        """The schedules whose names begin with `aws_prefix(pipeline)`, by the rest of their names."""

    def other_schedules(self, arn: str) -> tuple[str, ...]:
        """The names of other schedules in the default group that start the pipeline."""

    def notifications(self, pipeline: str) -> Mapping[str, LiveNotification]:
        """The rules whose names begin with `aws_prefix(pipeline)`, by the rest of their names."""

    def has_bucket(self, bucket: str) -> bool: ...

    def has_object(self, bucket: str, key: str, sha256: str) -> bool:
        """Whether an object of that content is there."""

    def record(self, bucket: str, key: str) -> str | None:
        """The text of an object, None when it is not there."""

    def image(self, uri: str) -> str | None:
        """The digest of the image that the registry has under that name, None when it has none."""

    def has_repository(self, uri: str) -> bool:
        """Whether the registry has a repository for the image of that name."""

    def running(self, pipeline: str) -> tuple[Running, ...]:
        """The executions that have not ended, newest first."""


def read_live(remote: Remote, needs: Needs) -> Live:
    """Ask for everything that a plan depends on. Without a bucket or a pipeline, nothing is asked of what is in it."""
    found = {uri: remote.image(uri) for uri in needs.images}
    pipeline = remote.pipeline(needs.pipeline)
    has_bucket = remote.has_bucket(needs.bucket)
    objects = needs.objects if has_bucket else ()
    return Live(
        pipeline=pipeline,
        tags=remote.tags(pipeline.arn) if pipeline else {},
        schedules=remote.schedules(needs.pipeline),
        notifications=remote.notifications(needs.pipeline),
        others=remote.other_schedules(pipeline.arn) if pipeline else (),
        has_bucket=has_bucket,
        objects=frozenset(item for item in objects if remote.has_object(item.bucket, item.key, item.sha256)),
        images={uri: digest for uri, digest in found.items() if digest is not None},
        homeless=tuple(uri for uri, digest in found.items() if digest is None and not remote.has_repository(uri)),
        record=remote.record(needs.bucket, needs.record) if has_bucket and needs.record else None,
        running=remote.running(needs.pipeline) if pipeline else (),
    )


State = dict[str, Any]


def state(live: Live) -> State:
    """What a deployment changes, as plain JSON: neither objects nor images, which only ever come to be there."""
    pipeline = live.pipeline
    return {
        "pipeline": pipeline
        and {
            "definition": pipeline.digest,
            "description": pipeline.description,
            "role": pipeline.role,
            "parallelism": pipeline.parallelism,
        },
        "tags": dict(live.tags),
        "schedules": {key: _described(item) for key, item in live.schedules.items()},
        "notifications": {key: _described(item) for key, item in live.notifications.items()},
    }


def _described(item: LiveSchedule | LiveNotification) -> State:
    return {"value": asdict(item.value), "description": item.description}


def state_fingerprint(of: State) -> str:
    """SHA-256 of a state."""
    return digest(of)


def fingerprint(live: Live) -> str:
    """SHA-256 over the state of the live side; the same for the same state, whatever order AWS lists it in."""
    return state_fingerprint(state(live))
