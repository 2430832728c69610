"""The very same definition in the next environment: what the first one runs in, a `Desired` of the second one out.

Definitions of two environments are never the same bytes: bucket, role, account and parameters' defaults are in them.
What is promoted is the definition compiled for no environment; its digest is in the first environment's record, and
must be that of the files here (docs/decisions/0008). Images are copied from the first environment rather than built.
"""

from __future__ import annotations

from dataclasses import replace

from pipelines.errors import UsageError
from pipelines.plan.desired import Desired, Image
from pipelines.plan.live import Live
from pipelines.plan.marks import drifted_parts, pipeline_digests
from pipelines.plan.record import Record


def promoted(desired: Desired, source: str, record: Record | None, live: Live) -> Desired:
    """`desired` (of the next environment) with the images of `source`, whose live state and record are given.

    Raises `UsageError` when `source` does not run exactly what the files here say.
    """
    where = f"environment {source}"
    if live.pipeline is None or record is None or record.definition != live.pipeline.digest:
        what = f"{desired.pipeline} was not deployed there by this command"
        raise UsageError(what, where=where, fix=f"deploy it there first: pipelines deploy --env {source}")
    if "definition" in _drift(live):
        what = "its definition was changed by hand since it was deployed"
        raise UsageError(what, where=where, fix=f"see what changed: pipelines plan --env {source}")
    if record.neutral != desired.neutral:
        what = f"it runs another definition ({record.neutral[:12]}) than the files here make ({desired.neutral[:12]})"
        fix = f"check out the commit that it runs, or deploy this one there first: pipelines deploy --env {source}"
        raise UsageError(what, where=where, fix=fix)
    there = {(image.repository, image.tag): image.uri for image in record.images}
    return replace(desired, images=tuple(_copied(image, there) for image in desired.images))


def _drift(live: Live) -> tuple[str, ...]:
    pipeline = live.pipeline
    if pipeline is None:
        return ()
    digests = pipeline_digests(pipeline.digest, pipeline.own_description, pipeline.role, pipeline.parallelism)
    return drifted_parts(pipeline.mark, digests)


def _copied(image: Image, there: dict[tuple[str, str], str]) -> Image:
    uri = there.get((image.repository, image.tag), "")
    return image if uri in ("", image.uri) else replace(image, copy_from=uri)
