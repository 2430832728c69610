"""EventBridge Scheduler: the schedules that moto keeps fire when they are due, by a clock that the tests turn."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipelines.local.call import Call, CallError, json_call
from pipelines.local.database import Database
from pipelines.local.moto import Moto
from pipelines.local.scheduler import ClockAlarm, Scheduler
from pipelines.local.targets import Targets
from tests.local.local_aws import REGION, ROLE, LocalAws, eventually, fail

Json = dict[str, Any]
PIPELINE = f"arn:aws:sagemaker:{REGION}:123456789012:pipeline/p"
QUEUE = f"arn:aws:sqs:{REGION}:123456789012:dead"
UNIVERSAL = "arn:aws:scheduler:::aws-sdk:sagemaker:startPipelineExecution"
BEGIN = datetime(2030, 3, 30, 12, tzinfo=UTC)  # Berlin's clock springs forward in the night after


class Silent:
    """An alarm that nobody waits with."""

    def __init__(self) -> None:
        self.rung = 0

    def wait(self, until: datetime | None) -> None:
        raise AssertionError(f"nothing waits here until {until}")

    def ring(self) -> None:
        self.rung += 1


class World:
    """moto, a scheduler and a clock; what is started is written down, or refused."""

    def __init__(self, file: Path) -> None:
        from moto.moto_api._internal.models import moto_api_backend

        moto_api_backend.reset()
        self.file, self.time = file, BEGIN
        self.refusals: list[CallError] = []
        self.requests: list[Json] = []
        self.at: list[str] = []
        self.time -= timedelta(seconds=1)  # the server is older than its schedules
        self.open()
        self.time = BEGIN

    def open(self) -> None:
        self.database = Database(self.file)
        self.moto = Moto(self.database, REGION, self.now)
        self.alarm = Silent()
        self.scheduler = Scheduler(self.moto, Targets(self.moto.call, self.start), self.now, self.alarm)

    def now(self) -> datetime:
        return self.time

    def start(self, call: Call) -> Json:
        self.requests.append(call.request())
        if self.refusals:
            raise self.refusals.pop(0)
        self.at.append(self.time.strftime("%d %H:%M:%S"))
        return {"PipelineExecutionArn": "arn"}

    def put(self, name: str, expression: str, *, target: Json | None = None, method: str = "POST", **more: Any) -> None:
        body = {
            "ScheduleExpression": expression,
            "FlexibleTimeWindow": {"Mode": "OFF"},
            "Target": {"Arn": PIPELINE, "RoleArn": ROLE, "SageMakerPipelineParameters": {}, **(target or {})},
            **more,
        }
        operation = {"POST": "CreateSchedule", "PUT": "UpdateSchedule"}[method]
        self.moto.call(Call("scheduler", REGION, operation, method, f"/schedules/{name}", body=json.dumps(body)))

    def names(self) -> list[str]:
        listed = self.moto.call(Call("scheduler", REGION, "ListSchedules", "GET", "/schedules"))["Schedules"]
        return sorted(item["Name"] for item in listed)

    def letters(self) -> list[Json]:
        url = f"https://sqs.{REGION}.amazonaws.com/123456789012/dead"
        request = {"QueueUrl": url, "MaxNumberOfMessages": 10, "MessageAttributeNames": ["All"]}
        return list(self.moto.call(json_call("sqs", REGION, "ReceiveMessage", request)).get("Messages", []))

    def live(self, hours: float) -> None:
        """Let time go by as `run` does: each turn at the time that the last one gave."""
        end = self.time + timedelta(hours=hours)
        while (due := self.scheduler.turn()) and due <= end:
            assert due > self.time, "it spins"
            self.time = due
        self.time = end


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    found = World(tmp_path / "state.sqlite3")
    yield found
    found.database.close()


def test_a_cron_fires_at_its_times_in_its_timezone(world: World) -> None:
    world.put("nightly", "cron(30 1,2,3 * * ? *)", ScheduleExpressionTimezone="Europe/Berlin")
    world.live(24)
    assert world.at == ["31 00:30:00", "31 01:30:00"]  # 01:30 and 03:30 there: 02:30 was skipped


def test_a_rate_fires_at_once_and_then_every_so_often(world: World) -> None:
    world.put("often", "rate(20 minutes)")
    world.live(1)
    assert world.at == ["30 12:00:00", "30 12:20:00", "30 12:40:00", "30 13:00:00"]


def test_start_and_end_bound_what_fires(world: World) -> None:
    start, end = BEGIN + timedelta(minutes=30), BEGIN + timedelta(minutes=70)
    world.put("often", "rate(20 minutes)", StartDate=start.timestamp(), EndDate=end.timestamp())
    world.live(5)
    assert world.at == ["30 12:30:00", "30 12:50:00", "30 13:10:00"]


def test_a_flexible_window_fires_at_its_beginning(world: World) -> None:
    window = {"Mode": "FLEXIBLE", "MaximumWindowInMinutes": 15}
    world.put("once", "at(2030-03-30T13:00:00)", FlexibleTimeWindow=window)
    world.live(2)
    assert world.at == ["30 13:00:00"]


def test_a_single_time_fires_once_and_is_deleted_when_that_is_asked_for(world: World) -> None:
    world.put("keep", "at(2030-03-30T13:00:00)")
    world.put("delete", "at(2030-03-30T13:00:00)", ActionAfterCompletion="DELETE")
    world.put("more", "rate(1 hour)", ActionAfterCompletion="DELETE")
    world.live(2)
    assert world.names() == ["keep", "more"]
    assert world.at.count("30 13:00:00") == 3


def test_what_is_disabled_does_not_fire_until_it_is_enabled(world: World) -> None:
    world.put("often", "cron(0 * * * ? *)", State="DISABLED")
    assert world.scheduler.turn() is None
    world.time += timedelta(hours=3, minutes=30)
    world.put("often", "cron(0 * * * ? *)", State="ENABLED", method="PUT")
    assert world.alarm.rung == 2
    world.live(1)
    assert world.at == ["30 16:00:00"]


def test_a_new_schedule_does_not_fire_for_what_was_before_it(world: World) -> None:
    assert world.scheduler.turn() is None
    world.time += timedelta(minutes=30, seconds=30)
    world.put("half", "cron(30 * * * ? *)")
    world.live(1)
    assert world.at == ["30 13:30:00"]


def test_times_of_a_sleep_are_not_made_up(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.put("often", "cron(0/10 * * * ? *)")
    world.scheduler.turn()
    world.time += timedelta(hours=2, seconds=20)
    world.scheduler.turn()
    assert world.at == ["30 12:00:00", "30 14:00:20"]
    assert "schedule often: 11 times passed meanwhile; they are not made up" in caplog.text


def test_a_restart_goes_on_counting_from_the_creation(world: World) -> None:
    world.put("often", "rate(30 minutes)")
    world.live(0.6)
    world.database.close()
    world.time += timedelta(hours=1)
    world.open()
    world.live(1)
    assert world.at == ["30 12:00:00", "30 12:30:00", "30 14:00:00", "30 14:30:00"]


def test_parameters_and_input_are_filled_in(world: World) -> None:
    parameters = [{"Name": "Day", "Value": "<aws.scheduler.scheduled-time>"}, {"Name": "N", "Value": "1"}]
    world.put(
        "one", "at(2030-03-30T13:00:00)", target={"SageMakerPipelineParameters": {"PipelineParameterList": parameters}}
    )
    given = {"PipelineName": "q", "PipelineExecutionDescription": "<aws.scheduler.schedule-arn>"}
    world.put("two", "at(2030-03-30T14:00:00)", target={"Arn": UNIVERSAL, "Input": json.dumps(given)})
    world.live(2)
    first, second = world.requests
    assert first["PipelineName"] == PIPELINE
    assert first["PipelineParameters"] == [
        {"Name": "Day", "Value": "2030-03-30T13:00:00Z"},
        {"Name": "N", "Value": "1"},
    ]
    arn = f"arn:aws:scheduler:{REGION}:123456789012:schedule/default/two"
    assert (second["PipelineName"], second["PipelineExecutionDescription"]) == ("q", arn)
    assert len(first["ClientRequestToken"]) >= 32
    assert first["ClientRequestToken"] != second["ClientRequestToken"]


def test_what_fails_is_tried_again_with_the_same_token_and_longer_and_longer_pauses(world: World) -> None:
    world.refusals = [CallError("ThrottlingException", "slower")] * 3
    world.put("once", "at(2030-03-30T13:00:00)")
    world.live(2)
    assert world.at == ["30 13:00:07"]  # after 1, 2 and 4 seconds
    assert len({request["ClientRequestToken"] for request in world.requests}) == 1


@pytest.mark.parametrize(
    ("policy", "error", "exhausted", "retries"),
    [
        ({"MaximumRetryAttempts": 2}, "InternalFailure", "MaximumRetryAttempts", "2"),
        ({"MaximumEventAgeInSeconds": 60}, "InternalFailure", "MaximumEventAgeInSeconds", "5"),
        ({"MaximumRetryAttempts": 9}, "ResourceNotFound", None, "0"),
    ],
    ids=["attempts", "age", "final"],
)
def test_what_fails_for_good_goes_to_the_dead_letter_queue(
    world: World, policy: Json, error: str, exhausted: str | None, retries: str
) -> None:
    world.moto.call(json_call("sqs", REGION, "CreateQueue", {"QueueName": "dead"}))
    world.refusals = [CallError(error, "no")] * 500
    target = {"RetryPolicy": policy, "DeadLetterConfig": {"Arn": QUEUE}, "Input": '{"a": 1}'}
    world.put("once", "at(2030-03-30T13:00:00)", target=target, ActionAfterCompletion="DELETE")
    world.live(3)
    (letter,) = world.letters()
    attributes = {name: value["StringValue"] for name, value in letter["MessageAttributes"].items()}
    assert attributes.pop("EXECUTION_ID")
    assert attributes.get("EXHAUSTED_RETRY_CONDITION") == exhausted
    attributes.pop("EXHAUSTED_RETRY_CONDITION", None)
    assert attributes == {
        "ERROR_CODE": error,
        "ERROR_MESSAGE": "no",
        "IS_PAYLOAD_TRUNCATED": "false",
        "RETRY_ATTEMPTS": retries,
        "SCHEDULED_TIME": "2030-03-30T13:00:00Z",
        "SCHEDULE_ARN": f"arn:aws:scheduler:{REGION}:123456789012:schedule/default/once",
        "TARGET_ARN": PIPELINE,
    }
    assert letter["Body"] == '{"a": 1}'
    assert world.names() == []


@pytest.mark.parametrize(
    ("name", "expression", "target"),
    [
        ("wrong", "cron(0 0 0 0 0)", {}),
        ("elsewhere", "rate(1 hour)", {"Arn": f"arn:aws:lambda:{REGION}:123456789012:function:f"}),
        ("broken", "rate(1 hour)", {"Arn": UNIVERSAL, "Input": "no JSON"}),
        ("valueless", "rate(1 hour)", {"SageMakerPipelineParameters": {"PipelineParameterList": [{"Name": "A"}]}}),
    ],
)
def test_a_schedule_that_cannot_fire_does_not_keep_others_from_it(
    world: World, caplog: pytest.LogCaptureFixture, name: str, expression: str, target: Json
) -> None:
    world.put(name, expression, target=target)
    world.put("good", "rate(1 hour)")
    world.live(0.5)
    assert world.at == ["30 12:00:00"]
    assert f"schedule {name}" in caplog.text


def test_an_unknown_timezone_is_said(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.put("far", "rate(1 hour)", ScheduleExpressionTimezone="Europe/Berln")
    assert world.scheduler.turn() is None
    assert "schedule far does not fire: there is no timezone 'Europe/Berln'" in caplog.text


def test_schedules_of_a_group_and_many_of_them_fire(world: World) -> None:
    world.moto.call(Call("scheduler", REGION, "CreateScheduleGroup", "POST", "/schedule-groups/many", body="{}"))
    for number in range(120):  # more than a page
        world.put(f"s{number}", "at(2030-03-30T13:00:00)", GroupName="many", ActionAfterCompletion="DELETE")
    world.live(2)
    assert len(world.at) == 120
    assert world.names() == []


def test_without_schedules_moto_is_not_even_loaded(tmp_path: Path) -> None:
    database = Database(tmp_path / "state.sqlite3")
    moto = Moto(database, REGION, lambda: BEGIN)
    assert Scheduler(moto, Targets(moto.call, moto.call), lambda: BEGIN, Silent()).turn() is None
    assert not moto.loaded
    database.close()


def test_the_alarm_waits_by_the_clock_and_until_it_rings() -> None:
    begin = datetime.now(UTC)
    alarm = ClockAlarm(lambda: datetime.now(UTC))
    alarm.wait(begin + timedelta(seconds=0.05))
    assert timedelta(seconds=0.05) <= datetime.now(UTC) - begin < timedelta(seconds=600)
    threading.Timer(0.05, alarm.ring).start()
    alarm.wait(None)
    alarm.wait(begin)  # what is past is not waited for


def test_a_schedule_starts_a_pipeline_of_the_running_server(aws: LocalAws) -> None:
    name = aws.create([fail()])
    scheduler = aws.client("scheduler")
    target = {"Arn": f"arn:aws:sagemaker:{REGION}:123456789012:pipeline/{name}", "RoleArn": ROLE}
    scheduler.create_schedule(
        Name=name,
        ScheduleExpression="rate(5 minutes)",
        EndDate=datetime.now(UTC) + timedelta(minutes=3),
        FlexibleTimeWindow={"Mode": "OFF"},
        Target={**target, "SageMakerPipelineParameters": {}},
        ActionAfterCompletion="DELETE",
    )

    def started() -> Any:
        return aws.sagemaker.list_pipeline_executions(PipelineName=name)["PipelineExecutionSummaries"]

    eventually(started, "the execution")
    eventually(lambda: not scheduler.list_schedules(NamePrefix=name)["Schedules"], "the end of the schedule")
    assert len(started()) == 1
