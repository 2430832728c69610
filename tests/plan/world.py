"""AWS in memory, as far as a plan goes: a `Remote` to read, and `execute` to carry actions out.

It refuses what AWS refuses: a pipeline that is created twice, one that points at what is not there, a schedule of a
pipeline that is not there. Schedules and rules are kept as requests and read as responses, as the gateway does.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from pipelines.definition import parse
from pipelines.plan import (
    Action,
    CreatePipeline,
    DeleteNotification,
    DeleteSchedule,
    Desired,
    EnsureImage,
    Live,
    LiveNotification,
    LivePipeline,
    LiveSchedule,
    MakeBucket,
    Object,
    Plan,
    PutNotification,
    PutSchedule,
    Running,
    TagPipeline,
    UntagPipeline,
    UpdatePipeline,
    UploadFile,
    WriteRecord,
    needs,
    plan,
    read_live,
)
from pipelines.plan.record import with_digests
from pipelines.plan.requests import (
    read_notification,
    read_schedule,
    rule_request,
    schedule_request,
    targets_request,
)
from pipelines.schedule import aws_name, aws_prefix

ARN = "arn:aws:sagemaker:eu-central-1:111111111111:pipeline/"


class World:
    """Its fields are the state; tests look at them and change them by hand."""

    def __init__(self) -> None:
        self.pipelines: dict[str, LivePipeline] = {}
        self.versions: dict[str, list[LivePipeline]] = {}
        self.tags_of: dict[str, dict[str, str]] = {}
        self.schedule_requests: dict[str, dict[str, Any]] = {}
        self.rules: dict[str, dict[str, Any]] = {}
        self.targets: dict[str, list[dict[str, Any]]] = {}
        self.buckets: set[str] = {"team-dev", "team-prod"}
        self.objects: dict[tuple[str, str], str] = {}
        self.texts: dict[tuple[str, str], str] = {}
        self.images: dict[str, str] = {}
        self.repositories = {"demo"}
        self.executions: tuple[Running, ...] = ()

    # Remote

    def pipeline(self, name: str) -> LivePipeline | None:
        return self.pipelines.get(name)

    def tags(self, arn: str) -> Mapping[str, str]:
        return self.tags_of[arn.removeprefix(ARN)]

    def schedules(self, pipeline: str) -> Mapping[str, LiveSchedule]:
        own = (item for name, item in self.schedule_requests.items() if name.startswith(aws_prefix(pipeline)))
        return {item.value.name: item for item in (read_schedule(pipeline, request) for request in own)}

    def other_schedules(self, arn: str) -> tuple[str, ...]:
        prefix = aws_prefix(arn.removeprefix(ARN))
        found = (name for name, item in self.schedule_requests.items() if item["Target"]["Arn"] == arn)
        return tuple(name for name in found if not name.startswith(prefix))

    def notifications(self, pipeline: str) -> Mapping[str, LiveNotification]:
        own = [name for name in self.rules if name.startswith(aws_prefix(pipeline))]
        read = (read_notification(pipeline, self.rules[name], self.targets.get(name, [])) for name in own)
        return {item.value.name: item for item in read}

    def has_bucket(self, bucket: str) -> bool:
        return bucket in self.buckets

    def has_object(self, bucket: str, key: str, sha256: str) -> bool:
        assert bucket in self.buckets
        return self.objects.get((bucket, key)) == sha256

    def record(self, bucket: str, key: str) -> str | None:
        assert bucket in self.buckets
        return self.texts.get((bucket, key))

    def image(self, uri: str) -> str | None:
        return self.images.get(uri)

    def has_repository(self, uri: str) -> bool:
        return uri.partition("/")[2].rpartition(":")[0] in self.repositories

    def running(self, _pipeline: str) -> tuple[Running, ...]:
        return self.executions

    # Deployment

    def live(self, desired: Desired) -> Live:
        return read_live(self, needs(desired))

    def plan(self, desired: Desired) -> Plan:
        return plan(desired, self.live(desired))

    def deploy(self, desired: Desired) -> Plan:
        made = self.plan(desired)
        self.execute(made, made.actions)
        return made

    def execute(self, made: Plan, actions: Iterable[Action]) -> None:
        for action in actions:
            self.carry_out(action, made)

    def carry_out(self, action: Action, made: Plan) -> None:
        match action:
            case MakeBucket(bucket=bucket):
                self.buckets.add(bucket)
            case UploadFile(upload=upload):
                assert upload.bucket in self.buckets
                self.objects[upload.bucket, upload.key] = upload.sha256
            case EnsureImage(image=image):
                self.images[image.uri] = digest_of(image.uri)
            case WriteRecord(bucket=bucket, key=key, text=text):
                assert bucket in self.buckets
                self.texts[bucket, key] = with_digests(text, self.images)
            case CreatePipeline(name=name):
                assert name not in self.pipelines
                self.put_pipeline(action, made)
                self.tags_of[name] = dict(action.tags)
            case UpdatePipeline(name=name):
                assert name in self.pipelines
                self.put_pipeline(action, made)
            case _:
                self.carry_out_around(action)

    def carry_out_around(self, action: Action) -> None:
        """What belongs to a pipeline, which must be there."""
        match action:
            case PutSchedule(pipeline=name, schedule=schedule, is_new=is_new):
                assert name in self.pipelines
                request = schedule_request(name, ARN + name, schedule)
                assert (request["Name"] not in self.schedule_requests) == is_new
                self.schedule_requests[request["Name"]] = request
            case DeleteSchedule(pipeline=name, name=schedule_name):
                del self.schedule_requests[aws_name(name, schedule_name)]
            case PutNotification(pipeline=name, notification=notification):
                assert name in self.pipelines
                rule = rule_request(name, ARN + name, notification)
                self.rules[rule["Name"]] = rule
                self.targets[rule["Name"]] = targets_request(name, notification)["Targets"]
            case DeleteNotification(pipeline=name, name=rule_name):
                del self.rules[aws_name(name, rule_name)], self.targets[aws_name(name, rule_name)]
            case TagPipeline(pipeline=name, tags=tags):
                self.tags_of[name] |= tags
            case UntagPipeline(pipeline=name, keys=keys):
                for key in keys:
                    del self.tags_of[name][key]
            case _:
                raise TypeError(action)

    def put_pipeline(self, action: CreatePipeline | UpdatePipeline, made: Plan) -> None:
        assert parse(made.definition).digest == action.definition
        here = {(item.bucket, item.key, item.sha256) for item in made.needs.objects}
        assert here <= {(*place, sha256) for place, sha256 in self.objects.items()}, "it points at a missing object"
        assert set(made.needs.images) <= self.images.keys(), "it points at a missing image"
        versions = self.versions.setdefault(action.name, [])
        now = LivePipeline(
            arn=ARN + action.name,
            definition=json.dumps(json.loads(made.definition), indent=2),  # the same JSON in another form
            role=action.role,
            description=action.description,
            parallelism=action.parallelism,
            version=len(versions) + 1,
        )
        self.pipelines[action.name] = now
        if not versions or versions[-1].digest != now.digest:  # CONTRACT.md section 4: only then
            versions.append(now)


def digest_of(uri: str) -> str:
    return f"sha256:{hashlib.sha256(uri.rpartition(':')[2].encode()).hexdigest()}"


def objects_of(world: World) -> set[Object]:
    return {Object(bucket, key, sha256) for (bucket, key), sha256 in world.objects.items()}
