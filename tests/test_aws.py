"""The gateway against a small AWS on 127.0.0.1, and AWS's errors as ours."""

from __future__ import annotations

import inspect
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qs, urlsplit

import boto3.exceptions
import botocore.exceptions
import pytest

from pipelines.aws import TRANSIENT, Endpoint, Gateway, translated
from pipelines.errors import AwsError
from pipelines.service_model import request_faults
from pipelines.spec import Target

DEV = Target("dev", "111111111111", "eu-central-1", "arn:aws:iam::111111111111:role/pipelines", "bucket-dev", "tiny")
LOCAL = Target("local", "123456789012", "us-east-1", "arn:aws:iam::123456789012:role/local", "bucket", "tiny")
ARN = "arn:aws:sagemaker:eu-central-1:111111111111:pipeline/tiny/execution/abcdefghijkl"


@dataclass
class Asked:
    """One request as it came over the wire."""

    method: str
    path: str
    operation: str
    body: bytes
    headers: dict[str, str]

    @property
    def json(self) -> dict:
        return json.loads(self.body)


class SmallAws(ThreadingHTTPServer):
    """Answers what it was told to, in turn; keeps what was asked."""

    def __init__(self) -> None:
        self.asked: list[Asked] = []
        self.answers: list[tuple[int, dict | bytes]] = []
        super().__init__(("127.0.0.1", 0), _Handler)
        self.endpoint = Endpoint(f"http://127.0.0.1:{self.server_port}")

    def answer(self, *answers: dict | bytes | tuple[int, dict | bytes]) -> None:
        self.answers += [item if isinstance(item, tuple) else (200, item) for item in answers]

    def refuse(self, code: str, message: str = "no", status: int = 400) -> None:
        self.answer((status, {"__type": code, "message": message}))


class _Handler(BaseHTTPRequestHandler):
    server: SmallAws

    def handle_one(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        operation = self.headers.get("X-Amz-Target", "").rpartition(".")[2]
        self.server.asked.append(Asked(self.command, self.path, operation, body, dict(self.headers)))
        status, answer = self.server.answers.pop(0)
        data = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(data)

    do_GET = do_POST = do_PUT = do_HEAD = do_DELETE = handle_one  # noqa: N815

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def aws(monkeypatch) -> Iterator[SmallAws]:
    for name in ("AWS_PROFILE", "AWS_DEFAULT_PROFILE"):
        monkeypatch.delenv(name, raising=False)
    with SmallAws() as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.02,))
        thread.start()
        yield server
        server.shutdown()
        thread.join()


@pytest.fixture
def gateway(aws) -> Iterator[Gateway]:
    made = Gateway(DEV, aws.endpoint)
    yield made
    for client in made._clients.values():
        client.close()


# Errors


def _errors(module) -> list[type[Exception]]:
    classes = [item for _, item in inspect.getmembers(module, inspect.isclass)]
    return [item for item in classes if issubclass(item, Exception) and not issubclass(item, Warning)]


ERRORS = [*_errors(botocore.exceptions), *_errors(boto3.exceptions)]


def _made(kind: type[Exception]) -> Exception:
    error = kind.__new__(kind)
    error.args = ("said by AWS",)
    error.response = {"Error": {"Code": "SomeCode", "Message": "said by AWS"}}
    return error


@pytest.mark.parametrize("kind", ERRORS, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_no_error_of_botocore_or_boto3_leaves_as_it_is(kind):
    with pytest.raises(AwsError) as caught, translated("do this", DEV):
        raise _made(kind)
    (problem,) = caught.value.problems
    assert problem.where == "environment dev (111111111111, eu-central-1)"
    assert problem.what.startswith("cannot do this: ")
    assert "said by AWS" in problem.what
    assert problem.fix
    assert "{" not in problem.fix
    assert caught.value.code
    assert isinstance(caught.value.__cause__, kind)


def test_there_are_errors_to_walk():
    assert len(ERRORS) > 80


def test_other_errors_are_bugs_and_keep_their_type():
    with pytest.raises(ZeroDivisionError), translated("do this", DEV):
        _ = 1 / 0


CODES = {
    "AccessDeniedException": "give your user this permission in account 111111111111",
    "ExpiredTokenException": "sign in again (aws sso login), then repeat the command",
    "UnrecognizedClientException": "check your AWS credentials: aws sts get-caller-identity",
    "NoSuchBucket": "create the bucket, or correct `bucket:` of environment dev",
    "ResourceLimitExceeded": "ask for a higher quota in account 111111111111, eu-central-1",
    "ValidationException": "change what AWS names, then repeat the command",
}


@pytest.mark.parametrize(("code", "fix"), CODES.items(), ids=CODES)
def test_refusal_says_what_aws_said_and_what_to_do(aws, gateway, code, fix):
    aws.refuse(code, "because so")
    with pytest.raises(AwsError) as caught:
        gateway.execution(ARN)
    assert caught.value.code == code
    assert caught.value.what == f"cannot describe {ARN}: {code}: because so"
    assert caught.value.problems[0].fix == fix


def test_families_of_errors_share_a_mend():
    made = {
        botocore.exceptions.UnauthorizedSSOTokenError(): "sign in again",
        botocore.exceptions.NoCredentialsError(): "sign in (aws sso login), or set AWS_PROFILE",
        botocore.exceptions.ProfileNotFound(profile="x"): "correct AWS_PROFILE",
        botocore.exceptions.SSLError(endpoint_url="u", error="e"): "check the network",
        botocore.exceptions.ReadTimeoutError(endpoint_url="u"): "check the network",
    }
    for error, fix in made.items():
        with pytest.raises(AwsError) as caught, translated("do this", DEV):
            raise error
        assert caught.value.problems[0].fix.startswith(fix)


def test_local_sagemaker_that_has_ended_is_no_matter_of_the_network():
    gateway = Gateway(LOCAL, Endpoint("http://127.0.0.1:9"))
    with pytest.raises(AwsError) as caught:
        gateway.execution(ARN)
    assert caught.value.code in TRANSIENT
    assert caught.value.problems[0].fix.startswith("repeat the command: it starts the local SageMaker again")


def test_what_boto3_wraps_keeps_its_code_and_mend(aws, gateway, tmp_path):
    (tmp_path / "file").write_text("x")
    aws.answer((404, b"<Error><Code>NoSuchBucket</Code><Message>The bucket does not exist</Message></Error>"))
    with pytest.raises(AwsError) as caught:
        gateway.upload(tmp_path / "file", "bucket-dev", "key", "0" * 64)
    assert caught.value.code == "NoSuchBucket"
    assert "NoSuchBucket: The bucket does not exist" in caught.value.what
    assert caught.value.problems[0].fix.startswith("create the bucket")


# Lists


def test_list_reads_all_pages(aws, gateway):
    aws.answer({"PipelineExecutionSteps": [{"StepName": "A"}], "NextToken": "2"})
    aws.answer({"PipelineExecutionSteps": [], "NextToken": "3"}, {"PipelineExecutionSteps": [{"StepName": "B"}]})
    assert [step["StepName"] for step in gateway.execution_steps(ARN)] == ["A", "B"]
    assert [asked.json.get("NextToken") for asked in aws.asked] == [None, "2", "3"]


def test_schedules_and_rules_are_read_by_all_pages(aws, gateway):
    aws.answer({"Schedules": [{"Name": "tiny.a"}], "NextToken": "2"}, {"Schedules": [{"Name": "tiny.b"}]})
    assert [item["Name"] for item in gateway.schedules("default", "tiny.")] == ["tiny.a", "tiny.b"]
    assert parse_qs(urlsplit(aws.asked[0].path).query)["NamePrefix"] == ["tiny."]
    aws.answer({"Rules": [{"Name": "tiny.a"}], "NextToken": "2"}, {"Rules": [{"Name": "tiny.b"}]})
    assert [item["Name"] for item in gateway.rules("tiny.")] == ["tiny.a", "tiny.b"]
    aws.answer({"Tags": [{"Key": "a", "Value": "1"}], "NextToken": "2"}, {"Tags": [{"Key": "b", "Value": "2"}]})
    assert gateway.tags(ARN) == {"a": "1", "b": "2"}


def test_rule_is_deleted_after_its_targets_and_may_be_gone(aws, gateway):
    aws.answer({"Targets": [{"Id": "receiver", "Arn": "a"}]}, {"FailedEntries": []}, {})
    gateway.delete_rule("tiny.failures")
    assert [asked.operation for asked in aws.asked] == ["ListTargetsByRule", "RemoveTargets", "DeleteRule"]
    aws.refuse("ResourceNotFoundException")
    aws.refuse("ResourceNotFoundException")
    gateway.delete_rule("tiny.failures")


def test_target_that_eventbridge_did_not_take_is_an_error_although_it_answers_200(aws, gateway):
    failed = {"TargetId": "receiver", "ErrorCode": "AccessDeniedException", "ErrorMessage": "no"}
    aws.answer({"RuleArn": "r"}, {"Targets": []}, {"FailedEntryCount": 1, "FailedEntries": [failed]})
    rule = {"Name": "tiny.failures", "EventPattern": "{}"}
    with pytest.raises(AwsError) as caught:
        gateway.put_rule(rule, {"Rule": "tiny.failures", "Targets": [{"Id": "receiver", "Arn": "arn:aws:sns:x:1:t"}]})
    (problem,) = caught.value.problems
    assert problem.what == "cannot write the target of rule tiny.failures: AccessDeniedException: no"
    assert problem.fix == "give your user this permission in account 111111111111"


def test_schedule_is_created_or_replaced_and_may_be_gone(aws, gateway):
    request = {
        "Name": "tiny.a",
        "GroupName": "default",
        "ScheduleExpression": "rate(1 hour)",
        "FlexibleTimeWindow": {"Mode": "OFF"},
        "Target": {"Arn": "arn:aws:sagemaker:eu-central-1:1:pipeline/tiny", "RoleArn": DEV.role},
    }
    aws.refuse("ResourceNotFoundException", status=404)
    aws.answer({"ScheduleArn": "a"}, {"Name": "tiny.a"}, {"ScheduleArn": "a"})
    gateway.put_schedule(request)
    gateway.put_schedule(request)
    assert [asked.method for asked in aws.asked] == ["GET", "POST", "GET", "PUT"]
    aws.refuse("ResourceNotFoundException", status=404)
    gateway.delete_schedule("default", "tiny.a")


def _lists(gateway: Gateway) -> dict[str, tuple]:
    page = {"NextToken": "2", "nextToken": "2"}
    xml = "<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>2</NextContinuationToken>{}"
    xml += "<Contents><Key>a</Key></Contents></ListBucketResult>"
    return {
        "executions": (lambda: gateway.executions("tiny"), {"PipelineExecutionSummaries": [{}], **page}),
        "steps": (lambda: gateway.execution_steps(ARN), {"PipelineExecutionSteps": [{}], **page}),
        "streams": (lambda: gateway.log_streams("g", "p"), {"logStreams": [{"logStreamName": "s"}], **page}),
        "keys": (lambda: gateway.keys("bucket-dev", "p"), xml.format("").encode()),
    }


@pytest.mark.parametrize("name", ["executions", "steps", "streams", "keys"])
def test_error_on_the_second_page_is_ours_too(aws, gateway, name):
    call, first = _lists(gateway)[name]
    aws.answer(first)
    aws.answer((400, b"<Error><Code>AccessDenied</Code></Error>" if name == "keys" else {"__type": "AccessDenied"}))
    with pytest.raises(AwsError) as caught:
        list(call())
    assert caught.value.code == "AccessDenied"
    assert len(aws.asked) == 2


# Answers that are no errors


def test_what_is_not_there_is_none(aws, gateway):
    aws.refuse("ResourceNotFound")
    assert gateway.pipeline("tiny") is None
    aws.refuse("ResourceNotFoundException")
    assert gateway.log_streams("group", "job/") == []
    aws.answer((404, b""))
    assert gateway.has_object("bucket-dev", "key", "0" * 64) is False
    aws.refuse("RepositoryNotFoundException")
    assert gateway.manifest("tiny", "tag") is None
    aws.answer({"images": [], "failures": [{"failureCode": "ImageNotFound"}]})
    assert gateway.manifest("tiny", "tag") is None
    aws.refuse("RepositoryNotFoundException")
    assert gateway.has_repository("tiny") is False
    aws.answer({"images": [], "failures": [{"failureCode": "ImageNotFound"}]})
    assert gateway.has_repository("tiny") is True


def test_image_is_read_by_its_manifest_and_its_configuration_by_its_address(aws, gateway):
    aws.answer({"images": [{"imageId": {"imageDigest": "sha256:a"}, "imageManifest": "{}"}]})
    assert gateway.manifest("tiny", "tag") == ("sha256:a", "{}")
    aws.answer({"downloadUrl": f"{aws.endpoint.url}/blob?signed=1"}, b"the configuration")
    assert gateway.blob("tiny", "sha256:b") == b"the configuration"
    assert aws.asked[-1].path == "/blob?signed=1"
    aws.answer({"downloadUrl": f"{aws.endpoint.url}/blob"}, (403, b"expired"))
    with pytest.raises(AwsError, match="cannot read sha256:b of repository tiny: HTTP 403"):
        gateway.blob("tiny", "sha256:b")
    for asked in aws.asked:
        assert not asked.operation or request_faults("ecr", asked.operation, asked.json) == []


def test_repository_is_created_scanning_and_with_tags_that_stay(aws, gateway):
    aws.refuse("RepositoryNotFoundException")
    aws.answer({"repository": {}})
    assert gateway.ensure_repository("tiny") is True
    assert aws.asked[-1].json == {
        "repositoryName": "tiny",
        "imageTagMutability": "IMMUTABLE",
        "imageScanningConfiguration": {"scanOnPush": True},
    }
    aws.answer({"repositories": [{"imageTagMutability": "MUTABLE"}]})
    assert gateway.ensure_repository("tiny") is False
    aws.refuse("RepositoryNotFoundException")  # somebody is faster
    aws.refuse("RepositoryAlreadyExistsException")
    aws.answer({"repositories": [{"imageTagMutability": "IMMUTABLE_WITH_EXCLUSION"}]})
    assert gateway.ensure_repository("tiny") is True


def test_object_of_other_content_is_not_there(aws, gateway, tmp_path):
    (tmp_path / "file").write_text("x")
    aws.answer(b"")
    gateway.upload(tmp_path / "file", "bucket-dev", "a/key", "0" * 64)
    put = aws.asked[0]
    assert (put.method, put.path) == ("PUT", "/bucket-dev/a/key")
    assert {key.lower(): value for key, value in put.headers.items()}["x-amz-meta-sha256"] == "0" * 64
    aws.answer(b"")
    assert gateway.has_object("bucket-dev", "a/key", "0" * 64) is False


def test_bucket_that_is_there_already_is_fine(aws, gateway):
    aws.answer((409, b"<Error><Code>BucketAlreadyOwnedByYou</Code></Error>"))
    gateway.ensure_bucket()
    aws.answer((403, b"<Error><Code>AccessDenied</Code></Error>"))
    with pytest.raises(AwsError, match="cannot create bucket bucket-dev: AccessDenied"):
        gateway.ensure_bucket()


def test_account_is_asked_once(aws, gateway):
    aws.answer(b"<R><GetCallerIdentityResult><Account>222222222222</Account></GetCallerIdentityResult></R>")
    assert [gateway.account(), gateway.account()] == ["222222222222"] * 2
    assert parse_qs(aws.asked[0].body.decode())["Action"] == ["GetCallerIdentity"]


# Requests


def test_requests_are_what_the_service_takes(aws, gateway):
    aws.answer(*[{"PipelineArn": "a", "PipelineExecutionArn": "b", "PipelineDefinition": "{}"}] * 7)
    definition = {"PipelineDefinition": "{}", "RoleArn": DEV.role}
    gateway.create_pipeline("tiny", **definition, Tags=[{"Key": "team", "Value": "x"}])
    gateway.update_pipeline("tiny", **definition, PipelineDescription="")
    gateway.start_execution("tiny", {"MinAuc": "0.9"})
    gateway.start_execution("tiny", {})
    gateway.stop_execution(ARN)
    gateway.execution_definition(ARN)
    gateway.job("ProcessingJob", "pipelines-abc")
    for asked in aws.asked:
        assert request_faults("sagemaker", asked.operation, asked.json) == [], asked.operation
    assert [asked.operation for asked in aws.asked] == [
        "CreatePipeline",
        "UpdatePipeline",
        "StartPipelineExecution",
        "StartPipelineExecution",
        "StopPipelineExecution",
        "DescribePipelineDefinitionForExecution",
        "DescribeProcessingJob",
    ]
    assert aws.asked[2].json["PipelineParameters"] == [{"Name": "MinAuc", "Value": "0.9"}]
    assert "PipelineParameters" not in aws.asked[3].json


def test_local_requests_ignore_proxies_and_the_callers_settings(aws, monkeypatch, tmp_path):
    """A proxy that answers: were it asked, it would be noticed."""
    with SmallAws() as proxy:
        for name in ("HTTP_PROXY", "HTTPS_PROXY", "http_proxy", "https_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.endpoint.url)
        for name in ("NO_PROXY", "no_proxy"):
            monkeypatch.delenv(name, raising=False)
        config = tmp_path / "config"
        config.write_text(f"[default]\nregion = ap-south-1\ncredential_process = touch {tmp_path / 'used'}\n")
        monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
        monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.endpoint.url)
        monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
        gateway = Gateway(LOCAL, aws.endpoint)
        aws.answer({"PipelineExecutionStatus": "Executing"}, b"")
        gateway.execution(ARN)
        gateway.write_object("bucket", "key", b"data")
        assert [urlsplit(asked.path).path for asked in aws.asked] == ["/", "/bucket/key"]
        assert all("local/" in asked.headers["Authorization"] for asked in aws.asked)
        assert all("/us-east-1/" in asked.headers["Authorization"] for asked in aws.asked)
        assert proxy.asked == []
    assert not (tmp_path / "used").exists()
    for client in gateway._clients.values():
        client.close()


def test_aws_requests_use_the_environments_region_and_the_callers_credentials(aws, monkeypatch, tmp_path):
    monkeypatch.setenv("AWS_ENDPOINT_URL", aws.endpoint.url)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKIATEST")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "ap-south-1")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "none"))
    gateway = Gateway(DEV)
    aws.answer({"PipelineArn": "a"})
    assert gateway.pipeline("tiny")["PipelineArn"] == "a"
    assert "AKIATEST/" in aws.asked[0].headers["Authorization"]
    assert "/eu-central-1/sagemaker/" in aws.asked[0].headers["Authorization"]
    for client in gateway._clients.values():
        client.close()
