"""Pipelines and their versions, with boto3."""

from __future__ import annotations

import json

import pytest
from botocore.exceptions import ClientError

from tests.local.local_aws import ROLE, LocalAws, compare, condition, definition, fail, fresh, get

ONE, TWO = definition([fail("One")]), definition([fail("Two")])


def refused(code: str, text: str) -> pytest.RaisesExc[ClientError]:
    """A refusal with AWS's code, whose message holds a text."""
    return pytest.RaisesExc(
        ClientError, check=lambda error: error.response["Error"]["Code"] == code and text in str(error)
    )


def test_a_pipeline_is_described_as_it_was_created(aws: LocalAws) -> None:
    name = aws.create(
        [fail("One")], PipelineDescription="one", ParallelismConfiguration={"MaxParallelExecutionSteps": 3}
    )
    described = aws.sagemaker.describe_pipeline(PipelineName=name)
    assert described["PipelineArn"] == f"arn:aws:sagemaker:eu-central-1:123456789012:pipeline/{name}"
    assert described["PipelineDefinition"] == ONE
    assert described["PipelineDescription"] == "one"
    assert described["ParallelismConfiguration"] == {"MaxParallelExecutionSteps": 3}
    assert (described["PipelineDisplayName"], described["RoleArn"]) == (name, ROLE)
    assert described["PipelineStatus"] == "Active"
    assert described["CreationTime"] == described["LastModifiedTime"]
    assert "LastRunTime" not in described
    assert "Tags" not in described


def test_a_pipeline_is_found_by_its_arn_and_in_any_case(aws: LocalAws) -> None:
    name = aws.create([fail()])
    arn = aws.sagemaker.describe_pipeline(PipelineName=name.upper())["PipelineArn"]
    assert aws.sagemaker.describe_pipeline(PipelineName=arn)["PipelineName"] == name


def test_creating_a_pipeline_twice_is_refused_in_the_words_that_the_sdk_looks_for(aws: LocalAws) -> None:
    name = aws.create([fail()])
    with pytest.raises(ClientError) as caught:
        aws.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=TWO, RoleArn=ROLE)
    error = caught.value.response["Error"]
    assert error["Code"] == "ValidationException"
    assert error["Message"] == (
        f"Pipeline names must be unique within an AWS account and region. Pipeline {name} already exists"
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("not json", "not JSON"),
        ("[]", "not a JSON object"),
        ('{"Version": "2020-12-01"}', "Steps is missing"),
        ('{"Version": "2020-12-01", "Steps": {}}', "Steps is not a list"),
        (definition([fail("A", get("Steps.A.ErrorMessage"))]), "A"),
        (definition([fail("A", get("Parameters.Nane"))], [{"Name": "Name", "Type": "String"}]), 'parameter "Nane"'),
        (definition([fail("A", DependsOn=["B"])]), 'depends on "B"'),
        (definition([fail("A"), fail("A")]), "A"),
        ("[" * 2000 + "]" * 2000, "nested more than 100 levels deep"),
        ('{"Steps": [NaN]}', "NaN is not a JSON number"),
    ],
)
def test_a_bad_definition_is_refused_with_the_reason(aws: LocalAws, text: str, reason: str) -> None:
    with refused("ValidationException", reason) as caught:
        aws.sagemaker.create_pipeline(PipelineName=fresh(), PipelineDefinition=text, RoleArn=ROLE)
    assert caught.value.response["Error"]["Message"].startswith("Unable to parse pipeline definition. ")


def test_an_unknown_parameter_is_refused_with_the_nearest_one(aws: LocalAws) -> None:
    text = definition([fail("A", get("Parameters.Nane"))], [{"Name": "Name", "Type": "String"}])
    with refused("ValidationException", '''there is no parameter "Nane"; the nearest is "Name"'''):
        aws.sagemaker.create_pipeline(PipelineName=fresh(), PipelineDefinition=text, RoleArn=ROLE)


def test_a_refused_update_changes_nothing(aws: LocalAws) -> None:
    name = aws.create([fail("One")])
    with refused("ValidationException", "Unable to parse pipeline definition."):
        aws.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition="{", PipelineDescription="new")
    described = aws.sagemaker.describe_pipeline(PipelineName=name)
    assert described["PipelineDefinition"] == ONE
    assert "PipelineDescription" not in described
    assert len(aws.sagemaker.list_pipeline_versions(PipelineName=name)["PipelineVersionSummaries"]) == 1


def test_a_definition_is_read_from_s3(aws: LocalAws) -> None:
    steps = [fail(f"Step{number}", "x" * 1000) for number in range(200)]
    text, name = definition(steps), fresh()
    aws.put(f"{name}.json", text)
    location = {"Bucket": "data", "ObjectKey": f"{name}.json"}
    aws.sagemaker.create_pipeline(PipelineName=name, PipelineDefinitionS3Location=location, RoleArn=ROLE)
    assert aws.sagemaker.describe_pipeline(PipelineName=name)["PipelineDefinition"] == text


@pytest.mark.parametrize(
    ("location", "reason"),
    [
        ({"Bucket": "data", "ObjectKey": "missing.json"}, "there is no object missing.json"),
        ({"Bucket": "no-such-bucket", "ObjectKey": "a"}, "there is no bucket no-such-bucket"),
        ({"Bucket": "data", "ObjectKey": "a", "VersionId": "1"}, "not executed locally: VersionId"),
        ({"Bucket": "data", "ObjectKey": "../../state.sqlite3"}, "Unable to read the pipeline definition"),
    ],
)
def test_a_definition_that_is_not_in_s3_is_refused(aws: LocalAws, location: dict[str, str], reason: str) -> None:
    aws.put("there", "")
    with refused("ValidationException", reason):
        aws.sagemaker.create_pipeline(PipelineName=fresh(), PipelineDefinitionS3Location=location, RoleArn=ROLE)


def test_two_definitions_or_none_are_refused(aws: LocalAws) -> None:
    location = {"Bucket": "data", "ObjectKey": "a"}
    for given in ({}, {"PipelineDefinition": ONE, "PipelineDefinitionS3Location": location}):
        with refused("ValidationException", "either PipelineDefinition or PipelineDefinitionS3Location"):
            aws.sagemaker.create_pipeline(PipelineName=fresh(), RoleArn=ROLE, **given)


def test_the_same_token_creates_once(aws: LocalAws) -> None:
    request = {"PipelineName": fresh(), "PipelineDefinition": ONE, "RoleArn": ROLE, "ClientRequestToken": "t" * 32}
    assert [aws.sagemaker.create_pipeline(**request)["PipelineArn"] for _ in range(2)] == [
        f"arn:aws:sagemaker:eu-central-1:123456789012:pipeline/{request['PipelineName']}"
    ] * 2
    with refused("ValidationException", "already exists"):
        aws.sagemaker.create_pipeline(**{**request, "ClientRequestToken": "u" * 32})


def test_the_same_token_deletes_once_and_creates_again_after_that(aws: LocalAws) -> None:
    request = {"PipelineName": fresh(), "PipelineDefinition": ONE, "RoleArn": ROLE, "ClientRequestToken": "t" * 32}
    deletion = {"PipelineName": request["PipelineName"], "ClientRequestToken": "d" * 32}
    aws.sagemaker.create_pipeline(**request)
    arns = [aws.sagemaker.delete_pipeline(**deletion)["PipelineArn"] for _ in range(2)]
    assert arns[0] == arns[1]
    aws.sagemaker.create_pipeline(**request)
    assert aws.sagemaker.describe_pipeline(PipelineName=request["PipelineName"])["PipelineStatus"] == "Active"


def test_an_update_with_another_definition_is_a_new_version(aws: LocalAws) -> None:
    name = aws.create([fail("One")])
    answers = [
        aws.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=text)["PipelineVersionId"]
        for text in (ONE, TWO, TWO, ONE)
    ]
    assert answers == [1, 2, 2, 3]
    answer = aws.sagemaker.update_pipeline(PipelineName=name, PipelineDescription="only this")
    described = aws.sagemaker.describe_pipeline(PipelineName=name)
    assert (answer["PipelineVersionId"], described["PipelineDescription"]) == (3, "only this")
    assert described["LastModifiedTime"] > described["CreationTime"]


def test_versions_are_listed_page_by_page_and_described(aws: LocalAws) -> None:
    name = aws.create([fail("One")])
    aws.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=TWO)
    aws.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=ONE)
    listing = aws.sagemaker.get_paginator("list_pipeline_versions")
    for order, ids in ((None, [3, 2, 1]), ("Descending", [3, 2, 1]), ("Ascending", [1, 2, 3])):
        more = {"SortOrder": order} if order else {}
        pages = list(listing.paginate(PipelineName=name, PaginationConfig={"PageSize": 2}, **more))
        assert [len(page["PipelineVersionSummaries"]) for page in pages] == [2, 1]
        assert [item["PipelineVersionId"] for page in pages for item in page["PipelineVersionSummaries"]] == ids
    second = aws.sagemaker.describe_pipeline(PipelineName=name, PipelineVersionId=2)
    assert second["PipelineDefinition"] == TWO
    with refused("ResourceNotFound", "has no version 4"):
        aws.sagemaker.describe_pipeline(PipelineName=name, PipelineVersionId=4)


def test_a_deleted_pipeline_is_gone_with_its_executions_and_versions(aws: LocalAws) -> None:
    name = aws.create([fail()])
    arn = aws.wait(aws.start(name)).arn
    aws.sagemaker.delete_pipeline(PipelineName=name)
    for call in (aws.sagemaker.describe_pipeline, aws.sagemaker.list_pipeline_versions, aws.sagemaker.delete_pipeline):
        with refused("ResourceNotFound", f"Pipeline {name} does not exist"):
            call(PipelineName=name)
    with refused("ResourceNotFound", f"Pipeline execution {arn} does not exist"):
        aws.sagemaker.describe_pipeline_execution(PipelineExecutionArn=arn)


def test_a_pipeline_that_runs_cannot_be_deleted(aws: LocalAws) -> None:
    name = aws.create([aws.step("Sleep", "time.sleep(600)")])
    arn = aws.start(name)
    with refused("ConflictException", f"Pipeline {name} has running executions: {arn}"):
        aws.sagemaker.delete_pipeline(PipelineName=name)
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    aws.wait(arn)
    aws.sagemaker.delete_pipeline(PipelineName=name)


def test_pipelines_are_listed_by_prefix_order_time_and_page(aws: LocalAws) -> None:
    prefix = fresh()
    names = [f"{prefix}-{letter}" for letter in "bca"]
    for name in names:
        aws.sagemaker.create_pipeline(PipelineName=name, PipelineDefinition=ONE, RoleArn=ROLE)
    listing = aws.sagemaker.get_paginator("list_pipelines")

    def listed(**request: object) -> list[str]:
        pages = listing.paginate(PipelineNamePrefix=prefix, PaginationConfig={"PageSize": 2}, **request)
        return [item["PipelineName"] for page in pages for item in page["PipelineSummaries"]]

    assert listed() == names[::-1]
    assert listed(SortOrder="Ascending") == names
    assert listed(SortBy="Name", SortOrder="Ascending") == sorted(names)
    created = aws.sagemaker.describe_pipeline(PipelineName=names[1])["CreationTime"]
    assert listed(CreatedAfter=created, SortOrder="Ascending") == names[1:]
    assert listed(CreatedBefore=created, SortOrder="Ascending") == names[:2]


def test_a_listed_pipeline_says_when_it_last_ran(aws: LocalAws) -> None:
    name = aws.create([fail()])
    assert "LastExecutionTime" not in only(aws, name)
    ended = aws.wait(aws.start(name))
    assert only(aws, name)["LastExecutionTime"] == ended.described["CreationTime"]
    assert aws.sagemaker.describe_pipeline(PipelineName=name)["LastRunTime"] == ended.described["CreationTime"]


def only(aws: LocalAws, name: str) -> dict[str, object]:
    (summary,) = aws.sagemaker.list_pipelines(PipelineNamePrefix=name)["PipelineSummaries"]
    return dict(summary)


def test_a_token_of_another_list_is_refused(aws: LocalAws) -> None:
    with refused("ValidationException", "NextToken 'nonsense' is not valid"):
        aws.sagemaker.list_pipelines(NextToken="nonsense")


def test_tags_are_kept_added_and_removed(aws: LocalAws) -> None:
    name = aws.create([fail()], Tags=[{"Key": "team", "Value": "a"}])
    arn = aws.sagemaker.describe_pipeline(PipelineName=name)["PipelineArn"]
    aws.sagemaker.add_tags(ResourceArn=arn, Tags=[{"Key": "stage", "Value": "dev"}, {"Key": "team", "Value": "b"}])
    assert aws.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [
        {"Key": "team", "Value": "b"},
        {"Key": "stage", "Value": "dev"},
    ]
    aws.sagemaker.delete_tags(ResourceArn=arn, TagKeys=["team"])
    assert aws.sagemaker.list_tags(ResourceArn=arn)["Tags"] == [{"Key": "stage", "Value": "dev"}]
    with refused("ResourceNotFound", "Requested resource not found"):
        aws.sagemaker.list_tags(ResourceArn=f"{arn}-other")


def test_a_request_that_breaks_the_model_is_refused_with_every_fault(aws: LocalAws) -> None:
    # boto3 itself lets patterns pass.
    with refused("ValidationException", "2 validation errors detected: PipelineName must match") as caught:
        aws.sagemaker.create_pipeline(PipelineName="a b", PipelineDefinition=ONE, RoleArn="arn:aws:iam::1:role/nothing")
    assert "RoleArn must match" in str(caught.value)


def test_what_is_not_executed_says_so(aws: LocalAws) -> None:
    stopping = {"MaxRuntimeInSeconds": 60}
    output = {"S3OutputLocation": "s3://a/b", "TargetDevice": "jetson_nano"}
    request = {"CompilationJobName": "c", "RoleArn": ROLE, "OutputConfig": output, "StoppingCondition": stopping}
    with refused("UnknownOperationException", "not executed locally: CreateCompilationJob"):
        aws.sagemaker.create_compilation_job(**request)
    with refused("UnknownOperationException", "not executed locally: StopAutoMLJob"):
        aws.sagemaker.stop_auto_ml_job(AutoMLJobName="a")


def test_a_definition_may_hold_any_text(aws: LocalAws) -> None:
    name = aws.create([condition("C", compare("Equals", "é\u2028\U0001f600", 'a"b'), otherwise=[fail("No", "ünï")])])
    text = aws.sagemaker.describe_pipeline(PipelineName=name)["PipelineDefinition"]
    assert json.loads(text)["Steps"][0]["Arguments"]["Conditions"][0]["LeftValue"] == "é\u2028\U0001f600"
    assert aws.wait(aws.start(name)).steps["No"]["FailureReason"] == "ünï"
