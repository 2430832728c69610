"""Executions and their steps, with boto3: what AWS would give."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from itertools import pairwise

import pytest

from tests.local.api.test_pipelines import refused
from tests.local.local_aws import (
    Gate,
    LocalAws,
    compare,
    condition,
    definition,
    eventually,
    fail,
    fresh,
    get,
    job_of,
    output_of,
)

WRITE = "(ML / 'processing/output/out/value.json').write_text(json.dumps({'auc': 0.8, 'a': [{'b c': 'x'}]}))"
SLEEP = "print('begun', flush=True); time.sleep(600)"


def test_steps_hand_their_outputs_on_and_the_execution_succeeds(aws: LocalAws) -> None:
    base = f"s3://data/{fresh()}"
    first = aws.step("First", WRITE, outputs={"out": f"{base}/first"})
    check = "assert json.loads((ML / 'processing/input/in/value.json').read_text())['auc'] == 0.8"
    second = aws.step("Second", check, inputs={"in": output_of("First", "out")})
    ended = aws.run([second, first])
    assert ended.statuses() == {"Second": "Succeeded", "First": "Succeeded"}
    assert ended.status == "Succeeded"
    assert "FailureReason" not in ended.described
    assert ended.steps["Second"]["StartTime"] >= ended.steps["First"]["EndTime"]


def test_a_step_is_listed_as_aws_lists_it(aws: LocalAws) -> None:
    step = {**aws.step("Only"), "DisplayName": "The only one", "Description": "alone"}
    ended = aws.run([step])
    listed = ended.steps["Only"]
    assert (listed["StepStatus"], listed["AttemptCount"]) == ("Succeeded", 1)
    assert (listed["StepDisplayName"], listed["StepDescription"]) == ("The only one", "alone")
    arn = listed["Metadata"]["ProcessingJob"]["Arn"]
    execution = ended.arn.rpartition("/")[2]
    assert arn.startswith(f"arn:aws:sagemaker:eu-central-1:123456789012:processing-job/pipelines-{execution}-only-")
    assert isinstance(listed["StartTime"], datetime)
    assert listed["EndTime"] >= listed["StartTime"]
    assert "FailureReason" not in listed
    assert aws.sagemaker.describe_processing_job(ProcessingJobName=job_of(listed))["ProcessingJobArn"] == arn


def test_steps_are_listed_newest_first_and_page_by_page(aws: LocalAws) -> None:
    steps = [aws.step(name, after=after) for name, after in (("A", []), ("B", ["A"]), ("C", ["B"]))]
    arn = aws.run(steps).arn
    listing = aws.sagemaker.get_paginator("list_pipeline_execution_steps")
    for order, names in ((None, ["C", "B", "A"]), ("Descending", ["C", "B", "A"]), ("Ascending", ["A", "B", "C"])):
        more = {"SortOrder": order} if order else {}
        pages = list(listing.paginate(PipelineExecutionArn=arn, PaginationConfig={"PageSize": 2}, **more))
        assert [len(page["PipelineExecutionSteps"]) for page in pages] == [2, 1]
        assert [step["StepName"] for page in pages for step in page["PipelineExecutionSteps"]] == names


def test_independent_steps_run_at_the_same_time(aws: LocalAws, gate: Gate) -> None:
    arn = aws.start(aws.create([aws.step(name, gate.line) for name in ("Left", "Right")]))
    gate.reached(2)
    gate.open()
    ended = aws.wait(arn)
    assert ended.status == "Succeeded"
    names = [job_of(step) for step in ended.steps.values()]
    left, right = (aws.sagemaker.describe_processing_job(ProcessingJobName=name) for name in names)
    begun = max(left["ProcessingStartTime"], right["ProcessingStartTime"])
    assert begun < min(left["ProcessingEndTime"], right["ProcessingEndTime"])


def test_the_limit_of_parallel_steps_holds(aws: LocalAws) -> None:
    steps = [aws.step(name) for name in "ABC"]
    ended = aws.run(steps, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    spans = sorted((step["StartTime"], step["EndTime"]) for step in ended.steps.values())
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert ended.described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 1}


def test_a_failing_program_fails_its_step_and_the_execution(aws: LocalAws) -> None:
    code = "(ML / 'output/message').write_text('no rows left'); sys.exit(1)"
    ended = aws.run([aws.step("Bad", code), aws.step("Later", after=["Bad"])])
    assert ended.statuses() == {"Bad": "Failed"}
    assert ended.steps["Bad"]["FailureReason"] == "AlgorithmError: no rows left, exit code: 1"
    assert ended.status == "Failed"
    assert ended.described["FailureReason"] == "Step failure: One or multiple steps failed"
    job = aws.sagemaker.describe_processing_job(ProcessingJobName=job_of(ended.steps["Bad"]))
    assert (job["ProcessingJobStatus"], job["ExitMessage"]) == ("Failed", "no rows left")
    (summary,) = aws.sagemaker.list_pipeline_executions(PipelineName=ended.described["PipelineArn"])[
        "PipelineExecutionSummaries"
    ]
    assert summary["PipelineExecutionStatus"] == "Failed"
    assert summary["PipelineExecutionFailureReason"] == "Step failure: One or multiple steps failed"


def test_missing_input_data_is_named(aws: LocalAws) -> None:
    aws.put("here", "")
    ended = aws.run([aws.step("Read", inputs={"flights": "s3://data/nothing/here/"})])
    assert ended.steps["Read"]["FailureReason"] == (
        "ClientError: input flights: No S3 objects found under S3 URL s3://data/nothing/here/"
    )


def test_a_fail_step_ends_with_its_rendered_message(aws: LocalAws) -> None:
    message = {"Std:Join": {"On": " ", "Values": ["auc below", get("Parameters.Least")]}}
    parameter = {"Name": "Least", "Type": "Float", "DefaultValue": 0.65}
    ended = aws.run([fail("Reject", message)], [parameter], PipelineParameters=[{"Name": "Least", "Value": "0.99"}])
    assert ended.steps["Reject"]["FailureReason"] == "auc below 0.99"
    assert ended.steps["Reject"]["Metadata"] == {"Fail": {"ErrorMessage": "auc below 0.99"}}
    assert ended.described["FailureReason"] == "Step failure: One or multiple steps failed"
    given = aws.sagemaker.list_pipeline_parameters_for_execution(PipelineExecutionArn=ended.arn)
    assert given["PipelineParameters"] == [{"Name": "Least", "Value": "0.99"}]


def test_a_condition_on_a_property_file_takes_one_branch(aws: LocalAws) -> None:
    base = f"s3://data/{fresh()}"
    file = {"PropertyFileName": "metrics", "OutputName": "out", "FilePath": "value.json"}
    first = aws.step("Evaluate", WRITE, outputs={"out": base}, files=[file])
    source = {"PropertyFile": get("Steps.Evaluate.PropertyFiles.metrics")}
    gate = condition(
        "Gate",
        compare("GreaterThan", {"Std:JsonGet": {**source, "Path": "auc"}}, 0.7),
        compare("Equals", {"Std:JsonGet": {**source, "Path": "a[0]['b c']"}}, "x"),
        then=[aws.step("Good")],
        otherwise=[fail("Bad")],
    )
    ended = aws.run([first, gate])
    assert ended.statuses() == {"Evaluate": "Succeeded", "Gate": "Succeeded", "Good": "Succeeded"}
    assert ended.steps["Gate"]["Metadata"] == {"Condition": {"Outcome": "True"}}


@pytest.mark.parametrize(
    ("document", "reason"),
    [
        (None, "there is no object"),
        ("{", "is not valid JSON"),
        ("{}", 'has no "auc"'),
        (b"\xff\xfe", "cannot be read"),
    ],
)
def test_a_document_that_cannot_be_read_fails_the_condition(
    aws: LocalAws, document: str | bytes | None, reason: str
) -> None:
    uri = f"s3://data/{fresh()}/report.json"
    aws.put("there", "")
    if document is not None:
        aws.put(uri.removeprefix("s3://data/"), document)
    value = {"Std:JsonGet": {"S3Uri": {"Std:Join": {"On": "", "Values": [uri]}}, "Path": "auc"}}
    ended = aws.run([condition("Gate", compare("GreaterThan", value, 0.7))])
    assert ended.status == "Failed"
    assert reason in ended.steps["Gate"]["FailureReason"]
    assert uri in ended.steps["Gate"]["FailureReason"]


def test_a_handled_failure_ends_completed_with_failures(aws: LocalAws) -> None:
    steps = [aws.step("Bad", "sys.exit(3)"), aws.step("Repair", after=[{"Step": "Bad", "Trigger": "Failed"}])]
    ended = aws.run(steps)
    assert ended.statuses() == {"Bad": "Failed", "Repair": "Succeeded"}
    assert ended.status == "CompletedWithFailures"


def test_a_loop_runs_its_body_for_each_item(aws: LocalAws) -> None:
    body = aws.step("Each", "sys.exit(len(sys.argv[1]) - 1)", arguments=[get("ForEach.CurrentItem")])
    arguments = {"IterableItems": ["a", "b"], "MaxConcurrency": 2, "ForEachBody": [body]}
    ended = aws.run([{"Name": "Loop", "Type": "ForEach", "Arguments": arguments}])
    assert ended.statuses() == {"Loop": "Succeeded", "Each-0": "Succeeded", "Each-1": "Succeeded"}
    assert ended.steps["Each-1"]["IterationContext"] == {"ParentStepName": "Loop", "Index": 1, "Item": "b"}


def test_arguments_the_service_would_refuse_fail_the_step(aws: LocalAws) -> None:
    step = aws.step("Long", arguments=["x" * 300])
    ended = aws.run([step])
    called, _, fault = ended.steps["Long"]["FailureReason"].partition(" Error Details: ")
    assert called == "ClientError: Failed to invoke sagemaker:CreateProcessingJob."
    assert fault == "AppSpecification.ContainerArguments[0] takes at most 256 characters; it has 300"


def test_stopping_stops_what_runs_and_starts_nothing_more(aws: LocalAws) -> None:
    arn = aws.start(aws.create([aws.step("Long", SLEEP), aws.step("Later", after=["Long"])]))
    job = _wait_for_program(aws, arn, "Long")
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    ended = aws.wait(arn)
    assert ended.status == "Stopped"
    assert ended.statuses() == {"Long": "Stopped"}
    assert aws.sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobStatus"] == "Stopped"


def _wait_for_program(aws: LocalAws, arn: str, step: str) -> str:
    """The name of a step's job, once its program says that it has begun."""
    job = job_of(aws.wait_for_step(arn, step) and eventually(lambda: _with_job(aws, arn, step)))
    aws.wait_for_line(_name(aws, job), "begun")
    return job


def _with_job(aws: LocalAws, arn: str, step: str) -> dict[str, object] | None:
    found = aws.steps(arn)[step]
    return found if "Metadata" in found else None


def _name(aws: LocalAws, job: str) -> str:
    """The name of a job as it was created, from the lower-case one of its ARN."""
    return str(aws.sagemaker.describe_processing_job(ProcessingJobName=job)["ProcessingJobName"])


def test_a_stop_at_once_after_the_start_is_heard(aws: LocalAws) -> None:
    arn = aws.start(aws.create([aws.step("Long", SLEEP)]))
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert aws.status(arn) in ("Stopping", "Stopped")
    assert aws.wait(arn).status == "Stopped"


def test_a_step_that_waits_for_its_turn_is_not_run_after_a_stop(aws: LocalAws) -> None:
    pipeline = aws.create([aws.step("First", SLEEP), aws.step("Second", SLEEP)])
    arn = aws.start(pipeline, ParallelismConfiguration={"MaxParallelExecutionSteps": 1})
    _wait_for_program(aws, arn, "First")
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    ended = aws.wait(arn)
    assert (ended.status, ended.statuses()) == ("Stopped", {"First": "Stopped"})


def test_only_an_execution_that_runs_can_be_stopped(aws: LocalAws) -> None:
    arn = aws.run([fail()]).arn
    with refused("ConflictException", "Only executing executions can be stopped; this one is Failed"):
        aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)


def test_a_repeated_stop_with_its_token_is_answered_as_before(aws: LocalAws) -> None:
    arn = aws.start(aws.create([aws.step("Long", SLEEP)]))
    request = {"PipelineExecutionArn": arn, "ClientRequestToken": "s" * 32}
    _wait_for_program(aws, arn, "Long")
    aws.sagemaker.stop_pipeline_execution(**request)
    aws.wait(arn)
    assert aws.sagemaker.stop_pipeline_execution(**request)["PipelineExecutionArn"] == arn


def test_the_same_token_starts_once(aws: LocalAws) -> None:
    pipeline = aws.create([fail()])
    arns = {aws.start(pipeline, ClientRequestToken="t" * 32) for _ in range(3)}
    other = aws.start(pipeline, ClientRequestToken="u" * 32)
    assert len(arns) == 1
    listed = aws.sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"]
    assert {item["PipelineExecutionArn"] for item in listed} == {*arns, other}
    for arn in (*arns, other):
        aws.wait(arn)


def test_the_same_requests_from_many_clients_at_once_act_once(aws: LocalAws) -> None:
    pipeline = aws.create([aws.step("Bad", "sys.exit(1)")])
    with ThreadPoolExecutor(8) as clients:
        arns = set(clients.map(lambda _: aws.start(pipeline, ClientRequestToken="t" * 32), range(8)))
        (arn,) = arns
        aws.wait(arn)
        retry = {"PipelineExecutionArn": arn, "ClientRequestToken": "r" * 32}
        list(clients.map(lambda _: aws.sagemaker.retry_pipeline_execution(**retry), range(8)))
        assert aws.wait(arn).steps["Bad"]["AttemptCount"] == 2
        texts = [definition([fail(f"Step{number}")]) for number in range(8)]
        update = lambda text: aws.sagemaker.update_pipeline(PipelineName=pipeline, PipelineDefinition=text)  # noqa: E731
        assert sorted(answer["PipelineVersionId"] for answer in clients.map(update, texts)) == list(range(2, 10))


PARAMETERS = [
    {"Name": "Count", "Type": "Integer", "DefaultValue": 1},
    {"Name": "Mode", "Type": "String", "DefaultValue": "fast", "EnumValues": ["fast", "slow"]},
    {"Name": "Needed", "Type": "String"},
]


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        ({}, 'Parameter "Needed" has no default and no value (give it a value, as in Needed=…)'),
        ({"Needed": ""}, 'Value is invalid: [string "" is too short (length: 0, required minimum: 1)]'),
        ({"Needed": "x", "Cuont": "2"}, 'Unknown parameter "Cuont" (write Count)'),
        ({"Needed": "x", "Count": "two"}, 'Unexpected type for parameter Count: expected Integer, found "two"'),
        ({"Needed": "x", "Mode": "medium"}, '"medium" is not one of the values of Mode (use one of fast, slow)'),
    ],
)
def test_wrong_parameters_are_refused_and_nothing_starts(aws: LocalAws, given: dict[str, str], reason: str) -> None:
    pipeline = aws.create([fail()], PARAMETERS)
    with refused("ValidationException", reason):
        aws.start(pipeline, PipelineParameters=[{"Name": key, "Value": value} for key, value in given.items()])
    assert aws.sagemaker.list_pipeline_executions(PipelineName=pipeline)["PipelineExecutionSummaries"] == []


def test_parameters_and_execution_variables_reach_the_program(aws: LocalAws) -> None:
    values = [
        "Parameters.Count",
        "Execution.PipelineName",
        "Execution.PipelineExecutionId",
        "Execution.ProcessingJobName",
    ]
    arguments = [{"Std:Join": {"On": "", "Values": [get(value)]}} for value in values]
    pipeline = aws.create([aws.step("Say", "print(*sys.argv[1:], flush=True)", arguments=arguments)], PARAMETERS[:1])
    ended = aws.wait(aws.start(pipeline, PipelineParameters=[{"Name": "Count", "Value": "7"}]))
    job = _name(aws, job_of(ended.steps["Say"]))
    assert aws.log(job) == [f"7 {pipeline} {ended.arn.rpartition('/')[2]} {job}"]


def test_an_execution_is_described_as_it_was_started(aws: LocalAws) -> None:
    pipeline = aws.create([fail()], ParallelismConfiguration={"MaxParallelExecutionSteps": 2})
    named = {"PipelineExecutionDisplayName": "nightly", "PipelineExecutionDescription": "every night"}
    described = aws.wait(aws.start(pipeline, **named)).described
    assert {key: described[key] for key in named} == named
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 2}
    assert described["PipelineVersionId"] == 1
    assert described["PipelineArn"].endswith(f":pipeline/{pipeline}")
    assert described["LastModifiedTime"] >= described["CreationTime"]
    unnamed = aws.wait(aws.start(pipeline)).described
    assert unnamed["PipelineExecutionDisplayName"].startswith("execution-")


def test_an_execution_keeps_the_definition_it_started_with(aws: LocalAws) -> None:
    pipeline = aws.create([fail("Old")])
    arn = aws.wait(aws.start(pipeline)).arn
    before = aws.sagemaker.describe_pipeline(PipelineName=pipeline)["PipelineDefinition"]
    aws.sagemaker.update_pipeline(PipelineName=pipeline, PipelineDefinition=before.replace("Old", "New"))
    kept = aws.sagemaker.describe_pipeline_definition_for_execution(PipelineExecutionArn=arn)
    assert kept["PipelineDefinition"] == before
    assert list(aws.wait(aws.start(pipeline)).steps) == ["New"]
    assert list(aws.wait(aws.start(pipeline, PipelineVersionId=1)).steps) == ["Old"]


def test_executions_are_listed_newest_first_by_time_arn_and_page(aws: LocalAws) -> None:
    pipeline = aws.create([fail()])
    arns = [aws.wait(aws.start(pipeline)).arn for _ in range(3)]
    listing = aws.sagemaker.get_paginator("list_pipeline_executions")

    def listed(**request: object) -> list[str]:
        pages = listing.paginate(PipelineName=pipeline, PaginationConfig={"PageSize": 2}, **request)
        return [item["PipelineExecutionArn"] for page in pages for item in page["PipelineExecutionSummaries"]]

    assert listed() == arns[::-1]
    assert listed(SortBy="CreationTime", SortOrder="Ascending") == arns
    assert listed(SortBy="PipelineExecutionArn", SortOrder="Ascending") == sorted(arns)
    middle = aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arns[1])["CreationTime"]
    assert listed(CreatedAfter=middle, SortOrder="Ascending") == arns[1:]
    assert listed(CreatedBefore=middle, SortOrder="Ascending") == arns[:2]


def test_pages_go_on_where_they_ended_when_something_new_comes_between(aws: LocalAws) -> None:
    pipeline = aws.create([fail()])
    arns = [aws.wait(aws.start(pipeline)).arn for _ in range(3)]
    first = aws.sagemaker.list_pipeline_executions(PipelineName=pipeline, MaxResults=2)
    aws.wait(aws.start(pipeline))
    rest = aws.sagemaker.list_pipeline_executions(PipelineName=pipeline, MaxResults=2, NextToken=first["NextToken"])
    pages = (*first["PipelineExecutionSummaries"], *rest["PipelineExecutionSummaries"])
    assert [item["PipelineExecutionArn"] for item in pages] == arns[::-1]
    assert "NextToken" not in rest


def test_an_execution_that_is_not_there_is_not_found(aws: LocalAws) -> None:
    arn = f"arn:aws:sagemaker:eu-central-1:123456789012:pipeline/{fresh()}/execution/abcdefghijkl"
    for operation in (
        "describe_pipeline_execution",
        "describe_pipeline_definition_for_execution",
        "list_pipeline_execution_steps",
        "list_pipeline_parameters_for_execution",
        "stop_pipeline_execution",
    ):
        with refused("ResourceNotFound", f"Pipeline execution {arn} does not exist"):
            getattr(aws.sagemaker, operation)(PipelineExecutionArn=arn)
    with refused("ValidationException", "PipelineExecutionArn is required"):
        aws.sagemaker.list_pipeline_execution_steps()
    for operation in ("start_pipeline_execution", "list_pipeline_executions"):
        with refused("ResourceNotFound", "does not exist"):
            getattr(aws.sagemaker, operation)(PipelineName=fresh())


def test_fifty_short_executions_at_once_all_succeed(aws: LocalAws) -> None:
    decides = aws.create([condition(f"C{number}", compare("Equals", 1, 1)) for number in range(5)])
    works = aws.create([aws.step("Job")])
    arns = [aws.start(works if number % 5 == 0 else decides) for number in range(50)]
    assert [aws.wait(arn).status for arn in arns] == ["Succeeded"] * 50


def test_a_definition_of_a_thousand_steps_is_executed(aws: LocalAws) -> None:
    """Each of them writes its own row: rewriting them all at each event would take minutes."""
    steps = [condition(f"S{number}", compare("Equals", number, number)) for number in range(1000)]
    for before, step in pairwise(steps):
        step["DependsOn"] = [before["Name"]]
    arn = aws.start(aws.create(steps))
    eventually(lambda: aws.status(arn) == "Succeeded", "the execution")
    pages = aws.sagemaker.get_paginator("list_pipeline_execution_steps").paginate(PipelineExecutionArn=arn)
    assert sum(len(page["PipelineExecutionSteps"]) for page in pages) == 1000


def test_a_model_package_is_registered_with_its_group_and_its_origin(aws: LocalAws) -> None:
    group = fresh()
    ended = aws.run([register(group)])
    arn = ended.steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    assert arn == f"arn:aws:sagemaker:eu-central-1:123456789012:model-package/{group}/1"
    package = aws.sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["MetadataProperties"]["GeneratedBy"] == ended.arn
    assert package["ModelApprovalStatus"] == "PendingManualApproval"
    again = aws.run([register(group)])
    assert again.steps["Register"]["Metadata"]["RegisterModel"]["Arn"] == arn[:-1] + "2"


def register(group: str) -> dict[str, object]:
    container = {"Image": "i", "ModelDataUrl": "s3://data/model.tar.gz"}
    specification = {
        "Containers": [container],
        "SupportedContentTypes": ["text/csv"],
        "SupportedResponseMIMETypes": ["text/csv"],
    }
    arguments = {
        "ModelPackageGroupName": group,
        "InferenceSpecification": specification,
        "ModelApprovalStatus": "PendingManualApproval",
    }
    return {"Name": "Register", "Type": "RegisterModel", "Arguments": arguments}
