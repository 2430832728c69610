"""Small valid definitions, and how to change one place of them."""

from __future__ import annotations

import copy
import json
from typing import Any, Final

from pipelines.definition import Definition, parse

ROLE: Final = "arn:aws:iam::111122223333:role/pipelines"
IMAGE: Final = "111122223333.dkr.ecr.eu-central-1.amazonaws.com/flights:src-52baf7a66f746f9d"
GONE: Final = object()

Json = dict[str, Any]


def get(text: str) -> Json:
    return {"Get": text}


def join(on: str, *values: Any) -> Json:
    return {"Std:Join": {"On": on, "Values": list(values)}}


def own_uri(*parts: Any) -> Json:
    return join("/", "s3:/", "bucket", get("Execution.PipelineExecutionId"), *parts)


def source(name: str, uri: Any = "s3://bucket/raw/", **more: Any) -> Json:
    s3 = {
        "S3Uri": uri,
        "LocalPath": f"/opt/ml/processing/input/{name}",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
    }
    return {"InputName": name, "S3Input": {**s3, **more}}


def output(step: str, name: str, **more: Any) -> Json:
    s3 = {"S3Uri": own_uri(step, name), "LocalPath": f"/opt/ml/processing/output/{name}", "S3UploadMode": "EndOfJob"}
    return {"OutputName": name, "S3Output": {**s3, **more}}


def processing(name: str = "Prep", **envelope: Any) -> Json:
    """A processing step with input `raw` and outputs `train` and `report`."""
    arguments = {
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30}
        },
        "AppSpecification": {"ImageUri": IMAGE, "ContainerEntrypoint": ["python3", "-m", "processing"]},
        "RoleArn": ROLE,
        "ProcessingInputs": [source("raw")],
        "ProcessingOutputConfig": {"Outputs": [output(name, "train"), output(name, "report")]},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, **envelope}


def training(name: str = "Train", uri: Any = "s3://bucket/train/", **envelope: Any) -> Json:
    arguments = {
        "AlgorithmSpecification": {"TrainingImage": IMAGE, "TrainingInputMode": "File"},
        "InputDataConfig": [
            {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": uri}}}
        ],
        "OutputDataConfig": {"S3OutputPath": "s3://bucket/models"},
        "ResourceConfig": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "RoleArn": ROLE,
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
    }
    return {"Name": name, "Type": "Training", "Arguments": arguments, **envelope}


def transform(name: str = "Score", **envelope: Any) -> Json:
    arguments = {
        "ModelName": "model",
        "TransformInput": {"DataSource": {"S3DataSource": {"S3DataType": "S3Prefix", "S3Uri": "s3://bucket/x/"}}},
        "TransformOutput": {"S3OutputPath": own_uri(name)},
        "TransformResources": {"InstanceType": "ml.m5.xlarge", "InstanceCount": 1},
    }
    return {"Name": name, "Type": "Transform", "Arguments": arguments, **envelope}


def register(name: str = "Register", **envelope: Any) -> Json:
    arguments = {
        "ModelPackageGroupName": "flights",
        "InferenceSpecification": {
            "Containers": [{"Image": IMAGE, "ModelDataUrl": "s3://bucket/models/model.tar.gz"}],
            "SupportedContentTypes": ["text/csv"],
            "SupportedResponseMIMETypes": ["text/csv"],
        },
    }
    return {"Name": name, "Type": "RegisterModel", "Arguments": arguments, **envelope}


def endpoint_config(name: Any) -> Json:
    variants = [{"VariantName": "all", "ModelName": "model", "InstanceType": "ml.m5.xlarge", "InitialInstanceCount": 1}]
    return {
        "Name": "Config",
        "Type": "EndpointConfig",
        "Arguments": {"EndpointConfigName": name, "ProductionVariants": variants},
    }


def call(name: str = "Call", *outputs: Any, **arguments: Any) -> Json:
    """A Lambda step; outputs are (name, type)."""
    return {
        "Name": name,
        "Type": "Lambda",
        "Arguments": arguments,
        "FunctionArn": "arn:aws:lambda:eu-central-1:111122223333:function:f",
        "OutputParameters": [{"OutputName": key, "OutputType": kind} for key, kind in outputs],
    }


def fail(message: Any = "no", name: str = "Stop", **envelope: Any) -> Json:
    return {"Name": name, "Type": "Fail", "Arguments": {"ErrorMessage": message}, **envelope}


def gate(*conditions: Any, then: Any = (), otherwise: Any = (), name: str = "Gate", **envelope: Any) -> Json:
    arguments = {"Conditions": list(conditions), "IfSteps": list(then), "ElseSteps": list(otherwise)}
    return {"Name": name, "Type": "Condition", "Arguments": arguments, **envelope}


def equals(left: Any = 1, right: Any = 1) -> Json:
    return {"Type": "Equals", "LeftValue": left, "RightValue": right}


def loop(*body: Any, **arguments: Any) -> Json:
    given = {"IterableItems": ["a", "b"], "MaxConcurrency": 2, "ForEachBody": list(body), **arguments}
    return {"Name": "Loop", "Type": "ForEach", "Arguments": given}


def looped(name: str = "Each") -> Json:
    """A processing step for the body of a loop: its outputs differ per item."""
    step = processing(name)
    for index, key in enumerate(("train", "report")):
        item = own_uri(name, get("ForEach.CurrentItem"), key)
        step = changed(step, f"Arguments.ProcessingOutputConfig.Outputs.{index}.S3Output.S3Uri", item)
    return step


def parameter(name: str, kind: str = "String", default: Any = None, **more: Any) -> Json:
    return {"Name": name, "Type": kind, **({} if default is None else {"DefaultValue": default}), **more}


def document(*steps: Any, parameters: Any = (), **rest: Any) -> Json:
    return {"Version": "2020-12-01", "Parameters": list(parameters), "Steps": list(steps), **rest}


def changed(value: Any, path: str, new: Any) -> Any:
    """A copy with another value at a place such as `Arguments.ProcessingInputs.0.InputName`; GONE removes it."""
    copied = copy.deepcopy(value)
    holder = copied
    *before, last = [int(key) if key.isdigit() else key for key in path.split(".")]
    for key in before:
        holder = holder[key] if isinstance(holder, list) else holder.setdefault(key, {})
    if new is GONE:
        del holder[last]
    else:
        holder[last] = new
    return copied


def defined(value: Json) -> Definition:
    return parse(json.dumps(value))
