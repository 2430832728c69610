"""The model registry's journal: what moto forgets is played again."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from pipelines.local import daemon
from pipelines.local.database import Database
from pipelines.local.home import Home
from tests.local.api.test_executions import register
from tests.local.local_aws import LocalAws, fresh


def test_what_a_client_changed_is_still_there_after_a_restart(serve: Callable[[], LocalAws]) -> None:
    aws, group = serve(), fresh()
    arn = aws.run([register(group)]).steps["Register"]["Metadata"]["RegisterModel"]["Arn"]
    aws.sagemaker.update_model_package(ModelPackageArn=arn, ModelApprovalStatus="Approved")
    daemon.stop(aws.home)
    package = serve().sagemaker.describe_model_package(ModelPackageName=arn)
    assert package["ModelApprovalStatus"] == "Approved"
    assert package["ModelPackageGroupName"] == group


def test_an_entry_that_cannot_be_played_again_does_not_cost_the_others(
    serve: Callable[[], LocalAws], tmp_path: Path
) -> None:
    home, group = Home(tmp_path / ".pipelines"), fresh()
    home.create()
    database = Database(home.database)
    for number, (operation, request) in enumerate(
        [("NoSuchOperation", {}), ("CreateModelPackageGroup", {"ModelPackageGroupName": group})]
    ):
        entry = {"number": number, "operation": operation, "request": request}
        database.put("journal", f"{number:09d}", entry, place=number)
    database.close()
    groups = serve().sagemaker.list_model_package_groups()["ModelPackageGroupSummaryList"]
    assert [item["ModelPackageGroupName"] for item in groups] == [group]
    assert "the journal's NoSuchOperation was not played again" in home.server_log.read_text()
