"""Deployment: uploads, images, the pipeline itself. `python -m pipelines.deploy` is `pipelines deploy`.

Takes a compiled definition and a `Gateway`; every action can be repeated, and nothing points at what is not there yet:
uploads and images come first, the pipeline last.
"""

from __future__ import annotations

import json
import runpy
import shlex
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

from pipelines.aws import MAX_INLINE_DEFINITION, Gateway
from pipelines.compile import Compiled, ImageSource, Upload
from pipelines.errors import AwsError
from pipelines.spec import Pipeline

Report = Callable[[str], None]


class Images(Protocol):
    """Puts images where the environment finds them."""

    def push(self, image: ImageSource, uri: str, report: Report) -> None:
        """Make `uri` name the image that its source says. Raises `PipelinesError`."""


@dataclass(frozen=True)
class Deployment:
    """What a deployment did."""

    pipeline_arn: str
    action: str  # created, updated or unchanged
    uploaded: tuple[str, ...]


def deploy(compiled: Compiled, pipeline: Pipeline, gateway: Gateway, images: Images, report: Report) -> Deployment:
    """Carry a compiled pipeline into its environment. Raises `AwsError`; repeating it goes on where it ended."""
    target = compiled.target
    if target.is_local:
        gateway.ensure_bucket()
    else:
        check_account(gateway)
    uploaded = tuple(upload.uri for upload in compiled.uploads if _upload(upload, gateway, report))
    for image in compiled.images:
        images.push(image, image.uri(target.account, target.region), report)
    arn, action = upsert(compiled, pipeline, gateway)
    report(f"pipeline {pipeline.name}: {action}")
    return Deployment(arn, action, uploaded)


def check_account(gateway: Gateway) -> None:
    """Refuse credentials of another account than the environment's."""
    account, target = gateway.account(), gateway.target
    if account != target.account:
        what = f"your credentials belong to account {account}, the environment to {target.account}"
        fix = "choose the profile of that account (AWS_PROFILE), or another --env"
        raise AwsError(what, where=f"environment {target.name}", fix=fix)


def _upload(upload: Upload, gateway: Gateway, report: Report) -> bool:
    if gateway.has_object(upload.bucket, upload.key, upload.sha256):
        return False
    report(f"upload {upload.file.path} to {upload.uri}")
    gateway.upload(upload.file.source, upload.bucket, upload.key, upload.sha256)
    return True


def upsert(compiled: Compiled, pipeline: Pipeline, gateway: Gateway) -> tuple[str, str]:
    """Create the pipeline, or update it where it differs; gives its ARN and what was done."""
    wanted = _wanted(compiled, pipeline)
    live = gateway.pipeline(pipeline.name)
    if live is not None and _same(live, wanted):
        return str(live["PipelineArn"]), "unchanged"
    request = _by_location(wanted, compiled, gateway)
    if live is None:
        try:
            return gateway.create_pipeline(pipeline.name, **_for_creation(request, compiled)), "created"
        except AwsError as error:
            # Somebody created it since we looked. AWS has no code of its own for that (CONTRACT.md section 4).
            if "already exists" not in error.what and "must be unique" not in error.what:
                raise
    return gateway.update_pipeline(pipeline.name, **request), "updated"


def _wanted(compiled: Compiled, pipeline: Pipeline) -> dict[str, Any]:
    wanted: dict[str, Any] = {
        "PipelineDefinition": compiled.definition.text,
        "RoleArn": compiled.target.role,
        "PipelineDescription": pipeline.description or "",  # empty, so that an update removes an old one
    }
    if pipeline.max_parallel_steps:
        wanted["ParallelismConfiguration"] = {"MaxParallelExecutionSteps": pipeline.max_parallel_steps}
    return wanted


def _same(live: Mapping[str, Any], wanted: Mapping[str, Any]) -> bool:
    """Whether an update would change nothing; definitions are compared as JSON, not as text."""
    others = (key for key in wanted if key != "PipelineDefinition")
    return _canonical(live) == _canonical(wanted) and all(live.get(key, "") == wanted[key] for key in others)


def _canonical(values: Mapping[str, Any]) -> str:
    return json.dumps(json.loads(values["PipelineDefinition"]), sort_keys=True)


def _for_creation(request: Mapping[str, Any], compiled: Compiled) -> dict[str, Any]:
    tags = [{"Key": key, "Value": value} for key, value in compiled.target.tags.items()]
    given = {key: value for key, value in request.items() if value != ""}
    return {**given, **({"Tags": tags} if tags else {})}


def _by_location(wanted: dict[str, Any], compiled: Compiled, gateway: Gateway) -> dict[str, Any]:
    """The request; a definition that is too large for one goes by S3, under its digest."""
    data = compiled.definition.text.encode()
    if len(data) < MAX_INLINE_DEFINITION:
        return wanted
    target = compiled.target
    key = f"{target.prefix}/definitions/{compiled.definition.digest}.json"
    gateway.write_object(target.bucket, key, data)
    others = {name: value for name, value in wanted.items() if name != "PipelineDefinition"}
    return {**others, "PipelineDefinitionS3Location": {"Bucket": target.bucket, "ObjectKey": key}}


@dataclass(frozen=True)
class EcrImages:
    """Images in ECR: that they are there is checked; building and pushing them is the user's for now."""

    gateway: Gateway

    def push(self, image: ImageSource, uri: str, report: Report) -> None:
        """Raises `AwsError` with the commands that build and push an image that is not there."""
        if self.gateway.has_image(image.repository, image.tag):
            report(f"image {uri} is there")
            return
        registry, root = uri.partition("/")[0], shlex.quote(str(image.context.root))
        fix = (
            f"build and push it (once before: aws ecr create-repository --repository-name {image.repository}):\n"
            f"    aws ecr get-login-password --region {self.gateway.target.region}"
            f" | docker login --username AWS --password-stdin {registry}\n"
            f"    docker build --platform linux/amd64 -t {uri} {root}\n"
            f"    docker push {uri}"
        )
        raise AwsError("the image is not in ECR", where=uri, fix=fix)


if __name__ == "__main__":
    sys.argv.insert(1, "deploy")
    runpy.run_module("pipelines", run_name="__main__")
