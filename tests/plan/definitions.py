"""Definitions and desired states for the tests of plans, built from few words."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from pipelines.definition import Definition, parse
from pipelines.plan import Desired, Image, Upload

Json = dict[str, Any]
BUCKET = "team-dev"
REGISTRY = "111111111111.dkr.ecr.eu-central-1.amazonaws.com"
ROLE = "arn:aws:iam::111111111111:role/pipelines"


def get(text: str) -> Json:
    return {"Get": text}


def output(step: str, name: str) -> Json:
    """What reads an output of a step."""
    return get(f"Steps.{step}.ProcessingOutputConfig.Outputs['{name}'].S3Output.S3Uri")


def own_uri(step: str, name: str) -> Json:
    """The URI of an output that is another one in each execution."""
    values = ["s3:/", BUCKET, "demo", get("Execution.PipelineExecutionId"), step, name]
    return {"Std:Join": {"On": "/", "Values": values}}


def processing(
    name: str,
    *,
    inputs: Json | None = None,
    outputs: Json | None = None,
    arguments: list[Any] | None = None,
    cache: str | None = None,
    **more: Any,
) -> Json:
    """A Processing step; `outputs` are names with their URIs, None being one of the execution's own."""
    app: Json = {"ImageUri": more.pop("image", f"{REGISTRY}/demo:src-1"), "ContainerEntrypoint": ["python3", "job.py"]}
    if arguments is not None:
        app["ContainerArguments"] = arguments
    body: Json = {
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": more.pop("instance_type", "ml.m5.xlarge"),
                "InstanceCount": 1,
                "VolumeSizeInGB": 30,
            }
        },
        "AppSpecification": app,
        "RoleArn": ROLE,
        "ProcessingInputs": [_input(key, uri) for key, uri in (inputs or {}).items()],
        "ProcessingOutputConfig": {
            "Outputs": [_output(key, uri or own_uri(name, key)) for key, uri in (outputs or {}).items()]
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": more.pop("max_runtime", 3600)},
    }
    if "environment" in more:
        body["Environment"] = more.pop("environment")
    step = {"Name": name, "Type": "Processing", "Arguments": body, **more}
    return step | ({"CacheConfig": {"Enabled": True, "ExpireAfter": cache}} if cache else {})


def _input(name: str, uri: Any) -> Json:
    source = {
        "S3Uri": uri,
        "LocalPath": f"/opt/ml/processing/input/{name}",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
        "S3CompressionType": "None",
    }
    return {"InputName": name, "AppManaged": False, "S3Input": source}


def _output(name: str, uri: Any) -> Json:
    place = {"S3Uri": uri, "LocalPath": f"/opt/ml/processing/output/{name}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "AppManaged": False, "S3Output": place}


def training(name: str, *, inputs: Json, cache: str | None = None, hyperparameters: Json | None = None) -> Json:
    channels = [
        {"ChannelName": key, "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
        for key, uri in inputs.items()
    ]
    body = {
        "AlgorithmSpecification": {"TrainingImage": f"{REGISTRY}/demo:src-1", "TrainingInputMode": "File"},
        "InputDataConfig": channels,
        "HyperParameters": hyperparameters or {},
        "OutputDataConfig": {"S3OutputPath": own_uri(name, "model")},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 86400},
    }
    step = {"Name": name, "Type": "Training", "Arguments": body}
    return step | ({"CacheConfig": {"Enabled": True, "ExpireAfter": cache}} if cache else {})


def condition(
    name: str, conditions: list[Json], then: list[Json] | None = None, other: list[Json] | None = None
) -> Json:
    body = {"Conditions": conditions, "IfSteps": then or [], "ElseSteps": other or []}
    return {"Name": name, "Type": "Condition", "Arguments": body}


def fail(name: str, message: Any = "it failed") -> Json:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}}


def parameter(name: str, kind: str = "String", default: Any = None, **more: Any) -> Json:
    return {"Name": name, "Type": kind, **({} if default is None else {"DefaultValue": default}), **more}


def document(*steps: Json, parameters: tuple[Json, ...] = (), **more: Any) -> Json:
    return {"Version": "2020-12-01", "Metadata": {}, "Parameters": list(parameters), **more, "Steps": list(steps)}


def define(*steps: Json, parameters: tuple[Json, ...] = (), **more: Any) -> Definition:
    return parse(json.dumps(document(*steps, parameters=parameters, **more)))


def upload(name: str, content: str = "") -> Upload:
    sha256 = hashlib.sha256((content or name).encode()).hexdigest()
    return Upload(BUCKET, f"demo/assets/{sha256[:8]}/{name}", sha256, name)


def image(tag: str = "src-1") -> Image:
    return Image(f"{REGISTRY}/demo:{tag}", "demo", tag, "container")


def wanted(definition: Definition | None = None, **more: Any) -> Desired:
    """A desired state with nothing special in it."""
    place = {
        "pipeline": "demo",
        "environment": "dev",
        "account": "111111111111",
        "region": "eu-central-1",
        "bucket": BUCKET,
        "prefix": "demo",
        "role": ROLE,
        "definition": definition or define(fail("End")),
    }
    return Desired(**place | more)


def chain(steps: int, instance: str) -> Definition:
    """A chain of cached steps, each with two inputs, two outputs and arguments."""
    found = [processing("S0", outputs={"out": None}, cache="P30D")]
    for number in range(1, steps):
        inputs = {"previous": output(f"S{number - 1}", "out"), "raw": "s3://b/raw/"}
        arguments = ["--number", str(number), "--instance", instance]
        found.append(
            processing(
                f"S{number}",
                inputs=inputs,
                outputs={"out": None, "more": None},
                instance_type=instance,
                cache="P30D",
                arguments=arguments,
            )
        )
    return parse(json.dumps(document(*found)))
