"""The types of an environment in pipeline.yaml: where a pipeline is deployed, when it starts, who hears of its end."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pipelines.schedule.record import MAX_AGE_SECONDS, MAX_ATTEMPTS
from pipelines.spec.expressions import Template
from pipelines.spec.limits import (
    KEY_PREFIX,
    OBJECT_KEY,
    QUEUE_ARN,
    ROLE_ARN,
    SHORT_NAME,
    TAG_KEY,
    Between,
    Doc,
    Duration,
    Pattern,
    Scalar,
)
from pipelines.spec.local import Docker, DockerOptions, Functions, Images, Runner, Stubs

ExecutionStatus = Literal["Executing", "Stopping", "Stopped", "Failed", "Succeeded", "CompletedWithFailures"]
RECEIVER = Pattern(
    r"arn:aws[a-z-]*:(sns:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,256}"
    r"|sqs:[a-z0-9-]+:[0-9]{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?"
    r"|events:[a-z0-9-]+:[0-9]{12}:api-destination/[._A-Za-z0-9-]+/[A-Za-z0-9-]+)",
    "the ARN of a standard SNS topic, an SQS queue, or (for a webhook) an EventBridge API destination",
)


@dataclass(frozen=True)
class ScheduleRetry:
    """What the scheduler does when it cannot start an execution."""

    attempts: Annotated[int, Between(0, MAX_ATTEMPTS), Doc("How often it tries again at most.")] = MAX_ATTEMPTS
    max_age: Annotated[Duration, Between(60, MAX_AGE_SECONDS), Doc("How long it goes on trying.")] = field(
        default_factory=lambda: Duration(MAX_AGE_SECONDS, "1d")
    )


@dataclass(frozen=True)
class Schedule:
    """When the pipeline starts by itself (EventBridge Scheduler): exactly one of cron, rate and at."""

    cron: Annotated[
        str | None, Doc("AWS's six fields, in quotes: minutes hours day-of-month month day-of-week year (0 3 * * ? *).")
    ] = None
    rate: Annotated[str | None, Doc("Every so often: 15 minutes, 1 hour, 2 days.")] = None
    at: Annotated[str | None, Doc("Once: yyyy-mm-ddThh:mm:ss, in the timezone.")] = None
    timezone: Annotated[str, Doc("The timezone's name, such as Europe/Berlin.")] = "UTC"
    window: Annotated[
        Duration | None,
        Between(60, 86400),
        Doc("It may start up to so much later, in whole minutes; on time if left out."),
    ] = None
    parameters: Annotated[
        Mapping[str, Scalar],
        Between(0, 200),
        Doc("Values of parameters; a text may hold <aws.scheduler.scheduled-time>."),
    ] = field(default_factory=dict)
    dead_letter_queue: Annotated[
        str | None, QUEUE_ARN, Doc("Where a start goes that never succeeded; lost if left out.")
    ] = None
    retry: Annotated[ScheduleRetry, Doc("When a start fails.")] = field(default_factory=ScheduleRetry)
    start: Annotated[str | None, Doc("Not before this time (yyyy-mm-ddThh:mm:ss, in the timezone).")] = None
    end: Annotated[str | None, Doc("Not after this time.")] = None
    enabled: Annotated[bool, Doc("false: it is kept, and starts nothing.")] = True
    role: Annotated[
        str | None,
        ROLE_ARN,
        Doc("The role that starts the pipeline; it trusts scheduler.amazonaws.com. The environment's if left out."),
    ] = None


@dataclass(frozen=True)
class Notification:
    """Who is told when an execution reaches a state (an EventBridge rule)."""

    to: Annotated[str, RECEIVER, Doc("Who is told: an SNS topic, an SQS queue, an API destination.")]
    on: Annotated[tuple[ExecutionStatus, ...], Between(1, 6), Doc("The states of an execution that are told.")] = (
        "Failed",
    )
    role: Annotated[
        str | None, ROLE_ARN, Doc("The role that calls an API destination; it trusts events.amazonaws.com.")
    ] = None


@dataclass(frozen=True)
class Experiment:
    """The names that executions carry in SageMaker Experiments."""

    name: Annotated[Template, Doc("The experiment: a text with env., execution. and parameters. references.")]
    trial: Annotated[Template | None, Doc("The trial; the execution's id if left out.")] = None


@dataclass(frozen=True)
class Environment:
    """Where a pipeline is deployed. `local`, the local SageMaker, needs no entry of its own."""

    account: Annotated[str | None, Pattern(r"[0-9]{12}", "twelve digits, in quotes"), Doc("The AWS account.")] = None
    region: Annotated[
        str | None, Pattern(r"[a-z]{2}(-[a-z]+)+-[0-9]", "a region such as eu-central-1"), Doc("The AWS region.")
    ] = None
    role: Annotated[
        str | None,
        ROLE_ARN,
        Doc("The role of the pipeline and its jobs."),
    ] = None
    bucket: Annotated[
        str | None,
        Pattern(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]", "a bucket's name, without s3://"),
        Doc("The bucket of assets and outputs."),
    ] = None
    prefix: Annotated[
        str | None,
        KEY_PREFIX,
        Doc("Below it lie assets and outputs; the pipeline's name if left out."),
    ] = None
    tags: Annotated[
        Mapping[Annotated[str, TAG_KEY], Annotated[str, Between(0, 256)]], Between(0, 50), Doc("Tags of the pipeline.")
    ] = field(default_factory=dict)
    parameters: Annotated[Mapping[str, Scalar], Doc("Defaults of parameters in this environment.")] = field(
        default_factory=dict
    )
    data: Annotated[
        Mapping[Annotated[str, OBJECT_KEY], str],
        Doc("Objects that deploy puts into the bucket when they differ: key or prefix: local file or folder."),
    ] = field(default_factory=dict)
    schedules: Annotated[
        Mapping[Annotated[str, SHORT_NAME], Schedule],
        Doc("When the pipeline starts by itself. Deployment makes them, changes them and removes what is not here."),
    ] = field(default_factory=dict)
    notifications: Annotated[
        Mapping[Annotated[str, SHORT_NAME], Notification],
        Doc("Who is told how executions end. Deployment makes them, changes them and removes what is not here."),
    ] = field(default_factory=dict)
    experiment: Annotated[
        Experiment | Literal[False] | None,
        Doc("The experiment that executions belong to; the pipeline's own if left out, false: none."),
    ] = None
    runner: Runner = None
    docker: Docker = field(default_factory=DockerOptions)
    images: Images = field(default_factory=dict)
    functions: Functions = field(default_factory=dict)
    stubs: Stubs = field(default_factory=dict)
