"""Lambda steps: a Python function of the user's, in a process of its own."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pipelines.local.machine.events import Launch
from pipelines.local.runner.process import ProcessRunner
from pipelines.local.settings import Function, Settings
from pipelines.local.steps.function import LambdaStep, _request
from pipelines.local.steps.stub import Stubs
from tests.local.local_aws import Ended, Gate, LocalAws, fail, get

Json = dict[str, Any]
ARN = "arn:aws:lambda:eu-central-1:123456789012:function:notify"


@pytest.fixture
def call(configure: Callable[..., None], tmp_path: Path) -> Callable[..., Json]:
    """A step that calls a function whose file has this code."""

    def step(code: str, outputs: Json | None = None, **arguments: Any) -> Json:
        file = tmp_path / "notify.py"
        file.write_text(code, encoding="utf-8")
        configure(functions={ARN: Function(file, "handler")})
        declared = [{"OutputName": name, "OutputType": kind} for name, kind in (outputs or {}).items()]
        found = {"Name": "Call", "Type": "Lambda", "Arguments": arguments, "FunctionArn": ARN}
        return {**found, "OutputParameters": declared}

    return step


class Told:
    """Keeps the reason of a failure."""

    reason = ""

    def started(self, *_: Any) -> None:
        """Nobody stops it."""

    def failed(self, reason: str, *_: Any) -> None:
        self.reason = reason


def reason(ended: Ended) -> str:
    return str(ended.steps["Call"]["FailureReason"])


def test_the_event_is_the_arguments_and_the_result_the_output_parameters(
    aws: LocalAws, call: Callable[..., Json]
) -> None:
    code = "def handler(event, context):\n    return {'statusCode': 200, 'sum': event['a'] + event['b'], 'more': 1}\n"
    total = {"Std:Join": {"On": "", "Values": ["is ", get("Steps.Call.OutputParameters['sum']")]}}
    ended = aws.run([call(code, {"sum": "Integer"}, a=1, b=2), fail(message=total)])
    assert ended.steps["Stop"]["FailureReason"] == "is 3"
    assert ended.steps["Call"]["Metadata"]["Lambda"] == {
        "Arn": ARN,
        "OutputParameters": [{"Name": "sum", "Value": "3"}],
    }


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("def handler(e, c): raise ValueError('no such city')", "ValueError: no such city"),
        ("def handler(e, c): raise SystemExit(0)", "SystemExit: 0"),
        ("def other(e, c): ...", "AttributeError: module 'notify' has no attribute 'handler'"),
        ("import nothing_like_it", "ModuleNotFoundError: No module named 'nothing_like_it'"),
        ("def handler(e, c): return {'statusCode': 500, 'body': 'sorry'}", 'it returned statusCode 500: "sorry"'),
        ("def handler(e, c): return object()", "TypeError: Object of type object is not JSON serializable"),
        ("def handler(e, c): return {}", "it returned no n; the step's OutputParameters declare n"),
        ("def handler(e, c): return {'n': 'x'}", "output parameter \"n\" is no Integer: 'x'"),
        ("import os\ndef handler(e, c): os._exit(7)", "it ended with exit code 7 and no result; its log: "),
    ],
)
def test_what_goes_wrong_is_the_reason(aws: LocalAws, call: Callable[..., Json], code: str, said: str) -> None:
    assert reason(aws.run([call(code, {"n": "Integer"})])).startswith(f"ClientError: function {ARN}: {said}")


def test_an_unknown_function_fails_with_the_mend(aws: LocalAws, other: Callable[..., Json]) -> None:
    ended = aws.run([other("Call", "Lambda", FunctionArn="arn:aws:lambda:x:1:function:f")])
    assert reason(ended) == (
        "not executed locally: the function arn:aws:lambda:x:1:function:f, of which nothing is known here; fix: name "
        "it under environments: local: functions: arn:aws:lambda:x:1:function:f: ./FILE.py:FUNCTION, or give it a stub "
        "result: environments: local: stubs: Call"
    )


def test_an_unknown_function_may_have_a_stub(
    aws: LocalAws, other: Callable[..., Json], configure: Callable[..., None]
) -> None:
    configure(stubs={"Call": {"OutputParameters": {"n": 7}}})
    text = {"Std:Join": {"On": "", "Values": [get("Steps.Call.OutputParameters['n']")]}}
    ended = aws.run([other("Call", "Lambda", FunctionArn="arn:f"), fail(message=text)])
    assert ended.steps["Stop"]["FailureReason"] == "7"


def test_a_file_that_is_gone_is_named(aws: LocalAws, call: Callable[..., Json], tmp_path: Path) -> None:
    step = call("")
    (tmp_path / "notify.py").unlink()
    assert f"there is no file {tmp_path / 'notify.py'}" in reason(aws.run([step]))


def test_a_stop_waits_for_the_function(aws: LocalAws, call: Callable[..., Json], gate: Gate) -> None:
    code = f"def handler(e, c):\n    {gate.line}\n    print('ended')\n"
    arn = aws.start(aws.create([call(code)]))
    logs = aws.home.logs / "Lambda"
    text = lambda: "".join(log.read_text() for log in logs.glob(f"*{arn[-12:]}*/function"))  # noqa: E731
    gate.reached()
    aws.sagemaker.stop_pipeline_execution(PipelineExecutionArn=arn)
    assert aws.status(arn) == "Stopping"
    gate.open()
    ended = aws.wait(arn)
    assert (ended.status, ended.statuses()) == ("Stopped", {"Call": "Stopped"})
    assert "ended" in text()


def test_a_function_that_takes_too_long_is_ended(aws: LocalAws, tmp_path: Path) -> None:
    file = tmp_path / "slow.py"
    file.write_text("import time\ndef handler(e, c): time.sleep(600)\n", encoding="utf-8")
    settings, told = Settings(functions={ARN: Function(file, "handler")}), Told()
    runner = ProcessRunner(aws.home.environments, print)
    step = LambdaStep(aws.home, runner, lambda: settings, Stubs(lambda: settings), timeout=0.5)
    step.run(Launch("Call", "Lambda", {}, "slow", {"FunctionArn": ARN}), told)  # type: ignore[arg-type]
    assert told.reason == f"ClientError: function {ARN}: it took longer than 0.5 seconds"


def test_a_function_finds_the_local_sagemaker(aws: LocalAws, call: Callable[..., Json]) -> None:
    code = "import os\ndef handler(e, c): return {'at': os.environ['AWS_ENDPOINT_URL']}\n"
    at = get("Steps.Call.OutputParameters['at']")
    assert aws.run([call(code, {"at": "String"}), fail(message=at)]).steps["Stop"]["FailureReason"] == aws.endpoint


@pytest.mark.parametrize(
    ("code", "own", "requirements"),
    [
        ("import json\n\ndef handler(e, c): ...\n", None, None),
        ("import boto3\n\ndef handler(e, c): ...\n", None, "lambda.txt"),
        ("def handler(e, c):\n    from botocore.config import Config\n", None, "lambda.txt"),
        ("import boto3\n", "boto3\nrequests\n", "requirements.txt"),
        ("import json  # not import boto3\n", None, None),
    ],
)
def test_a_function_has_lambdas_own_boto3(tmp_path: Path, code: str, own: str | None, requirements: str | None) -> None:
    file = tmp_path / "notify.py"
    file.write_text(code, encoding="utf-8")
    if own:
        (tmp_path / "requirements.txt").write_text(own, encoding="utf-8")
    found = _request(Function(file, "handler"), tmp_path, tmp_path / "log").image.requirements
    assert (found and found.name) == requirements
    assert found is None or "boto3" in found.read_text(encoding="utf-8")
