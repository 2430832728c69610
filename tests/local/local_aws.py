"""A local SageMaker and what tests do with it: programs as steps, executions run to their end.

A program is Python; `ML` is its /opt/ml, also on machines that cannot give it a private one.
"""

from __future__ import annotations

import hashlib
import json
import socket
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

import boto3
from botocore.config import Config

from pipelines.local.home import Home

Json = dict[str, Any]
ROLE = "arn:aws:iam::123456789012:role/pipelines"
REGION = "eu-central-1"
TERMINAL = ("Succeeded", "Failed", "Stopped", "CompletedWithFailures")
IMAGE = "123456789012.dkr.ecr.eu-central-1.amazonaws.com/docker-hub/library/python:3"
BUCKET = "data"
PRELUDE = """
import json, os, signal, sys, time
from pathlib import Path
ML = Path(os.environ.get("OPT_ML", "/opt/ml"))
signal.signal(signal.SIGTERM, lambda *_: os._exit(143))  # the first process of a container has no default
"""
_SECONDS = 180.0  # a deadline for a loaded machine; nothing waits as long as that


def eventually(found: Callable[[], Any], what: str = "it", seconds: float = _SECONDS) -> Any:
    """The first true value of `found`; fails when there is none in time."""
    deadline = time.monotonic() + seconds
    while not (value := found()):
        assert time.monotonic() < deadline, f"{what} did not come true within {seconds} s"
        time.sleep(0.03)
    return value


class Gate:
    """Where programs wait until the test lets them go on, however late either of them comes.

    `line` is the statement that waits, in a program upon the machine's network.
    """

    def __init__(self) -> None:
        self._listening = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._listening.settimeout(_SECONDS)
        self._waiting: list[socket.socket] = []
        port = self._listening.getsockname()[1]
        self.line = f"__import__('socket').create_connection(('127.0.0.1', {port})).recv(1)"

    def reached(self, count: int = 1) -> None:
        """Returns when so many more programs wait."""
        for _ in range(count):
            self._waiting.append(self._listening.accept()[0])

    def open(self) -> None:
        """Lets those go on that have reached it."""
        for waiting in self._waiting:
            waiting.close()
        self._waiting.clear()

    def close(self) -> None:
        self.open()
        self._listening.close()


@dataclass(frozen=True)
class Ended:
    """An execution that has ended: its description, and its steps by name."""

    arn: str
    described: Json
    steps: dict[str, Json]

    @property
    def status(self) -> str:
        return str(self.described["PipelineExecutionStatus"])

    def statuses(self) -> dict[str, str]:
        return {name: step["StepStatus"] for name, step in self.steps.items()}


@dataclass
class LocalAws:
    """boto3 upon an endpoint."""

    endpoint: str
    home: Home
    _clients: dict[str, Any] = field(default_factory=dict)

    def client(self, service: str, region: str = REGION) -> Any:
        """A client that never tries again: what is answered is seen."""
        key = f"{service}/{region}"
        if key not in self._clients:
            self._clients[key] = boto3.client(
                service,
                endpoint_url=self.endpoint,
                region_name=region,
                aws_access_key_id="local",
                aws_secret_access_key="local",
                config=Config(retries={"total_max_attempts": 1}, proxies={}, s3={"addressing_style": "path"}),
            )
        return self._clients[key]

    @property
    def sagemaker(self) -> Any:
        return self.client("sagemaker")

    @property
    def s3(self) -> Any:
        return self.client("s3")

    @property
    def logs(self) -> Any:
        return self.client("logs")

    def close(self) -> None:
        for client in self._clients.values():
            client.close()

    # Objects

    def put(self, key: str, body: bytes | str) -> str:
        """Write an object of the tests' bucket; gives its URI."""
        with suppress(self.s3.exceptions.BucketAlreadyOwnedByYou):
            self.s3.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
        self.s3.put_object(Bucket=BUCKET, Key=key, Body=body if isinstance(body, bytes) else body.encode())
        return f"s3://{BUCKET}/{key}"

    def get(self, uri: str) -> bytes:
        bucket, _, key = uri.removeprefix("s3://").partition("/")
        body = self.s3.get_object(Bucket=bucket, Key=key)["Body"]
        with body:
            return bytes(body.read())

    def keys(self, prefix: str) -> list[str]:
        return [item["Key"] for item in self.s3.list_objects_v2(Bucket=BUCKET, Prefix=prefix).get("Contents", [])]

    # Definitions

    def program(self, code: str) -> str:
        """Keep a program; gives its URI."""
        text = PRELUDE + code
        return self.put(f"programs/{hashlib.sha256(text.encode()).hexdigest()}/main.py", text)

    def job(
        self,
        code: str = "",
        *,
        inputs: Mapping[str, Any] | None = None,
        outputs: Mapping[str, Any] | None = None,
        arguments: Sequence[Any] = (),
        **more: Any,
    ) -> Json:
        """The arguments of a Processing job that runs a program; inputs and outputs are URIs by name."""
        base = "/opt/ml/processing"
        sources = {"code": self.program(code), **(inputs or {})}
        application = {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", f"{base}/input/code/main.py"]}
        cluster = {"InstanceCount": 1, "InstanceType": "ml.t3.medium", "VolumeSizeInGB": 1}
        job = {
            "AppSpecification": application | ({"ContainerArguments": list(arguments)} if arguments else {}),
            "ProcessingResources": {"ClusterConfig": cluster},
            "ProcessingInputs": [processing_input(name, uri, f"{base}/input/{name}") for name, uri in sources.items()],
            "RoleArn": ROLE,
        }
        if outputs:
            listed = [processing_output(name, uri, f"{base}/output/{name}") for name, uri in outputs.items()]
            job["ProcessingOutputConfig"] = {"Outputs": listed}
        return job | more

    def step(
        self, name: str, code: str = "", *, after: Sequence[Any] = (), files: Sequence[Any] = (), **job: Any
    ) -> Json:
        """A Processing step that runs a program."""
        step = {"Name": name, "Type": "Processing", "Arguments": self.job(code, **job)}
        if after:
            step["DependsOn"] = list(after)
        if files:
            step["PropertyFiles"] = list(files)
        return step

    def training(self, code: str, *, channels: Mapping[str, Any] | None = None, **more: Any) -> Json:
        """The arguments of a Training job that runs a program."""
        entrypoint = ["python3", "/opt/ml/input/data/code/main.py"]
        sources = {"code": self.program(code), **(channels or {})}
        return {
            "AlgorithmSpecification": {
                "TrainingImage": IMAGE,
                "TrainingInputMode": "File",
                "ContainerEntrypoint": entrypoint,
            },
            "InputDataConfig": [
                {"ChannelName": name, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
                for name, uri in sources.items()
            ],
            "OutputDataConfig": {"S3OutputPath": f"s3://{BUCKET}/models"},
            "ResourceConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.large", "VolumeSizeInGB": 1},
            "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
            "RoleArn": ROLE,
        } | more

    # Pipelines and executions

    def create(self, steps: Sequence[Json], parameters: Sequence[Json] = (), **more: Any) -> str:
        """A new pipeline of these steps; gives its name."""
        name = fresh()
        text = definition(steps, parameters)
        self.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=text, RoleArn=ROLE, **more)
        return name

    def start(self, pipeline: str, **more: Any) -> str:
        return str(self.sagemaker.start_pipeline_execution(PipelineName=pipeline, **more)["PipelineExecutionArn"])

    def run(self, steps: Sequence[Json], parameters: Sequence[Json] = (), **more: Any) -> Ended:
        """A new pipeline, executed to its end."""
        return self.wait(self.start(self.create(steps, parameters), **more))

    def status(self, arn: str) -> str:
        return str(self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)["PipelineExecutionStatus"])

    def steps(self, arn: str) -> dict[str, Json]:
        listed = self.sagemaker.list_pipeline_execution_steps(PipelineExecutionArn=arn)["PipelineExecutionSteps"]
        return {step["StepName"]: step for step in listed}

    def wait(self, arn: str) -> Ended:
        """An execution, when it has ended."""
        eventually(lambda: self.status(arn) in TERMINAL, f"the end of {arn}")
        return Ended(arn, self.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn), self.steps(arn))

    def wait_for_step(self, arn: str, name: str, status: str = "Executing") -> Json:
        """A step, when it has a status; a program that writes `begun` to its log has begun."""
        return eventually(lambda: (step := self.steps(arn).get(name, {})).get("StepStatus") == status and step, name)

    def wait_for_job(self, name: str, kind: str = "processing") -> Json:
        """The description of a job, when it has ended."""
        title, describe = kind.title(), getattr(self.sagemaker, f"describe_{kind}_job")
        request = {f"{title}JobName": name}
        ended = ("Completed", "Failed", "Stopped")
        return eventually(lambda: (job := describe(**request))[f"{title}JobStatus"] in ended and job, name)

    def run_job(self, arguments: Json, kind: str = "processing", **more: Any) -> Json:
        """A job by itself, run to its end."""
        name = fresh()
        create = getattr(self.sagemaker, f"create_{kind}_job")
        create(**{f"{kind.title()}JobName": name}, **arguments, **more)
        return self.wait_for_job(name, kind)

    def log(self, job: str, kind: str = "Processing") -> list[str]:
        """The lines of a job's log so far."""
        group = f"/aws/sagemaker/{kind}Jobs"
        try:
            events = self.logs.get_log_events(logGroupName=group, logStreamName=f"{job}/algo-1", startFromHead=True)
        except self.logs.exceptions.ResourceNotFoundException:
            return []
        return [event["message"] for event in events["events"]]

    def wait_for_line(self, job: str, line: str) -> None:
        eventually(lambda: line in self.log(job), f"the line {line!r} of {job}")


def fresh() -> str:
    """A name that nobody has."""
    return f"t-{uuid.uuid4().hex[:12]}"


def job_of(step: Json) -> str:
    """The name of a step's job (in lower case, as ARNs have it)."""
    (metadata,) = step["Metadata"].values()
    return str(metadata["Arn"]).rpartition("/")[2]


def processing_input(name: str, uri: Any, path: str, **more: Any) -> Json:
    source = {"S3Uri": uri, "LocalPath": path, "S3DataType": "S3Prefix", "S3InputMode": "File"} | more
    return {"InputName": name, "AppManaged": False, "S3Input": source}


def processing_output(name: str, uri: Any, path: str, mode: str = "EndOfJob") -> Json:
    return {"OutputName": name, "S3Output": {"S3Uri": uri, "LocalPath": path, "S3UploadMode": mode}}


def definition(steps: Sequence[Json], parameters: Sequence[Json] = ()) -> str:
    """The text of a definition."""
    return json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": list(parameters), "Steps": list(steps)})


def fail(name: str = "Stop", message: Any = "no", **more: Any) -> Json:
    """A Fail step: the shortest pipeline there is."""
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **more}


def condition(name: str, *conditions: Json, then: Sequence[Json] = (), otherwise: Sequence[Json] = ()) -> Json:
    arguments = {"Conditions": list(conditions), "IfSteps": list(then), "ElseSteps": list(otherwise)}
    return {"Name": name, "Type": "Condition", "Arguments": arguments}


def compare(kind: str, left: Any, right: Any) -> Json:
    return {"Type": kind, "LeftValue": left, "RightValue": right}


def get(path: str) -> Json:
    return {"Get": path}


def output_of(step: str, output: str) -> Json:
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{output}'].S3Output.S3Uri")
