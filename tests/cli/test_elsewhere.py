"""Definitions that no pipeline.yaml says: a JSON file, a function of the user's, what is deployed."""

from __future__ import annotations

import contextlib
import json
import os
import sys
from pathlib import Path

import pytest

from pipelines.local import daemon
from pipelines.local.home import Home

CASE = Path(__file__).parent.parent / "definition/cases/calhousing-and-text.json"
STOP = {"Name": "Stop", "Type": "Fail", "Arguments": {"ErrorMessage": {"Get": "Parameters.Why"}}}
DOCUMENT = {
    "Version": "2020-12-01",
    "Parameters": [{"Name": "Why", "Type": "String", "DefaultValue": "as it should"}],
    "Steps": [STOP],
}
# The SDK's imports take seconds: one function does all that a user's does, the others need none of it.
FUNCTIONS = '''
from pathlib import Path


def with_the_sdk():
    """As the SDK's examples have it: sessions, roles and buckets of whatever AWS there is, and a script to upload."""
    import boto3
    from sagemaker.core.helper.session_helper import get_execution_role
    from sagemaker.core.processing import ScriptProcessor
    from sagemaker.core.shapes import ProcessingOutput, ProcessingS3Output
    from sagemaker.core.workflow.pipeline_context import PipelineSession
    from sagemaker.mlops.workflow.pipeline import Pipeline
    from sagemaker.mlops.workflow.steps import ProcessingStep

    print("a word of the function's own")
    session = PipelineSession(boto_session=boto3.Session())
    Path("write.py").write_text("open('/opt/ml/processing/output/a/said.txt', 'w').write('hello')")
    to = ProcessingS3Output(
        local_path="/opt/ml/processing/output/a", s3_uri=f"s3://{session.default_bucket()}/a", s3_upload_mode="EndOfJob"
    )
    processor = ScriptProcessor(
        image_uri="python:3.11", command=["python3"], role=get_execution_role(), instance_type="ml.m5.large",
        instance_count=1, sagemaker_session=session,
    )
    arguments = processor.run(code="write.py", outputs=[ProcessingOutput(output_name="a", s3_output=to)])
    steps = [ProcessingStep("Write", step_args=arguments)]
    return Pipeline(name="from-the-sdk", steps=steps, sagemaker_session=session)


def stops():
    return DOCUMENT


def divides():
    return 1 / 0


def quits():
    raise SystemExit("enough")


def signs_in():
    import boto3

    boto3.Session(profile_name="prod")


def of_version_two():
    raise ModuleNotFoundError("`sagemaker.workflow` was removed in the SageMaker Python SDK v3.")


def number():
    return 3


def of_a_region(region, role=None):
    return {}
'''.replace("DOCUMENT", repr(DOCUMENT))


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """An empty folder, the current one; its local SageMaker is stopped at the end."""
    monkeypatch.chdir(tmp_path)
    yield tmp_path
    daemon.stop(Home(tmp_path / ".pipelines"))


@pytest.fixture
def document(folder: Path) -> Path:
    (folder / "stop.json").write_text(json.dumps(DOCUMENT))
    return Path("stop.json")


def test_a_json_file_is_checked_drawn_and_printed_without_a_server(folder, pipelines):
    (folder / "case.json").write_bytes(CASE.read_bytes())
    checked = pipelines("validate", "--json", "-f", "case.json")
    findings = json.loads(checked.out)["findings"]
    assert (checked.code, checked.err) == (0, "")
    assert {finding["severity"] for finding in findings} == {"warning"}
    drawn = pipelines("graph", "-f", "case.json")
    assert "calhousing-Training (Training) after calhousing-Preprocessing" in drawn.out.splitlines()
    assert json.loads(pipelines("compile", "-f", "case.json").out) == json.loads(CASE.read_text())
    assert not (folder / ".pipelines").exists()


def test_a_json_file_is_deployed_run_and_operated_under_its_stem(document, pipelines):
    file = ("-f", str(document))
    assert "+ step Stop (Fail)" in pipelines("plan", *file).out
    done = pipelines("run", *file, "-p", "Why=so it is")
    assert done.code == 1
    assert ":pipeline/stop/execution/" in done.out
    assert "error: step Stop failed: so it is" in done.err
    assert f"pipelines why {done.out.split()[-1].rpartition('/')[2]} -f stop.json" in done.err
    assert pipelines("plan", *file).out.endswith("\nNothing to do: what is there is what stop.json says.\n")
    assert pipelines("start", *file, "--wait", "-p", "Why=again").code == 1
    assert len(json.loads(pipelines("executions", *file, "--json").out)["executions"]) == 2
    assert "~ Why: so it is → again" in pipelines("diff", done.out.split()[-1], *file).out
    assert pipelines("status", *file).out == pipelines("status", "--name", "stop").out != ""
    assert "reason: again" in pipelines("why", "--name", "stop").out


def test_another_name_is_another_pipeline_and_what_is_deployed_can_be_looked_at(document, pipelines):
    named = ("--name", "other")
    assert pipelines("deploy", "-f", str(document), *named).out.endswith(":pipeline/other\n")
    document.write_text("{}")
    assert pipelines("graph", "--live", *named).out.startswith("Stop (Fail)\n")
    assert pipelines("validate", "--live", *named).out.startswith("pipeline other: fine (1 steps, digest ")
    assert json.loads(pipelines("compile", "--live", *named).out) == DOCUMENT
    done = pipelines("graph", "--live", "--name", "othr")
    assert (done.code, done.err) == (
        2,
        "error: environment local: pipeline othr is not deployed\n  fix: correct --name\n",
    )


def test_what_describe_pipeline_printed_is_a_definition_with_a_name(folder, pipelines):
    described = {"PipelineName": "theirs", "PipelineDefinition": json.dumps(DOCUMENT), "PipelineStatus": "Active"}
    (folder / "described.json").write_text(json.dumps(described))
    assert json.loads(pipelines("compile", "-f", "described.json").out) == DOCUMENT
    assert "theirs in local" in pipelines("plan", "-f", "described.json").out


def test_tests_take_the_same_files(local_sagemaker, tmp_path):
    file = tmp_path / "described.json"
    file.write_text(json.dumps({"PipelineDefinition": json.dumps(DOCUMENT)}))
    assert local_sagemaker.run(file, name="mine").step("Stop").reason == "as it should"


MISTAKES = {
    "no file": ("none.json", None, "none.json: there is no such file", "name the definition's JSON file with -f"),
    "no text": ("x.json", b"\xff\xfe\xfd", "it is no text in UTF-8", "name a JSON file that you can read"),
    "no JSON": ("x.json", b"{", "x.json:1:2: not JSON: ", ""),
    "no definition": ("x.json", b'{"Name": 3}', "x.json: Steps is missing", 'add "Steps": '),
    "no name": ("my_p.json", json.dumps(DOCUMENT).encode(), "'my_p' is no name of a pipeline", "name it: --name my-p"),
}


@pytest.mark.parametrize(("name", "content", "what", "fix"), MISTAKES.values(), ids=MISTAKES)
def test_a_file_that_is_no_definition_says_what_is_wrong(folder, pipelines, name, content, what, fix):
    if content is not None:
        (folder / name).write_bytes(content)
    for command in ("validate", "run", "status"):
        done = pipelines(command, "-f", name)
        assert (done.code, done.out) == (2, "")
        assert what in done.err.splitlines()[0]
        assert done.err.splitlines()[1].startswith(f"  fix: {fix}")
    assert not (folder / ".pipelines").exists()


def test_a_definition_from_elsewhere_has_the_local_environment_alone(document, pipelines):
    for command in ("validate", "deploy", "status"):
        done = pipelines(command, "-f", str(document), "--env", "prod")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith("error: --env prod: a definition that no pipeline.yaml says has no environment but")
        assert "  fix: leave out --env; " in done.err


def test_the_name_of_what_is_deployed_from_a_pipeline_yaml_stands_in_it(project, pipelines):
    for command in ("run", "deploy", "plan", "validate"):
        done = pipelines(command, "--name", "other")
        assert (done.code, done.out) == (2, "")
        assert done.err.startswith(
            "error: --name: the name of a pipeline.yaml's pipeline stands in it\n  fix: leave it"
        )
    assert project.is_untouched


def test_a_function_of_the_sdk_runs_as_it_is_with_the_local_sagemaker_as_its_aws(folder, pipelines, monkeypatch):
    """It lies in a package called `pipelines`, as in SageMaker's project templates; the user's AWS is not there."""
    for name in ("AWS_PROFILE", "AWS_ENDPOINT_URL_STS", "AWS_ROLE_ARN"):
        monkeypatch.setenv(name, "the-user's-own")
    package = folder / "pipelines"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "flow.py").write_text(FUNCTIONS)
    done = pipelines("run", "-f", "pipelines.flow:with_the_sdk")
    assert done.code == 0, done.err
    assert ":pipeline/from-the-sdk/execution/" in done.out
    assert "a word" not in done.out
    bucket = folder / ".pipelines/local/s3/sagemaker-us-east-1-123456789012"
    assert (bucket / "a/said.txt").read_text() == "hello"
    assert pipelines("status", "-f", "pipelines.flow:with_the_sdk", "--name", "from-the-sdk").code == 0


# The function, and the message.
FAULTS = {
    "no file": ("none.py:f", "none.py: there is no such file", "correct the path; "),
    "no module": ("none:f", "none:f: it raised ModuleNotFoundError: No module named 'none'", "repeat it in the folder"),
    "no function": ("flow:divide", "flow:divide: there is no 'divide' in flow", "did you mean 'divides'?"),
    "raises": ("flow.py:divides", "flow.py:35: it raised ZeroDivisionError: division by zero", "correct it there"),
    "exits": ("flow:quits", "flow.py:39: it raised SystemExit: enough", "correct it there"),
    "account": ("flow:signs_in", "botocore.exceptions.ProfileNotFound", "it runs with the local SageMaker as its AWS"),
    "old SDK": ("flow:of_version_two", "`sagemaker.workflow` was removed", "change it to version 3 of the SDK"),
    "no pipeline": ("flow:number", "flow:number: it gives no pipeline, but int", "let it return the SDK's Pipeline"),
    "arguments": ("flow:of_a_region", "it wants arguments: region", "name a function that needs none"),
    "syntax": ("wrong:f", "wrong.py:2: it raised SyntaxError: ", "correct it there"),
}


@pytest.fixture
def answer(folder, monkeypatch):
    """What the process of a function answers, in this process and without the SDK: its import takes seconds."""
    from pipelines.compile import called, sdk
    from pipelines.compile.function import Call

    @contextlib.contextmanager
    def served(*_):
        with sdk._environment({"AWS_CONFIG_FILE": os.devnull}), sdk._quiet():
            yield

    before = set(sys.modules)
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setattr(called, "_forget_ourselves", lambda: None)
    monkeypatch.setattr(called, "served", served)
    (folder / "flow.py").write_text(FUNCTIONS)
    (folder / "wrong.py").write_text("\ndef f(:\n")
    yield lambda place: called.answer(Call(place, "http://127.0.0.1:9", "us-east-1", "bucket", "role", "answer"))
    for name in {"flow", "wrong"} & (set(sys.modules) - before):
        del sys.modules[name]


@pytest.mark.parametrize(("place", "what", "fix"), FAULTS.values(), ids=FAULTS)
def test_a_function_that_gives_no_pipeline_says_why_and_where(answer, place, what, fix):
    said = answer(place)
    assert what in f"{said['where']}: {said['what']}"
    assert said["fix"].startswith(fix)


def test_a_function_may_give_a_document(answer):
    assert answer("flow:stops") == {"name": "", "definition": json.dumps(DOCUMENT)}
