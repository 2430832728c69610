"""Executions: watching, stopping, finding, logs and what came out, with AWS's answers made up."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from itertools import count

import pytest

from pipelines.definition import parse
from pipelines.errors import AwsError, UsageError
from pipelines.executions import TERMINAL, Execution, StepRun, find, log_lines, snapshot, stop, watch
from pipelines.report import report
from pipelines.spec import Target

DEV = Target("dev", "111111111111", "eu-central-1", "arn:aws:iam::111111111111:role/pipelines", "bucket-dev", "tiny")
LOCAL = Target("local", "123456789012", "us-east-1", "arn:aws:iam::123456789012:role/local", "bucket", "tiny")
PIPELINE = "arn:aws:sagemaker:eu-central-1:111111111111:pipeline/tiny"
ARN = f"{PIPELINE}/execution/abcdefghijkl"
START = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


class FakeGateway:
    """Gives one answer after the other; an exception among them is raised."""

    def __init__(self, target: Target = DEV, statuses=(), steps=()) -> None:
        self.target = target
        self.statuses = iter(statuses)
        self.steps = list(steps)
        self.asked = 0
        self.signed_in = 0

    def cache_misses(self, _arn: str) -> dict[str, str]:
        return {"Train": "never run"}

    def sign_in_again(self) -> None:
        self.signed_in += 1

    def execution(self, arn: str) -> dict:
        self.asked += 1
        status = next(self.statuses)
        if isinstance(status, Exception):
            raise status
        return {"PipelineExecutionArn": arn, "PipelineExecutionStatus": status, "CreationTime": START}

    def execution_steps(self, _arn: str) -> list[dict]:
        return self.steps


def watched(gateway: FakeGateway) -> tuple[Execution, list[str], list[float]]:
    shown, slept = [], []
    last = watch(gateway, ARN, lambda execution: shown.append(execution.status), slept.append)
    return last, shown, slept


@pytest.mark.parametrize("status", TERMINAL)
def test_watching_ends_on_every_terminal_status(status):
    last, shown, slept = watched(FakeGateway(statuses=["Executing", "Stopping", status]))
    assert last.status == status
    assert last.ended
    assert shown == ["Executing", "Stopping", status]
    assert len(slept) == 2


def test_terminal_statuses_are_those_of_the_service_that_do_not_run():
    from pipelines.service_model import service

    known = service("sagemaker").shape_for("PipelineExecutionStatus").enum
    assert set(TERMINAL) == set(known) - {"Executing", "Stopping"}


def test_watching_never_spins_and_asks_less_and_less_often():
    for target, least, most in ((DEV, 5.0, 30.0), (LOCAL, 0.1, 1.0)):
        _, _, slept = watched(FakeGateway(target, ["Executing"] * 50 + ["Succeeded"]))
        assert slept == sorted(slept)
        assert (slept[0], slept[-1]) == (least, most)


PASSING = (
    "ThrottlingException",
    "EndpointConnectionError",
    "ReadTimeoutError",
    "ServiceUnavailable",
    "ConnectionClosedError",
)


@pytest.mark.parametrize("code", PASSING)
def test_errors_that_pass_are_waited_out(code):
    gateway = FakeGateway(statuses=["Executing", *[AwsError("no", code=code)] * 4, "Executing", "Succeeded"])
    last, shown, slept = watched(gateway)
    assert last.status == "Succeeded"
    assert shown == ["Executing", "Executing", "Succeeded"]
    assert len(slept) == 6


@pytest.mark.parametrize("target", [DEV, LOCAL], ids=lambda target: target.name)
def test_errors_that_do_not_pass_are_raised_in_the_end(target):
    gateway = FakeGateway(target, (AwsError("no", code="EndpointConnectionError") for _ in count()))
    with pytest.raises(AwsError):
        watched(gateway)
    assert 3 < gateway.asked < 50


def test_patience_begins_anew_after_each_answer():
    failing = [AwsError("no", code="ThrottlingException")] * 20
    gateway = FakeGateway(statuses=[*failing, "Executing", *failing, "Executing", *failing, "Succeeded"])
    assert watched(gateway)[0].status == "Succeeded"


def test_other_errors_are_raised_at_once():
    gateway = FakeGateway(statuses=[AwsError("no", code="AccessDenied"), "Succeeded"])
    with pytest.raises(AwsError):
        watched(gateway)
    assert gateway.asked == 1


def test_expired_credentials_are_said_once_and_waited_for():
    expired = [AwsError("expired", code="ExpiredToken")] * 50
    gateway, said = FakeGateway(statuses=["Executing", *expired, "Succeeded"]), []
    last = watch(gateway, ARN, lambda _: None, lambda _: None, said.append)
    assert last.status == "Succeeded"
    assert gateway.signed_in == 50
    assert len(said) == 1
    assert "aws sso login" in said[0]


def test_nobody_waits_for_ever_for_a_user_to_sign_in():
    gateway = FakeGateway(statuses=(AwsError("expired", code="ExpiredToken") for _ in count()))
    with pytest.raises(AwsError):
        watched(gateway)
    assert gateway.asked < 1000


def test_snapshot_reads_what_aws_leaves_out_as_empty():
    step = {"StepName": "A", "StepStatus": "Starting"}
    cached = {"StepName": "B", "StepStatus": "Succeeded", "CacheHitResult": {"SourcePipelineExecutionArn": "arn:x"}}
    missed = {"StepName": "C", "StepStatus": "Failed", "CacheHitResult": {}, "FailureReason": "so"}
    seen = snapshot(FakeGateway(statuses=["Executing"], steps=[step, cached, missed]), ARN)
    assert seen.steps[0] == StepRun("A", "Starting")
    assert [step.cached_from for step in seen.steps] == ["", "arn:x", ""]
    assert seen.steps[2].reason == "so"
    assert (seen.id, seen.ended, seen.reason) == ("abcdefghijkl", False, "")


def test_duration_grows_until_the_step_ends():
    running = StepRun("A", "Executing", START)
    assert running.seconds(START + timedelta(seconds=7)) == 7
    assert StepRun("A", "Succeeded", START, START + timedelta(seconds=3)).seconds(START + timedelta(days=1)) == 3
    assert StepRun("A", "Starting").seconds(START) is None


# Stopping


class StoppingGateway(FakeGateway):
    def stop_execution(self, _arn: str) -> None:
        raise AwsError("ConflictException: Only executing executions can be stopped", code="ConflictException")


def test_execution_that_ended_before_it_could_be_stopped_is_fine():
    stop(StoppingGateway(statuses=["Succeeded"]), ARN)


def test_execution_that_cannot_be_stopped_is_told():
    with pytest.raises(AwsError, match="ConflictException"):
        stop(StoppingGateway(statuses=["Executing"]), ARN)


# Finding


class ListingGateway(FakeGateway):
    ids: tuple[str, ...] = ("newest000000", "older0000000")
    error: AwsError | None = None
    read = 0

    def executions(self, _name: str):
        if self.error:
            raise self.error
        for ident in self.ids:
            self.read += 1
            yield {"PipelineExecutionArn": f"{PIPELINE}/execution/{ident}"}


def test_execution_is_found_by_nothing_id_or_arn():
    gateway = ListingGateway(statuses=["Succeeded"])
    assert find(gateway, "tiny", None).endswith("/newest000000")
    assert gateway.read == 1
    assert find(gateway, "tiny", "older0000000").endswith("/older0000000")
    assert find(gateway, "tiny", ARN) == ARN


def test_unknown_execution_names_the_newest_ones():
    with pytest.raises(UsageError) as caught:
        find(ListingGateway(), "tiny", "nope")
    assert caught.value.what == "pipeline tiny has no execution 'nope'"
    assert caught.value.problems[0].where == "environment dev"
    fix = "name one of: newest000000, older0000000; all of them: pipelines executions --env dev"
    assert caught.value.problems[0].fix == fix


def test_pipeline_without_execution_says_how_to_start_one():
    gateway = ListingGateway()
    gateway.ids = ()
    for wanted in (None, "nope"):
        with pytest.raises(UsageError) as caught:
            find(gateway, "tiny", wanted)
        assert caught.value.what == "pipeline tiny has no execution yet"
        assert caught.value.problems[0].fix == "pipelines start --env dev"


def test_pipeline_that_is_not_deployed_says_how_to_deploy_it():
    gateway = ListingGateway()
    gateway.error = AwsError("no", code="ResourceNotFound")
    with pytest.raises(UsageError) as caught:
        find(gateway, "tiny", None)
    assert caught.value.what == "pipeline tiny is not deployed"
    assert caught.value.problems[0].fix == "pipelines deploy --start --env dev"
    gateway.error = AwsError("no", code="AccessDenied")
    with pytest.raises(AwsError):
        find(gateway, "tiny", None)


# Logs


class LogGateway(FakeGateway):
    """Streams of pages; a token is the number of pages read, as CloudWatch's stands still at the end."""

    def __init__(self, **streams: list[list[str]]) -> None:
        super().__init__()
        self.streams = streams
        self.groups: set[str] = set()

    def job(self, kind: str, name: str) -> dict:
        assert name == name.lower()  # as ARNs have it
        return {f"{kind}Name": "pipelines-abc-Features-XyZ"}

    def log_streams(self, group: str, prefix: str) -> list[str]:
        self.groups.add(group)
        assert prefix == "pipelines-abc-Features-XyZ/"
        return [prefix + host.replace("_", "-") for host in self.streams]

    def log_events(self, _group: str, stream: str, token: str | None) -> tuple[list[dict], str]:
        pages = self.streams[stream.rpartition("/")[2].replace("-", "_")]
        at = int(token or 0)
        page = pages[at] if at < len(pages) else []
        events = [{"timestamp": 1767323045000, "message": f"{text}\n"} for text in page]
        return events, str(min(at + 1, len(pages)))


JOB = "arn:aws:sagemaker:eu-central-1:111111111111:processing-job/pipelines-abc-features-xyz"
STEP = StepRun("Features", "Executing", START, metadata={"ProcessingJob": {"Arn": JOB}})


def texts(gateway: LogGateway, tokens: dict[str, str] | None = None) -> list[tuple[str, str]]:
    return [(line.host, line.text) for line in log_lines(gateway, STEP, tokens)]


def test_log_is_read_over_all_pages_and_hosts():
    gateway = LogGateway(algo_1=[["a", "b"], ["c"]], algo_2=[["d"]])
    assert texts(gateway) == [("algo-1", "a"), ("algo-1", "b"), ("algo-1", "c"), ("algo-2", "d")]
    assert gateway.groups == {"/aws/sagemaker/ProcessingJobs"}


def test_empty_page_is_not_the_end_of_a_log():
    assert texts(LogGateway(algo_1=[["a"], [], [], ["b"]])) == [("algo-1", "a"), ("algo-1", "b")]


def test_following_a_log_neither_loses_nor_repeats_a_line():
    gateway, tokens = LogGateway(algo_1=[["a"]]), {}
    assert texts(gateway, tokens) == [("algo-1", "a")]
    assert texts(gateway, tokens) == []
    gateway.streams["algo_1"] += [["b"], ["c"]]
    gateway.streams["algo_2"] = [["d"]]
    assert texts(gateway, tokens) == [("algo-1", "b"), ("algo-1", "c"), ("algo-2", "d")]
    assert texts(gateway, tokens) == []


def test_times_of_log_lines_are_exact():
    (line,) = log_lines(LogGateway(algo_1=[["a"]]), STEP)
    assert line.time == START.replace(microsecond=0)


def test_step_without_a_job_has_no_log():
    assert (
        list(log_lines(LogGateway(), StepRun("Gate", "Succeeded", metadata={"Condition": {"Outcome": "True"}}))) == []
    )


# What came out

FEATURES = {"Name": "Features", "Type": "Processing", "Arguments": {}}
EVALUATE = {
    **FEATURES,
    "Name": "Evaluate",
    "PropertyFiles": [{"PropertyFileName": "m", "OutputName": "out", "FilePath": "deep/m.json"}],
}
GATE = {
    "Name": "Gate",
    "Type": "Condition",
    "Arguments": {
        "Conditions": [{"Type": "Equals", "LeftValue": 1, "RightValue": 1}],
        "IfSteps": [{"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": "so"}}],
        "ElseSteps": [],
    },
}
DEFINITION = parse(json.dumps({"Version": "2020-12-01", "Parameters": [], "Steps": [FEATURES, EVALUATE, GATE]}))


class ReportGateway(FakeGateway):
    def __init__(self, document: bytes | None, keys: list[str]) -> None:
        super().__init__()
        self.document, self.all_keys, self.listed = document, keys, 0

    def job(self, kind: str, name: str) -> dict:
        if name == "gone":
            raise AwsError("no such job", code="ResourceNotFound")
        if kind == "TrainingJob":
            return {"ModelArtifacts": {"S3ModelArtifacts": f"s3://b/{name}/model.tar.gz"}}
        outputs = [{"OutputName": "out", "S3Output": {"S3Uri": f"s3://b/{name}/out"}}, {"OutputName": "store"}]
        return {"ProcessingOutputConfig": {"Outputs": outputs}}

    def read_object(self, bucket: str, key: str) -> bytes:
        assert (bucket, key) == ("b", "evaluate/out/deep/m.json")
        if self.document is None:
            raise AwsError("not there", code="NoSuchKey")
        return self.document

    def keys(self, _bucket: str, prefix: str):
        for key in self.all_keys:
            self.listed += 1
            if key.startswith(prefix):
                yield key


def ran(*steps: StepRun) -> Execution:
    return Execution(ARN, "Succeeded", "", START, steps)


def done(name: str, kind: str = "ProcessingJob", job: str = "") -> StepRun:
    return StepRun(name, "Succeeded", metadata={kind: {"Arn": f"arn:aws:sagemaker:r:a:job/{job or name.lower()}"}})


REPORT = {
    "classification": {
        "auc": {"value": 0.7, "standard_deviation": "NaN"},
        "matrix": {"value": [[1]]},
        "flag": {"value": True},
        "odd": 3,
    },
    "version": 1,
}


def test_report_reads_metrics_outputs_gates_packages_and_pages():
    keys = ["evaluate/out/report.html", "evaluate/out/x.json", "evaluate/outer/not-ours.html", "features/out/a.csv"]
    steps = [
        done("Features"),
        done("Evaluate"),
        done("Train", "TrainingJob"),
        StepRun("Gate", "Succeeded", metadata={"Condition": {"Outcome": "False"}}),
        StepRun("Register", "Succeeded", metadata={"RegisterModel": {"Arn": "arn:package"}}),
    ]
    found = report(ReportGateway(json.dumps(REPORT).encode(), keys), DEFINITION, ran(*steps))
    assert found.metrics == {"Evaluate": {"auc": 0.7}}
    assert found.outputs == {
        "Features/out": "s3://b/features/out",
        "Evaluate/out": "s3://b/evaluate/out",
        "Train/model": "s3://b/train/model.tar.gz",
    }
    assert found.gates == ("Gate: false → nothing",)
    assert found.packages == ("arn:package",)
    assert found.pages == ("s3://b/evaluate/out/report.html",)
    assert found.cache_misses == {"Train": "never run"}


@pytest.mark.parametrize("document", [None, b"", b"{", b"[]", b"3", b"\xff\xfe", b'{"a": {"b": {"value": "x"}}}'])
def test_document_that_is_no_report_leaves_the_rest(document):
    found = report(ReportGateway(document, []), DEFINITION, ran(done("Evaluate"), done("Features", job="gone")))
    assert found.metrics == {}
    assert found.outputs == {"Evaluate/out": "s3://b/evaluate/out"}


def test_step_that_the_definition_does_not_name_is_no_error():
    steps = [done("Body-0"), StepRun("Inner", "Succeeded", metadata={"Condition": {"Outcome": "True"}})]
    found = report(ReportGateway(None, []), DEFINITION, ran(*steps))
    assert found.outputs == {"Body-0/out": "s3://b/body-0/out"}
    assert found.gates == ()


def test_pages_are_looked_for_among_so_many_objects_only():
    gateway = ReportGateway(None, [f"features/out/{number}" for number in range(5000)])
    assert report(gateway, DEFINITION, ran(done("Features"))).pages == ()
    assert gateway.listed <= 1001
