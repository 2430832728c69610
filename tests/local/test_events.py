"""EventBridge: what happens to executions and jobs reaches the targets of the rules that match it."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from pipelines.local.events import job_event
from tests.local.local_aws import REGION, ROLE, LocalAws, compare, condition, eventually, fail, fresh
from tests.local.test_daemon import kill

Json = dict[str, Any]
EXECUTION = "SageMaker Model Building Pipeline Execution Status Change"
STEP = "SageMaker Model Building Pipeline Execution Step Status Change"
JOB = "SageMaker Processing Job State Change"
ARN = f"arn:aws:sagemaker:{REGION}:123456789012"


class Listener:
    """A rule of its own whose target is a queue of its own."""

    def __init__(self, aws: LocalAws, pattern: Json, **target: Any) -> None:
        self.name = fresh()
        self.sqs, self.events = aws.client("sqs"), aws.client("events")
        self.url = self.sqs.create_queue(QueueName=self.name)["QueueUrl"]
        self.arn = f"arn:aws:sqs:{REGION}:123456789012:{self.name}"
        self.events.put_rule(Name=self.name, EventPattern=json.dumps(pattern))
        self.target(**{"Arn": self.arn, **target})

    def target(self, **target: Any) -> None:
        self.events.put_targets(Rule=self.name, Targets=[{"Id": "receiver", **target}])

    def messages(self, count: int) -> list[Any]:
        """The next messages, in order."""
        found: list[Any] = []

        def enough() -> bool:
            answer = self.sqs.receive_message(QueueUrl=self.url, MaxNumberOfMessages=10, MessageAttributeNames=["All"])
            for message in answer.get("Messages", []):  # else it comes again when it was not deleted for long
                self.sqs.delete_message(QueueUrl=self.url, ReceiptHandle=message["ReceiptHandle"])
                found.append(message)
            return len(found) >= count

        eventually(enough, f"{count} messages")
        assert len(found) == count
        return found

    def said(self, count: int) -> list[Any]:
        return [json.loads(message["Body"]) for message in self.messages(count)]


def of(name: str, kind: str, **detail: list[str]) -> Json:
    """A pattern for one pipeline's events, as `notifications:` writes it."""
    named = {"pipelineArn": [{"equals-ignore-case": f"{ARN}:pipeline/{name}".upper()}]}
    return {"source": ["aws.sagemaker"], "detail-type": [kind], "detail": {**named, **detail}}


def test_a_failed_execution_is_told_to_a_queue(aws: LocalAws) -> None:
    name = aws.create([fail(message="the data is old")])
    listener = Listener(aws, of(name, EXECUTION, currentPipelineExecutionStatus=["Failed"]))
    arn = aws.start(name, PipelineExecutionDisplayName="nightly")
    (event,) = listener.said(1)
    described = aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    at = described["CreationTime"].strftime("%Y-%m-%dT%H:%M:%SZ")
    assert event.pop("id")
    assert event.pop("time") == event["detail"].pop("executionEndTime")
    assert event == {
        "version": "0",
        "detail-type": EXECUTION,
        "source": "aws.sagemaker",
        "account": "123456789012",
        "region": REGION,
        "resources": [f"{ARN}:pipeline/{name}", arn],
        "detail": {
            "pipelineExecutionDisplayName": "nightly",
            "currentPipelineExecutionStatus": "Failed",
            "previousPipelineExecutionStatus": "Executing",
            "executionStartTime": at,
            "failureReason": described["FailureReason"],
            "pipelineArn": f"{ARN}:pipeline/{name}",
            "pipelineExecutionArn": arn,
        },
    }


def test_every_status_of_every_step_is_told_once_and_in_order(aws: LocalAws) -> None:
    gate = condition("Gate", compare("Equals", 1, 1), then=[fail("Stop")], otherwise=[fail("Never")])
    name = aws.create([gate])
    steps = Listener(aws, of(name, STEP))
    executions = Listener(aws, of(name, EXECUTION))
    aws.start(name)
    told = [
        (detail["stepName"], detail["stepType"], detail.get("previousStepStatus"), detail["currentStepStatus"])
        for detail in (event["detail"] for event in steps.said(2))
    ]
    assert told == [("Gate", "Condition", None, "Succeeded"), ("Stop", "Fail", None, "Failed")]
    statuses = [event["detail"]["currentPipelineExecutionStatus"] for event in executions.said(2)]
    assert statuses == ["Executing", "Failed"]


def test_a_job_is_told_with_its_description(aws: LocalAws) -> None:
    job = fresh()
    listener = Listener(aws, {"detail-type": [JOB], "detail": {"ProcessingJobName": [job]}})
    aws.sagemaker.create_processing_job(ProcessingJobName=job, **aws.job())
    ended = aws.wait_for_job(job)
    first, last = listener.said(2)
    assert [event["detail"]["ProcessingJobStatus"] for event in (first, last)] == ["InProgress", "Completed"]
    assert last["resources"] == [ended["ProcessingJobArn"]]
    assert last["detail"]["CreationTime"] == round(ended["CreationTime"].timestamp() * 1000)


def test_what_is_made_by_notifications_reaches_a_topic(aws: LocalAws) -> None:
    name = aws.create([fail()])
    listener = Listener(aws, {"source": ["nobody"]})
    sns = aws.client("sns")
    topic = sns.create_topic(Name=listener.name)["TopicArn"]
    sns.subscribe(TopicArn=topic, Protocol="sqs", Endpoint=listener.arn)
    aws.client("events").put_rule(Name=listener.name, EventPattern=json.dumps(of(name, EXECUTION)))
    listener.target(Arn=topic)
    aws.start(name)
    told = [json.loads(message["Message"])["detail-type"] for message in listener.said(2)]
    assert told == [EXECUTION, EXECUTION]


def test_a_rule_may_say_something_else(aws: LocalAws) -> None:
    name = aws.create([fail()])
    failed = of(name, EXECUTION, currentPipelineExecutionStatus=["Failed"])
    constant = Listener(aws, failed, Input='{"text": "failed"}')
    part = Listener(aws, failed, InputPath="$.detail.currentPipelineExecutionStatus")
    transformer = {"InputPathsMap": {"s": "$.detail.currentPipelineExecutionStatus"}, "InputTemplate": '"it is <s>"'}
    transformed = Listener(aws, failed, InputTransformer=transformer)
    aws.start(name)
    assert constant.said(1) == [{"text": "failed"}]
    assert [message["Body"] for message in part.messages(1)] == ["Failed"]
    assert [message["Body"] for message in transformed.messages(1)] == ["it is Failed"]


def test_a_rule_that_is_switched_off_tells_nobody(aws: LocalAws) -> None:
    name = aws.create([fail()])
    off = Listener(aws, of(name, EXECUTION))
    aws.client("events").disable_rule(Name=off.name)
    on = Listener(aws, of(name, EXECUTION))
    aws.start(name)
    on.said(2)
    assert "Messages" not in off.sqs.receive_message(QueueUrl=off.url)


def test_a_target_that_is_gone_disturbs_nothing_and_is_told_to_the_dead_letter_queue(aws: LocalAws) -> None:
    name = aws.create([fail()])
    failed = of(name, EXECUTION, currentPipelineExecutionStatus=["Failed"])
    graveyard = Listener(aws, {"source": ["nobody"]})
    gone = f"arn:aws:sqs:{REGION}:123456789012:gone"
    Listener(aws, failed, Arn=gone, DeadLetterConfig={"Arn": graveyard.arn})
    Listener(aws, failed, Arn=f"arn:aws:lambda:{REGION}:123456789012:function:f")
    alive = Listener(aws, failed)
    arn = aws.start(name)
    alive.said(1)
    (letter,) = graveyard.messages(1)
    assert json.loads(letter["Body"])["detail"]["pipelineExecutionArn"] == arn
    attributes = {key: value["StringValue"] for key, value in letter["MessageAttributes"].items()}
    assert attributes["TARGET_ARN"] == gone
    assert attributes["ERROR_CODE"] == "QueueDoesNotExist"


def test_a_rule_may_start_another_pipeline(aws: LocalAws) -> None:
    first, second = aws.create([fail()]), aws.create([fail()])
    failed = of(first, EXECUTION, currentPipelineExecutionStatus=["Failed"])
    Listener(aws, failed, Arn=f"{ARN}:pipeline/{second}", RoleArn=ROLE, SageMakerPipelineParameters={})
    aws.start(first)

    def started() -> Any:
        return aws.sagemaker.list_pipeline_executions(PipelineName=second)["PipelineExecutionSummaries"]

    eventually(started, "the second pipeline")


def test_what_a_killed_server_left_running_is_told_by_the_next(serve: Callable[[], LocalAws]) -> None:
    aws = serve()
    name = aws.create([aws.step("Work", "time.sleep(600)")])
    Listener(aws, of(name, EXECUTION, currentPipelineExecutionStatus=["Failed"]))
    aws.start(name)
    kill(aws.home)
    queue = serve().client("sqs")
    (url,) = queue.list_queues()["QueueUrls"]
    (message,) = eventually(lambda: queue.receive_message(QueueUrl=url).get("Messages"), "the message")
    assert "interrupted" in json.loads(message["Body"])["detail"]["failureReason"]


def test_a_tuning_is_told_under_its_name_in_words():
    event = job_event("HyperParameterTuning", {"HyperParameterTuningJobArn": "arn:x"}, datetime(2026, 1, 1, tzinfo=UTC))
    assert (event.type, event.resources) == ("SageMaker HyperParameter Tuning Job State Change", ("arn:x",))
