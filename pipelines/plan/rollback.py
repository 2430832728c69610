"""Back to a version of a pipeline that was deployed before: its definition and its record in, a `Desired` out.

The version comes back with what was deployed with it: role, limit, schedules, notifications, tags, and the images and
objects that it reads, which content-addressing kept in place. A version without a record (someone else deployed it)
comes back as a definition alone, with everything around it left as it is.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from pipelines.definition import Definition
from pipelines.errors import Mend, UsageError
from pipelines.plan.desired import Desired, bare
from pipelines.plan.live import Live
from pipelines.plan.record import Record
from pipelines.spec import Target


@dataclass(frozen=True)
class Version:
    """A version of a pipeline, and the record of its deployment, if there is one."""

    number: int
    definition: Definition
    record: Record | None


def earlier(versions: Sequence[int], current: Record | None) -> int | None:
    """The version before the current one, which may itself be an earlier one again: rolling back goes on from there."""
    now = max(versions)
    origin = min(current.version or now, now) if current else now
    return max((version for version in versions if version < origin), default=None)


def rolled_back(pipeline: str, target: Target, version: Version, live: Live) -> Desired:
    """The state to go back to. Raises `UsageError` when the record is of another definition or there is no pipeline."""
    definition, record = version.definition, version.record
    if live.pipeline is None:
        fix = Mend("deploy it", f"deploy{target.option}")
        raise UsageError(f"there is no pipeline {pipeline}", where=f"environment {target.name}", fix=fix)
    here = replace(
        bare(pipeline, target, definition), role=live.pipeline.role, makes_bucket=False, version=version.number
    )
    if record is None:
        return replace(
            here,
            description=live.pipeline.own_description,
            tags=live.tags_beside(()),
            schedules={name: item.value for name, item in live.schedules.items()},
            notifications={name: item.value for name, item in live.notifications.items()},
        )
    if record.definition != definition.digest:
        what = "the record of the deployment is of another definition"
        raise UsageError(what, where=f"environment {target.name}", fix="deploy the version from its commit instead")
    return replace(
        here,
        role=record.role,
        neutral=record.neutral,
        description=record.description,
        parallelism=record.parallelism,
        tags=record.tags,
        uploads=record.uploads,
        images=record.images,
        schedules=record.schedules,
        notifications=record.notifications,
        version=min(record.version or version.number, version.number),
    )
