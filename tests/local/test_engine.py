"""Executions without HTTP and without programs: failing disks, bugs, stops at every moment, many threads."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from pipelines.definition import parse
from pipelines.errors import LocalError
from pipelines.local.cache import RESULT
from pipelines.local.database import Database
from pipelines.local.engine import Engine
from pipelines.local.execution import Execution, Services, StartRequest, cut_off
from pipelines.local.machine.events import StepStarted
from pipelines.local.machine.state import ExecutionState, Refusal, StepState
from pipelines.local.moto import MotoError
from pipelines.local.settings import Settings
from pipelines.local.steps.jobs import JobStep
from pipelines.local.steps.kinds import Kinds
from pipelines.local.steps.register import RegisterModel
from pipelines.local.steps.stub import Stubs
from pipelines.local.store import ObjectStore
from tests.local.local_aws import compare, condition, definition, eventually, fresh
from tests.local.test_database import limit

Json = dict[str, Any]
ARN = "arn:aws:sagemaker:eu-central-1:123456789012:pipeline/p"


@dataclass
class FakeJob:
    name: str
    ends: threading.Event = field(default_factory=threading.Event)
    status: str = "InProgress"

    @property
    def arn(self) -> str:
        return f"arn:aws:sagemaker:eu-central-1:123456789012:processing-job/{self.name.lower()}"

    def stop(self) -> None:
        self.status = "Stopped"
        self.ends.set()


@dataclass
class FakeJobs:
    """Jobs that run until they are ended; `reasons` are those that the next ones fail with, at once."""

    quick: bool = False
    record: Json = field(default_factory=dict)
    reasons: list[str] = field(default_factory=list)
    jobs: dict[str, FakeJob] = field(default_factory=dict)
    ran: list[str] = field(default_factory=list)

    def create(self, kind: str, name: str, _request: Json) -> FakeJob:
        assert kind == "Processing"
        self.jobs[name] = FakeJob(name)
        return self.jobs[name]

    def run(self, job: FakeJob) -> Json:
        self.ran.append(job.name)
        if self.reasons:
            job.status = "Failed"
            return {"FailureReason": self.reasons.pop(0)}
        if not self.quick:
            assert job.ends.wait(600)
        if job.status == "InProgress":
            job.status = "Completed"
        return {"ProcessingJobArn": job.arn, **self.record}

    def stop(self, _kind: str, name: str) -> bool:
        self.jobs[name].stop()
        return True


class FakeMoto:
    def prepare(self) -> None:
        pass

    def sagemaker(self, _operation: str, _request: Json) -> Json:
        raise MotoError("ValidationException", "no such group")


def kinds(jobs: FakeJobs) -> Kinds:
    job, register = JobStep(jobs, "Processing", "ProcessingJob"), RegisterModel(FakeMoto())  # type: ignore[arg-type]
    return Kinds({"Processing": job, "RegisterModel": register}, Stubs(Settings))


@dataclass
class Bench:
    """An engine upon fakes."""

    database: Database
    jobs: FakeJobs
    engine: Engine
    workers: ThreadPoolExecutor

    def start(self, *steps: Json, limit: int | None = None) -> Execution:
        execution_id = fresh()[2:]
        request = StartRequest("p", ARN, execution_id, parse(definition(steps)), {}, limit, {})
        execution = prepared(self.engine.prepare(request))
        self.engine.begin(execution)
        return execution

    def record(self, execution: Execution) -> Json:
        record = self.engine.describe(execution.arn)
        assert record
        return record

    def status(self, execution: Execution) -> str:
        return str(self.record(execution)["state"]["status"])

    def steps(self, execution: Execution) -> dict[str, StepState]:
        return dict(self.engine.state(self.record(execution)).steps)

    def running(self, count: int) -> list[FakeJob]:
        """The jobs, once so many run."""
        eventually(lambda: len(self.jobs.ran) >= count, f"{count} jobs")
        return [self.jobs.jobs[name] for name in self.jobs.ran]

    def ended(self, execution: Execution) -> str:
        eventually(lambda: self.status(execution) not in ("Executing", "Stopping"), "the end")
        eventually(lambda: not self.engine.busy, "rest")
        return self.status(execution)


def prepared(found: Execution | Refusal) -> Execution:
    assert isinstance(found, Execution), found
    return found


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Callable[..., Bench]]:
    made: list[Bench] = []

    def make(jobs: FakeJobs | None = None, threads: int = 8) -> Bench:
        database, jobs = Database(tmp_path / "state.sqlite3"), jobs or FakeJobs()
        workers, readers = ThreadPoolExecutor(threads), ThreadPoolExecutor(1)
        store = ObjectStore(tmp_path / "s3")
        services = Services(
            database,
            store,
            kinds(jobs),
            lambda: datetime.now(UTC),
            workers,
            readers,
        )
        made.append(Bench(database, jobs, Engine(services), workers))
        return made[-1]

    yield make
    for found in made:
        for job in found.jobs.jobs.values():
            job.stop()
        found.workers.shutdown()
        found.database.close()


def job(name: str, **more: Any) -> Json:
    return {"Name": name, "Type": "Processing", "Arguments": {"AppSpecification": {"ImageUri": "i"}}, **more}


def test_an_execution_is_kept_before_it_begins(bench: Callable[..., Bench]) -> None:
    made = bench()
    request = StartRequest("p", ARN, "e", parse(definition([job("A")])), {}, None, {})
    execution = prepared(made.engine.prepare(request))
    assert made.status(execution) == "Executing"
    assert made.jobs.ran == []
    assert made.engine.busy is False


def test_a_state_that_cannot_be_kept_ends_the_execution_and_its_jobs(bench: Callable[..., Bench]) -> None:
    made = bench(FakeJobs(record={"ExitMessage": "x" * 100_000}))
    execution = made.start(job("A"), job("B"), job("Later", DependsOn=["A"]))
    first, second = made.running(2)
    limit(made.database, 1)
    first.ends.set()
    assert made.ended(execution) == "Failed"
    assert second.status == "Stopped"
    reason = str(made.record(execution)["state"]["failure_reason"])
    assert reason.startswith("InternalServerError: the state cannot be read or written: database or disk is full")
    assert len(made.jobs.ran) == 2
    limit(made.database, 1_000_000)
    made.database.put("any", "thing", {})
    assert made.status(execution) == "Failed"
    assert made.database._unsaved == {}


def test_an_execution_that_cannot_be_kept_at_all_is_not_started(bench: Callable[..., Bench]) -> None:
    made = bench()
    limit(made.database, 1)
    with pytest.raises(LocalError, match="disk is full"):
        made.start(job("A", Description="x" * 100_000))
    assert made.engine.busy is False
    assert made.jobs.ran == []
    limit(made.database, 1_000_000)


def test_an_event_that_makes_no_sense_ends_the_execution_rather_than_hang_it(bench: Callable[..., Bench]) -> None:
    made = bench()
    execution = made.start(job("A"))
    (running,) = made.running(1)
    execution.post(StepStarted(datetime.now(UTC), "Nobody"))
    assert made.ended(execution) == "Failed"
    assert made.record(execution)["state"]["failure_reason"].startswith("InternalServerError: ValueError: ")
    assert running.status == "Stopped"


def test_a_refused_registration_fails_its_step_with_the_reason(bench: Callable[..., Bench]) -> None:
    made = bench()
    execution = made.start({"Name": "R", "Type": "RegisterModel", "Arguments": {}})
    assert made.ended(execution) == "Failed"
    assert made.steps(execution)["R"].failure_reason == (
        "ClientError: Failed to invoke sagemaker:CreateModelPackage. Error Details: ValidationException: no such group"
    )


def test_a_step_that_waits_for_a_thread_is_stopped_without_running(bench: Callable[..., Bench]) -> None:
    made = bench(threads=1)
    execution = made.start(job("A"), job("B"))
    (first,) = made.running(1)
    assert made.engine.stop(execution.arn) is True
    assert first.status == "Stopped"
    assert made.ended(execution) == "Stopped"
    assert {name: step.status for name, step in made.steps(execution).items()} == {"A": "Stopped", "B": "Stopped"}
    assert [item.status for item in made.jobs.jobs.values()] == ["Stopped", "Stopped"]


def test_a_closing_engine_stops_what_runs_and_what_is_still_to_begin(bench: Callable[..., Bench]) -> None:
    made = bench()
    runs = made.start(job("A"))
    made.running(1)
    made.engine.close()
    late = made.start(job("A"))
    assert (made.ended(runs), made.ended(late)) == ("Stopped", "Stopped")
    assert len(made.jobs.ran) == 1


def test_a_job_that_failed_for_our_fault_is_retried_as_the_policy_says(bench: Callable[..., Bench]) -> None:
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 1, "MaxAttempts": 2}
    made = bench(FakeJobs(quick=True, reasons=["InternalServerError: no space"]))
    execution = made.start(job("A", RetryPolicies=[policy]))
    assert made.ended(execution) == "Succeeded"
    step = made.steps(execution)["A"]
    assert (step.status, step.attempt) == ("Succeeded", 2)
    assert len(set(made.jobs.ran)) == 2


def test_a_program_that_fails_is_never_retried(bench: Callable[..., Bench]) -> None:
    policy = {"ExceptionType": ["SageMaker.JOB_INTERNAL_ERROR"], "IntervalSeconds": 1, "MaxAttempts": 2}
    made = bench(FakeJobs(quick=True, reasons=["AlgorithmError: no, exit code: 1"]))
    execution = made.start(job("A", RetryPolicies=[policy]))
    assert made.ended(execution) == "Failed"
    assert made.steps(execution)["A"].attempt == 1


def test_an_event_writes_the_steps_that_changed_and_no_others(bench: Callable[..., Bench]) -> None:
    made = bench()
    written: list[str] = []
    put = made.database.put

    def counted(kind: str, key: str, *rest: Any, **more: Any) -> None:
        written.append(kind)
        put(kind, key, *rest, **more)

    made.database.put = counted  # type: ignore[method-assign]
    execution = made.start(*[job(f"S{number}") for number in range(30)], limit=1)
    (first,) = made.running(1)
    written.clear()
    first.ends.set()
    made.running(2)
    eventually(lambda: written.count("execution") >= 2, "the next step's beginning")
    assert written.count("step") <= 6
    made.engine.stop(execution.arn)
    assert made.ended(execution) == "Stopped"


def test_starts_stops_and_looks_from_many_threads_come_to_an_end(bench: Callable[..., Bench]) -> None:
    """The order of locks in engine.py: a wrong one shows here sooner or later as a deadlock, and so as a timeout."""
    made = bench(FakeJobs(quick=True), threads=16)
    failures: list[BaseException] = []

    def hammer(number: int) -> None:
        try:
            for _ in range(8):
                gate = condition("C", compare("Equals", 1, 1), then=[job("D")])
                execution = made.start(job("A"), job("B", DependsOn=["A"]), gate)
                with made.database.transaction():
                    made.engine.list("p", limit=3)
                    made.status(execution)
                if number % 2:
                    made.engine.stop(execution.arn)
                made.steps(execution)
        except BaseException as error:  # noqa: BLE001 -- told by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=hammer, args=(number,), daemon=True) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    assert not any(thread.is_alive() for thread in threads)
    assert failures == []
    eventually(lambda: not made.engine.busy, "the end of all")
    statuses = {record["state"]["status"] for record in made.engine.list("p")}
    assert statuses <= {"Succeeded", "Stopped"}
    assert len(made.engine.list("p")) == 64


def test_interrupting_fails_what_ran_and_leaves_the_rest() -> None:
    now = datetime.now(UTC)
    steps = {name: StepState(name) for name in ("Ready", "Starting", "Executing", "Stopping", "Succeeded", "NotTaken")}
    state, changed = cut_off(ExecutionState(steps=steps), now, "cut")
    assert changed == ("Starting", "Executing", "Stopping")
    assert {name: step.status for name, step in state.steps.items() if step.status != name} == dict.fromkeys(
        changed, "Failed"
    )
    assert (state.status, state.failure_reason, state.end) == ("Failed", "cut", now)


def test_recovery_tells_what_a_killed_server_left(bench: Callable[..., Bench]) -> None:
    before, after = bench(), bench()
    execution = before.start(job("A"), job("B", DependsOn=["A"]))
    before.running(1)
    eventually(lambda: before.steps(execution)["A"].metadata, "the job's ARN")
    after.engine.recover()
    assert after.status(execution) == "Failed"
    assert {name: step.status for name, step in after.steps(execution).items()} == {"A": "Failed"}
    assert "ProcessingJob" in after.steps(execution)["A"].metadata


def test_the_end_of_an_execution_does_not_take_its_retry_along(bench: Callable[..., Bench]) -> None:
    """Its state is kept before its end is told: a client may retry it in between."""
    made = bench(FakeJobs(reasons=["AlgorithmError: no, exit code: 1"]))
    first = made.start(job("A"))
    assert made.ended(first) == "Failed"
    second = prepared(made.engine.resume(made.record(first), {"PipelineVersionId": 1}, 3))
    assert (made.status(second), made.record(second)["limit"]) == ("Executing", 3)
    made.engine.begin(second)
    made.running(2)
    made.engine._ended(first)
    assert made.engine.stop(second.arn) is True
    assert made.ended(second) == "Stopped"
    assert made.steps(second)["A"].attempt == 2


def test_a_retry_over_and_over_loses_nothing(bench: Callable[..., Bench]) -> None:
    made = bench(FakeJobs(quick=True, reasons=["AlgorithmError: no, exit code: 1"] * 30))
    execution = made.start(job("A"), job("B", DependsOn=["A"]))
    for _ in range(30):
        eventually(lambda: made.status(execution) == "Failed", "the failure")  # told a moment later
        made.engine.begin(prepared(made.engine.resume(made.record(execution), {}, None)))
    assert made.ended(execution) == "Succeeded"
    assert (made.steps(execution)["A"].attempt, made.steps(execution)["B"].attempt) == (31, 1)


def test_a_cache_that_cannot_be_read_is_a_miss_that_says_so(bench: Callable[..., Bench]) -> None:
    made = bench(FakeJobs(quick=True))
    read = made.database.get

    def broken(kind: str, key: str) -> Json | None:
        if kind == RESULT:
            raise LocalError("the disk is on fire")
        return read(kind, key)

    made.database.get = broken  # type: ignore[method-assign]
    execution = made.start(job("A", CacheConfig={"Enabled": True, "ExpireAfter": "PT1H"}))
    assert made.ended(execution) == "Succeeded"
    assert made.steps(execution)["A"].cache_miss == "the cache cannot be read: the disk is on fire"


def test_of_each_key_and_status_one_result_is_kept(bench: Callable[..., Bench]) -> None:
    made = bench(FakeJobs(quick=True, reasons=["AlgorithmError: no, exit code: 1"]))
    for _ in range(5):
        made.ended(made.start(job("A")))
    kept = made.database.list(RESULT)
    assert sorted(body["entry"]["status"] for body in kept) == ["Failed", "Succeeded"]
    made.engine.forget("p")
    assert made.database.list(RESULT) == []
