# ruff: noqa: ARG002, N803 -- the parameters are AWS's
"""One AWS account in memory, as botocore's clients and a container engine show it to the gateway: for faults.

Every call is counted, may fail before or after its effect, and is held against AWS's own model of its request. After
each one the account is looked at: a live pipeline never points at what is not there.
"""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from pipelines.aws import Gateway
from pipelines.definition import parse
from pipelines.engine import Engine
from pipelines.errors import LocalError
from pipelines.roles import trust_statement
from pipelines.service_model import request_faults
from pipelines.spec import Target

Json = dict[str, Any]
_VALID: set[str] = set()  # requests that were held against the model before


class Killed(BaseException):
    """The command was killed."""


@dataclass(frozen=True)
class Fault:
    """What goes wrong at one call: before its effect, or after it."""

    name: str
    error: Callable[[str], BaseException]
    after: bool = False


@dataclass
class Account:
    """`needed`: which objects (bucket, key) and images (repository, tag) a definition reads, by its digest."""

    number: str
    needed: dict[str, tuple[set[tuple[str, str]], set[tuple[str, str]]]] = field(default_factory=dict)
    buckets: set[str] = field(default_factory=set)
    objects: dict[tuple[str, str], tuple[bytes, dict[str, str]]] = field(default_factory=dict)
    repositories: set[str] = field(default_factory=set)
    images: dict[tuple[str, str], str] = field(default_factory=dict)
    pipelines: dict[str, Json] = field(default_factory=dict)
    versions: dict[str, list[str]] = field(default_factory=dict)
    tags: dict[str, dict[str, str]] = field(default_factory=dict)
    schedules: dict[str, Json] = field(default_factory=dict)
    rules: dict[str, Json] = field(default_factory=dict)
    targets: dict[str, list[Json]] = field(default_factory=dict)
    calls: list[str] = field(default_factory=list)
    copied_from: Account | None = None
    meddle: Callable[[int, Callable[[], Any]], Any] | None = None

    def copy(self) -> Account:
        made = copy.copy(self)
        for name in self.state():
            setattr(made, name, copy.deepcopy(getattr(self, name)))
        made.calls, made.meddle = [], None
        return made

    def state(self) -> Json:
        """All that a deployment leaves."""
        names = ("objects", "repositories", "images", "pipelines", "versions", "tags", "schedules", "rules", "targets")
        return {name: getattr(self, name) for name in names}

    def call(self, service: str, operation: str, request: Json) -> Any:
        """One call: counted, held against the model, and failing where it is to."""
        index = len(self.calls)
        self.calls.append(f"{service}.{operation}")
        _refuse_what_aws_would(service, operation, request)

        def act() -> Any:
            answer = getattr(self, f"{service}_{operation}")(**request)
            self.refuse_what_dangles()
            return answer

        return self.meddle(index, act) if self.meddle else act()

    def fail(self, at: int, fault: Fault) -> None:
        """Let that call fail, once."""

        def meddle(index: int, act: Callable[[], Any]) -> Any:
            if index != at:
                return act()
            if fault.after:
                act()
            raise fault.error(self.calls[index])

        self.calls, self.meddle = [], meddle

    def refuse_what_dangles(self) -> None:
        for described in self.pipelines.values():
            objects, images = self.needed[described["digest"]]
            assert objects <= self.objects.keys(), "it points at a missing object"
            assert images <= self.images.keys(), "it points at a missing image"

    # STS, IAM, S3

    def sts_get_caller_identity(self) -> Json:
        return {"Account": self.number}

    def iam_get_role(self, RoleName: str) -> Json:
        return {"Role": {"AssumeRolePolicyDocument": {"Statement": [trust_statement("scheduler.amazonaws.com")]}}}

    def iam_simulate_principal_policy(self, **request: Any) -> list[Json]:
        results = [{"EvalActionName": name, "EvalDecision": "allowed"} for name in request["ActionNames"]]
        return [{"EvaluationResults": results}]

    def s3_head_bucket(self, Bucket: str) -> Json:
        return {} if Bucket in self.buckets else refuse("404")

    def s3_head_object(self, Bucket: str, Key: str) -> Json:
        return {"Metadata": self.objects[Bucket, Key][1]} if (Bucket, Key) in self.objects else refuse("404")

    def s3_get_object(self, Bucket: str, Key: str) -> Json:
        return {"Body": _Body(self.objects[Bucket, Key][0])} if (Bucket, Key) in self.objects else refuse("NoSuchKey")

    def s3_put_object(self, Bucket: str, Key: str, Body: bytes, Metadata: dict[str, str]) -> Json:
        assert Bucket in self.buckets
        self.objects[Bucket, Key] = (Body, Metadata)
        return {}

    # ECR

    def ecr_batch_get_image(self, repositoryName: str, imageIds: list[Json], acceptedMediaTypes: list[str]) -> Json:
        if repositoryName not in self.repositories:
            refuse("RepositoryNotFoundException")
        digest = self.images.get((repositoryName, imageIds[0]["imageTag"]))
        manifest = json.dumps({"config": {"digest": "sha256:c"}})
        found = [{"imageId": {"imageDigest": digest}, "imageManifest": manifest}] if digest else []
        return {"images": found, "failures": []}

    def ecr_get_download_url_for_layer(self, repositoryName: str, layerDigest: str) -> Json:
        return {"downloadUrl": "https://127.0.0.1/"}

    def ecr_describe_repositories(self, repositoryNames: list[str]) -> Json:
        there = repositoryNames[0] in self.repositories
        return (
            {"repositories": [{"imageTagMutability": "IMMUTABLE"}]} if there else refuse("RepositoryNotFoundException")
        )

    def ecr_create_repository(self, repositoryName: str, **_: Any) -> Json:
        if repositoryName in self.repositories:
            refuse("RepositoryAlreadyExistsException")
        self.repositories.add(repositoryName)
        return {}

    def ecr_get_authorization_token(self) -> Json:
        return {"authorizationData": [{"authorizationToken": "QVdTOnNlY3JldA=="}]}

    def engine_build(self, words: tuple[str, ...]) -> str:
        return ""

    def engine_inspect(self, words: tuple[str, ...]) -> str:
        if "RepoDigests" not in words[-2]:
            return "linux/amd64\n"
        name, _, tag = words[-1].rpartition(":")
        return json.dumps([f"{name}@{digest_of(tag)}"])

    def engine_push(self, words: tuple[str, ...]) -> str:
        repository, _, tag = words[-1].partition("/")[2].rpartition(":")
        assert repository in self.repositories
        if (repository, tag) in self.images:
            raise LocalError("tag invalid: the tag is immutable")
        self.images[repository, tag] = digest_of(tag)
        return ""

    def engine_pull(self, words: tuple[str, ...]) -> str:
        name, _, digest = words[-1].partition("@")
        assert self.copied_from is not None
        there = self.copied_from.images.items()
        assert (name.partition("/")[2], digest) in {(repository, found) for (repository, _), found in there}
        return ""

    def engine_tag(self, words: tuple[str, ...]) -> str:
        return ""

    def engine_context(self, words: tuple[str, ...]) -> str:
        return ""

    # Pipelines and their tags

    def sagemaker_describe_pipeline(self, PipelineName: str, PipelineVersionId: int | None = None) -> Json:
        if PipelineName not in self.pipelines:
            refuse("ResourceNotFound")
        described = dict(self.pipelines[PipelineName])
        if PipelineVersionId:
            described["PipelineDefinition"] = self.versions[PipelineName][PipelineVersionId - 1]
        return described

    def sagemaker_create_pipeline(self, PipelineName: str, Tags: list[Json] | None = None, **request: Any) -> Json:
        if PipelineName in self.pipelines:
            refuse("ValidationException", f"Pipeline {PipelineName} already exists")
        arn = f"arn:aws:sagemaker:eu-central-1:{self.number}:pipeline/{PipelineName}"
        self.tags[arn] = {item["Key"]: item["Value"] for item in Tags or ()}
        return self._put(PipelineName, arn, request)

    def sagemaker_update_pipeline(self, PipelineName: str, **request: Any) -> Json:
        return self._put(PipelineName, self.pipelines[PipelineName]["PipelineArn"], request)

    def _put(self, name: str, arn: str, request: Json) -> Json:
        text = request["PipelineDefinition"]
        digest = parse(text).digest
        assert any(key.endswith(f"deployments/{digest}.json") for _, key in self.objects), "it has no record"
        kept = {key: value for key, value in self.pipelines.get(name, {}).items() if key not in request}
        self.pipelines[name] = {**kept, **request, "PipelineArn": arn, "digest": digest}
        versions = self.versions.setdefault(name, [])
        if not versions or versions[-1] != text:
            versions.append(text)
        return {"PipelineArn": arn}

    def sagemaker_list_pipeline_versions(self, PipelineName: str, SortOrder: str) -> list[Json]:
        numbers = range(len(self.versions[PipelineName]), 0, -1)
        return [{"PipelineVersionSummaries": [{"PipelineVersionId": number}]} for number in numbers]

    def sagemaker_list_pipeline_executions(self, **_: Any) -> list[Json]:
        return [{"PipelineExecutionSummaries": []}]

    def sagemaker_list_tags(self, ResourceArn: str) -> list[Json]:
        return [{"Tags": [{"Key": key, "Value": value}]} for key, value in self.tags[ResourceArn].items()]

    def sagemaker_add_tags(self, ResourceArn: str, Tags: list[Json]) -> Json:
        self.tags[ResourceArn] |= {item["Key"]: item["Value"] for item in Tags}
        return {}

    def sagemaker_delete_tags(self, ResourceArn: str, TagKeys: list[str]) -> Json:
        for key in TagKeys:
            self.tags[ResourceArn].pop(key, None)
        return {}

    # Schedules and rules

    def scheduler_list_schedules(self, GroupName: str, NamePrefix: str = "") -> list[Json]:
        found = (item for name, item in sorted(self.schedules.items()) if name.startswith(NamePrefix))
        return [{"Schedules": [{"Name": item["Name"], "Target": {"Arn": item["Target"]["Arn"]}}]} for item in found]

    def scheduler_get_schedule(self, GroupName: str, Name: str) -> Json:
        return self.schedules[Name] if Name in self.schedules else refuse("ResourceNotFoundException")

    def scheduler_create_schedule(self, **request: Any) -> Json:
        if request["Name"] in self.schedules:
            refuse("ConflictException")
        self.schedules[request["Name"]] = request
        return {}

    def scheduler_update_schedule(self, **request: Any) -> Json:
        if request["Name"] not in self.schedules:
            refuse("ResourceNotFoundException")
        self.schedules[request["Name"]] = request
        return {}

    def scheduler_delete_schedule(self, GroupName: str, Name: str) -> Json:
        return self.schedules.pop(Name, None) or refuse("ResourceNotFoundException")

    def events_list_rules(self, NamePrefix: str) -> list[Json]:
        return [{"Rules": [item]} for name, item in sorted(self.rules.items()) if name.startswith(NamePrefix)]

    def events_list_targets_by_rule(self, Rule: str) -> list[Json]:
        if Rule not in self.rules:
            refuse("ResourceNotFoundException")
        return [{"Targets": [item]} for item in self.targets[Rule]]

    def events_put_rule(self, **request: Any) -> Json:
        self.rules[request["Name"]] = request
        self.targets.setdefault(request["Name"], [])
        return {}

    def events_put_targets(self, Rule: str, Targets: list[Json]) -> Json:
        if Rule not in self.rules:
            refuse("ResourceNotFoundException")
        new = {item["Id"] for item in Targets}
        self.targets[Rule] = [item for item in self.targets[Rule] if item["Id"] not in new] + Targets
        return {"FailedEntries": []}

    def events_remove_targets(self, Rule: str, Ids: list[str]) -> Json:
        self.targets[Rule] = [item for item in self.targets[Rule] if item["Id"] not in Ids]
        return {"FailedEntries": []}

    def events_delete_rule(self, Name: str) -> Json:
        if Name not in self.rules:
            refuse("ResourceNotFoundException")
        if self.targets[Name]:
            refuse("ValidationException", "Rule can't be deleted since it has targets.")
        del self.rules[Name], self.targets[Name]
        return {}


def refuse(code: str, message: str = "no") -> Any:
    raise ClientError({"Error": {"Code": code, "Message": message}}, "it")


def digest_of(tag: str) -> str:
    return f"sha256:{hashlib.sha256(tag.encode()).hexdigest()}"


def _refuse_what_aws_would(service: str, operation: str, request: Json) -> None:
    if service == "engine" or (key := f"{service}{operation}{request}") in _VALID:
        return
    name = "".join(word.capitalize() for word in operation.split("_"))
    token = {"CreatePipeline": {"ClientRequestToken": "t" * 32}}.get(name, {})  # botocore fills it in
    assert request_faults(service, name, {**request, **token}) == [], name
    _VALID.add(key)


@dataclass(frozen=True)
class _Body:
    data: bytes

    def read(self, _limit: int) -> bytes:
        return self.data


@dataclass(frozen=True)
class _Client:
    account: Account
    service: str

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        return lambda **request: self.account.call(self.service, operation, request)

    def upload_file(self, file: str, bucket: str, key: str, ExtraArgs: Json) -> None:
        request = {"Bucket": bucket, "Key": key, "Body": Path(file).read_bytes(), **ExtraArgs}
        self.account.call(self.service, "put_object", request)

    def get_paginator(self, operation: str) -> _Pages:
        return _Pages(self, operation)


@dataclass(frozen=True)
class _Pages:
    """The first call asks for all; each further page of what it found is another call that may fail."""

    client: _Client
    operation: str

    def paginate(self, **request: Any) -> Iterator[Json]:
        pages = self.client.account.call(self.client.service, self.operation, request)
        for number in range(len(pages)):
            if number:
                self.client.account.call(self.client.service, self.operation, request)
            yield pages[number]


class MemoryGateway(Gateway):
    """The gateway itself; its clients speak to an account in memory."""

    def __init__(self, target: Target, account: Account) -> None:
        super().__init__(target)
        self.memory = account

    def _client(self, service: str) -> Any:
        return _Client(self.memory, service)

    def blob(self, repository: str, digest: str) -> bytes:
        with self._translated("read"):
            self._client("ecr").get_download_url_for_layer(repositoryName=repository, layerDigest=digest)
        return b'{"os": "linux", "architecture": "amd64"}'


class MemoryEngine(Engine):
    """A container engine whose pushes reach an account in memory."""

    def __init__(self, account: Account) -> None:
        super().__init__("docker", {})
        object.__setattr__(self, "account", account)

    def run(self, *words: str, check: bool = True, variables: Any = None) -> str:
        name = "inspect" if words[:2] == ("image", "inspect") else words[0]
        try:
            return str(self.account.call("engine", name, {"words": words}))  # type: ignore[attr-defined]
        except (BotoCoreError, ClientError) as error:
            raise LocalError(str(error), fix="start Docker") from error
