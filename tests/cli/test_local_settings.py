"""What commands tell the local SageMaker of the runner and of what stands in for images."""

from __future__ import annotations

import re
from pathlib import Path

import boto3
import pytest

from pipelines.cli import main
from pipelines.cli.arguments import parse_arguments
from pipelines.cli.project import Project
from pipelines.errors import SpecError, UsageError
from pipelines.local import daemon
from pipelines.local.home import Home
from pipelines.local.settings import ImageSettings, Settings, read, write

SPEC = """
name: p
image: i
steps: {A: {fail: x}}
environments:
  local:
    runner: docker
    images: {"*/other:*": {requirements: ./other.txt}}
"""


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def settle(*words: str) -> None:
    Project.of(parse_arguments(words)).settle()


@pytest.mark.parametrize("command", [["run"], ["deploy", "--start"], ["start"], ["local", "--detach"]])
def test_commands_that_start_jobs_tell_what_pipeline_yaml_says_and_the_option_wins(folder, command):
    (folder / "pipeline.yaml").write_text(SPEC, encoding="utf-8")
    (folder / "other.txt").write_text("", encoding="utf-8")
    images = {"*/other:*": ImageSettings(requirements=folder / "other.txt")}
    home = Home(folder / ".pipelines")
    settle(*command)
    assert read(home) == Settings("docker", images=images)
    settle(*command, "--runner", "process")
    assert read(home) == Settings("process", images=images)


def test_commands_that_start_nothing_leave_the_settings_alone(folder):
    (folder / "pipeline.yaml").write_text(SPEC, encoding="utf-8")
    settle("status")
    settle("plan")
    assert not (folder / ".pipelines").exists()


def test_in_a_folder_without_pipeline_yaml_what_was_written_by_hand_stays(folder):
    home = Home(folder / ".pipelines")
    settle("local")
    assert not home.settings.exists()
    by_hand = Settings(stubs={"Deploy": {"EndpointArn": "arn"}})
    write(home, by_hand)
    settle("local")
    assert read(home) == by_hand
    settle("local", "--runner", "docker")
    assert read(home) == Settings("docker", stubs=by_hand.stubs)


def test_files_that_are_not_there_are_said_before_anything_is_told(folder):
    (folder / "pipeline.yaml").write_text(SPEC, encoding="utf-8")
    with pytest.raises(SpecError, match=r"pipeline.yaml:8:42: there is no file .*other.txt\n  fix: correct the path"):
        settle("run")
    assert not (folder / ".pipelines").exists()


@pytest.mark.parametrize(
    ("words", "what", "fix"),
    [
        (["deploy", "--runner", "docker"], "--runner is for an execution", "add --start, or leave it out"),
        (["start", "--env", "prod", "--runner", "docker"], "--runner is for the local SageMaker", "leave out --runner"),
        (["run", "--runner", "doker"], "argument --runner: invalid choice: 'doker'", "did you mean 'docker'?"),
    ],
)
def test_a_runner_where_there_is_none_to_choose_is_refused(words, what, fix):
    with pytest.raises(UsageError) as caught:
        parse_arguments(words)
    assert what in caught.value.what
    assert fix in caught.value.problems[0].fix


def test_any_folder_will_do_and_what_is_printed_leads_boto3_there(folder, capsys):
    home = Home(folder / ".pipelines")
    try:
        assert main(["local", "--detach"]) == 0
        endpoint, exports = capsys.readouterr().out.splitlines()
        assert re.fullmatch(r"http://127\.0\.0\.1:[0-9]+", endpoint)
        variables = dict(word.split("=", 1) for word in exports.removeprefix("export ").split())
        assert variables["AWS_ENDPOINT_URL"] == endpoint
        session = boto3.Session(
            variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"], region_name="us-east-1"
        )
        client = session.client("sagemaker", endpoint_url=variables["AWS_ENDPOINT_URL"])
        assert client.list_pipelines()["PipelineSummaries"] == []
        client.close()
        assert main(["local", "--stop"]) == 0
    finally:
        daemon.stop(home)
    assert daemon.find(home) is None
