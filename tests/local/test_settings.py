"""settings.json: from pipeline.yaml or by hand to what the server reads."""

from __future__ import annotations

from dataclasses import replace

import pytest

from pipelines.errors import LocalError, SpecError
from pipelines.local.home import Home
from pipelines.local.settings import Function, ImageSettings, Settings, of_spec, read, write
from pipelines.spec import load
from pipelines.spec.local import DockerOptions

SPEC = """
name: p
image: i
steps: {A: {fail: x}}
environments:
  local:
    runner: docker
    docker: { build: [--network, host], run: [--gpus, all] }
    images:
      "763104351884.dkr.ecr.*/pytorch-training:*":
        { requirements: ./torch.txt, python: "3.11", entrypoint: [python3, /opt/program/train.py], environment: {A: é} }
      "*/other-team:*": { build: ../other }
    functions: { "arn:aws:lambda:*:*:function:notify": ./notify.py:handler }
    stubs: { DeployEndpoint: { EndpointArn: "arn:x", Deep: { List: [1, 2.5, true, null] } } }
"""


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "pipeline.yaml").write_text(SPEC, encoding="utf-8")
    (folder / "torch.txt").write_text("", encoding="utf-8")
    (folder / "notify.py").write_text("", encoding="utf-8")
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    return folder


def test_what_pipeline_yaml_says_comes_to_the_server_with_absolute_paths(project, tmp_path):
    settings = of_spec(load(project / "pipeline.yaml"))
    torch = "763104351884.dkr.ecr.eu-central-1.amazonaws.com/pytorch-training:2.1"
    assert settings.runner == "docker"
    assert settings.docker == DockerOptions(("--network", "host"), ("--gpus", "all"))
    assert settings.image(torch) == ImageSettings(
        None, project / "torch.txt", "3.11", ("python3", "/opt/program/train.py"), {"A": "é"}
    )
    assert settings.image("1.dkr/other-team:2") == ImageSettings(tmp_path / "other")
    assert settings.image("1.dkr/another:2") is None
    assert settings.function("arn:aws:lambda:x:1:function:notify") == Function(project / "notify.py", "handler")
    assert settings.function("arn:aws:lambda:x:1:function:other") is None
    assert settings.stub("DeployEndpoint") == {"EndpointArn": "arn:x", "Deep": {"List": [1, 2.5, True, None]}}
    assert settings.stub("Other") is None

    home = Home(tmp_path / ".pipelines")
    write(home, settings)
    assert read(home) == settings
    write(home, replace(settings, runner="process"))
    assert read(home) == replace(settings, runner="process")


def test_without_a_file_the_defaults_hold(tmp_path):
    assert read(Home(tmp_path)) == Settings()


def test_the_very_name_wins_over_a_pattern_and_brackets_are_plain():
    one, two = ImageSettings(python="3.10"), ImageSettings(python="3.11")
    settings = Settings(images={"*": one, "a[b]": two})
    assert settings.image("a[b]") == two
    assert settings.image("ab") == one
    assert Settings(images={"a[b]:*": two}).image("a[b]:1") == two


def test_files_that_are_not_there_are_named_with_their_place(project, tmp_path):
    for file in (project / "torch.txt", project / "notify.py", tmp_path / "other" / "Dockerfile"):
        file.unlink()
    with pytest.raises(SpecError) as caught:
        of_spec(load(project / "pipeline.yaml"))
    found = [(problem.where.rpartition("pipeline.yaml:")[2], problem.what) for problem in caught.value.problems]
    assert found == [
        ("11:25", f"there is no file {project / 'torch.txt'}"),
        ("12:34", "there is no Dockerfile in ../other"),
        ("13:56", f"there is no file {project / 'notify.py'}"),
    ]


@pytest.mark.parametrize(
    ("text", "line", "what", "fix"),
    [
        ('{"runner": "podman"}', "1:12", "expected process or docker", "use one of: process, docker"),
        ('{"image": {}}', "1:2", "unknown key 'image'", "did you mean 'images'?"),
        ('{"runner": ', "2:1", "not valid YAML", "check indentation, quotes and brackets"),
        (
            '{\n\t"images": {"*": {"requirements": "torch.txt"}}}',
            "2:35",
            "'torch.txt' is not an absolute path",
            "write the whole path, from / on",
        ),
        (
            '{"images": {"*": {"build": "/a", "python": "3.11"}}}',
            "1:34",
            "'python' means nothing beside 'build'",
            "remove one of the two",
        ),
        ('{"functions": {"*": "/a.py:f:g h"}}', "1:21", "not allowed here", "./notify.py:handler"),
    ],
)
def test_a_file_written_by_hand_is_checked(tmp_path, text, line, what, fix):
    home = Home(tmp_path)
    home.create()
    home.settings.write_text(text, encoding="utf-8")
    with pytest.raises(LocalError) as caught:
        read(home)
    problem = caught.value.problems[0]
    assert problem.where == f"{home.settings}:{line}"
    assert what in problem.what
    assert fix in problem.fix
