"""What is there now, for planning: the gateway's answers as `plan` reads them.

Takes a `Gateway` and who knows the environment's images; gives a `plan.Remote`. It only reads.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from pipelines.aws import Gateway
from pipelines.errors import AwsError
from pipelines.plan import LiveNotification, LivePipeline, LiveSchedule, Running
from pipelines.plan.requests import GROUP, read_notification, read_schedule
from pipelines.schedule import aws_prefix

_GOING_ON = ("Executing", "Stopping")


class Registry(Protocol):
    """What is asked of the environment's images, by their URIs."""

    def digest(self, uri: str) -> str | None:
        """The digest of the image that is there, None when there is none."""

    def has_repository(self, uri: str) -> bool:
        """Whether there is a repository for it; where there are none, as locally, it needs none."""


@dataclass(frozen=True)
class AwsRemote:
    """AWS, or the local SageMaker in its place, as a `plan.Remote` of one pipeline.

    The name is given because ARNs have it in lower case.
    """

    gateway: Gateway
    name: str
    images: Registry

    def pipeline(self, name: str) -> LivePipeline | None:
        described = self.gateway.pipeline(name)
        if described is None:
            return None
        return LivePipeline(
            arn=described["PipelineArn"],
            definition=described["PipelineDefinition"],
            role=described["RoleArn"],
            description=described.get("PipelineDescription") or "",
            parallelism=(described.get("ParallelismConfiguration") or {}).get("MaxParallelExecutionSteps"),
            version=described.get("PipelineVersionId"),
        )

    def tags(self, arn: str) -> Mapping[str, str]:
        return self.gateway.tags(arn)

    def schedules(self, pipeline: str) -> Mapping[str, LiveSchedule]:
        names = [item["Name"] for item in self.gateway.schedules(GROUP, aws_prefix(pipeline))]
        answers = (self.gateway.schedule(GROUP, name) for name in names)
        found = (read_schedule(pipeline, answer) for answer in answers if answer is not None)
        return {item.value.name: item for item in found}

    def other_schedules(self, arn: str) -> tuple[str, ...]:
        own = aws_prefix(self.name)
        targets = ((item["Name"], (item.get("Target") or {}).get("Arn", "")) for item in self.gateway.schedules(GROUP))
        return tuple(name for name, to in targets if to.lower() == arn.lower() and not name.startswith(own))

    def notifications(self, pipeline: str) -> Mapping[str, LiveNotification]:
        rules = list(self.gateway.rules(aws_prefix(pipeline)))
        found = (read_notification(pipeline, rule, self.gateway.rule_targets(rule["Name"])) for rule in rules)
        return {item.value.name: item for item in found}

    def has_bucket(self, bucket: str) -> bool:
        target = self.gateway.target
        there = self.gateway.has_bucket(bucket)
        if not there and not target.is_local:
            fix = f"create the bucket, or correct `bucket:` of environment {target.name}"
            raise AwsError(
                f"there is no bucket {bucket}", where=f"environment {target.name}", fix=fix, code="NoSuchBucket"
            )
        return there

    def has_object(self, bucket: str, key: str, sha256: str) -> bool:
        return self.gateway.has_object(bucket, key, sha256)

    def record(self, bucket: str, key: str) -> str | None:
        try:
            return self.gateway.read_object(bucket, key).decode()
        except AwsError as error:
            if error.code in ("404", "NoSuchKey", "NotFound"):
                return None
            raise

    def image(self, uri: str) -> str | None:
        return self.images.digest(uri)

    def has_repository(self, uri: str) -> bool:
        return self.images.has_repository(uri)

    def running(self, pipeline: str) -> tuple[Running, ...]:
        listed = self.gateway.executions(pipeline)
        return tuple(
            Running(item["PipelineExecutionArn"], item["PipelineExecutionStatus"])
            for item in listed
            if item.get("PipelineExecutionStatus") in _GOING_ON
        )
