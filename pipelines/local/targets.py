"""What EventBridge and its Scheduler send to: an ARN and what to say in, a delivery out. Raises `CallError`.

Queues, topics and logs are moto's; a pipeline is started through the same API that clients use.
"""

from __future__ import annotations

import json
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from pipelines.local.call import Call, CallError, form_call, json_call

Json = dict[str, Any]

NOT_HERE: Final = "UnknownOperationException"
_TOKENS: Final = uuid.UUID("7d1a5b9e-4e0c-4d0e-8f6c-2f1f3d5c9a10")


@dataclass(frozen=True)
class Targets:
    """`moto` calls moto's services, `sagemaker` our own."""

    moto: Callable[[Call], Json]
    sagemaker: Callable[[Call], Json]

    def queue(self, arn: str, body: str, *, group: str = "", attributes: Mapping[str, str] | None = None) -> None:
        """Send a message to an SQS queue."""
        _, region, account, name = _parts(arn)
        texts = {key: {"DataType": "String", "StringValue": value} for key, value in (attributes or {}).items()}
        request: Json = {"QueueUrl": f"https://sqs.{region}.amazonaws.com/{account}/{name}", "MessageBody": body}
        request |= {"MessageGroupId": group} if group else {}
        request |= {"MessageAttributes": texts} if texts else {}
        self.moto(json_call("sqs", region, "SendMessage", request))

    def topic(self, arn: str, body: str) -> None:
        """Publish to an SNS topic; its subscribers are moto's affair."""
        _, region, _, _ = _parts(arn)
        self.moto(form_call("sns", region, "Publish", {"TopicArn": arn, "Message": body}))

    def log(self, arn: str, body: str) -> None:
        """Write an event into a log group, in a stream of its own."""
        _, region, _, name = _parts(arn)
        names = {"logGroupName": name.removeprefix("log-group:").removesuffix(":*"), "logStreamName": str(uuid.uuid4())}
        events = [{"timestamp": int(time.time() * 1000), "message": body}]
        self.moto(json_call("logs", region, "CreateLogStream", names))
        self.moto(json_call("logs", region, "PutLogEvents", {**names, "logEvents": events}))

    def pipeline(self, arn: str, parameters: Json, once: str) -> None:
        """Start a pipeline; what is started `once` is not started again. `parameters`: SageMakerPipelineParameters."""
        listed = parameters.get("PipelineParameterList") or []
        self.start(_parts(arn)[1], {"PipelineName": arn, "PipelineParameters": listed}, once)

    def start(self, region: str, request: Json, once: str) -> None:
        """StartPipelineExecution with a request of somebody's."""
        token = str(uuid.uuid5(_TOKENS, once))
        self.sagemaker(
            json_call("sagemaker", region, "StartPipelineExecution", {"ClientRequestToken": token, **request})
        )


def kind_of(arn: str) -> str:
    """The service of a target's ARN."""
    return _parts(arn)[0]


def refused(arn: str) -> CallError:
    """For a target that nothing here can send to."""
    return CallError(NOT_HERE, f"not executed locally: target {arn}")


def whole(value: Any) -> str:
    """A message as the text that is sent."""
    return value if isinstance(value, str) else json.dumps(value)


def _parts(arn: str) -> tuple[str, str, str, str]:
    parts = arn.split(":", 5)
    if len(parts) != 6 or parts[0] != "arn":
        raise CallError("ValidationException", f"{arn!r} is not an ARN")
    return parts[2], parts[3], parts[4], parts[5]
