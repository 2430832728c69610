"""Deployment: a plan is made from what is wanted and what is there, and carried out. `python -m pipelines.deploy` too.

Takes a `Plan` and a `Site` (gateway, images, the project's folder); every action can be repeated, and nothing points at
what is not there yet. A world that has moved since the plan was made is refused, and what came of it is read back.
"""

from __future__ import annotations

import os
import runpy
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from pipelines.aws import MAX_INLINE_DEFINITION, Gateway
from pipelines.compile import Compiled, ImageSource
from pipelines.context import File, read_context
from pipelines.errors import AwsError, Mend, UsageError
from pipelines.plan import (
    Action,
    CreatePipeline,
    DeleteNotification,
    DeleteSchedule,
    Desired,
    EnsureImage,
    Image,
    Live,
    MakeBucket,
    Plan,
    PutNotification,
    PutSchedule,
    Remote,
    TagPipeline,
    UntagPipeline,
    UpdatePipeline,
    Upload,
    UploadFile,
    WriteRecord,
    desired,
    fingerprint,
    in_words,
    needs,
    plan,
    read_live,
    remaining,
)
from pipelines.plan.record import with_digests
from pipelines.plan.requests import GROUP, rule_request, schedule_request, targets_request
from pipelines.remote import AwsRemote, Registry
from pipelines.roles import check_schedule_roles
from pipelines.schedule import aws_name
from pipelines.spec import Pipeline

Report = Callable[[str], None]
_PREPARATIONS = (MakeBucket, UploadFile, EnsureImage, WriteRecord)
_TAGGING = (CreatePipeline, TagPipeline)
_PATIENCE = (0.0, 1.0, 2.0, 4.0)  # seconds before what was written is read back: lists lag behind


class Images(Registry, Protocol):
    """Puts images where the environment finds them."""

    def build(self, image: ImageSource, uri: str, report: Report) -> None:
        """Make `uri` name the image that its source says. Raises `PipelinesError`."""

    def copy(self, source: str, uri: str, report: Report) -> None:
        """Make `uri` name an image that another registry has. Raises `PipelinesError`."""


@dataclass(frozen=True)
class Site:
    """Where a deployment takes place; local paths of a plan are relative to `folder`."""

    gateway: Gateway
    images: Images
    folder: Path
    report: Report
    sleep: Callable[[float], None] = field(default=time.sleep)

    def remote(self, pipeline: str) -> Remote:
        return AwsRemote(self.gateway, pipeline, self.images)


@dataclass(frozen=True)
class Deployment:
    """What a deployment did, action by action."""

    pipeline_arn: str
    action: str  # created, updated or unchanged: the pipeline itself
    done: tuple[Action, ...]

    @property
    def uploaded(self) -> tuple[str, ...]:
        return tuple(action.upload.uri for action in self.done if isinstance(action, UploadFile))


def wanted(compiled: Compiled, neutral: str, pipeline: Pipeline, folder: Path) -> Desired:
    """What a compiled pipeline.yaml in `folder` asks for; `neutral` is the digest compiled for no environment."""
    target = compiled.target
    uploads = (
        Upload(item.bucket, item.key, item.sha256, _relative(item.file.source, folder)) for item in compiled.uploads
    )
    images = (
        Image(
            image.uri(target.account, target.region), image.repository, image.tag, _relative(image.context.root, folder)
        )
        for image in compiled.images
    )
    return desired(pipeline, target, compiled.definition, neutral=neutral, uploads=uploads, images=images)


def _relative(path: Path, folder: Path) -> str:
    return Path(os.path.relpath(path, folder)).as_posix()


def make_plan(want: Desired, site: Site) -> tuple[Plan, Live]:
    """The plan, and what it was made from. Raises `AwsError`; nothing is changed."""
    live = read_live(site.remote(want.pipeline), needs(want))
    return plan(want, live), live


def apply(made: Plan, site: Site, live: Live | None = None) -> Deployment:
    """Carry a plan out, or what is left of it; `live` when it was just read.

    Raises `UsageError` when the world has moved since, `AwsError`; repeating it goes on where it ended.
    """
    if not site.gateway.target.is_local:
        check_account(site.gateway)
    remote = site.remote(made.pipeline)
    live = live or read_live(remote, made.needs)
    left = remaining(made, live)
    _check_roles(left, site)
    for action in left:
        if isinstance(action, _PREPARATIONS):
            site.report(in_words(action))
            _prepare(action, site, made.needs.images)
    said = "unchanged"
    others = [action for action in left if not isinstance(action, _PREPARATIONS)]
    if others:
        # Preparing took its time: someone else may have deployed meanwhile.
        live = read_live(remote, made.needs)
        _refuse_what_is_missing(made, live)
        said = _change_all(others, made, site, live)
        live = _read_back(made, remote, site, live.tags)
    assert live.pipeline is not None  # noqa: S101 -- a plan creates it, or found it
    site.report(f"pipeline {made.pipeline}: {said}")
    return Deployment(live.pipeline.arn, said, left)


def _change_all(actions: Iterable[Action], made: Plan, site: Site, live: Live) -> str:
    """Change the pipeline and what belongs to it; gives what was done to the pipeline itself."""
    arn, said = live.pipeline.arn if live.pipeline else "", "unchanged"
    for action in actions:
        site.report(in_words(action))
        if isinstance(action, CreatePipeline | UpdatePipeline):
            # AWS updates whatever is there: this is the last moment to see that it is another one.
            remaining(made, replace(live, pipeline=site.remote(made.pipeline).pipeline(made.pipeline)))
            arn, said = _put_pipeline(action, made, site.gateway)
        else:
            _change(action, site.gateway, arn)
    return said


def _check_roles(actions: tuple[Action, ...], site: Site) -> None:
    """The local environment has no roles."""
    puts = [action for action in actions if isinstance(action, PutSchedule)]
    if puts and not site.gateway.target.is_local:
        for note in check_schedule_roles((put.schedule.role for put in puts), puts[0].pipeline, site.gateway):
            site.report(note)


def _refuse_what_is_missing(made: Plan, live: Live) -> None:
    """A pipeline never points at what is not there."""
    for action in remaining(made, live):
        if isinstance(action, _PREPARATIONS):
            what = f"it is done and yet not there: {in_words(action)}"
            raise AwsError(what, where=f"environment {made.environment}", fix="repeat the command")


def _read_back(made: Plan, remote: Remote, site: Site, tags: Mapping[str, str]) -> Live:
    """What is there now, which is what the plan says comes of it; AWS may have added tags of its own to `tags`."""
    known = {*tags, *(key for action in made.actions if isinstance(action, _TAGGING) for key in action.tags)}
    for pause in _PATIENCE:
        if pause:
            site.sleep(pause)
        live = read_live(remote, made.needs)
        if fingerprint(replace(live, tags=live.tags_beside(known))) == made.fingerprints[-1]:
            return live
    what = "what is there now is not what was deployed: someone else changed it meanwhile"
    fix = Mend("see what differs", f"plan{site.gateway.target.option}")
    raise AwsError(what, where=f"environment {made.environment}", fix=fix)


def _prepare(action: Action, site: Site, images: tuple[str, ...]) -> None:
    """Put in place what the pipeline will point at."""
    match action:
        case MakeBucket():
            site.gateway.ensure_bucket()
        case UploadFile(upload=upload):
            _upload(upload, site)
        case EnsureImage(image=image):
            _ensure_image(image, site)
        case WriteRecord(bucket=bucket, key=key, text=text):
            digests = {uri: site.images.digest(uri) or "" for uri in images}
            site.gateway.write_object(bucket, key, with_digests(text, digests).encode())
        case _:
            raise TypeError(action)


def _change(action: Action, gateway: Gateway, arn: str) -> None:
    """Change what belongs to the pipeline of that ARN."""
    match action:
        case PutSchedule(pipeline=name, schedule=schedule):
            gateway.put_schedule(schedule_request(name, arn, schedule))
        case PutNotification(pipeline=name, notification=item):
            gateway.put_rule(rule_request(name, arn, item), targets_request(name, item))
        case TagPipeline(tags=tags):
            gateway.add_tags(arn, tags)
        case UntagPipeline(keys=keys):
            gateway.delete_tags(arn, keys)
        case DeleteSchedule(pipeline=pipeline, name=name):
            gateway.delete_schedule(GROUP, aws_name(pipeline, name))
        case DeleteNotification(pipeline=pipeline, name=name):
            gateway.delete_rule(aws_name(pipeline, name))
        case _:
            raise TypeError(action)


def _put_pipeline(action: CreatePipeline | UpdatePipeline, made: Plan, gateway: Gateway) -> tuple[str, str]:
    """Create or update the pipeline; gives its ARN and what was done."""
    request = _request(action, made, gateway)
    if isinstance(action, UpdatePipeline):
        return gateway.update_pipeline(action.name, **request), "updated"
    tags = [{"Key": key, "Value": value} for key, value in action.tags.items()]
    try:
        return gateway.create_pipeline(action.name, **request, **({"Tags": tags} if tags else {})), "created"
    except AwsError as error:
        # AWS has no code of its own for that (CONTRACT.md section 4).
        if "already exists" not in error.what and "must be unique" not in error.what:
            raise
        fix = Mend("see what differs, and deploy again", f"plan{gateway.target.option}")
        what = f"somebody else created {action.name} meanwhile"
        raise UsageError(what, where=f"environment {made.environment}", fix=fix) from error


def _request(action: CreatePipeline | UpdatePipeline, made: Plan, gateway: Gateway) -> dict[str, Any]:
    """Every field; a definition that is too large for a request goes by S3, under its digest."""
    request: dict[str, Any] = {"RoleArn": action.role, "PipelineDescription": action.description}
    if action.parallelism is not None:
        request["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": action.parallelism}
    data = made.definition.encode()
    if len(data) < MAX_INLINE_DEFINITION:
        return {"PipelineDefinition": made.definition, **request}
    bucket, key = made.needs.bucket, f"{gateway.target.prefix}/definitions/{action.definition}.json"
    gateway.write_object(bucket, key, data)
    return {"PipelineDefinitionS3Location": {"Bucket": bucket, "ObjectKey": key}, **request}


def check_account(gateway: Gateway) -> None:
    """Refuse credentials of another account than the environment's."""
    account, target = gateway.account(), gateway.target
    if account != target.account:
        what = f"your credentials belong to account {account}, the environment to {target.account}"
        fix = "choose the profile of that account (AWS_PROFILE), or another --env"
        raise AwsError(what, where=f"environment {target.name}", fix=fix)


def _again(site: Site) -> Mend:
    return Mend("make the plan again", f"plan -o FILE{site.gateway.target.option}")


def _upload(upload: Upload, site: Site) -> None:
    """Raises `UsageError` when the file is not the one that was planned."""
    file = site.folder / upload.path
    try:
        same = File(upload.path, file).sha256 == upload.sha256
    except OSError as error:
        raise UsageError(f"it cannot be read: {error.strerror}", where=upload.path, fix=_again(site)) from error
    if not same:
        raise UsageError("the file has changed since the plan was made", where=upload.path, fix=_again(site))
    site.gateway.upload(file, upload.bucket, upload.key, upload.sha256)


def _ensure_image(image: Image, site: Site) -> None:
    """Raises `UsageError` when the image's sources are not those that were planned."""
    if image.copy_from:
        site.images.copy(image.copy_from, image.uri, site.report)
        return
    if not image.folder:
        raise UsageError("the image is not there, and nothing here builds it", where=image.uri, fix=_again(site))
    try:
        source = ImageSource(image.repository, read_context(site.folder, image.folder))
        same = source.tag == image.tag
    except (OSError, ValueError) as error:
        raise UsageError(f"the image's folder cannot be read: {error}", where=image.folder, fix=_again(site)) from error
    if not same:
        raise UsageError("the image's folder has changed since the plan was made", where=image.folder, fix=_again(site))
    site.images.build(source, image.uri, site.report)


if __name__ == "__main__":
    sys.argv.insert(1, "deploy")
    runpy.run_module("pipelines", run_name="__main__")
