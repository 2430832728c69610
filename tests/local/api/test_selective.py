"""Selective execution, with boto3: chosen steps run upon the results of an earlier execution."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.api.test_pipelines import refused
from tests.local.local_aws import BUCKET, Ended, LocalAws, fail, fresh, get, output_of
from tests.local.test_daemon import SLEEP, begun

WRITE = "(ML / 'processing/output/out/value').write_text(sys.argv[1])"
CHECK = "assert (ML / 'processing/input/in/value').read_text() == sys.argv[1]"
VALUE = [{"Name": "Value", "Type": "String", "DefaultValue": "one"}]


def three(aws: LocalAws) -> str:
    """A pipeline of a step that writes, one that reads it, and one after that; its name."""
    place = {"Std:Join": {"On": "/", "Values": [f"s3://{BUCKET}/{fresh()}", get("Execution.PipelineExecutionId")]}}
    value = [get("Parameters.Value")]
    first = aws.step("First", WRITE, arguments=value, outputs={"out": place})
    second = aws.step("Second", CHECK, arguments=value, inputs={"in": output_of("First", "out")})
    return aws.create([first, second, aws.step("Third", after=["Second"])], VALUE)


def config(*names: str, source: str | None = None) -> dict[str, Any]:
    found: dict[str, Any] = {"SelectedSteps": [{"StepName": name} for name in names]}
    return {"SelectiveExecutionConfig": found | ({"SourcePipelineExecutionArn": source} if source else {})}


def sources(ended: Ended) -> dict[str, str | None]:
    return {
        name: step.get("SelectiveExecutionResult", {}).get("SourcePipelineExecutionArn")
        for name, step in ended.steps.items()
    }


def test_selected_steps_run_upon_the_results_of_the_source(aws: LocalAws) -> None:
    pipeline = three(aws)
    source = aws.wait(aws.start(pipeline))
    chosen = config("Second", source=source.arn)
    ended = aws.wait(aws.start(pipeline, **chosen))
    assert ended.status == "Succeeded"
    assert sources(ended) == {"First": source.arn, "Second": None}
    assert ended.steps["First"]["Metadata"] == source.steps["First"]["Metadata"]
    assert ended.steps["Second"]["Metadata"] != source.steps["Second"]["Metadata"]
    assert ended.described["SelectiveExecutionConfig"] == chosen["SelectiveExecutionConfig"]


def test_the_first_steps_need_no_source(aws: LocalAws) -> None:
    ended = aws.wait(aws.start(three(aws), **config("First", "Second")))
    assert (ended.status, sources(ended)) == ("Succeeded", {"First": None, "Second": None})


def test_parameters_are_those_of_the_new_execution(aws: LocalAws) -> None:
    pipeline = three(aws)
    other = [{"Name": "Value", "Value": "two"}]
    source = aws.wait(aws.start(pipeline, PipelineParameters=other))
    alone = aws.wait(aws.start(pipeline, **config("Second", source=source.arn)))
    assert alone.statuses()["Second"] == "Failed"  # its Value is the default again
    same = aws.wait(aws.start(pipeline, PipelineParameters=other, **config("Second", source=source.arn)))
    assert same.statuses() == {"First": "Succeeded", "Second": "Succeeded"}


def test_a_selective_execution_that_failed_goes_on_with_its_steps_alone(aws: LocalAws) -> None:
    pipeline = three(aws)
    other = [{"Name": "Value", "Value": "two"}]
    source = aws.wait(aws.start(pipeline, PipelineParameters=other))
    failed = aws.wait(aws.start(pipeline, **config("Second", source=source.arn)))
    aws.sagemaker.retry_pipeline_execution(PipelineExecutionArn=failed.arn)
    again = aws.wait(failed.arn)
    assert again.statuses() == {"First": "Succeeded", "Second": "Failed"}
    assert (sources(again)["First"], again.steps["Second"]["AttemptCount"]) == (source.arn, 2)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        (
            ("Second",),
            "Invalid SourcePipelineExecutionArn: null. The selected steps [Second] have dependencies on [First]",
        ),
        (("First", "Third"), "do not include the steps [Second], which lie between them"),
        (("Secnod",), 'the pipeline has no step [Secnod] to select; the nearest is "Second"'),
    ],
)
def test_a_selection_that_cannot_run_is_refused_and_nothing_starts(
    aws: LocalAws, names: tuple[str, ...], reason: str
) -> None:
    pipeline = three(aws)
    with refused("ValidationException", reason):
        aws.start(pipeline, **config(*names))
    assert aws.sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"] == []


def test_a_source_is_an_ended_execution_of_the_same_pipeline(aws: LocalAws) -> None:
    pipeline, other = three(aws), aws.wait(aws.start(aws.create([fail()]))).arn
    with refused("ValidationException", f"Invalid SourcePipelineExecutionArn: {other}. It is of another pipeline"):
        aws.start(pipeline, **config("Second", source=other))
    missing = other[:-1] + "_"
    with refused("ResourceNotFound", f"Pipeline execution {missing} does not exist"):
        aws.start(pipeline, **config("Second", source=missing))
    sleeping = aws.create([aws.step("First", SLEEP), aws.step("Second", after=["First"])])
    source = aws.start(sleeping)
    begun(aws, source, "First")
    with refused("ValidationException", "Its status is Executing; it must be Failed or Succeeded"):
        aws.start(sleeping, **config("Second", source=source))
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=source)
    aws.wait(source)
    with refused("ValidationException", "Its status is Stopped; it must be Failed or Succeeded"):
        aws.start(sleeping, **config("Second", source=source))
