"""The reference image, built and run for real: by a Docker engine, and beside it by the process runner."""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from packaging.markers import Marker

from benchmarks import docker_engine
from pipelines.local.runner.docker import DockerRunner, Engine
from pipelines.local.runner.image import bare_image, command, read_image
from pipelines.local.runner.process import Container, ContainerRequest, ProcessRunner
from pipelines.local.runner.sandbox import probe

CONTAINER = docker_engine.CONTAINER
LOCAL_MODE = CONTAINER.parent / "benchmarks" / "sdk_local_mode.py"
FLIGHTS = [CONTAINER.parent / "data" / "raw" / name for name in ("flights.csv", "weather.csv")]
INPUTS = ("processing/input/raw", "processing/input/recipe")
OUTPUTS = ("train", "validation", "test", "features")
ROWS = 3000
RECIPE = """
sources:
  rows: { input: raw, files: rows.csv, columns: { id: string, amount: number, colour: string, late: number } }
key: [id]
target: late > 0
split: { train: 0.6, validation: 0.2, test: 0.2, salt: test }
features:
  amount: { transform: numeric, column: amount, impute: median, scale: standard }
  colour: { transform: one_hot, column: colour }
"""


@pytest.fixture(scope="session")
def image(engine: Engine, build_options: tuple[str, ...]) -> str:
    return docker_engine.build(engine, "pipelines-test:image", build_options)


@pytest.fixture(scope="session")
def runners(
    engine: Engine, image: str, build_options: tuple[str, ...], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, DockerRunner | ProcessRunner]]:
    home = tmp_path_factory.mktemp("home")
    docker = DockerRunner(engine, home, print, build_options, ("--read-only",))
    yield {"docker": docker, "process": ProcessRunner(home / "environments", print)}
    docker.remove_leftovers()


def rows() -> str:
    lines = ["id,amount,colour,late"]
    for number in range(ROWS):
        late = 1 if (number * 7919) % 13 < 5 else 0
        amount = (number * 37) % 101 + 20 * late
        lines.append(f"k{number},{amount},{('red', 'green', 'blue')[number % 3]},{late}")
    return "\n".join(lines) + "\n"


def run_step(runner: DockerRunner | ProcessRunner, root: Path, *arguments: str) -> Container:
    request = ContainerRequest(
        image=read_image(CONTAINER),
        command=command(read_image(CONTAINER), None, arguments),
        environment={"OMP_NUM_THREADS": "1"},
        opt_ml=root,
        log=root.parent / f"{arguments[0]}.log",
        network=False,
    )
    return runner.start(request)


def small(raw: Path, recipe: Path) -> None:
    (raw / "rows.csv").write_text(rows())
    (recipe / "recipe.yaml").write_text(RECIPE)


def flights(raw: Path, recipe: Path) -> None:
    """The demo's own recipe and data."""
    for file in FLIGHTS:
        if not file.exists():
            pytest.skip(f"{file.name} is not here: make data")
        shutil.copy(file, raw)
    shutil.copy(CONTAINER / "recipes/flights.yaml", recipe)


Inputs = Callable[[Path, Path], None]


def prepare(root: Path, inputs: Inputs) -> None:
    """The folders of the features step below `root`, as the service makes and fills them."""
    for folder in (*INPUTS, *(f"processing/output/{name}" for name in OUTPUTS), "output"):
        (root / folder).mkdir(parents=True)
    inputs(*(root / folder for folder in INPUTS))


def features(runner: DockerRunner | ProcessRunner, root: Path, inputs: Inputs = small) -> None:
    prepare(root, inputs)
    code = run_step(runner, root, "features").wait(600)
    assert code == 0, (root.parent / "features.log").read_text()


def hashes(folder: Path) -> dict[str, str]:
    files = (file for file in sorted(folder.rglob("*")) if file.is_file())
    return {file.relative_to(folder).as_posix(): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}


@pytest.mark.parametrize("inputs", [small, flights])
def test_docker_and_the_process_runner_write_the_same_bytes(
    runners: dict[str, DockerRunner | ProcessRunner], inputs: Inputs, tmp_path: Path
) -> None:
    if not probe().private:
        pytest.skip(f"no private /opt/ml here: {probe().reason}")
    for name, runner in runners.items():
        features(runner, tmp_path / name / "ml", inputs)
    by_docker, by_process = (hashes(tmp_path / name / "ml/processing/output") for name in ("docker", "process"))
    assert by_docker == by_process
    assert {path.split("/")[0] for path in by_docker} == set(OUTPUTS)


def test_the_sdks_own_local_mode_writes_the_same_bytes(
    runners: dict[str, DockerRunner | ProcessRunner], image: str, compose_environment: dict[str, str], tmp_path: Path
) -> None:
    ours, theirs = tmp_path / "ours" / "ml", tmp_path / "theirs" / "ml"
    features(runners["docker"], ours, flights)
    prepare(theirs, flights)
    step = {
        "name": "Features",
        "image": image,
        # Without an entrypoint, local mode cannot take arguments.
        "entrypoint": ["python3", "-m", "processing"],
        "arguments": ["features"],
        "environment": {"OMP_NUM_THREADS": "1"},
        "inputs": {f"/opt/ml/{folder}": f"{theirs / folder}" for folder in INPUTS},
        "outputs": {f"/opt/ml/processing/output/{name}": f"{theirs / 'processing/output' / name}" for name in OUTPUTS},
    }
    done = subprocess.run(
        [sys.executable, LOCAL_MODE],
        input=json.dumps({"steps": [step]}),
        env=compose_environment,
        capture_output=True,
        text=True,
        timeout=900,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["status"] == "Succeeded", done.stderr
    assert hashes(theirs / "processing/output") == hashes(ours / "processing/output")


@pytest.mark.parametrize("algorithm", ["xgboost", "lightgbm"])
def test_training_writes_a_model_with_nothing_but_opt_ml_writable_and_no_network(
    runners: dict[str, DockerRunner | ProcessRunner], algorithm: str, tmp_path: Path
) -> None:
    made, root = tmp_path / "features" / "ml", tmp_path / "train" / "ml"
    features(runners["docker"], made)
    for channel in ("train", "validation", "features"):
        target = root / "input/data" / channel
        target.parent.mkdir(parents=True, exist_ok=True)
        (made / "processing/output" / channel).rename(target)
    for folder in ("input/config", "model", "output/data"):
        (root / folder).mkdir(parents=True)
    (root / "input/config/hyperparameters.json").write_text(json.dumps({"max_rounds": "5", "algorithm": algorithm}))
    code = run_step(runners["docker"], root, "train").wait(600)
    assert code == 0, (tmp_path / "train" / "train.log").read_text()
    assert any((root / "model").iterdir())


def test_a_failing_program_leaves_its_reason_and_its_exit_code(
    runners: dict[str, DockerRunner | ProcessRunner], tmp_path: Path
) -> None:
    root = tmp_path / "ml"
    (root / "output").mkdir(parents=True)
    assert run_step(runners["docker"], root, "features").wait(300) not in (0, None)
    assert "recipe" in (root / "output/message").read_text()


def test_stop_reaches_the_program_and_ends_the_container(engine: Engine, image: str, tmp_path: Path) -> None:
    runner = DockerRunner(engine, tmp_path, print)
    (tmp_path / "ml").mkdir()
    sleeper = ContainerRequest(
        image=bare_image(),
        command=("python3", "-c", "import time; print('up', flush=True); time.sleep(600)"),
        environment={},
        opt_ml=tmp_path / "ml",
        log=tmp_path / "log",
        reference=image,
    )
    container = runner.start(sleeper)
    deadline = time.monotonic() + 300
    while "up" not in ((tmp_path / "log").read_text() if (tmp_path / "log").exists() else ""):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    container.stop(0)
    assert container.wait(300) == 137


def test_leftovers_of_a_killed_server_are_removed(engine: Engine, image: str, tmp_path: Path) -> None:
    label = f"pipelines.home={tmp_path.resolve()}"
    engine.run("run", "--detach", "--label", label, "--entrypoint", "sleep", image, "600")
    DockerRunner(engine, tmp_path, print).remove_leftovers()
    assert not engine.run("ps", "--all", "--quiet", "--filter", f"label={label}").strip()


def test_the_image_has_labels_and_no_healthcheck_and_runs_as_root(engine: Engine, image: str) -> None:
    (inspected,) = json.loads(engine.run("inspect", image))
    configuration = inspected["Config"]
    assert configuration["Labels"]["org.opencontainers.image.licenses"] == "Apache-2.0"
    assert not configuration.get("Healthcheck")
    assert configuration["User"] in ("", "root", "0")
    assert configuration["Entrypoint"] == ["python3", "-m", "processing"]


def test_no_build_secret_stays_in_the_image(engine: Engine, image: str, secret: str) -> None:
    assert secret not in engine.run("history", "--no-trunc", image)
    search = ["run", "--rm", "--entrypoint", "grep", image, "-rlF", secret, "/opt", "/root", "/tmp", "/run", "/etc"]
    assert not engine.run(*search, check=False).strip()


def test_the_bill_of_materials_names_what_the_lock_names(engine: Engine, image: str) -> None:
    bill = json.loads(engine.run("run", "--rm", "--entrypoint", "cat", image, "/opt/venv/sbom.json"))
    listed = {item["name"].lower().replace("_", "-"): item["version"] for item in bill["components"]}
    lock = (CONTAINER / "requirements.txt").read_text(encoding="utf-8")
    locked = re.findall(r"^([\w.-]+)==([\w.]+)(?: ; ([^\\\n]*))? \\", lock, re.MULTILINE)
    # The image is Linux with Python 3.11, wherever the tests run.
    machine = {"python_full_version": "3.11.2", "python_version": "3.11", "sys_platform": "linux"}
    wanted = {name: version for name, version, marker in locked if not marker or Marker(marker).evaluate(machine)}
    assert wanted.items() <= listed.items()
    assert "duckdb" in wanted
