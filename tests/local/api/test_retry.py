"""RetryPipelineExecution and UpdatePipelineExecution, with boto3."""

from __future__ import annotations

import pytest

from tests.local.api.test_pipelines import refused
from tests.local.local_aws import BUCKET, LocalAws, compare, condition, fail, fresh, output_of
from tests.local.test_daemon import begun

WRITE = "(ML / 'processing/output/out/value').write_text('1')"
NEEDS = "assert (ML / 'processing/input/in/value').exists(); assert (ML / 'processing/input/more/it').exists()"
SLEEP = "print('begun', flush=True); time.sleep(600)"


def retry(aws: LocalAws, arn: str, **more: object) -> str:
    return str(aws.sagemaker.retry_pipeline_execution(PipelineExecutionArn=arn, **more)["PipelineExecutionArn"])


def test_a_failed_execution_goes_on_from_the_failed_step_under_its_arn(aws: LocalAws) -> None:
    base = f"{fresh()}"
    first = aws.step("First", WRITE, outputs={"out": f"s3://{BUCKET}/{base}/first"})
    inputs = {"in": output_of("First", "out"), "more": f"s3://{BUCKET}/{base}/more/"}
    pipeline = aws.create([first, aws.step("Second", NEEDS, inputs=inputs), aws.step("Third", after=["Second"])])
    failed = aws.wait(aws.start(pipeline, PipelineExecutionDisplayName="nightly"))
    assert failed.statuses() == {"First": "Succeeded", "Second": "Failed"}
    aws.put(f"{base}/more/it", "here it is")
    assert retry(aws, failed.arn) == failed.arn
    ended = aws.wait(failed.arn)
    assert ended.statuses() == {"First": "Succeeded", "Second": "Succeeded", "Third": "Succeeded"}
    assert ended.steps["First"] == failed.steps["First"]
    assert ended.steps["Second"]["AttemptCount"] == 2
    assert ended.steps["Second"]["Metadata"] != failed.steps["Second"]["Metadata"]
    assert "FailureReason" not in ended.described
    for kept in ("CreationTime", "PipelineExecutionDisplayName", "PipelineVersionId"):
        assert ended.described[kept] == failed.described[kept]
    listed = aws.sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"]
    assert [item["PipelineExecutionArn"] for item in listed] == [failed.arn]


def test_a_stopped_execution_goes_on_with_another_limit(aws: LocalAws) -> None:
    pipeline = aws.create([aws.step("A", SLEEP), aws.step("B", SLEEP)])
    arn = aws.start(pipeline, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    begun(aws, arn, "A")
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert aws.wait(arn).statuses() == {"A": "Stopped"}
    retry(aws, arn, ParallelismConfiguration={"MaxParallelExecutionSteps": 2})
    begun(aws, arn, "A")
    begun(aws, arn, "B")
    described = aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 2}
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert aws.wait(arn).status == "Stopped"


def test_the_same_token_retries_once(aws: LocalAws) -> None:
    arn = aws.run([aws.step("Bad", "sys.exit(1)")]).arn
    for _ in range(2):
        retry(aws, arn, ClientRequestToken="r" * 32)
        assert aws.wait(arn).steps["Bad"]["AttemptCount"] == 2
    retry(aws, arn)
    assert aws.wait(arn).steps["Bad"]["AttemptCount"] == 3


@pytest.mark.parametrize("status", ["Succeeded", "CompletedWithFailures", "Failed"])
def test_what_cannot_be_retried_is_refused(aws: LocalAws, status: str) -> None:
    after = {"Step": "Bad", "Trigger": "Failed"}
    steps, reason = {
        "Succeeded": ([condition("C", compare("Equals", 1, 1))], "this one is Succeeded"),
        "CompletedWithFailures": ([aws.step("Bad", "sys.exit(1)"), aws.step("After", after=[after])], "CompletedWith"),
        "Failed": ([fail("Gate")], "An execution that ended in a Fail step cannot be retried: [Gate]"),
    }[status]
    ended = aws.run(steps)
    assert ended.status == status
    with refused("ConflictException", reason):
        retry(aws, ended.arn)
    assert aws.status(ended.arn) == status


def test_an_execution_that_runs_or_is_not_there_cannot_be_retried(aws: LocalAws) -> None:
    arn = aws.start(aws.create([aws.step("Long", SLEEP)]))
    begun(aws, arn, "Long")
    with refused("ConflictException", "this one is Executing"):
        retry(aws, arn)
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    aws.wait(arn)
    with refused("ResourceNotFound", "does not exist"):
        retry(aws, arn[:-1] + "_")


def test_an_execution_is_renamed_while_it_runs_and_after(aws: LocalAws) -> None:
    pipeline = aws.create([aws.step("A", SLEEP), aws.step("B", SLEEP)])
    arn = aws.start(pipeline, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    begun(aws, arn, "A")
    update = {
        "PipelineExecutionDisplayName": "renamed",
        "PipelineExecutionDescription": "while it runs",
        "ParallelismConfiguration": {"MaxParallelExecutionSteps": 2},
    }
    assert aws.sagemaker.update_pipeline_execution(PipelineExecutionArn=arn, **update)["PipelineExecutionArn"] == arn
    begun(aws, arn, "B")  # there is room for it now
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert {key: aws.wait(arn).described[key] for key in update} == update
    aws.sagemaker.update_pipeline_execution(PipelineExecutionArn=arn, PipelineExecutionDescription="after it")
    described = aws.wait(arn).described
    assert (described["PipelineExecutionDescription"], described["PipelineExecutionStatus"]) == ("after it", "Stopped")
    assert described["PipelineExecutionDisplayName"] == "renamed"
    with refused("ResourceNotFound", "does not exist"):
        aws.sagemaker.update_pipeline_execution(PipelineExecutionArn=arn[:-1] + "_", PipelineExecutionDescription="x")
