"""Steps that are not executed locally: never a success, unless the user said what their result is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from tests.local.local_aws import LocalAws, fail, get

Json = dict[str, Any]
EMR: Json = {"ClusterId": "j-1", "StepConfig": {"HadoopJarStep": {"Jar": "s3://b/a.jar"}}}


def test_what_is_not_executed_fails_with_the_mend(aws: LocalAws, other: Callable[..., Json]) -> None:
    ended = aws.run([other("Cluster", "EMR", EMR)])
    assert ended.status == "Failed"
    assert ended.steps["Cluster"]["FailureReason"] == (
        "not executed locally: EMR; fix: give it a stub result: environments: local: stubs: Cluster"
    )


def test_a_stub_gives_the_properties_and_is_told_as_one(
    aws: LocalAws, other: Callable[..., Json], configure: Callable[..., None]
) -> None:
    configure(stubs={"Cluster": {"ClusterId": "j-stub"}})
    ended = aws.run([other("Cluster", "EMR", EMR), fail(message=get("Steps.Cluster.ClusterId"))])
    assert ended.steps["Cluster"]["StepStatus"] == "Succeeded"
    assert ended.steps["Cluster"]["Metadata"]["EMR"]["StepName"].startswith("not executed locally: a stub result")
    assert ended.steps["Stop"]["FailureReason"] == "j-stub"


def test_the_children_of_a_loop_share_the_stub_of_their_step(
    aws: LocalAws, other: Callable[..., Json], configure: Callable[..., None]
) -> None:
    configure(stubs={"Cluster": {}})
    body = {"IterableItems": ["a", "b"], "MaxConcurrency": 2, "ForEachBody": [other("Cluster", "EMR", EMR)]}
    ended = aws.run([other("Loop", "ForEach", body)])
    assert (ended.statuses()["Cluster-0"], ended.statuses()["Cluster-1"]) == ("Succeeded", "Succeeded")


def test_a_stub_does_not_stand_in_for_what_is_executed(aws: LocalAws, configure: Callable[..., None]) -> None:
    configure(stubs={"Job": {}})
    assert aws.run([aws.step("Job", "sys.exit(3)")]).statuses() == {"Job": "Failed"}


def test_settings_that_cannot_be_read_fail_the_step_with_the_mend(
    aws: LocalAws, other: Callable[..., Json], configure: Callable[..., None]
) -> None:
    configure()
    aws.home.settings.write_text('{"stub": {}}', encoding="utf-8")
    reason = aws.run([other("Cluster", "EMR", EMR)]).steps["Cluster"]["FailureReason"]
    assert reason.startswith("ClientError: the settings: ")
    assert "; fix: " in reason
