"""The logs of jobs through the CloudWatch Logs API, with boto3."""

from __future__ import annotations

from typing import Any

import pytest

from tests.local.api.test_pipelines import refused
from tests.local.local_aws import LocalAws, eventually, fresh

GROUP = "/aws/sagemaker/ProcessingJobs"


@pytest.fixture(scope="module")
def job(aws: LocalAws) -> str:
    """A job that printed 25 lines."""
    code = "for number in range(25): print('line', number, flush=True)"
    return str(aws.run_job(aws.job(code))["ProcessingJobName"])


def events(aws: LocalAws, job: str, **request: Any) -> dict[str, Any]:
    answer = aws.logs.get_log_events(logGroupName=GROUP, logStreamName=f"{job}/algo-1", **request)
    return {**answer, "texts": [event["message"] for event in answer["events"]]}


LINES = [f"line {number}" for number in range(25)]


def test_a_job_has_one_stream_for_its_host(aws: LocalAws, job: str) -> None:
    streams = aws.logs.describe_log_streams(logGroupName=GROUP, logStreamNamePrefix=f"{job}/")["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == [f"{job}/algo-1"]
    assert streams[0]["firstEventTimestamp"] <= streams[0]["lastEventTimestamp"]


def test_streams_are_found_by_prefix_and_page(aws: LocalAws) -> None:
    mark = fresh()
    for letter in "abc":
        aws.sagemaker.create_processing_job(ProcessingJobName=f"{mark}-{letter}", **aws.job("print(1, flush=True)"))
    for letter in "abc":
        aws.wait_for_job(f"{mark}-{letter}")
    listing = aws.logs.get_paginator("describe_log_streams")

    def listed(**request: Any) -> list[str]:
        pages = listing.paginate(logGroupName=GROUP, PaginationConfig={"PageSize": 2}, **request)
        return [item["logStreamName"] for page in pages for item in page["logStreams"]]

    names = [f"{mark}-{letter}/algo-1" for letter in "abc"]
    assert listed(logStreamNamePrefix=mark) == names
    assert listed(logStreamNamePrefix=mark, descending=True) == names[::-1]
    assert listed(logStreamNamePrefix=f"{mark}-b/") == names[1:2]
    assert listed(logStreamNamePrefix=f"{mark}-d/") == []


def test_events_are_read_from_the_head_page_by_page(aws: LocalAws, job: str) -> None:
    first = events(aws, job, startFromHead=True, limit=10)
    second = events(aws, job, limit=10, nextToken=first["nextForwardToken"])
    third = events(aws, job, limit=10, nextToken=second["nextForwardToken"])
    end = events(aws, job, limit=10, nextToken=third["nextForwardToken"])
    assert first["texts"] + second["texts"] + third["texts"] == LINES
    assert (end["events"], end["nextForwardToken"]) == ([], third["nextForwardToken"])
    assert all(event["timestamp"] > 1_500_000_000_000 for event in first["events"])


def test_without_a_start_the_last_events_are_read_and_then_those_before(aws: LocalAws, job: str) -> None:
    last = events(aws, job, limit=10)
    before = events(aws, job, limit=10, nextToken=last["nextBackwardToken"])
    rest = events(aws, job, limit=10, nextToken=before["nextBackwardToken"])
    assert rest["texts"] + before["texts"] + last["texts"] == LINES
    assert events(aws, job, limit=10, nextToken=rest["nextBackwardToken"])["events"] == []


def test_a_running_job_is_followed_by_its_token(aws: LocalAws) -> None:
    name = fresh()
    code = """
os.write(1, b'first\\nhalf')
time.sleep(600)
"""
    aws.sagemaker.create_processing_job(ProcessingJobName=name, **aws.job(code))
    aws.wait_for_line(name, "first")
    first = events(aws, name, startFromHead=True)
    assert first["texts"] == ["first"]
    aws.sagemaker.stop_processing_job(ProcessingJobName=name)
    aws.wait_for_job(name)
    assert events(aws, name, nextToken=first["nextForwardToken"])["texts"] == ["half"]


def test_events_of_several_streams_are_filtered_by_time_and_page(aws: LocalAws, job: str) -> None:
    pages = aws.logs.get_paginator("filter_log_events").paginate(
        logGroupName=GROUP, logStreamNamePrefix=f"{job}/", PaginationConfig={"PageSize": 10}
    )
    found = [event for page in pages for event in page["events"]]
    assert [event["message"] for event in found] == LINES
    assert {event["logStreamName"] for event in found} == {f"{job}/algo-1"}
    later = found[-1]["timestamp"] + 1
    request = {"logGroupName": GROUP, "logStreamNames": [f"{job}/algo-1"]}
    assert aws.logs.filter_log_events(**request, startTime=later)["events"] == []
    assert len(aws.logs.filter_log_events(**request, endTime=later)["events"]) == 25
    assert events(aws, job, startFromHead=True, startTime=later)["events"] == []


def test_a_filter_pattern_is_refused_rather_than_ignored(aws: LocalAws, job: str) -> None:
    with refused("InvalidParameterException", "not part of the local SageMaker: filterPattern"):
        aws.logs.filter_log_events(logGroupName=GROUP, logStreamNames=[f"{job}/algo-1"], filterPattern="ERROR")


@pytest.mark.parametrize(
    ("stream", "code"),
    [
        ("no-such-job/algo-1", "ResourceNotFoundException"),
        ("../..", "InvalidParameterException"),
        ("../../state.sqlite3", "InvalidParameterException"),
        ("a/../b", "InvalidParameterException"),
        ("job", "InvalidParameterException"),
    ],
)
def test_a_stream_that_is_not_there_is_refused(aws: LocalAws, stream: str, code: str) -> None:
    with refused(code, ""):
        aws.logs.get_log_events(logGroupName=GROUP, logStreamName=stream)


def test_a_token_that_is_not_ours_is_refused(aws: LocalAws, job: str) -> None:
    for token in ("nonsense", "f/-1", "f/²", "f/" + "9" * 40):
        with refused("InvalidParameterException", "is not valid"):
            events(aws, job, nextToken=token)
    assert events(aws, job, nextToken="f/999999999")["events"] == []


def test_other_log_groups_are_motos(aws: LocalAws) -> None:
    group = f"/{fresh()}"
    aws.logs.create_log_group(logGroupName=group)
    aws.logs.create_log_stream(logGroupName=group, logStreamName="s")
    streams = aws.logs.describe_log_streams(logGroupName=group)["logStreams"]
    assert [stream["logStreamName"] for stream in streams] == ["s"]
    with refused("ResourceNotFoundException", "does not exist"):
        aws.logs.describe_log_streams(logGroupName=f"{group}-other")


def test_a_long_log_is_given_whole(aws: LocalAws) -> None:
    """Longer than the limits of an answer: 1 MiB and 10,000 events."""
    job = aws.run_job(aws.job("for number in range(12000): print('x' * 200)"))["ProcessingJobName"]
    eventually(lambda: events(aws, job)["events"])
    token, count = None, 0
    while True:
        more = {"nextToken": token} if token else {}
        answer = events(aws, job, startFromHead=True, **more)
        if not answer["events"]:
            break
        token, count = answer["nextForwardToken"], count + len(answer["events"])
    assert count == 12000
    pages = aws.logs.get_paginator("filter_log_events").paginate(logGroupName=GROUP, logStreamNamePrefix=f"{job}/")
    assert sum(len(page["events"]) for page in pages) == 12000
