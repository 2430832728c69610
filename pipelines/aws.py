"""The only door to boto3: AWS's operations as this package uses them, and AWS's errors as ours.

Takes a `Target` (and, for the local SageMaker, its endpoint); gives a `Gateway`. Every error leaves here as `AwsError`.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import boto3
import boto3.exceptions
import botocore.awsrequest
import botocore.config
import botocore.configprovider
import botocore.exceptions
import botocore.httpsession
import botocore.session

from pipelines.errors import AwsError
from pipelines.spec import Target

Json = dict[str, Any]
MAX_INLINE_DEFINITION = 100 * 1024  # bytes; larger ones go by S3 (CONTRACT.md section 2)
_HASH = "sha256"
_NOT_FOUND = "ResourceNotFoundException"
_MANIFESTS = (
    "application/vnd.docker.distribution.manifest.v2+json",
    "application/vnd.oci.image.manifest.v1+json",
    "application/vnd.docker.distribution.manifest.list.v2+json",
    "application/vnd.oci.image.index.v1+json",
)


@dataclass(frozen=True)
class Endpoint:
    """Where AWS's requests go instead of AWS."""

    url: str


class Gateway:
    """AWS, for one environment. Clients are made when they are first needed."""

    def __init__(self, target: Target, endpoint: Endpoint | None = None, profile: str = "") -> None:
        self.target = target
        self._profile = profile  # the one in use if empty
        self._endpoint = endpoint
        self._session: Any = None
        self._clients: dict[str, Any] = {}
        self._account = ""

    def sign_in_again(self) -> None:
        """Forget the credentials: the next request looks for them anew."""
        self._session, self._clients = None, {}

    # The account and its bucket

    def account(self) -> str:
        """The account that the credentials belong to; asked once."""
        if not self._account:
            with self._translated("ask whose the credentials are"):
                self._account = str(self._client("sts").get_caller_identity()["Account"])
        return self._account

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
        """Put bytes at a key, their hash beside them as `upload` leaves it."""
        metadata = {_HASH: hashlib.sha256(data).hexdigest()}
        with self._translated(f"write s3://{bucket}/{key}"):
            self._client("s3").put_object(Bucket=bucket, Key=key, Body=data, Metadata=metadata)

    def read_object(self, bucket: str, key: str, limit: int = 16 << 20) -> bytes:
        """The first `limit` bytes of an object."""
        with self._translated(f"read s3://{bucket}/{key}"):
            body = self._client("s3").get_object(Bucket=bucket, Key=key)["Body"]
            return bytes(body.read(limit))

    def has_bucket(self, bucket: str) -> bool:
        """Whether the bucket is there, and ours to see."""
        try:
            with self._translated(f"look for bucket {bucket}"):
                self._client("s3").head_bucket(Bucket=bucket)
        except AwsError as error:
            if error.code in ("404", "NoSuchBucket", "NotFound"):
                return False
            raise
        return True

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        """The keys below a prefix."""
        action = f"list s3://{bucket}/{prefix}"
        for item in self._items("s3", "list_objects_v2", "Contents", action, Bucket=bucket, Prefix=prefix):
            yield str(item["Key"])

    # Images (ECR), in the registry of the environment's account and region

    def manifest(self, repository: str, tag: str) -> tuple[str, str] | None:
        """The digest and the manifest's text of the image of that tag, or None."""
        request = {"imageIds": [{"imageTag": tag}], "acceptedMediaTypes": list(_MANIFESTS)}
        try:
            with self._translated(f"look for image {repository}:{tag}"):
                answer = self._client("ecr").batch_get_image(repositoryName=repository, **request)
        except AwsError as error:
            if error.code == "RepositoryNotFoundException":
                return None
            raise
        for image in answer.get("images", []):
            return str(image["imageId"]["imageDigest"]), str(image["imageManifest"])
        return None

    def blob(self, repository: str, digest: str) -> bytes:
        """A blob of a repository's, such as an image's configuration; not for layers, which are large."""
        with self._translated(f"read {digest} of repository {repository}"):
            answer = self._client("ecr").get_download_url_for_layer(repositoryName=repository, layerDigest=digest)
            request = botocore.awsrequest.AWSRequest("GET", answer["downloadUrl"])
            response = botocore.httpsession.URLLib3Session(timeout=30).send(request.prepare())
        if response.status_code != 200:
            what = f"cannot read {digest} of repository {repository}: HTTP {response.status_code}"
            raise AwsError(what, where=f"environment {self.target.name}", fix=_LATER, code=str(response.status_code))
        return bytes(response.content)

    def ensure_repository(self, name: str) -> bool:
        """Create a repository that is not there: scanned on push, its tags immutable. False: its tags can be moved."""
        described = self._repository(name)
        if described is None:
            try:
                with self._translated(f"create repository {name}"):
                    self._client("ecr").create_repository(
                        repositoryName=name,
                        imageTagMutability="IMMUTABLE",
                        imageScanningConfiguration={"scanOnPush": True},
                    )
                return True
            except AwsError as error:
                if error.code != "RepositoryAlreadyExistsException":  # else somebody was faster
                    raise
            described = self._repository(name) or {}
        return str(described.get("imageTagMutability", "")).startswith("IMMUTABLE")

    def _repository(self, name: str) -> Json | None:
        try:
            with self._translated(f"describe repository {name}"):
                return dict(self._client("ecr").describe_repositories(repositoryNames=[name])["repositories"][0])
        except AwsError as error:
            if error.code == "RepositoryNotFoundException":
                return None
            raise

    def registry_token(self) -> str:
        """What a registry takes as Basic authorization, for twelve hours. It is a secret."""
        with self._translated("ask for access to the registry"):
            return str(self._client("ecr").get_authorization_token()["authorizationData"][0]["authorizationToken"])

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

    def pipeline_definition(self, name: str, version: int) -> str:
        """The definition of one version of a pipeline."""
        action = f"describe version {version} of pipeline {name}"
        answer = self._sagemaker("describe_pipeline", action, PipelineName=name, PipelineVersionId=version)
        return str(answer["PipelineDefinition"])

    def pipeline_versions(self, name: str) -> Iterator[Json]:
        """A pipeline's versions, newest first."""
        operation, key = "list_pipeline_versions", "PipelineVersionSummaries"
        request = {"PipelineName": name, "SortOrder": "Descending"}
        return self._items("sagemaker", operation, key, f"list the versions of {name}", **request)

    # Tags

    def tags(self, arn: str) -> dict[str, str]:
        """All tags of a resource of SageMaker's."""
        items = self._items("sagemaker", "list_tags", "Tags", f"list the tags of {arn}", ResourceArn=arn)
        return {item["Key"]: item["Value"] for item in items}

    def add_tags(self, arn: str, tags: Mapping[str, str]) -> None:
        """Set tags; others stay."""
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        self._sagemaker("add_tags", f"tag {arn}", ResourceArn=arn, Tags=listed)

    def delete_tags(self, arn: str, keys: Iterable[str]) -> None:
        """Remove tags; those that are not there are no error."""
        self._sagemaker("delete_tags", f"remove tags of {arn}", ResourceArn=arn, TagKeys=list(keys))

    # Roles, by IAM

    def role_trust(self, arn: str) -> Json:
        """The trust policy of a role. Raises `AwsError`, NoSuchEntity when there is none."""
        with self._translated(f"read role {arn}"):
            answer = self._client("iam").get_role(RoleName=arn.rpartition("/")[2])
        return dict(answer["Role"]["AssumeRolePolicyDocument"])

    def denied_actions(self, role: str, actions: list[str], resource: str) -> list[str]:
        """Which of these actions on a resource a role may not take, as IAM works it out."""
        request = {"PolicySourceArn": role, "ActionNames": actions, "ResourceArns": [resource]}
        action = f"work out what role {role} may do"
        found = self._items("iam", "simulate_principal_policy", "EvaluationResults", action, **request)
        return [item["EvalActionName"] for item in found if item["EvalDecision"] != "allowed"]

    # Schedules (EventBridge Scheduler) and rules (EventBridge)

    def schedules(self, group: str, prefix: str = "") -> Iterator[Json]:
        """The summaries of a group's schedules whose names begin with `prefix`."""
        request = {"GroupName": group, **({"NamePrefix": prefix} if prefix else {})}
        return self._items("scheduler", "list_schedules", "Schedules", f"list the schedules of {group}", **request)

    def schedule(self, group: str, name: str) -> Json | None:
        """GetSchedule's answer, or None when there is no such schedule."""
        try:
            with self._translated(f"read schedule {name}"):
                return dict(self._client("scheduler").get_schedule(GroupName=group, Name=name))
        except AwsError as error:
            if error.code == _NOT_FOUND:
                return None
            raise

    def put_schedule(self, request: Json) -> None:
        """Create a schedule, or replace all of it."""
        name, client = request["Name"], self._client("scheduler")
        is_there = self.schedule(request["GroupName"], name) is not None
        with self._translated(f"{'change' if is_there else 'create'} schedule {name}"):
            (client.update_schedule if is_there else client.create_schedule)(**request)

    def delete_schedule(self, group: str, name: str) -> None:
        """Delete a schedule; one that is gone is fine."""
        with self._unless_gone(f"delete schedule {name}"):
            self._client("scheduler").delete_schedule(GroupName=group, Name=name)

    def rules(self, prefix: str) -> Iterator[Json]:
        """The rules of the default bus whose names begin with `prefix`."""
        return self._items("events", "list_rules", "Rules", f"list the rules {prefix}*", NamePrefix=prefix)

    def rule_targets(self, rule: str) -> list[Json]:
        """What a rule sends to; nothing when it is gone."""
        with self._unless_gone(f"list the targets of rule {rule}"):
            return list(self._items("events", "list_targets_by_rule", "Targets", f"read rule {rule}", Rule=rule))
        return []

    def put_rule(self, rule: Json, targets: Json) -> None:
        """Create a rule or replace all of it: its targets become these and no others."""
        name = rule["Name"]
        with self._translated(f"write rule {name}"):
            self._client("events").put_rule(**rule)
        kept = {target["Id"] for target in targets["Targets"]}
        self._remove_targets(name, [item["Id"] for item in self.rule_targets(name) if item["Id"] not in kept])
        with self._translated(f"write the target of rule {name}"):
            answer = self._client("events").put_targets(**targets)
        self._refuse_failed(answer, f"write the target of rule {name}")

    def delete_rule(self, name: str) -> None:
        """Delete a rule and, before it, its targets; one that is gone is fine."""
        self._remove_targets(name, [target["Id"] for target in self.rule_targets(name)])
        with self._unless_gone(f"delete rule {name}"):
            self._client("events").delete_rule(Name=name)

    def _remove_targets(self, rule: str, ids: list[str]) -> None:
        if not ids:
            return
        with self._unless_gone(f"remove the targets of rule {rule}"):
            answer = self._client("events").remove_targets(Rule=rule, Ids=ids)
            self._refuse_failed(answer, f"remove the targets of rule {rule}")

    def _refuse_failed(self, answer: Json, action: str) -> None:
        """EventBridge answers 200 also where it did not do it."""
        for entry in answer.get("FailedEntries") or ():
            code, what = entry.get("ErrorCode", ""), entry.get("ErrorMessage", "")
            where = f"environment {self.target.name} ({self.target.account}, {self.target.region})"
            fix = _FIXES.get(code, _OTHER_FIX).format(target=self.target)
            raise AwsError(f"cannot {action}: {code}: {what}", where=where, fix=fix, code=code)

    # Executions

    def start_execution(
        self, name: str, parameters: Mapping[str, str], select: Iterable[str] = (), source: str = ""
    ) -> str:
        """Start an execution; gives its ARN. With `select` those steps alone, upon the results of the source (ARN)."""
        listed = [{"Name": key, "Value": value} for key, value in parameters.items()]
        request: Json = {"PipelineName": name, **({"PipelineParameters": listed} if listed else {})}
        selected = [{"StepName": step} for step in select]
        if selected:
            origin = {"SourcePipelineExecutionArn": source} if source else {}
            request["SelectiveExecutionConfig"] = {"SelectedSteps": selected, **origin}
        answer = self._sagemaker("start_pipeline_execution", f"start pipeline {name}", **request)
        return str(answer["PipelineExecutionArn"])

    def retry_execution(self, arn: str) -> None:
        """Let an execution that has ended go on from where it failed or stopped."""
        self._sagemaker("retry_pipeline_execution", f"retry {arn}", PipelineExecutionArn=arn)

    def execution_parameters(self, arn: str) -> dict[str, str]:
        """The values of parameters that an execution was started with."""
        operation, key = "list_pipeline_parameters_for_execution", "PipelineParameters"
        items = self._items("sagemaker", operation, key, f"list the parameters of {arn}", PipelineExecutionArn=arn)
        return {item["Name"]: item["Value"] for item in items}

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
        operation, key = "list_pipeline_execution_steps", "PipelineExecutionSteps"
        request = {"PipelineExecutionArn": arn, "SortOrder": "Ascending"}
        return list(self._items("sagemaker", operation, key, f"list the steps of {arn}", **request))

    def executions(self, name: str, since: datetime | None = None) -> Iterator[Json]:
        """A pipeline's executions, newest first; with `since` those that began later."""
        operation, key = "list_pipeline_executions", "PipelineExecutionSummaries"
        request: Json = {"PipelineName": name, "SortBy": "CreationTime", "SortOrder": "Descending"}
        request |= {"CreatedAfter": since} if since else {}
        return self._items("sagemaker", operation, key, f"list the executions of {name}", **request)

    def cache_misses(self, arn: str) -> dict[str, str]:
        """Why the step cache had no result for a step, by step. The local SageMaker alone says so, at a door of its
        own: botocore drops what AWS's model does not have."""
        if self._endpoint is None:
            return {}
        with self._translated(f"ask for the cache misses of {arn}"):
            url = f"{self._endpoint.url}/_local/cache-misses?execution={quote(arn)}"
            request = botocore.awsrequest.AWSRequest("GET", url)
            response = botocore.httpsession.URLLib3Session(timeout=30).send(request.prepare())
        return dict(json.loads(response.content)) if response.status_code == 200 else {}

    def job(self, kind: str, name: str) -> Json:
        """The Describe response of a job; `kind` is ProcessingJob, TrainingJob or TransformJob."""
        operation = f"describe_{kind.removesuffix('Job').lower()}_job"
        return self._sagemaker(operation, f"describe job {name}", **{f"{kind}Name": name})

    def log_streams(self, group: str, prefix: str) -> list[str]:
        """The names of a log group's streams that begin with `prefix`; none when there is no such group."""
        action, request = f"list the logs of {prefix}", {"logGroupName": group, "logStreamNamePrefix": prefix}
        try:
            streams = self._items("logs", "describe_log_streams", "logStreams", action, **request)
            return [str(stream["logStreamName"]) for stream in streams]
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

    def _items(self, service: str, operation: str, key: str, action: str, **request: Any) -> Iterator[Json]:
        """The entries of all pages of a list."""
        with self._translated(action):
            for page in self._client(service).get_paginator(operation).paginate(**request):
                yield from page.get(key, [])

    def _client(self, service: str) -> Any:
        if service not in self._clients:
            self._session = self._session or _session(self.target, self._profile, local=self._endpoint is not None)
            if self._endpoint:
                self._clients[service] = self._session.client(
                    service, endpoint_url=self._endpoint.url, config=_LOCAL_CONFIG
                )
            else:
                self._clients[service] = self._session.client(service, config=_AWS_CONFIG)
        return self._clients[service]

    @contextmanager
    def _unless_gone(self, action: str) -> Iterator[None]:
        """For what need not be there."""
        try:
            with self._translated(action):
                yield
        except AwsError as error:
            if error.code != _NOT_FOUND:
                raise

    @contextmanager
    def _translated(self, action: str) -> Iterator[None]:
        with translated(action, self.target):
            yield


_AWS_CONFIG = botocore.config.Config(
    retries={"mode": "standard", "max_attempts": 8}, connect_timeout=10, read_timeout=60
)
_LOCAL_CONFIG = botocore.config.Config(
    # A server on this machine that refuses a connection has ended: waiting long for it helps nobody.
    retries={"mode": "standard", "max_attempts": 3},
    connect_timeout=10,
    read_timeout=60,
    proxies={},  # a proxy must not stand between a command and its own machine
    s3={"addressing_style": "path"},
)


def _session(target: Target, profile: str, *, local: bool) -> Any:
    """A session that names its region. The local SageMaker's uses nothing of the user's configuration."""
    if not local:
        return boto3.Session(region_name=target.region, profile_name=profile or None)
    # Every setting at its default, whatever variables and files would say; FIPS endpoints alone would break it.
    settings = botocore.configprovider.BOTOCORE_DEFAUT_SESSION_VARIABLES.items()
    session_vars = {name: (None, None, default, convert) for name, (_, _, default, convert) in settings}
    session_vars |= dict.fromkeys(("config_file", "credentials_file"), (None, None, os.devnull, None))
    core = botocore.session.Session(session_vars=session_vars)
    core.set_credentials("local", "local")
    return boto3.Session(botocore_session=core, region_name=target.region)


# Errors that pass by themselves, by AWS's code or botocore's class.
TRANSIENT = frozenset(
    {
        *("ConnectTimeoutError", "ConnectionClosedError", "EndpointConnectionError", "HTTPClientError"),
        *("IncompleteReadError", "ProxyConnectionError", "ReadTimeoutError", "ResponseStreamingError"),
        *("InternalFailure", "InternalServerError", "InternalServerException", "RequestTimeout"),
        *("RequestLimitExceeded", "SlowDown", "Throttling", "ThrottlingException", "TooManyRequestsException"),
        *("ServiceUnavailable", "ServiceUnavailableException", "500", "502", "503", "504"),
    }
)

# The credentials were good and are not any more: signing in again, in any shell, mends it.
EXPIRED = frozenset(
    {
        *("CredentialRetrievalError", "ExpiredToken", "ExpiredTokenException", "RequestExpired", "SSOTokenLoadError"),
        *("TokenRetrievalError", "UnauthorizedSSOTokenError"),
    }
)

_PERMISSION = "give your user this permission in account {target.account}"
_SIGN_IN = "sign in again (aws sso login), then repeat the command"
_CREDENTIALS = "check your AWS credentials: aws sts get-caller-identity"
_NO_CREDENTIALS = "sign in (aws sso login), or set AWS_PROFILE"
_PROFILE = "correct AWS_PROFILE, or the profile in ~/.aws/config"
_NETWORK = "check the network (a proxy? HTTPS_PROXY), then repeat the command"
_LATER = "wait a minute, then repeat the command"
_FIXES = {
    "403": _PERMISSION,
    "AccessDenied": _PERMISSION,
    "AccessDeniedException": _PERMISSION,
    "ExpiredToken": _SIGN_IN,
    "ExpiredTokenException": _SIGN_IN,
    "RequestExpired": _SIGN_IN,
    "LoginError": _SIGN_IN,
    "SSOError": _SIGN_IN,
    "TokenRetrievalError": _SIGN_IN,
    "InvalidAccessKeyId": _CREDENTIALS,
    "InvalidClientTokenId": _CREDENTIALS,
    "SignatureDoesNotMatch": _CREDENTIALS,
    "UnrecognizedClientException": _CREDENTIALS,
    "CredentialRetrievalError": _NO_CREDENTIALS,
    "NoCredentialsError": _NO_CREDENTIALS,
    "PartialCredentialsError": _NO_CREDENTIALS,
    "ConfigNotFound": _PROFILE,
    "ConfigParseError": _PROFILE,
    "InvalidConfigError": _PROFILE,
    "ProfileNotFound": _PROFILE,
    "NoSuchBucket": "create the bucket, or correct `bucket:` of environment {target.name}",
    "404": "create the bucket, or correct `bucket:` of environment {target.name}",
    "ResourceLimitExceeded": "ask for a higher quota in account {target.account}, {target.region}",
    "ConnectionError": _NETWORK,
    "HTTPClientError": _NETWORK,
    "SlowDown": _LATER,
    "Throttling": _LATER,
    "ThrottlingException": _LATER,
    "TooManyRequestsException": _LATER,
}
_OTHER_FIX = "change what AWS names, then repeat the command"
_LOCAL_FIX = "repeat the command: it starts the local SageMaker again; .pipelines/local/server.log says why it ended"


@contextmanager
def translated(action: str, target: Target) -> Iterator[None]:
    """Errors of botocore and boto3 as `AwsError`: what was tried, what AWS said, what to do."""
    try:
        yield
    except (
        botocore.exceptions.ClientError,
        botocore.exceptions.BotoCoreError,
        botocore.exceptions.UndefinedModelAttributeError,
        boto3.exceptions.Boto3Error,
    ) as error:
        raise _aws_error(error, action, target) from error


def _aws_error(error: Exception, action: str, target: Target) -> AwsError:
    refusal = _refusal(error)
    # A class and those it derives from: one fix serves a family.
    families = [family.__name__ for family in type(error).__mro__]
    code = str(refusal.get("Code") or families[0])
    said = f"{code}: {refusal.get('Message', '')}" if refusal else str(error)
    fix = next((_FIXES[name] for name in (code, *families) if name in _FIXES), _OTHER_FIX)
    if target.is_local and fix == _NETWORK:
        fix = _LOCAL_FIX
    where = f"environment {target.name} ({target.account}, {target.region})"
    return AwsError(f"cannot {action}: {said}", where=where, fix=fix.format(target=target), code=code)


def _refusal(error: BaseException) -> Json:
    """What the service answered, also where boto3 wraps it; empty when it did not answer."""
    cause = error if isinstance(error, botocore.exceptions.ClientError) else error.__cause__ or error.__context__
    return dict(cause.response.get("Error", {})) if isinstance(cause, botocore.exceptions.ClientError) else {}
