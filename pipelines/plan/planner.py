"""Desired and live in, a `Plan` out: what to do, in which order, and what it changes. Pure.

The plan of what is there already is empty, and after any part of a plan's actions a new plan goes on to the same end.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import chain
from typing import TypeVar

from pipelines.errors import Mend, UsageError
from pipelines.plan.actions import (
    Action,
    CreatePipeline,
    DeleteNotification,
    DeleteSchedule,
    EnsureImage,
    MakeBucket,
    Preparation,
    PutNotification,
    PutSchedule,
    TagPipeline,
    UntagPipeline,
    UpdatePipeline,
    UploadFile,
    WriteRecord,
    applied,
    halfway,
    is_done,
)
from pipelines.plan.changes import changes
from pipelines.plan.desired import Desired
from pipelines.plan.facts import facts
from pipelines.plan.limit import parallelism
from pipelines.plan.live import (
    Live,
    LiveNotification,
    LivePipeline,
    LiveSchedule,
    Needs,
    Object,
    state,
    state_fingerprint,
)
from pipelines.plan.marks import marked, notification_description, pipeline_digests, schedule_description
from pipelines.plan.model import Plan
from pipelines.plan.record import known_record, record_key, record_of, write_record
from pipelines.schedule import Schedule
from pipelines.spec import Notification, option

T = TypeVar("T", Schedule, Notification)


def needs(desired: Desired) -> Needs:
    """What `read_live` has to look for before a plan is made."""
    uploads = (Object(upload.bucket, upload.key, upload.sha256) for upload in desired.uploads)
    return Needs(
        pipeline=desired.pipeline,
        bucket=desired.bucket,
        objects=tuple(dict.fromkeys(uploads)),
        images=tuple(dict.fromkeys(image.uri for image in desired.images)),
        record=record_key(desired.prefix, desired.definition.digest),
    )


def plan(desired: Desired, live: Live) -> Plan:
    """What brings the live side to the desired state. Raises `UsageError` for content that is nowhere any more."""
    actions = tuple(
        chain(
            _preparations(desired, live),
            _pipeline(desired, live.pipeline),
            _puts(desired, live),
            _tags(desired, live),
            _clean_up(desired, live),
        )
    )
    found = changes(desired, live, actions)
    fingerprints, under_way = _fingerprints(live, actions)
    return Plan(
        pipeline=desired.pipeline,
        environment=desired.environment,
        account=desired.account,
        region=desired.region,
        definition=desired.definition.text,
        actions=actions,
        changes=found,
        facts=facts(desired, live, actions, found),
        fingerprints=fingerprints,
        halfway=under_way,
        needs=needs(desired),
    )


def _record(desired: Desired, live: Live) -> WriteRecord:
    record = record_of(desired)
    there = known_record(live.record)
    if desired.version is None and there and live.pipeline and live.pipeline.digest == record.definition:
        record = replace(record, version=there.version)  # no new version comes of it: it is what it was
    return WriteRecord(desired.bucket, record_key(desired.prefix, record.definition), write_record(record))


def _preparations(desired: Desired, live: Live) -> Iterator[Preparation]:
    """What must be there before the pipeline points at it."""
    wanted: list[Preparation] = [MakeBucket(desired.bucket)] if desired.makes_bucket else []
    wanted += [UploadFile(upload) for upload in dict.fromkeys(desired.uploads)]
    wanted += [EnsureImage(image) for image in dict.fromkeys(desired.images)]
    for action in (*wanted, _record(desired, live)):
        if not is_done(action, live):
            _refuse_what_is_nowhere(action, desired)
            yield action


def _refuse_what_is_nowhere(action: Preparation, desired: Desired) -> None:
    match action:
        case UploadFile(upload=upload) if not upload.path:
            what, where = "the object that this definition reads is no longer there", upload.uri
        case EnsureImage(image=image) if not image.folder and not image.copy_from:
            what, where = "the image that this definition runs is no longer there", image.uri
        case _:
            return
    fix = Mend("check out the commit of that deployment, then", f"deploy{option(desired.environment)}")
    raise UsageError(what, where=where, fix=fix)


def _pipeline(desired: Desired, live: LivePipeline | None) -> Iterator[Action]:
    definition, limit = desired.definition.digest, parallelism(desired, live)
    digests = pipeline_digests(definition, desired.description, desired.role, limit)
    description = marked(desired.description, digests)
    if live is None:
        yield CreatePipeline(desired.pipeline, definition, description, desired.role, limit, desired.tags)
    elif (live.digest, live.description, live.role, live.parallelism) != (definition, description, desired.role, limit):
        yield UpdatePipeline(desired.pipeline, definition, description, desired.role, limit)


def _puts(desired: Desired, live: Live) -> Iterator[Action]:
    name = desired.pipeline
    for schedule in _in_order(desired.schedules):
        there = live.schedules.get(schedule.name)
        if there != LiveSchedule(schedule, schedule_description(name, schedule)):
            yield PutSchedule(name, schedule, is_new=there is None)
    for item in _in_order(desired.notifications):
        rule = live.notifications.get(item.name)
        if rule != LiveNotification(item, notification_description(name, item)):
            yield PutNotification(name, item, is_new=rule is None)


def _in_order(items: Mapping[str, T]) -> list[T]:
    return [items[name] for name in sorted(items)]


def _tags(desired: Desired, live: Live) -> Iterator[Action]:
    """A pipeline that is created brings its tags along."""
    tags = {key: value for key, value in sorted(desired.tags.items()) if live.tags.get(key) != value}
    if live.pipeline is not None and tags:
        yield TagPipeline(desired.pipeline, tags)


def _clean_up(desired: Desired, live: Live) -> Iterator[Action]:
    """Last, so that a deployment that is interrupted has lost nothing."""
    for name in sorted(live.schedules.keys() - desired.schedules.keys()):
        yield DeleteSchedule(desired.pipeline, name)
    for name in sorted(live.notifications.keys() - desired.notifications.keys()):
        yield DeleteNotification(desired.pipeline, name)
    keys = tuple(sorted(live.tags_beside(()).keys() - desired.tags.keys()))
    if live.pipeline is not None and keys:
        yield UntagPipeline(desired.pipeline, keys)


def _fingerprints(live: Live, actions: tuple[Action, ...]) -> tuple[tuple[str, ...], dict[str, int]]:
    """Those between the actions, and those within them."""
    now = state(live)
    found = [state_fingerprint(now)]
    within: dict[str, int] = {}
    for number, action in enumerate(actions):
        within |= {state_fingerprint(left): number for left in halfway(action, now)}
        after = applied(action, now)
        found.append(found[-1] if after is now else state_fingerprint(after))
        now = after
    return tuple(found), {key: number for key, number in within.items() if key not in found}
