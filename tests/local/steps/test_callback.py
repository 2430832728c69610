"""Callback steps: a token goes out, the step waits, the token comes back."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from tests.local.local_aws import LocalAws, eventually, fail, fresh, get
from tests.local.test_daemon import kill

Json = dict[str, Any]
OUTPUTS = [{"OutputName": "rows", "OutputType": "Integer"}, {"OutputName": "who", "OutputType": "String"}]


@pytest.fixture
def queue(aws: LocalAws) -> str:
    return str(aws.client("sqs").create_queue(QueueName=fresh())["QueueUrl"])


def callback(queue: str, arguments: Json | None = None, **more: Any) -> Json:
    step = {"Name": "Ask", "Type": "Callback", "Arguments": arguments or {}, "SqsQueueUrl": queue}
    return {**step, "OutputParameters": OUTPUTS, **more}


def message(aws: LocalAws, queue: str) -> Json:
    """The next message of a queue; it is gone then."""
    sqs = aws.client("sqs")
    found = eventually(lambda: sqs.receive_message(QueueUrl=queue).get("Messages"), "a message")[0]
    sqs.delete_message(QueueUrl=queue, ReceiptHandle=found["ReceiptHandle"])
    return dict(json.loads(found["Body"]))


def refusal(call: Callable[..., Any], **request: Any) -> tuple[str, str]:
    with pytest.raises(ClientError) as caught:
        call(**request)
    error = caught.value.response["Error"]
    return str(error["Code"]), str(error["Message"])


def test_the_token_that_comes_back_ends_the_step_with_its_outputs(aws: LocalAws, queue: str) -> None:
    values = [get(f"Steps.Ask.OutputParameters['{name}']") for name in ("rows", "who")]
    report = fail(message={"Std:Join": {"On": " ", "Values": values}})
    arn = aws.start(aws.create([callback(queue, {"n": 3}), report]))
    sent = message(aws, queue)
    assert {**sent, "token": ""} == {
        "token": "",
        "pipelineExecutionArn": arn,
        "stepName": "Ask",
        "status": "Executing",
        "arguments": {"n": 3},
    }
    told = eventually(lambda: aws.steps(arn)["Ask"].get("Metadata"), "the token")
    assert told["Callback"] == {"CallbackToken": sent["token"], "SqsQueueUrl": queue}
    values = [{"Name": "rows", "Value": "41"}, {"Name": "who", "Value": "me"}]
    answer = aws.sagemaker.send_pipeline_execution_step_success(CallbackToken=sent["token"], OutputParameters=values)
    assert answer["PipelineExecutionArn"] == arn
    ended = aws.wait(arn)
    assert ended.steps["Stop"]["FailureReason"] == "41 me"
    assert ended.steps["Ask"]["Metadata"]["Callback"]["OutputParameters"] == values


def test_a_failure_that_comes_back_is_the_reason(aws: LocalAws, queue: str) -> None:
    arn = aws.start(aws.create([callback(queue)]))
    token = message(aws, queue)["token"]
    aws.sagemaker.send_pipeline_execution_step_failure(CallbackToken=token, FailureReason="the approver said no")
    assert aws.wait(arn).steps["Ask"]["FailureReason"] == "the approver said no"


def test_a_step_without_a_queue_waits_with_its_token_in_the_metadata(aws: LocalAws) -> None:
    nowhere = "https://sqs.eu-central-1.amazonaws.com/123456789012/nobody-made-it"
    arn = aws.start(aws.create([callback(nowhere)]))
    step = eventually(lambda: (found := aws.steps(arn).get("Ask", {})).get("Metadata") and found, "the token")
    aws.sagemaker.send_pipeline_execution_step_success(CallbackToken=step["Metadata"]["Callback"]["CallbackToken"])
    assert aws.wait(arn).status == "Succeeded"


def test_wrong_values_are_refused_and_the_step_goes_on_waiting(aws: LocalAws, queue: str) -> None:
    arn = aws.start(aws.create([callback(queue)]))
    token, send = message(aws, queue)["token"], aws.sagemaker.send_pipeline_execution_step_success
    for name, value, said in (("rows", "many", "is no Integer: 'many'"), ("row", "1", 'the nearest is "rows"')):
        code, text = refusal(send, CallbackToken=token, OutputParameters=[{"Name": name, "Value": value}])
        assert code == "ValidationException"
        assert said in text
    assert aws.steps(arn)["Ask"]["StepStatus"] == "Executing"
    send(CallbackToken=token)
    assert aws.wait(arn).status == "Succeeded"


def test_unknown_and_used_tokens_are_told_apart_and_a_repeated_request_is_answered(aws: LocalAws, queue: str) -> None:
    arn, sagemaker = aws.start(aws.create([callback(queue)])), aws.sagemaker
    token, client_token = message(aws, queue)["token"], fresh() * 3
    send, give_up = sagemaker.send_pipeline_execution_step_success, sagemaker.send_pipeline_execution_step_failure
    assert refusal(send, CallbackToken="0123456789")[0] == "ResourceNotFound"
    send(CallbackToken=token, ClientRequestToken=client_token)
    assert send(CallbackToken=token, ClientRequestToken=client_token)["PipelineExecutionArn"] == arn
    assert refusal(send, CallbackToken=token)[0] == "ConflictException"
    assert refusal(give_up, CallbackToken=token)[0] == "ConflictException"


def test_a_token_goes_with_its_pipeline(aws: LocalAws, queue: str) -> None:
    arn = aws.start(name := aws.create([callback(queue)]))
    token, send = message(aws, queue)["token"], aws.sagemaker.send_pipeline_execution_step_success
    send(CallbackToken=token)
    aws.wait(arn)
    aws.sagemaker.delete_pipeline(PipelineName=name)
    assert refusal(send, CallbackToken=token)[0] == "ResourceNotFound"


def test_a_stop_ends_the_step_and_tells_the_queue(aws: LocalAws, queue: str) -> None:
    arn = aws.start(aws.create([callback(queue)]))
    token = message(aws, queue)["token"]
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    ended = aws.wait(arn)
    assert (ended.status, ended.statuses()) == ("Stopped", {"Ask": "Stopped"})
    assert message(aws, queue)["status"] == "Stopping"
    assert refusal(aws.sagemaker.send_pipeline_execution_step_success, CallbackToken=token)[0] == "ConflictException"


def test_a_token_whose_server_was_killed_is_over(serve: Callable[[], LocalAws]) -> None:
    first = serve()
    arn = first.start(first.create([callback("https://sqs.eu-central-1.amazonaws.com/123456789012/q")]))
    step = eventually(lambda: (found := first.steps(arn).get("Ask", {})).get("Metadata") and found, "the token")
    kill(first.home)
    second = serve()
    token = step["Metadata"]["Callback"]["CallbackToken"]
    assert refusal(second.sagemaker.send_pipeline_execution_step_success, CallbackToken=token)[0] == "ConflictException"
    assert second.wait(arn).status == "Failed"
