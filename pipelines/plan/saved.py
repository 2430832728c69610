"""A plan ↔ its file: JSON with a format number. What `load` gives is equal to what `dump` was given.

A saved plan is applied exactly or not at all: `remaining` says what is left of it to do in the world as it is, and
refuses a world that is neither the one it was made from nor one that its own actions made.
"""

from __future__ import annotations

import json
import re
from typing import Any

from pipelines.definition import parse
from pipelines.errors import Mend, UsageError
from pipelines.plan.actions import (
    Action,
    CreatePipeline,
    EnsureImage,
    MakeBucket,
    UpdatePipeline,
    UploadFile,
    WriteRecord,
    is_done,
)
from pipelines.plan.codec import decode, encode, read_json
from pipelines.plan.live import Live, fingerprint
from pipelines.plan.model import Plan
from pipelines.spec import option

FORMAT = 1
_REGISTRY = re.compile(r"(\d{12})\.dkr\.ecr\.([a-z0-9-]+)\.amazonaws\.com(?:\.cn)?/")
_AGAIN = Mend("make the plan again", "plan -o FILE")


def to_json(plan: Plan) -> dict[str, Any]:
    """The plan as plain JSON, for files and for machines."""
    return {"format": FORMAT, **encode(plan)}


def dump(plan: Plan) -> str:
    """The text of the plan's file; the same for the same plan."""
    return json.dumps(to_json(plan), indent=1, sort_keys=True) + "\n"


def load(text: str, *, where: str) -> Plan:
    """The plan in a file's text. Raises `UsageError` for a damaged one and for one of another version."""
    plan = decode(Plan, read_json(text, FORMAT, where, _AGAIN), where, _AGAIN)
    if len(plan.fingerprints) != len(plan.actions) + 1:
        raise UsageError("it has not one fingerprint for each action", where=where, fix=_AGAIN)
    digest = parse(plan.definition, where=where).digest
    for action in plan.actions:
        if isinstance(action, CreatePipeline | UpdatePipeline) and action.definition != digest:
            raise UsageError("its definition is not the one that its actions name", where=where, fix=_AGAIN)
        if foreign := _foreign(action, plan):
            raise UsageError(
                f"it would send to or fetch from what is not its account's: {foreign}", where=where, fix=_AGAIN
            )
    return plan


def _foreign(action: Action, plan: Plan) -> str:
    """What lies outside of the plan's own bucket and registry: nobody's credentials or files are to go there."""
    match action:
        case UploadFile(upload=upload) if upload.bucket != plan.needs.bucket:
            return upload.uri
        case WriteRecord(bucket=bucket, key=key) if bucket != plan.needs.bucket:
            return f"s3://{bucket}/{key}"
        case EnsureImage(image=image):
            registry = _REGISTRY.match(image.uri)
            if not registry or registry.groups() != (plan.account, plan.region):
                return image.uri
            if image.copy_from and not _REGISTRY.match(image.copy_from):
                return image.copy_from
    return ""


def remaining(plan: Plan, live: Live) -> tuple[Action, ...]:
    """What is left to do of a plan, which may have been interrupted. Raises `UsageError` when live has moved."""
    where = f"environment {plan.environment}"
    again = Mend(_AGAIN.text, f"{_AGAIN.words}{option(plan.environment)}")
    now = fingerprint(live)
    if now not in plan.fingerprints and now not in plan.halfway:
        what = f"{plan.pipeline} has changed since the plan was made"
        raise UsageError(what, where=where, fix=again)
    put = {action.object for action in plan.actions if isinstance(action, UploadFile)}
    images = {action.image.uri for action in plan.actions if isinstance(action, EnsureImage)}
    gone = [item.uri for item in plan.needs.objects if item not in live.objects and item not in put]
    gone += [uri for uri in plan.needs.images if uri not in live.images and uri not in images]
    if gone:
        raise UsageError(f"{gone[0]} was there when the plan was made, and is gone", where=where, fix=again)
    done = plan.halfway[now] if now in plan.halfway else plan.fingerprints.index(now)
    return tuple(action for index, action in enumerate(plan.actions) if _is_left(action, index >= done, live))


def _is_left(action: Action, comes_later: bool, live: Live) -> bool:
    """Uploads, images and records are looked up; of the others, what comes after the state that was found."""
    if isinstance(action, MakeBucket | UploadFile | EnsureImage | WriteRecord):
        return not is_done(action, live)
    return comes_later
