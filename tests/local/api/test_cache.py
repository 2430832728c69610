"""The step cache, with boto3: results that are taken instead of running a step, and why one was not."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipelines.aws import Endpoint, Gateway
from pipelines.local import daemon
from pipelines.spec import Target
from tests.local.local_aws import BUCKET, Ended, LocalAws, fresh, get, output_of

CACHED = {"CacheConfig": {"Enabled": True, "ExpireAfter": "PT1H"}}
MODE = [{"Name": "Mode", "Type": "String", "DefaultValue": "fast"}]
WRITE = "(ML / 'processing/output/out/mode').write_text(sys.argv[1])"
READ = "assert (ML / 'processing/input/in/mode').read_text()"


@pytest.fixture
def base(aws: LocalAws) -> Iterator[str]:
    """A place for outputs, emptied after the test as `aws s3 rm --recursive` does."""
    prefix = fresh()
    yield f"s3://{BUCKET}/{prefix}"
    empty(aws, prefix)


def empty(aws: LocalAws, prefix: str) -> None:
    for key in aws.keys(prefix):
        aws.s3.delete_object(Bucket=BUCKET, Key=key)


def steps(aws: LocalAws, base: str, config: dict[str, Any] | None = None) -> list[dict[str, Any]]:
    """A step that writes to a place of each execution's own, and one that reads what it wrote."""
    place = {"Std:Join": {"On": "/", "Values": [base, get("Execution.PipelineExecutionId")]}}
    first = aws.step("First", WRITE, arguments=["--", get("Parameters.Mode")], outputs={"out": place})
    first["Arguments"]["AppSpecification"]["ContainerArguments"] = [get("Parameters.Mode")]
    return [
        first | (CACHED if config is None else config),
        aws.step("Second", READ, inputs={"in": output_of("First", "out")}),
    ]


def runs(aws: LocalAws, pipeline: str, mode: str = "fast") -> Ended:
    return aws.wait(aws.start(pipeline, PipelineParameters=[{"Name": "Mode", "Value": mode}]))


def source(ended: Ended, step: str = "First") -> str | None:
    found: str | None = ended.steps[step].get("CacheHitResult", {}).get("SourcePipelineExecutionArn")
    return found


def misses(aws: LocalAws, ended: Ended) -> dict[str, str]:
    """What the command reads at the local SageMaker's own door."""
    target = Target("local", "123456789012", "eu-central-1", "arn:aws:iam::123456789012:role/local", BUCKET, "p")
    return Gateway(target, Endpoint(aws.endpoint)).cache_misses(ended.arn)


def test_an_equal_step_is_taken_from_the_execution_that_ran_it(aws: LocalAws, base: str) -> None:
    pipeline = aws.create(steps(aws, base), MODE)
    first, second, third = (runs(aws, pipeline) for _ in range(3))
    assert source(first) is None
    assert misses(aws, first) == {"First": "never run: no earlier result of this step is kept"}
    for again in (second, third):
        assert again.status == "Succeeded"
        assert source(again) == first.arn
        assert again.steps["First"]["Metadata"] == first.steps["First"]["Metadata"]
        assert source(again, "Second") is None  # it has no CacheConfig; what it read is the first execution's output
        assert misses(aws, again) == {}
    assert [key.split("/")[1] for key in aws.keys(base.rpartition("/")[2])] == [first.arn.rpartition("/")[2]]


def test_a_miss_names_what_changed(aws: LocalAws, base: str) -> None:
    pipeline = aws.create(steps(aws, base), MODE)
    first, other = runs(aws, pipeline), runs(aws, pipeline, "slow")
    assert source(other) is None
    assert misses(aws, other) == {
        "First": f'key changed since {first.arn}: AppSpecification.ContainerArguments[0] changed from "fast" to "slow"'
    }
    assert source(runs(aws, pipeline)) == first.arn


def test_a_result_is_kept_also_while_caching_is_off_and_taken_once_it_is_on(aws: LocalAws, base: str) -> None:
    pipeline = aws.create(steps(aws, base, {}), MODE)
    first, second = runs(aws, pipeline), runs(aws, pipeline)
    assert (source(second), misses(aws, second)) == (None, {})
    text = json.dumps({"Version": "2020-12-01", "Parameters": MODE, "Steps": steps(aws, base)})
    aws.sagemaker.update_pipeline(PipelineName=pipeline, PipelineDefinition=text)
    assert source(runs(aws, pipeline)) in (first.arn, second.arn)


def test_a_result_whose_objects_are_gone_is_not_taken(aws: LocalAws, base: str) -> None:
    pipeline = aws.create(steps(aws, base), MODE)
    first = runs(aws, pipeline)
    empty(aws, base.rpartition("/")[2])
    second = runs(aws, pipeline)
    assert (second.status, source(second)) == ("Succeeded", None)
    gone = f"{base}/{first.arn.rpartition('/')[2]}"
    assert misses(aws, second) == {"First": f"not used: the result of {first.arn} is no longer there: {gone}"}
    assert source(runs(aws, pipeline)) == second.arn


def test_a_failed_step_is_never_taken(aws: LocalAws) -> None:
    pipeline = aws.create([aws.step("Bad", "sys.exit(3)") | CACHED])
    first, second = (aws.wait(aws.start(pipeline)) for _ in range(2))
    assert second.statuses() == {"Bad": "Failed"}
    assert misses(aws, second) == {
        "Bad": f"source did not succeed: with the same key the step ended Failed in {first.arn}"
    }


def test_results_outlive_the_server_and_go_with_their_pipeline(serve: Callable[[], LocalAws]) -> None:
    aws = serve()
    step = aws.step("Only") | CACHED
    pipeline = aws.create([step])
    first = aws.wait(aws.start(pipeline))
    daemon.stop(aws.home)
    after = serve()
    assert source(after.wait(after.start(pipeline)), "Only") == first.arn
    text = after.sagemaker.describe_pipeline(PipelineName=pipeline)["PipelineDefinition"]
    after.sagemaker.delete_pipeline(PipelineName=pipeline)
    after.sagemaker.create_pipeline(
        PipelineName=pipeline, PipelineDefinition=text, RoleArn="arn:aws:iam::123456789012:role/p"
    )
    again = after.wait(after.start(pipeline))
    assert source(again, "Only") is None
    assert misses(after, again) == {"Only": "never run: no earlier result of this step is kept"}


def test_a_training_is_taken_with_its_model(aws: LocalAws) -> None:
    code = "(ML / 'model/m').write_text('1')"
    pipeline = aws.create([{"Name": "Train", "Type": "Training", "Arguments": aws.training(code), **CACHED}])
    first, second = (aws.wait(aws.start(pipeline)) for _ in range(2))
    assert (first.status, source(second, "Train")) == ("Succeeded", first.arn)


def test_the_runs_of_a_loop_are_taken_one_by_one(aws: LocalAws) -> None:
    body = aws.step("Each", arguments=[get("ForEach.CurrentItem")]) | CACHED
    items = [{"Name": "Items", "Type": "String", "DefaultValue": '["a", "b"]'}]
    arguments = {"IterableItems": get("Parameters.Items"), "MaxConcurrency": 2, "ForEachBody": [body]}
    pipeline = aws.create([{"Name": "Loop", "Type": "ForEach", "Arguments": arguments}], items)
    first = aws.wait(aws.start(pipeline))
    second = aws.wait(aws.start(pipeline, PipelineParameters=[{"Name": "Items", "Value": '["a", "c"]'}]))
    assert second.status == "Succeeded"
    assert (source(second, "Each-0"), source(second, "Each-1")) == (first.arn, None)
    assert 'changed from "b" to "c"' in misses(aws, second)["Each-1"]
