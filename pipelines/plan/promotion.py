"""The very same definition in the next environment: what the first one runs in, a `Desired` of the second one out.

Definitions of two environments are never the same bytes: bucket, role, account and parameters' defaults are in them.
What is promoted is the definition compiled for no environment; its digest is in the first environment's record, and
must be that of the files here (docs/decisions/0008). Images are copied from the first environment rather than built.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from pipelines.errors import Mend, UsageError
from pipelines.plan.desired import Desired, Image
from pipelines.plan.facts import drift, other_images
from pipelines.plan.live import Live
from pipelines.plan.record import Record, write_record
from pipelines.spec import option


def promoted(desired: Desired, source: str, record: Record | None, live: Live) -> Desired:
    """`desired` (of the next environment) with the images of `source`, whose live state and record are given.

    Raises `UsageError` when `source` does not run exactly what the files here say.
    """
    where = f"environment {source}"
    if live.pipeline is None or record is None or record.definition != live.pipeline.digest:
        what = f"{desired.pipeline} was not deployed there by this command"
        raise UsageError(what, where=where, fix=Mend("deploy it there first", f"deploy{option(source)}"))
    for what in (*drift(live), *other_images(replace(live, record=write_record(record)))):
        fix = Mend("see what changed, and deploy it there again", f"plan{option(source)}")
        raise UsageError(what, where=where, fix=fix)
    if record.neutral != desired.neutral:
        what = f"it runs another definition ({record.neutral[:12]}) than the files here make ({desired.neutral[:12]})"
        fix = Mend("check out the commit that it runs, or deploy this one there first", f"deploy{option(source)}")
        raise UsageError(what, where=where, fix=fix)
    there = {(image.repository, image.tag): image for image in record.images}
    return replace(desired, images=tuple(_copied(image, there) for image in desired.images))


def _copied(image: Image, there: Mapping[tuple[str, str], Image]) -> Image:
    """The image as it is copied: by its digest, where it is known."""
    one = there.get((image.repository, image.tag))
    if one is None or one.uri == image.uri:
        return image
    return replace(image, copy_from=f"{one.uri.rpartition(':')[0]}@{one.digest}" if one.digest else one.uri)
