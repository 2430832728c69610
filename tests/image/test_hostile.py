"""What an engine is told by requests that mean harm: words stay words, and nothing of them reaches its command."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.errors import LocalError
from pipelines.local.runner.docker import DockerRunner, Engine
from pipelines.local.runner.image import Image
from pipelines.local.runner.process import ContainerRequest

HOSTILE = {
    "LD_PRELOAD": "/opt/ml/evil.so",
    "DOCKER_HOST": "tcp://127.0.0.1:9",
    "DOCKER_CONFIG": "/nowhere",
    "PATH": "/usr/bin:/bin",
    "LINES": "one\ntwo=2\r\n#three",
    "EQUALS": "a=b=c",
    "BLANKS": "  # not a comment  ",
    "EMPTY": "",
    "LONG": "x" * 40_000,
    "ONLY_A_NAME": "$HOME ${PATH} `id` 'q' \"q\" \\",
}


def request(folder: Path, image: str, *command: str, **environment: str) -> ContainerRequest:
    root = folder / "ml"
    root.mkdir(parents=True)
    return ContainerRequest(Image(opaque=True), command, environment, root, folder / "log", reference=image)


def said(log: Path) -> str:
    return "".join(line.split(" ", 1)[1] for line in log.read_text(encoding="utf-8").splitlines(keepends=True))


def test_variables_reach_the_container_as_they_are_and_the_engines_command_not_at_all(
    engine: Engine, base_image: str, tmp_path: Path
) -> None:
    program = "import json, os; print(json.dumps(dict(os.environ)))"
    asked = request(tmp_path, base_image, "python3", "-c", program, **HOSTILE)
    assert DockerRunner(engine, tmp_path, print).start(asked).wait(180) == 0
    lines = said(tmp_path / "log").splitlines()
    # The container's own loader may complain, on the other stream: before or after.
    (found,) = [line for line in lines if not line.startswith("ERROR: ld.so: ")]
    assert HOSTILE.items() <= json.loads(found).items()


def test_a_home_with_any_name_is_mounted(engine: Engine, base_image: str, tmp_path: Path) -> None:
    home = tmp_path / 'a:b,c="d" e'
    asked = request(home, base_image, "touch", "/opt/ml/made")
    runner = DockerRunner(engine, home, print)
    assert runner.start(asked).wait(180) == 0, said(home / "log")
    assert (home / "ml" / "made").exists()


@pytest.mark.parametrize("image", ["--privileged", "-v/:/machine", "--", "-"])
def test_an_image_that_reads_like_an_option_is_refused(tmp_path: Path, image: str) -> None:
    asked = request(tmp_path, image, "true")
    with pytest.raises(LocalError) as caught:
        DockerRunner(Engine("false"), tmp_path, print).start(asked)
    assert caught.value.what == f"{image!r} is not an image's URI"
    assert caught.value.problems[0].fix == "write REGISTRY/REPOSITORY:TAG"


@pytest.mark.parametrize(("word", "value"), [("a\0b", ""), ("\ud800", ""), ("true", "a\0b")])
def test_what_no_program_can_be_given_is_refused_in_words(tmp_path: Path, word: str, value: str) -> None:
    asked = request(tmp_path, "image", "true", word, NAME=value)
    with pytest.raises(LocalError) as caught:
        DockerRunner(Engine("true"), tmp_path, print).start(asked)
    assert caught.value.what.startswith("the container cannot be started: ")
    assert caught.value.problems[0].fix == "correct the arguments and variables of the step, if it is theirs"


KILLED = """
import json, sys, time
from pathlib import Path
from pipelines.engine import Engine
from pipelines.local.runner.docker import DockerRunner
from pipelines.local.runner.image import Image
from pipelines.local.runner.process import ContainerRequest
program, environment, home, image = json.loads(sys.argv[1])
runner = DockerRunner(Engine(program, environment), Path(home), print)
hosts = ("algo-1", "algo-2")
for host in hosts:
    root = Path(home, host)
    root.mkdir()
    words = ("sh", "-c", "echo begun > /opt/ml/begun; sleep 600")
    log = Path(home, host + ".log")
    runner.start(ContainerRequest(Image(opaque=True), words, {}, root, log, reference=image, host=host, hosts=hosts))
while not all(Path(home, host, "begun").exists() for host in hosts):
    time.sleep(0.05)
print("begun", flush=True)
time.sleep(600)
"""


def test_what_a_killed_server_left_in_the_engine_is_removed_by_the_next(
    engine: Engine, base_image: str, tmp_path: Path
) -> None:
    given = json.dumps([engine.program, dict(engine.environment), str(tmp_path), base_image])
    server = subprocess.Popen([sys.executable, "-c", KILLED, given], stdout=subprocess.PIPE)
    assert server.stdout
    with server.stdout:
        assert server.stdout.readline() == b"begun\n"
        os.kill(server.pid, signal.SIGKILL)
    server.wait()
    left = ("--quiet", "--filter", f"label=pipelines.home={tmp_path.resolve()}")
    assert len(engine.run("ps", "--all", *left).split()) == 2
    DockerRunner(engine, tmp_path / "other", print).remove_leftovers()
    assert len(engine.run("ps", "--all", *left).split()) == 2
    DockerRunner(engine, tmp_path, print).remove_leftovers()
    assert engine.run("ps", "--all", *left).split() + engine.run("network", "ls", *left).split() == []
