"""One definition on both runners, and what only an engine can do: images of its own, names of hosts, files of root."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import werkzeug

from pipelines.local.home import Home
from pipelines.local.runner.docker import Engine
from pipelines.testing.sagemaker import Run, SageMaker, serving

NOBODY = 65534
REPOSITORY = Path(__file__).parents[2]
IMAGE = "123456789012.dkr.ecr.us-east-1.amazonaws.com/both:1"
ROLE = "arn:aws:iam::123456789012:role/pipelines"
PROGRAM = """
import json, os, pathlib, socket, sys, time
here = pathlib.Path("/opt/ml/processing")
def meet(me, first):
    if me == first:
        connection, _ = socket.create_server((me, 8123)).accept()
    for _ in range(0 if me == first else 1800):
        try:
            connection = socket.create_connection((first, 8123))
            break
        except OSError:
            time.sleep(0.1)
    connection.sendall(me.encode())
    return sorted([me, connection.recv(100).decode()])
def split(*words):
    resources = json.loads(pathlib.Path("/opt/ml/config/resourceconfig.json").read_text())
    names = meet(resources["current_host"], resources["hosts"][0])
    rows = sorted(line for file in (here / "rows").rglob("*") for line in file.read_text().splitlines())
    out = here / "out" / resources["current_host"]
    out.write_text(json.dumps([names, rows, words, os.environ["MODE"], os.environ["STEP"], os.getcwd()]))
def train():
    rate = json.loads(pathlib.Path("/opt/ml/input/config/hyperparameters.json").read_text())["rate"]
    found = sorted(file.name for file in pathlib.Path("/opt/ml/input/data/rows").rglob("*"))
    pathlib.Path("/opt/ml/model/model.json").write_text(json.dumps([rate, found]))
def fails():
    pathlib.Path("/opt/ml/output/message").write_text("no such column")
    sys.exit(3)
print("begins", sys.argv[1], flush=True)
globals()[sys.argv[1]](*sys.argv[2:])
"""
DOCKERFILE = """
ARG BASE=python:3
FROM ${BASE}
WORKDIR /opt/program
ENV MODE=fast
COPY main.py ./
ENTRYPOINT ["python3", "/opt/program/main.py"]
CMD ["split", "by", "default"]
"""


def definition(image: str = IMAGE) -> dict[str, Any]:
    resources = {"InstanceType": "ml.m5.large", "VolumeSizeInGB": 30}
    rows = {"S3DataType": "S3Prefix", "S3Uri": "s3://data/rows/"}
    split = {
        "ProcessingResources": {"ClusterConfig": {**resources, "InstanceCount": 2}},
        "AppSpecification": {"ImageUri": image},
        "RoleArn": ROLE,
        "Environment": {"STEP": "Split"},
        "ProcessingInputs": [
            {"InputName": "rows", "S3Input": {**rows, "LocalPath": "/opt/ml/processing/rows", "S3InputMode": "File"}}
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "out",
                    "S3Output": {
                        "S3Uri": "s3://data/out",
                        "LocalPath": "/opt/ml/processing/out",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
    }
    train = {
        "AlgorithmSpecification": {"TrainingImage": image, "TrainingInputMode": "File"},
        "RoleArn": ROLE,
        "HyperParameters": {"rate": "0.1"},
        "InputDataConfig": [{"ChannelName": "rows", "DataSource": {"S3DataSource": rows}}],
        "OutputDataConfig": {"S3OutputPath": "s3://data/models"},
        "ResourceConfig": {**resources, "InstanceCount": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 600},
    }
    fails = {
        "ProcessingResources": {"ClusterConfig": {**resources, "InstanceCount": 1}},
        "AppSpecification": {"ImageUri": image, "ContainerArguments": ["fails"]},
        "NetworkConfig": {"EnableNetworkIsolation": True},
        "RoleArn": ROLE,
    }
    return {
        "Version": "2020-12-01",
        "Steps": [
            {"Name": "Split", "Type": "Processing", "Arguments": split},
            {"Name": "Train", "Type": "Training", "Arguments": train, "DependsOn": ["Split"]},
            {"Name": "Fails", "Type": "Processing", "Arguments": fails, "DependsOn": ["Train"]},
        ],
    }


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The build context of the image."""
    made = tmp_path / "image"
    made.mkdir()
    (made / "main.py").write_text(PROGRAM, encoding="utf-8")
    (made / "Dockerfile").write_text(DOCKERFILE, encoding="utf-8")
    return made


@pytest.fixture
def _engine_is_found(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    """The server finds the tests' engine as it would find the user's."""
    for name, value in engine.environment.items():
        monkeypatch.setenv(name, value)
    if "/" in engine.program:
        monkeypatch.setenv("PATH", str(Path(engine.program).parent), prepend=os.pathsep)


def execute(home: Home, settings: dict[str, Any], document: dict[str, Any]) -> tuple[Run, dict[str, bytes], list[str]]:
    """The execution, the objects that it wrote, and the log of its first job."""
    home.create()
    home.settings.write_text(json.dumps(settings), encoding="utf-8")
    with serving(home.root) as local:
        for name in ("a", "b"):
            local.put(f"s3://data/rows/{name}.csv", f"{name},1\n")
        run = local.run(document)
        return run, dict(written(local)), logs(local)


def written(local: SageMaker) -> list[tuple[str, bytes]]:
    """What steps wrote; a training job's name is another each time."""
    files = [path for path in (local.objects / "data").rglob("*") if path.is_file() and "rows" not in path.parts]
    return [("/".join([path.parts[-2], path.name]), path.read_bytes()) for path in files]


def logs(local: SageMaker) -> list[str]:
    (log,) = local.home.logs.glob("Processing/*Split*/algo-1")
    return [line.split(" ", 1)[1] for line in log.read_text(encoding="utf-8").splitlines()]


@pytest.mark.usefixtures("_engine_is_found")
def test_one_definition_gives_the_same_on_both_runners(engine: Engine, base_image: str, folder: Path, tmp_path: Path):
    images = {IMAGE: {"build": str(folder)}}
    docker = {"runner": "docker", "docker": {"build": ["--build-arg", f"BASE={base_image}"]}, "images": images}
    by_docker, docker_objects, docker_log = execute(Home(tmp_path / "docker"), docker, definition())
    by_process, process_objects, process_log = execute(Home(tmp_path / "process"), {"images": images}, definition())

    outcome = [(step.name, step.status, step.reason) for step in by_docker.execution.steps]
    assert outcome == [(step.name, step.status, step.reason) for step in by_process.execution.steps]
    assert by_docker.statuses == {"Split": "Succeeded", "Train": "Succeeded", "Fails": "Failed"}
    assert by_docker.step("Fails").reason == "AlgorithmError: no such column, exit code: 3"
    assert set(docker_objects) == {"out/algo-1", "out/algo-2", "output/model.tar.gz"}
    assert docker_objects == process_objects
    expected = [["algo-1", "algo-2"], ["a,1", "b,1"], ["by", "default"], "fast", "Split", "/opt/program"]
    assert json.loads(docker_objects["out/algo-1"]) == expected
    assert docker_log[-1:] == process_log[-1:] == ["begins split"]
    left = ("--quiet", "--filter", f"label=pipelines.home={(tmp_path / 'docker').resolve()}")
    assert not engine.run("network", "ls", *left).strip() + engine.run("ps", "--all", *left).strip()


@pytest.mark.usefixtures("_engine_is_found")
def test_an_image_of_the_engines_runs_with_its_own_program(
    engine: Engine, base_image: str, folder: Path, tmp_path: Path
):
    engine.run("build", "--quiet", "--tag", "pipelines-test:own", "--build-arg", f"BASE={base_image}", str(folder))
    run, objects, _ = execute(Home(tmp_path / "home"), {"runner": "docker"}, definition("pipelines-test:own"))
    assert run.statuses == {"Split": "Succeeded", "Train": "Succeeded", "Fails": "Failed"}
    assert json.loads(objects["out/algo-2"])[2] == ["by", "default"]


AS_NOBODY = """
import json, os, sys
from pathlib import Path
from pipelines.engine import Engine
from pipelines.local.runner.docker import DockerRunner
from pipelines.local.runner.image import Image
from pipelines.local.runner.process import ContainerRequest
program, environment, home, image = json.loads(sys.argv[1])
root = Path(home, "ml")
(root / "processing").mkdir(parents=True)
script = "umask 077; mkdir /opt/ml/processing/a; id -u >/opt/ml/processing/a/b"
request = ContainerRequest(Image(opaque=True), ("sh", "-c", script), {}, root, Path(home, "log"), reference=image)
print(DockerRunner(Engine(program, environment), Path(home), print).start(request).wait(180))
written = root / "processing/a/b"
print(written.read_text().strip(), written.stat().st_uid == os.geteuid())
written.rename(Path(home, "moved"))
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may become another user")
def test_what_root_wrote_in_a_container_is_the_servers_to_collect(engine: Engine, base_image: str):
    """The server is nobody's; the engine and the program in the container are root's."""
    socket = Path(engine.environment.get("DOCKER_HOST", "unix:///var/run/docker.sock").removeprefix("unix://"))
    packages = Path(werkzeug.__file__).parents[1]
    with tempfile.TemporaryDirectory(prefix="pipelines-nobody-") as home, reachable(socket):
        os.chown(home, NOBODY, NOBODY)
        given = json.dumps([engine.program, {**engine.environment, "HOME": home}, home, base_image])
        done = subprocess.run(
            ["/usr/bin/python3", "-c", AS_NOBODY, given],
            user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", capture_output=True, text=True, timeout=300,
            env={"PATH": "/usr/bin:/bin", "PYTHONPATH": f"{REPOSITORY}:{packages}", "PYTHONDONTWRITEBYTECODE": "1"},
        )  # fmt: skip
    if "ModuleNotFoundError" in done.stderr:
        pytest.skip(f"nobody cannot import the package: {done.stderr.splitlines()[-1]}")
    assert done.stdout.splitlines() == ["0", "0 True"], done.stderr


@contextmanager
def reachable(socket: Path) -> Iterator[None]:
    """Lets everybody reach a socket, and the folders around it that are pytest's."""
    opened = [socket, *(folder for folder in socket.parents if folder.stat().st_mode & 0o005 != 0o005)]
    before = {path: path.stat().st_mode for path in opened}
    try:
        for path in opened:
            path.chmod(before[path] | (0o666 if path == socket else 0o055))
        yield
    finally:
        for path, mode in before.items():
            path.chmod(mode)


def test_a_job_without_an_engine_says_what_to_do(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("DOCKER_HOST", f"unix://{tmp_path}/none.sock")
    home = Home(tmp_path / "home")
    home.create()
    home.settings.write_text(json.dumps({"runner": "docker"}), encoding="utf-8")
    with serving(home.root) as local:
        run = local.run(definition())
    reason = run.step("Split").reason
    assert "no container engine answers: docker " in reason
    assert reason.endswith("fix: start Docker, or run the jobs as processes: --runner process")
