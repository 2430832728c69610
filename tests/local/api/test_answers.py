"""What the operations on pipelines answer has the members and types of AWS's own model, and nothing else."""

from __future__ import annotations

import http.client
import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from botocore.loaders import Loader
from botocore.model import ServiceModel

from tests.local.local_aws import ROLE, LocalAws, definition, fail, fresh, get

MODEL = ServiceModel(Loader().load_service_model("sagemaker", "service-2"))
TYPES = {"string": str, "integer": int, "long": int, "boolean": bool, "timestamp": (int, float), "map": dict}


def faults(shape: Any, value: Any, where: str) -> Iterator[str]:
    """Where a JSON value is not what a shape of the model says."""
    if shape.type_name == "structure" and isinstance(value, dict):
        yield from (f"{where} has no {name}" for name in shape.required_members if name not in value)
        for name, inner in value.items():
            if name not in shape.members:
                yield f"{where}.{name} is not in the model"
            else:
                yield from faults(shape.members[name], inner, f"{where}.{name}")
    elif shape.type_name == "list" and isinstance(value, list):
        for item in value:
            yield from faults(shape.member, item, f"{where}[]")
    elif not isinstance(value, TYPES.get(shape.type_name, ())):
        yield f"{where} is no {shape.type_name}: {value!r}"


def ask(aws: LocalAws, operation: str, **request: Any) -> dict[str, Any]:
    connection = http.client.HTTPConnection("127.0.0.1", urlsplit(aws.endpoint).port or 0, timeout=300)
    headers = {"X-Amz-Target": f"SageMaker.{operation}", "Content-Type": "application/x-amz-json-1.1"}
    try:
        connection.request("POST", "/", json.dumps(request), headers)
        answered = connection.getresponse()
        answer: dict[str, Any] = json.loads(answered.read())
    finally:
        connection.close()
    assert answered.status == 200, answer
    assert list(faults(MODEL.operation_model(operation).output_shape, answer, operation)) == []
    return answer


def test_every_answer_is_as_the_model_has_it(aws: LocalAws) -> None:
    name = fresh()
    cached = {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"}}
    loop = {
        "IterableItems": ["a"],
        "MaxConcurrency": 1,
        "ForEachBody": [aws.step("Each", arguments=[get("ForEach.CurrentItem")])],
    }
    steps = [
        aws.step("First") | cached,
        {"Name": "Loop", "Type": "ForEach", "Arguments": loop},
        aws.step("Last", "sys.exit(1)", after=["First", "Loop"]),
    ]
    parameters = [{"Name": "P", "Type": "String", "DefaultValue": "x"}]
    created = {"PipelineName": name, "PipelineDefinition": definition(steps, parameters), "RoleArn": ROLE}
    pipeline = ask(aws, "CreatePipeline", **created, ClientRequestToken="c" * 32, PipelineVersionAliases=["one"])[
        "PipelineArn"
    ]
    ask(
        aws,
        "UpdatePipeline",
        PipelineName=name,
        PipelineDefinition=definition([fail()]),
        ParallelismConfiguration={"MaxParallelExecutionSteps": 2},
    )
    ask(aws, "UpdatePipelineVersion", PipelineArn=pipeline, PipelineVersionId=1, PipelineVersionDescription="first")
    start = {"PipelineName": name, "PipelineVersionAlias": "one", "PipelineParameters": [{"Name": "P", "Value": "y"}]}
    source = ask(aws, "StartPipelineExecution", **start, ClientRequestToken="s" * 32)["PipelineExecutionArn"]
    assert aws.wait(source).status == "Failed"
    config = {"SelectedSteps": [{"StepName": "Last"}], "SourcePipelineExecutionArn": source}
    arn = ask(aws, "StartPipelineExecution", **start, SelectiveExecutionConfig=config, ClientRequestToken="t" * 32)[
        "PipelineExecutionArn"
    ]
    ask(aws, "UpdatePipelineExecution", PipelineExecutionArn=arn, PipelineExecutionDescription="selected")
    aws.wait(arn)
    ask(aws, "RetryPipelineExecution", PipelineExecutionArn=arn, ClientRequestToken="r" * 32)
    aws.wait(arn)
    third = ask(aws, "StartPipelineExecution", **start, ClientRequestToken="u" * 32)["PipelineExecutionArn"]
    aws.wait(third)
    for execution in (source, arn, third):
        for operation in (
            "DescribePipelineExecution",
            "DescribePipelineDefinitionForExecution",
            "ListPipelineExecutionSteps",
            "ListPipelineParametersForExecution",
        ):
            ask(aws, operation, PipelineExecutionArn=execution)
    for operation in ("DescribePipeline", "ListPipelineVersions", "ListPipelineExecutions"):
        ask(aws, operation, PipelineName=name)
    assert ask(aws, "ListPipelines", PipelineNamePrefix=name)["PipelineSummaries"]
    ask(aws, "DeletePipeline", PipelineName=name, ClientRequestToken="d" * 32)
