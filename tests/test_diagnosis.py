"""Why an execution failed: every known failure is recognised by the words that services and programs really use."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from pipelines.diagnosis import CAUSES, Diagnosis, diagnose, likely_cause
from pipelines.errors import AwsError
from pipelines.executions import Execution, StepRun

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)
# name of the cause: what was said, and a part of what is told of it.
SAID = {
    "interrupted": (
        "InternalServerError: interrupted: the local SageMaker was ended while it ran",
        "the local SageMaker ended",
    ),
    "not-executed-locally": ("not executed locally: steps of type EMR", "steps of type EMR"),
    "no-engine": (
        "ClientError: Failed to invoke sagemaker:CreateProcessingJob. Error Details: no container engine answers: x",
        "--runner process",
    ),
    "wrong-processor": ("exec /usr/bin/python3: exec format error", "another processor"),
    "image-not-found": (
        "ClientError: The repository with name 'x' does not exist in the registry with id '1'",
        "not in the registry",
    ),
    "pass-role": ("User: u is not authorized to perform: iam:PassRole on resource: r", "hand its role"),
    "permission": ("User: u is not authorized to perform: s3:GetObject on resource: b", "s3:GetObject"),
    "kms": ("AccessDeniedException: KMS key is disabled: KMS.DisabledException", "key"),
    "access-denied": ("ClientError: Data download failed: AccessDenied (403): Access Denied", "may not read or write"),
    "missing-input": (
        'ClientError: No S3 objects found under S3 URL "s3://bucket/raw" given in input',
        "s3://bucket/raw",
    ),
    "no-such-bucket": ("ClientError: output rows: NoSuchBucket", "bucket"),
    "quota": (
        "ResourceLimitExceeded: The account-level service limit 'ml.p3.2xlarge for processing job usage' is 0",
        "quota",
    ),
    "capacity": ("CapacityError: Unable to provision requested ML compute capacity.", "free"),
    "throttled": ("ThrottlingException: Rate exceeded", "too many requests"),
    "internal-error": (
        "InternalServerError: We encountered an internal error. Please try again.",
        "the service failed",
    ),
    "too-long": ("the job ran longer than its MaxRuntimeInSeconds of 60", "max_runtime"),
    "property-file": ("JsonGet: the property file metrics has no value at auc.value", "report"),
    "disk-full": ("OSError: [Errno 28] No space left on device: '/opt/ml/x'", "volume is full"),
    "out-of-memory": ("AlgorithmError: , exit code: 137", "more memory"),
    "module-missing": ("ModuleNotFoundError: No module named 'lightgbm'", "lightgbm"),
    "shell-ran-python": ("run.sh: line 1: import: command not found", "shell"),
    "wrong-arguments": ("train.py: error: unrecognized arguments: --depth", "unrecognized arguments: --depth"),
    "file-missing": (
        "FileNotFoundError: [Errno 2] No such file or directory: '/opt/ml/processing/input/raw/a.csv'",
        "/opt/ml/processing/input/raw/a.csv",
    ),
    "not-writable": (
        "PermissionError: [Errno 13] Permission denied: '/opt/ml/processing/out'",
        "/opt/ml/processing/out",
    ),
    "no-network": ("socket.gaierror: [Errno -3] Temporary failure in name resolution", "network"),
    "program-not-found": ("AlgorithmError: , exit code: 127", "entrypoint"),
    "crashed": ("AlgorithmError: , exit code: 139", "native code"),
    "terminated": ("AlgorithmError: , exit code: 143", "ended the program"),
    "not-text": ("UnicodeDecodeError: 'utf-8' codec can't decode byte 0xff in position 0", "encoding"),
    "bad-request": ("ClientError: Failed to invoke sagemaker:CreateTrainingJob. Error Details: x", "CreateTrainingJob"),
    "exception": (
        "Traceback (most recent call last):\nValueError: the target has one class",
        "the target has one class",
    ),
}


@pytest.mark.parametrize("name", [cause.name for cause in CAUSES])
def test_every_known_failure_is_recognised_by_what_is_said(name):
    said, told = SAID[name]
    likely = likely_cause(said)
    assert likely is not None
    assert likely.name == name
    assert told in likely.what + likely.mend


@pytest.mark.parametrize("cause", CAUSES, ids=lambda cause: cause.name)
def test_no_cause_leaves_a_gap_where_nothing_was_found(cause):
    empty = dict.fromkeys(cause.pattern.groupindex, "")
    for said in (cause.pattern.pattern, SAID[cause.name][0]):
        likely = likely_cause(said)
        assert likely is None or not likely.what.endswith((" ", ":", "()"))
    assert cause.what.format(**empty)
    assert cause.mend.format(**empty)


def test_the_reason_is_believed_before_the_log():
    tail = ["ValueError: something that was caught", "done"]
    assert likely_cause("CapacityError: insufficient capacity", "", tail).name == "capacity"
    assert likely_cause("AlgorithmError: , exit code: 1", "", tail).name == "exception"


def test_of_several_exceptions_the_last_one_is_told():
    likely = likely_cause("", "", ["KeyError: 'a'", "During handling …", "ValueError: no column 'a'"])
    assert "no column 'a'" in likely.what


def test_nothing_known_is_an_answer_too():
    assert likely_cause("AlgorithmError: , exit code: 1", "", ["0 rows"]) is None


class Gateway:
    """Knows one failed job."""

    def job(self, _kind: str, name: str) -> dict:
        if name == "gone":
            raise AwsError("cannot describe job gone")
        return {"ProcessingJobName": name, "FailureReason": "AlgorithmError: , exit code: 1", "ExitMessage": "no rows"}

    def log_streams(self, _group: str, prefix: str) -> list[str]:
        return [f"{prefix}algo-1"]

    def log_events(self, _group: str, _stream: str, token: str | None) -> tuple[list[dict], str]:
        return ([] if token else [{"timestamp": 0, "message": "MemoryError"}]), "end"


def step(name: str, status: str, second: int, job: str = "", **metadata: object) -> StepRun:
    more = {"ProcessingJob": {"Arn": f"arn:aws:sagemaker:::processing-job/{job}"}} if job else {}
    return StepRun(name, status, NOW, NOW.replace(second=second), "", {**more, **metadata})


def execution(*steps: StepRun, reason: str = "") -> Execution:
    return Execution("arn:aws:sagemaker:::pipeline/p/execution/e", "Failed", reason, NOW, steps)


def test_a_failed_step_is_told_with_its_jobs_words_and_the_end_of_its_log():
    (failure,) = diagnose(Gateway(), execution(step("A", "Failed", 6, "job"))).failures
    assert failure.reason == "AlgorithmError: , exit code: 1"
    assert failure.exit_message == "no rows"
    assert [line.text for line in failure.tail] == ["MemoryError"]
    assert failure.likely.name == "out-of-memory"


def test_what_cannot_be_read_is_left_out():
    (failure,) = diagnose(Gateway(), execution(step("A", "Failed", 6, "gone"))).failures
    assert (failure.reason, failure.tail, failure.likely) == ("", (), None)


def test_the_step_that_failed_first_comes_first():
    found = diagnose(Gateway(), execution(step("B", "Failed", 9), step("A", "Failed", 6), step("C", "Succeeded", 5)))
    assert [failure.step.name for failure in found.failures] == ["A", "B"]


def test_a_fail_step_did_what_it_was_told_to():
    (failure,) = diagnose(Gateway(), execution(step("Reject", "Failed", 6, Fail={"ErrorMessage": "m"}))).failures
    assert failure.likely.name == "fail-step"


def test_an_execution_that_fails_as_a_whole_is_diagnosed_by_its_reason():
    found = diagnose(Gateway(), execution(reason="ThrottlingException: Rate exceeded"))
    assert found.likely.name == "throttled"
    assert found.way == "retry"


def way(*reasons: str) -> str:
    steps = [StepRun(f"S{n}", "Failed", reason=reason) for n, reason in enumerate(reasons)]
    found: Diagnosis = diagnose(Gateway(), execution(*steps))
    return found.way


def test_only_what_passes_by_itself_is_retried_as_it_is():
    assert way("CapacityError: insufficient capacity") == "retry"
    assert way("CapacityError: insufficient capacity", "ModuleNotFoundError: No module named 'x'") == "redeploy"
    assert way("who knows") == "redeploy"
