"""What a deployment does, as data: one frozen value for each action, and what it makes of the live state.

Every action may be repeated. Their order in a plan: bucket, uploads, images, record, pipeline, schedules,
notifications, tags, clean-up; so nothing refers to what is not there yet.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from pipelines.plan.desired import Image, Upload
from pipelines.plan.live import Live, Object, State
from pipelines.plan.marks import notification_description, schedule_description
from pipelines.plan.record import with_digests
from pipelines.schedule import Schedule
from pipelines.spec import Notification


@dataclass(frozen=True)
class MakeBucket:
    """Only in the local environment: on AWS nothing makes buckets by the way."""

    bucket: str


@dataclass(frozen=True)
class UploadFile:
    upload: Upload

    @property
    def object(self) -> Object:
        return Object(self.upload.bucket, self.upload.key, self.upload.sha256)


@dataclass(frozen=True)
class EnsureImage:
    """Build and push, or copy, an image that its registry does not have."""

    image: Image


@dataclass(frozen=True)
class WriteRecord:
    """Write the deployment's record (`record.py`) beside the assets, with the digests that its images have then."""

    bucket: str
    key: str
    text: str


@dataclass(frozen=True)
class CreatePipeline:
    """`definition` is the digest of the plan's definition; the description has its mark."""

    name: str
    definition: str
    description: str
    role: str
    parallelism: int | None = None
    tags: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class UpdatePipeline:
    """As `CreatePipeline`; everything is sent, so that nothing is dropped."""

    name: str
    definition: str
    description: str
    role: str
    parallelism: int | None = None


@dataclass(frozen=True)
class PutSchedule:
    """Create a schedule, or replace all of it."""

    pipeline: str
    schedule: Schedule
    is_new: bool


@dataclass(frozen=True)
class PutNotification:
    """Create a rule and its target, or replace all of them."""

    pipeline: str
    notification: Notification
    is_new: bool


@dataclass(frozen=True)
class TagPipeline:
    pipeline: str
    tags: Mapping[str, str]


@dataclass(frozen=True)
class UntagPipeline:
    pipeline: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class DeleteSchedule:
    pipeline: str
    name: str


@dataclass(frozen=True)
class DeleteNotification:
    pipeline: str
    name: str


Preparation = MakeBucket | UploadFile | EnsureImage | WriteRecord
Action = (
    MakeBucket
    | UploadFile
    | EnsureImage
    | WriteRecord
    | CreatePipeline
    | UpdatePipeline
    | PutSchedule
    | PutNotification
    | TagPipeline
    | UntagPipeline
    | DeleteSchedule
    | DeleteNotification
)


def is_done(action: Preparation, live: Live) -> bool:
    """Whether what an action puts in place is there."""
    match action:
        case MakeBucket():
            return live.has_bucket
        case UploadFile():
            return action.object in live.objects
        case WriteRecord(text=text):
            return live.record == with_digests(text, live.images)
        case EnsureImage(image=image):
            return image.uri in live.images


def applied(action: Action, before: State) -> State:
    """The live state after an action."""
    match action:
        case MakeBucket() | UploadFile() | EnsureImage() | WriteRecord():
            return before
        case CreatePipeline():
            return {**before, "pipeline": _pipeline(action), "tags": dict(action.tags)}
        case UpdatePipeline():
            return {**before, "pipeline": _pipeline(action)}
        case PutSchedule(pipeline=pipeline, schedule=schedule):
            value = {"value": asdict(schedule), "description": schedule_description(pipeline, schedule)}
            return _with(before, "schedules", {schedule.name: value})
        case PutNotification(pipeline=pipeline, notification=item):
            value = {"value": asdict(item), "description": notification_description(pipeline, item)}
            return _with(before, "notifications", {item.name: value})
        case TagPipeline(tags=tags):
            return _with(before, "tags", tags)
        case UntagPipeline(keys=keys):
            return _without(before, "tags", keys)
        case DeleteSchedule(name=name):
            return _without(before, "schedules", (name,))
        case DeleteNotification(name=name):
            return _without(before, "notifications", (name,))


def halfway(action: Action, before: State) -> Iterator[State]:
    """What an action leaves that takes several requests and is interrupted between them."""
    match action:
        case PutNotification(notification=item):
            # The rule is new already; its target is the old one, or none.
            value = applied(action, before)["notifications"][item.name]
            old = before["notifications"].get(item.name, {"value": {}})["value"]
            for target in (old, dict[str, str]()):
                there = {"to": target.get("to", ""), "role": target.get("role", "")}
                changed = {**value, "value": {**value["value"], **there}}
                yield _with(before, "notifications", {item.name: changed})
        case DeleteNotification(name=name):
            old = before["notifications"][name]
            yield _with(before, "notifications", {name: {**old, "value": {**old["value"], "to": "", "role": ""}}})


def _pipeline(action: CreatePipeline | UpdatePipeline) -> State:
    return {
        "definition": action.definition,
        "description": action.description,
        "role": action.role,
        "parallelism": action.parallelism,
    }


def _with(before: State, key: str, more: Mapping[str, object]) -> State:
    return {**before, key: {**before[key], **more}}


def _without(before: State, key: str, names: tuple[str, ...]) -> State:
    return {**before, key: {name: value for name, value in before[key].items() if name not in names}}


def in_words(action: Action) -> str:
    """One line for people."""
    match action:
        case MakeBucket(bucket=bucket):
            return f"make bucket {bucket}"
        case UploadFile(upload=upload):
            return f"upload {upload.path} to {upload.uri}"
        case EnsureImage(image=image) if image.copy_from:
            return f"copy image {image.copy_from} to {image.uri}"
        case EnsureImage(image=image):
            return f"build {image.folder} and push it as {image.uri}"
        case WriteRecord(bucket=bucket, key=key):
            return f"write the record of the deployment to s3://{bucket}/{key}"
        case CreatePipeline(name=name):
            return f"create pipeline {name}"
        case UpdatePipeline(name=name):
            return f"update pipeline {name}"
        case PutSchedule(schedule=schedule, is_new=is_new):
            return f"{'create' if is_new else 'change'} schedule {schedule.name}"
        case PutNotification(notification=notification, is_new=is_new):
            return f"{'create' if is_new else 'change'} notification {notification.name}"
        case TagPipeline(tags=tags):
            return f"set tags {', '.join(sorted(tags))}"
        case UntagPipeline(keys=keys):
            return f"remove tags {', '.join(keys)}"
        case DeleteSchedule(name=name):
            return f"delete schedule {name}"
        case DeleteNotification(name=name):
            return f"delete notification {name}"
