"""The only door to boto3: AWS's operations as this package uses them, and AWS's errors as ours.

Takes a `Target` (and, for the local SageMaker, its endpoint); gives a `Gateway`. Every error leaves here as `AwsError`.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import boto3
import botocore.config
import botocore.exceptions
import botocore.session

from pipelines.errors import AwsError
from pipelines.spec import Target

Json = dict[str, Any]
MAX_INLINE_DEFINITION = 100 * 1024  # bytes; larger ones go by S3 (CONTRACT.md section 2)
_HASH = "sha256"


@dataclass(frozen=True)
class Endpoint:
    """Where AWS's requests go instead of AWS."""

    url: str


class Gateway:
    """AWS, for one environment. Clients are made when they are first needed."""

    def __init__(self, target: Target, endpoint: Endpoint | None = None) -> None:
        self.target = target
        self._endpoint = endpoint
        self._session: Any = None
        self._clients: dict[str, Any] = {}

    # The account and its bucket

    def account(self) -> str:
        """The account that the credentials belong to."""
        with self._translated("ask whose the credentials are"):
            return str(self._client("sts").get_caller_identity()["Account"])

    def ensure_bucket(self) -> None:
        """Make the bucket if it is not there. For the local SageMaker: on AWS nothing makes buckets by the way."""
        bucket = self.target.bucket
        try:
            with self._translated(f"create bucket {bucket}"):
                self._client("s3").create_bucket(Bucket=bucket)
        except AwsError as error:
            if error.code not in ("BucketAlreadyOwnedByYou", "BucketAlreadyExists"):
                raise

    def has_object(self, bucket: str, key: str, sha256: str) -> bool:
        """Whether an object of that content is there (by the hash that `upload` leaves with it)."""
        try:
            with self._translated(f"look for s3://{bucket}/{key}"):
                head = self._client("s3").head_object(Bucket=bucket, Key=key)
        except AwsError as error:
            if error.code in ("404", "NoSuchKey", "NotFound"):
                return False
            raise
        return bool(head.get("Metadata", {}).get(_HASH) == sha256)

    def upload(self, file: Path, bucket: str, key: str, sha256: str) -> None:
        """Put a file at a key, its hash beside it."""
        with self._translated(f"upload {file} to s3://{bucket}/{key}"):
            self._client("s3").upload_file(str(file), bucket, key, ExtraArgs={"Metadata": {_HASH: sha256}})

    def write_object(self, bucket: str, key: str, data: bytes) -> None:
        """Put bytes at a key."""
        with self._translated(f"write s3://{bucket}/{key}"):
            self._client("s3").put_object(Bucket=bucket, Key=key, Body=data)

    def read_object(self, bucket: str, key: str, limit: int = 16 << 20) -> bytes:
        """The first `limit` bytes of an object."""
        with self._translated(f"read s3://{bucket}/{key}"):
            body = self._client("s3").get_object(Bucket=bucket, Key=key)["Body"]
            return bytes(body.read(limit))

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys below a prefix."""
        with self._translated(f"list s3://{bucket}/{prefix}"):
            pages = self._client("s3").get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix)
            for page in pages:
                yield from (item["Key"] for item in page.get("Contents", []))

    def has_image(self, repository: str, tag: str) -> bool:
        """Whether ECR has an image of that tag."""
        try:
            with self._translated(f"look for image {repository}:{tag}"):
                self._client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
        except AwsError as error:
            if error.code in ("ImageNotFoundException", "RepositoryNotFoundException"):
                return False
            raise
        return True

    # Pipelines

    def pipeline(self, name: str) -> Json | None:
        """DescribePipeline's answer, or None when there is no such pipeline."""
        try:
            return self._sagemaker("describe_pipeline", f"describe pipeline {name}", PipelineName=name)
        except AwsError as error:
            if error.code == "ResourceNotFound":
                return None
            raise

    def create_pipeline(self, name: str, **request: Any) -> str:
        """Create a pipeline; gives its ARN. botocore's token makes its own retries harmless."""
        answer = self._sagemaker("create_pipeline", f"create pipeline {name}", PipelineName=name, **request)
        return str(answer["PipelineArn"])

    def update_pipeline(self, name: str, **request: Any) -> str:
        """Update a pipeline; gives its ARN."""
        answer = self._sagemaker("update_pipeline", f"update pipeline {name}", PipelineName=name, **request)
        return str(answer["PipelineArn"])

    # Executions

    def start_execution(self, name: str, parameters: dict[str, str]) -> str:
        """Start an execution; gives its ARN."""
        listed = [{"Name": key, "Value": value} for key, value in parameters.items()]
        request: Json = {"PipelineName": name, **({"PipelineParameters": listed} if listed else {})}
        answer = self._sagemaker("start_pipeline_execution", f"start pipeline {name}", **request)
        return str(answer["PipelineExecutionArn"])

    def stop_execution(self, arn: str) -> None:
        """Ask an execution to stop."""
        self._sagemaker("stop_pipeline_execution", f"stop {arn}", PipelineExecutionArn=arn)

    def execution(self, arn: str) -> Json:
        """DescribePipelineExecution's answer."""
        return self._sagemaker("describe_pipeline_execution", f"describe {arn}", PipelineExecutionArn=arn)

    def execution_definition(self, arn: str) -> str:
        """The definition that an execution started with."""
        answer = self._sagemaker(
            "describe_pipeline_definition_for_execution", f"read the definition of {arn}", PipelineExecutionArn=arn
        )
        return str(answer["PipelineDefinition"])

    def execution_steps(self, arn: str) -> list[Json]:
        """All steps of an execution, in the order they started."""
        with self._translated(f"list the steps of {arn}"):
            paginator = self._client("sagemaker").get_paginator("list_pipeline_execution_steps")
            pages = paginator.paginate(PipelineExecutionArn=arn, SortOrder="Ascending")
            return [step for page in pages for step in page["PipelineExecutionSteps"]]

    def executions(self, name: str) -> Iterator[Json]:
        """A pipeline's executions, newest first."""
        with self._translated(f"list the executions of {name}"):
            paginator = self._client("sagemaker").get_paginator("list_pipeline_executions")
            for page in paginator.paginate(PipelineName=name, SortBy="CreationTime", SortOrder="Descending"):
                yield from page["PipelineExecutionSummaries"]

    def job(self, kind: str, name: str) -> Json:
        """The Describe response of a job; `kind` is ProcessingJob or TrainingJob."""
        operation = {"ProcessingJob": "describe_processing_job", "TrainingJob": "describe_training_job"}[kind]
        return self._sagemaker(operation, f"describe job {name}", **{f"{kind}Name": name})

    def log_streams(self, group: str, prefix: str) -> list[str]:
        """The names of a log group's streams that begin with `prefix`; none when there is no such group."""
        try:
            with self._translated(f"list the logs of {prefix}"):
                paginator = self._client("logs").get_paginator("describe_log_streams")
                pages = paginator.paginate(logGroupName=group, logStreamNamePrefix=prefix)
                return [stream["logStreamName"] for page in pages for stream in page["logStreams"]]
        except AwsError as error:
            if error.code == "ResourceNotFoundException":
                return []
            raise

    def log_events(self, group: str, stream: str, token: str | None) -> tuple[list[Json], str]:
        """A page of a stream's events from a token on, and the token of what comes next."""
        request: Json = {"logGroupName": group, "logStreamName": stream, "startFromHead": True}
        if token:
            request["nextToken"] = token
        with self._translated(f"read the log {stream}"):
            answer = self._client("logs").get_log_events(**request)
        return list(answer["events"]), str(answer["nextForwardToken"])

    # What they share

    def _sagemaker(self, operation: str, action: str, **request: Any) -> Json:
        with self._translated(action):
            answer: Json = getattr(self._client("sagemaker"), operation)(**request)
        return answer

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._session = self._session or _session(self.target, local=self._endpoint is not None)
            config = botocore.config.Config(
                retries={"mode": "standard", "max_attempts": 8},
                connect_timeout=10,
                read_timeout=60,
                # A proxy must not stand between a command and its own machine.
                proxies={} if self._endpoint else None,
                s3={"addressing_style": "path"} if self._endpoint else None,
            )
            url = self._endpoint.url if self._endpoint else None
            self._clients[service] = self._session.client(service, endpoint_url=url, config=config)
        return self._clients[service]

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        with translated(action, self.target):
            yield


def _session(target: Target, *, local: bool) -> Any:
    """A session that names its region. The local SageMaker's uses nothing of the user's configuration."""
    if not local:
        return boto3.Session(region_name=target.region)
    core = botocore.session.Session(
        session_vars={
            "profile": (None, [], None, None),
            "config_file": (None, [], os.devnull, None),
            "credentials_file": (None, [], os.devnull, None),
        }
    )
    core.set_credentials("local", "local")  # type: ignore[no-untyped-call]
    return boto3.Session(botocore_session=core, region_name=target.region)


_FIXES: dict[str, Callable[[Target], str]] = {
    "AccessDenied": lambda target: f"give your user this permission in account {target.account}",
    "AccessDeniedException": lambda target: f"give your user this permission in account {target.account}",
    "ExpiredToken": lambda _: "sign in again (aws sso login), then repeat the command",
    "ExpiredTokenException": lambda _: "sign in again (aws sso login), then repeat the command",
    "InvalidClientTokenId": lambda _: "check your AWS credentials: aws sts get-caller-identity",
    "UnrecognizedClientException": lambda _: "check your AWS credentials: aws sts get-caller-identity",
    "NoSuchBucket": lambda target: f"create the bucket, or correct `bucket:` of environment {target.name}",
    "ThrottlingException": lambda _: "wait a minute, then repeat the command",
    "ResourceLimitExceeded": lambda target: f"ask for a higher quota in account {target.account}, {target.region}",
}


@contextmanager
def translated(action: str, target: Target) -> Iterator[None]:
    """botocore's errors as `AwsError`: what was tried, what AWS said, what to do."""
    where = f"environment {target.name} ({target.account}, {target.region})"
    try:
        yield
    except botocore.exceptions.ClientError as error:
        code = str(error.response.get("Error", {}).get("Code", ""))
        said = error.response.get("Error", {}).get("Message", "")
        fix = _FIXES.get(code, lambda _: "change what AWS names, then repeat the command")(target)
        raise AwsError(f"cannot {action}: {code}: {said}", where=where, fix=fix, code=code) from error
    except (botocore.exceptions.NoCredentialsError, botocore.exceptions.PartialCredentialsError) as error:
        fix = "sign in (aws sso login), or set AWS_PROFILE"
        raise AwsError(f"cannot {action}: no AWS credentials were found", where=where, fix=fix) from error
    except (botocore.exceptions.BotoCoreError, boto3.exceptions.Boto3Error) as error:
        cause = error.__cause__ or error.__context__
        if isinstance(cause, botocore.exceptions.ClientError):
            code = str(cause.response.get("Error", {}).get("Code", ""))
        else:
            code = type(error).__name__
        fix = "check the network and the credentials, then repeat the command"
        raise AwsError(f"cannot {action}: {error}", where=where, fix=fix, code=code) from error
