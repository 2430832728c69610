#!/usr/bin/env python3
"""`train` of AWS's framework images in script mode: the user's script with its hyperparameters as arguments.

Runs inside a job, in the job's Python. The hyperparameters (or variables) sagemaker_program and
sagemaker_submit_directory name the script and the archive that holds it; the script gets the SM_* variables that the
images' toolkit documents. Without a script, the algorithm of the image trains, where it is here (`ALGORITHM`).
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

ROOT = Path("/opt/ml")
CODE = ROOT / "code"
ALGORITHM = "train-algorithm"  # beside this one in the image, if the image has an algorithm that is here


class Refusal(Exception):
    """The job cannot run; the text says why."""


def decoded(values: Mapping[str, str]) -> dict[str, Any]:
    """Hyperparameters as the SDK meant them: it writes each as JSON."""
    return {name: _decoded(value) for name, value in values.items()}


def _decoded(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def arguments(values: Mapping[str, Any]) -> Iterator[str]:
    """Hyperparameters as a command line."""
    for name, value in sorted(values.items()):
        yield from (f"--{name}" if len(name) > 1 else f"-{name}", str(value))


def variables(values: Mapping[str, Any], program: str) -> dict[str, str]:
    """The SM_* variables."""
    resources = _read("input/config/resourceconfig.json")
    channels = _read("input/config/inputdataconfig.json")
    single = {
        "MODEL_DIR": ROOT / "model",
        "OUTPUT_DIR": ROOT / "output",
        "OUTPUT_DATA_DIR": ROOT / "output/data",
        "INPUT_DIR": ROOT / "input",
        "INPUT_CONFIG_DIR": ROOT / "input/config",
        "MODULE_DIR": CODE,
        "MODULE_NAME": Path(program).stem,
        "USER_ENTRY_POINT": program,
        "CURRENT_HOST": resources.get("current_host", "algo-1"),
        "CURRENT_INSTANCE_TYPE": resources.get("current_instance_type", "local"),
        "NETWORK_INTERFACE_NAME": resources.get("network_interface_name", "lo"),
        "NUM_CPUS": os.cpu_count() or 1,
        "NUM_GPUS": 0,
        "LOG_LEVEL": 20,
        "HOSTS": json.dumps(resources.get("hosts", ["algo-1"])),
        "CHANNELS": json.dumps(sorted(channels)),
        "HPS": json.dumps(values),
        "USER_ARGS": json.dumps(list(arguments(values))),
        "RESOURCE_CONFIG": json.dumps(resources),
        "INPUT_DATA_CONFIG": json.dumps(channels),
    }
    found = {name: str(value) for name, value in single.items()}
    found |= {f"CHANNEL_{name.upper()}": str(ROOT / "input/data" / name) for name in channels}
    found |= {f"HP_{name.upper().replace('-', '_')}": _text(value) for name, value in values.items()}
    return {f"SM_{name}": value for name, value in found.items()}


def _text(value: Any) -> str:
    return json.dumps(value) if isinstance(value, dict | list | bool) else str(value)


def _read(name: str) -> dict[str, Any]:
    file = ROOT / name
    return dict(json.loads(file.read_text(encoding="utf-8"))) if file.is_file() else {}


def fetch(place: str) -> None:
    """Unpack the archive of the script, an S3 object or a file, into the code's folder."""
    CODE.mkdir(parents=True, exist_ok=True)
    archive = _download(place) if place.startswith("s3://") else Path(place)
    if archive.is_dir():
        for path in archive.iterdir():
            (CODE / path.name).symlink_to(path)
        return
    try:
        with tarfile.open(archive) as tar:
            tar.extractall(CODE, filter="data")
    except (OSError, tarfile.TarError) as error:
        raise Refusal(f"{place} cannot be unpacked: {error}") from error


def _download(uri: str) -> Path:
    endpoint = os.environ.get("AWS_ENDPOINT_URL")
    if not endpoint:
        raise Refusal(f"{uri} cannot be fetched: the job is isolated from the network")
    target = ROOT / "sourcedir.tar.gz"
    try:
        urllib.request.urlretrieve(f"{endpoint}/{urllib.parse.quote(uri.removeprefix('s3://'))}", target)  # noqa: S310
    except urllib.error.HTTPError as error:
        raise Refusal(f"{uri} cannot be fetched: {error.code} {error.reason}") from error
    except OSError as error:
        raise Refusal(f"{uri} cannot be fetched: {error}") from error
    return target


def install(requirements: Path) -> None:
    """Install what the source asks for, as the images do, into this job's environment."""
    if not requirements.is_file():
        return
    command = [sys.executable, "-m", "pip", "install", "--disable-pip-version-check", "-r", str(requirements)]
    if subprocess.run(command, cwd=CODE, stdin=subprocess.DEVNULL).returncode:
        raise Refusal(
            "requirements.txt of the source cannot be installed, the log says why; a job that is isolated from the "
            "network installs nothing. Name its packages under environments: local: images (requirements), or run the "
            "real image (--runner docker)"
        )


def prepared() -> tuple[list[str], dict[str, str]]:
    """The command and its variables. Raises `Refusal`."""
    values = decoded(_read("input/config/hyperparameters.json"))
    told = {name.lower(): value for name, value in os.environ.items() if name.startswith("SAGEMAKER_")}
    own = {name: value for name, value in values.items() if name.startswith("sagemaker_")}
    told |= {name: str(value) for name, value in own.items()}
    program = told.get("sagemaker_program")
    algorithm = shutil.which(ALGORITHM)
    if not program and algorithm:
        return [sys.executable, algorithm], {}
    if not program:
        raise Refusal(
            "no sagemaker_program: the image's built-in algorithm is not here. Train with a script, or say what runs "
            "for the image under environments: local: images"
        )
    if told.get("sagemaker_submit_directory"):
        fetch(told["sagemaker_submit_directory"])
    script = CODE / program
    if not script.resolve().is_relative_to(CODE.resolve()) and not script.is_symlink():
        raise Refusal(f"{program} leads out of the source archive")
    if not script.is_file():
        raise Refusal(f"there is no {program} in {told.get('sagemaker_submit_directory', CODE)}")
    install(CODE / "requirements.txt")
    users = {name: value for name, value in values.items() if name not in own}
    start = ["/bin/sh"] if script.suffix == ".sh" else [sys.executable]
    return [*start, program, *arguments(users)], variables(users, program)


def main() -> None:
    try:
        command, added = prepared()
    except Refusal as refusal:
        (ROOT / "output").mkdir(exist_ok=True)
        (ROOT / "output/failure").write_text(str(refusal), encoding="utf-8")
        sys.exit(str(refusal))
    os.chdir(CODE if CODE.is_dir() else ROOT)
    os.execvpe(command[0], command, {**os.environ, **added})  # noqa: S606 -- no shell


if __name__ == "__main__":
    main()
