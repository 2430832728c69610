"""What a plan's actions change, for people: the definition step by step, and everything around it field by field."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import TypeVar

from pipelines.definition.texts import one_line
from pipelines.plan.actions import Action, EnsureImage, UpdatePipeline, UploadFile
from pipelines.plan.desired import Desired
from pipelines.plan.difference import change, definition_changes
from pipelines.plan.fields import Fields, Value
from pipelines.plan.limit import parallelism
from pipelines.plan.live import Live, LivePipeline
from pipelines.plan.model import Change, FieldChange
from pipelines.schedule import Schedule
from pipelines.spec import Notification

T = TypeVar("T")


def changes(desired: Desired, live: Live, actions: tuple[Action, ...]) -> tuple[Change, ...]:
    """The pipeline and its definition, schedules, notifications, tags; then what is uploaded and built."""
    return (
        *_pipeline(desired, live.pipeline, actions),
        *_values("schedule", {key: item.value for key, item in live.schedules.items()}, desired.schedules, _schedule),
        *_values(
            "notification",
            {key: item.value for key, item in live.notifications.items()},
            desired.notifications,
            _notification,
        ),
        *_values("tag", live.tags_beside(desired.tags), desired.tags, lambda value: {"value": value}),
        *(Change("+", "file", action.upload.uri) for action in actions if isinstance(action, UploadFile)),
        *(Change("+", "image", action.image.uri) for action in actions if isinstance(action, EnsureImage)),
    )


def _pipeline(desired: Desired, live: LivePipeline | None, actions: tuple[Action, ...]) -> Iterator[Change]:
    if live is None:
        yield from change(
            "pipeline", desired.pipeline, None, _settings(desired.role, desired.description, desired.parallelism)
        )
        yield from definition_changes(None, desired.definition)
        return
    now = _settings(live.role, live.own_description, live.parallelism)
    after = _settings(desired.role, desired.description, parallelism(desired, live))
    found = [*change("pipeline", desired.pipeline, now, after)]
    if live.parsed is None:
        unreadable = FieldChange("definition", "one that cannot be read", "this one")
        found.append(Change("~", "definition", "", (unreadable,)))
    else:
        found += definition_changes(live.parsed, desired.definition)
    if not found and any(isinstance(action, UpdatePipeline) for action in actions):
        found = [Change("~", "pipeline", desired.pipeline, (FieldChange("deployment record", "none", "this one"),))]
    yield from found


def _settings(role: str, description: str, parallelism: int | None) -> Fields:
    found: Fields = {"role": role}
    if description:
        found["description"] = one_line(description)
    if parallelism is not None:
        found["max_parallel_steps"] = str(parallelism)
    return found


def _values(kind: str, old: Mapping[str, T], new: Mapping[str, T], fields: Callable[[T], Fields]) -> Iterator[Change]:
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        yield from change(
            kind, name, None if before is None else fields(before), None if after is None else fields(after)
        )


def _schedule(schedule: Schedule) -> Fields:
    """In pipeline.yaml's words, without what is as the service has it by itself."""
    kind, _, rest = schedule.expression.partition("(")
    found: dict[str, Value] = {kind: rest.removesuffix(")"), "timezone": schedule.timezone}
    found |= {"window": f"{schedule.window_minutes}m"} if schedule.window_minutes else {}
    found |= {f"parameters.{name}": one_line(value) for name, value in sorted(schedule.parameters.items())}
    found |= {
        "dead_letter_queue": schedule.dead_letter_queue,
        "retry.attempts": str(schedule.attempts),
        "retry.max_age": f"{schedule.max_age_seconds}s",
        "start": schedule.start,
        "end": schedule.end,
        "enabled": str(schedule.enabled).lower(),
        "role": schedule.role,
    }
    return {key: value for key, value in found.items() if value}


def _notification(notification: Notification) -> Fields:
    found: Fields = {"on": notification.on, "to": notification.to, "role": notification.role}
    return {key: value for key, value in found.items() if value}
