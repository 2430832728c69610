"""Versions of pipelines and their aliases, with boto3."""

from __future__ import annotations

import pytest

from tests.local.api.test_pipelines import ONE, TWO, refused
from tests.local.local_aws import ROLE, LocalAws, fail, fresh


def with_versions(aws: LocalAws, *aliases: str) -> str:
    """A pipeline of two versions, the first of which has these aliases; its name."""
    name = fresh()
    request = {"PipelineName": name, "PipelineDefinition": ONE, "RoleArn": ROLE}
    aws.sagemaker.create_pipeline(**request, **({"PipelineVersionAliases": list(aliases)} if aliases else {}))
    aws.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=TWO)
    return name


def update(aws: LocalAws, name: str, version: int, **request: object) -> dict[str, object]:
    arn = aws.sagemaker.describe_pipeline(PipelineName=name)["PipelineArn"]
    return dict(aws.sagemaker.update_pipeline_version(PipelineArn=arn, PipelineVersionId=version, **request))


def move(aws: LocalAws, name: str, version: int, add: tuple[str, ...] = (), remove: tuple[str, ...] = ()) -> None:
    operations = {"Add": list(add), "Remove": list(remove)}
    update(
        aws, name, version, PipelineVersionAliasOperations={key: value for key, value in operations.items() if value}
    )


def aliases(aws: LocalAws, name: str) -> dict[int, list[str]]:
    listed = aws.sagemaker.list_pipeline_versions(PipelineName=name)["PipelineVersionSummaries"]
    return {item["PipelineVersionId"]: item["PipelineVersionAliases"] for item in listed}


def test_a_version_is_described_and_started_by_its_alias(aws: LocalAws) -> None:
    name = with_versions(aws, "prod")
    described = aws.sagemaker.describe_pipeline(PipelineName=name, PipelineVersionAlias="prod")
    assert (described["PipelineDefinition"], described["PipelineVersionAliases"]) == (ONE, ["prod"])
    assert "PipelineVersionAliases" not in aws.sagemaker.describe_pipeline(PipelineName=name)
    ended = aws.wait(aws.start(name, PipelineVersionAlias="prod"))
    assert list(ended.steps) == ["One"]
    assert (ended.described["PipelineVersionId"], ended.described["PipelineVersionAliases"]) == (1, ["prod"])
    latest = aws.wait(aws.start(name))
    assert (list(latest.steps), latest.described["PipelineVersionId"]) == (["Two"], 2)


def test_executions_are_listed_by_the_version_that_has_an_alias_now(aws: LocalAws) -> None:
    name = with_versions(aws, "prod")
    first, second = (aws.wait(aws.start(name, PipelineVersionId=version)).arn for version in (1, 2))

    def listed() -> list[tuple[str, list[str]]]:
        answer = aws.sagemaker.list_pipeline_executions(PipelineName=name, PipelineVersionAlias="prod")
        found = answer["PipelineExecutionSummaries"]
        return [(item["PipelineExecutionArn"], item["PipelineVersionAliases"]) for item in found]

    assert listed() == [(first, ["prod"])]
    move(aws, name, 1, remove=("prod",))
    with refused("ResourceNotFound", "no version with the alias prod"):
        listed()
    move(aws, name, 2, add=("prod",))
    assert listed() == [(second, ["prod"])]
    assert aliases(aws, name) == {2: ["prod"], 1: []}


def test_an_alias_that_nobody_has_is_not_found(aws: LocalAws) -> None:
    name = with_versions(aws)
    for call in (aws.sagemaker.describe_pipeline, aws.sagemaker.start_pipeline_execution):
        with refused("ResourceNotFound", f"Pipeline {name} has no version with the alias prod"):
            call(PipelineName=name, PipelineVersionAlias="prod")
        with refused("ValidationException", "Provide either PipelineVersionId or PipelineVersionAlias"):
            call(PipelineName=name, PipelineVersionAlias="prod", PipelineVersionId=1)


@pytest.mark.parametrize(
    ("version", "add", "remove", "code", "reason"),
    [
        (
            2,
            ("prod",),
            (),
            "ConflictException",
            "belongs to version 1: remove it there first with UpdatePipelineVersion",
        ),
        (2, (), ("prod",), "ResourceNotFound", "has no alias prod"),
        (1, ("a",), ("a",), "ValidationException", "adds and removes the alias a"),
        (1, ("12",), (), "ValidationException", "consists of digits only"),
        (1, tuple(f"a{number}" for number in range(10)), (), "ValidationException", "at most 10 aliases"),
        (3, ("a",), (), "ResourceNotFound", "has no version 3"),
    ],
)
def test_aliases_that_break_the_rules_are_refused_and_nothing_changes(
    aws: LocalAws, version: int, add: tuple[str, ...], remove: tuple[str, ...], code: str, reason: str
) -> None:
    name = with_versions(aws, "prod")
    with refused(code, reason):
        move(aws, name, version, add, remove)
    assert aliases(aws, name) == {2: [], 1: ["prod"]}


def test_an_update_gives_aliases_to_a_new_version_only(aws: LocalAws) -> None:
    name = with_versions(aws)
    with refused("ValidationException", "use UpdatePipelineVersion"):
        aws.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=TWO, PipelineVersionAliases=["new"])
    aws.sagemaker.update_pipeline(PipelineName=name, PipelineDefinition=ONE, PipelineVersionAliases=["new"])
    assert aliases(aws, name) == {3: ["new"], 2: [], 1: []}


def test_a_version_has_a_name_and_a_description_of_its_own(aws: LocalAws) -> None:
    name = with_versions(aws)
    words = {"PipelineVersionDisplayName": "first", "PipelineVersionDescription": "the one of May"}
    assert update(aws, name, 1, **words)["PipelineVersionId"] == 1
    first = aws.sagemaker.describe_pipeline(PipelineName=name, PipelineVersionId=1)
    assert {key: first[key] for key in words} == words
    assert "PipelineVersionDisplayName" not in aws.sagemaker.describe_pipeline(PipelineName=name)
    listed = aws.sagemaker.list_pipeline_versions(PipelineName=name, SortOrder="Ascending")
    assert {key: listed["PipelineVersionSummaries"][0][key] for key in words} == words


def test_versions_are_listed_by_time_with_their_newest_execution(aws: LocalAws) -> None:
    name = with_versions(aws)
    arns = [aws.wait(aws.start(name, PipelineVersionId=1)).arn for _ in range(2)]
    second, first = aws.sagemaker.list_pipeline_versions(PipelineName=name)["PipelineVersionSummaries"]
    assert first["LastExecutionPipelineExecutionArn"] == arns[1]
    assert "LastExecutionPipelineExecutionArn" not in second
    for filters, ids in (
        ({"CreatedAfter": second["CreationTime"]}, [2]),
        ({"CreatedBefore": first["CreationTime"]}, [1]),
    ):
        found = aws.sagemaker.list_pipeline_versions(PipelineName=name, **filters)["PipelineVersionSummaries"]
        assert [item["PipelineVersionId"] for item in found] == ids


def test_no_pipeline_here_is_managed_by_aws(aws: LocalAws) -> None:
    name = aws.create([fail()])
    listed = {
        kind: aws.sagemaker.list_pipelines(PipelineNamePrefix=name, ManagedBy=kind)["PipelineSummaries"]
        for kind in ("AWS", "CUSTOMER")
    }
    assert (listed["AWS"], len(listed["CUSTOMER"])) == ([], 1)
    with refused("ValidationException", "RoleArn is for pipelines that AWS manages"):
        aws.start(name, RoleArn=ROLE)
