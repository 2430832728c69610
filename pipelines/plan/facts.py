"""What a reader of a plan should know besides its changes: drift, caches, running executions, what is left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sized

from pipelines.plan.actions import Action, CreatePipeline, PutNotification, PutSchedule, UpdatePipeline, UploadFile
from pipelines.plan.caches import cache_effects
from pipelines.plan.desired import Desired
from pipelines.plan.limit import parallelism
from pipelines.plan.live import Live, LivePipeline
from pipelines.plan.marks import drifted_parts, mark_of, pipeline_digests
from pipelines.plan.model import Change, Facts
from pipelines.plan.record import known_record


def facts(desired: Desired, live: Live, actions: tuple[Action, ...], changes: tuple[Change, ...]) -> Facts:
    """All facts of a plan, given what it does and changes; each kind in a fixed order."""
    old = live.pipeline.parsed if live.pipeline else None
    replaced = any(isinstance(action, UpdatePipeline) for action in actions)
    return Facts(
        drift=tuple(drift(live)),
        caches=cache_effects(old, desired.definition),
        running=tuple(f"{item.arn} ({item.status})" for item in live.running) if replaced else (),
        unchanged=tuple(_unchanged(desired, live, actions, changes)),
        notes=(*_repositories(desired, live), *_notes(desired, live)),
    )


def drift(live: Live) -> Iterator[str]:
    """What was changed by hand since it was deployed."""
    if live.pipeline is not None and live.pipeline.mark:
        for part in drifted_parts(live.pipeline.mark, _digests(live.pipeline)):
            yield f"the pipeline's {part} was changed since the last deployment"
    for kind, items in (("schedule", live.schedules), ("notification", live.notifications)):
        for name in sorted(items):
            item = items[name]
            if not item.is_as_deployed:
                verb = "changed since the last deployment" if mark_of(item.description) else "made by hand"
                yield f"{kind} {name} was {verb}"


def _digests(live: LivePipeline) -> tuple[str, ...]:
    return pipeline_digests(live.digest, live.own_description, live.role, live.parallelism)


def _unchanged(desired: Desired, live: Live, actions: tuple[Action, ...], changes: tuple[Change, ...]) -> Iterator[str]:
    """What the plan leaves alone, counted."""
    if live.pipeline is not None and not any(isinstance(action, CreatePipeline | UpdatePipeline) for action in actions):
        yield "the pipeline and its definition"
    elif live.pipeline is not None and live.pipeline.parsed is not None:
        touched = {item.name for item in changes if item.kind == "step"}
        yield from _count("step", [step for step in desired.definition.all_steps() if step.name not in touched])
    put = {action.schedule.name for action in actions if isinstance(action, PutSchedule)}
    yield from _count("schedule", [name for name in desired.schedules if name not in put])
    told = {action.notification.name for action in actions if isinstance(action, PutNotification)}
    yield from _count("notification", [name for name in desired.notifications if name not in told])
    uploaded = {action.upload for action in actions if isinstance(action, UploadFile)}
    yield from _count("uploaded file", [upload for upload in desired.uploads if upload not in uploaded])


def _count(what: str, items: Sized) -> Iterator[str]:
    if items:
        yield f"{len(items)} {what}{'s' if len(items) > 1 else ''}"


def other_images(live: Live) -> Iterator[str]:
    """Images whose tags name others now than when they were deployed."""
    record = known_record(live.record)
    for image in record.images if record else ():
        now = live.images.get(image.uri)
        if now and image.digest not in ("", now):
            yield f"image {image.uri} is not the one that was deployed: it was {image.digest}, and is {now} now"


def _repositories(desired: Desired, live: Live) -> Iterator[str]:
    """Nothing creates them but the first image that is put there."""
    for name in dict.fromkeys(image.repository for image in desired.images if image.uri in live.homeless):
        yield f"repository {name} is not there: it is created, its tags immutable, its images scanned when pushed"


def _notes(desired: Desired, live: Live) -> Iterator[str]:
    yield from other_images(live)
    if live.pipeline is not None and not live.pipeline.mark:
        yield "the pipeline was not deployed by this command before: it is taken over"
    if live.pipeline is not None and desired.parallelism is None and live.pipeline.parallelism is not None:
        limit = parallelism(desired, live.pipeline)
        yield f"max_parallel_steps is {limit}, as good as none: SageMaker cannot take a limit away"
    for name in sorted(live.others):
        yield f"schedule {name} starts this pipeline too, and was not deployed with it: it is left alone"
