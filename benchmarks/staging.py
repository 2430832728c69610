"""What a large input costs a job: its time and disk against `cp` of the same file, in the same run.

    python benchmarks/staging.py [--megabytes 2048] [--files 10000] [--runs 3] [--folder DIR] [--json FILE]

Two inputs, one of a single large object and one of many small ones. For each: the seconds that a copy takes, those that
a job's staging takes, and the disk that the job's folder takes while its program runs (which writes a byte into it).
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.local.database import Database
from pipelines.local.home import Home
from pipelines.local.jobs.job import Host
from pipelines.local.jobs.service import Jobs
from pipelines.local.runner.process import ProcessRunner
from pipelines.local.store import ObjectStore

_MIB = 1 << 20
_PROGRAM = """
import os
used = lambda: (lambda disk: (disk.f_blocks - disk.f_bfree) * disk.f_frsize)(os.statvfs('/opt/ml/processing/out'))
with open('/opt/ml/processing/in/new', 'w') as file: file.write('x')
with open('/opt/ml/processing/out/seen', 'w') as file:
    file.write(f"{used()} {sum(len(names) for _, _, names in os.walk('/opt/ml/processing/in'))}")
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--megabytes", type=int, default=2048)
    parser.add_argument("--files", type=int, default=10_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--folder", type=Path, help="where to work; the disk counts")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:
        figures = measure(Path(folder), given.megabytes, given.files, given.runs)
    print(f"{'input':<24}{'cp':>9}{'staging':>10}{'ratio':>9}{'disk':>12}")
    for name, figure in figures.items():
        ratio = figure["staging_seconds"] / figure["copy_seconds"]
        print(
            f"{name:<24}{figure['copy_seconds']:>7.2f} s{figure['staging_seconds']:>8.3f} s{ratio:>9.4f}"
            f"{figure['disk_mebibytes']:>8.1f} MiB"
        )
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(folder: Path, megabytes: int, files: int, runs: int) -> dict[str, dict[str, float]]:
    home = Home(folder / ".pipelines")
    home.create()
    store = ObjectStore(home.objects)
    store.create_bucket("data")
    data = store.root / "data"
    for name in ("large", "many", "code"):
        (data / name).mkdir()
    (data / "code" / "program").write_text(_PROGRAM)
    piece = os.urandom(_MIB)
    with (data / "large" / "file").open("wb") as file:
        for _ in range(megabytes):
            file.write(piece)
    for number in range(files):
        (data / "many" / f"{number:06}").write_bytes(piece[:1024])
    database = Database(home.database)
    runner = ProcessRunner(home.environments, lambda _: None)
    host = Host(home, store, runner, "us-east-1", "123456789012", lambda: datetime.now(UTC))
    jobs = Jobs(host, database)
    run(jobs, store, "warm-up", "many")  # builds the environment
    inputs = {f"1 file of {megabytes} MiB": "large", f"{files} files of 1 KiB": "many"}
    figures = {}
    for label, name in inputs.items():
        copies = [seconds(lambda at=name: copy(data / at, folder / "copy")) for _ in range(runs)]  # type: ignore[misc]
        staged = [run(jobs, store, f"{name}-{number}", name) for number in range(runs)]
        figures[label] = {
            "copy_seconds": statistics.median(copies),
            "staging_seconds": statistics.median(taken for taken, _ in staged),
            "disk_mebibytes": statistics.median(disk for _, disk in staged),
        }
    database.close()
    return figures


def seconds(call: Callable[[], None]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def copy(source: Path, target: Path) -> None:
    """As staging would: whole files, none shared with the source."""
    shutil.rmtree(target, ignore_errors=True)
    subprocess.run(["cp", "-r", "--reflink=never", source, target], check=True)


def run(jobs: Jobs, store: ObjectStore, job: str, name: str) -> tuple[float, float]:
    """The seconds that a job's staging took, and the MiB by which the disk was fuller when its program ran."""
    os.sync()
    disk = os.statvfs(store.root)
    before = (disk.f_blocks - disk.f_bfree) * disk.f_frsize
    made = jobs.create("Processing", f"job-{job}", request(f"s3://data/{name}/", f"s3://data/out/{job}"))
    stage, taken = made.stage, [0.0]

    def timed() -> None:
        taken[0] = seconds(stage)

    made.stage = timed  # type: ignore[method-assign]
    record = jobs.run(made)
    if record["ProcessingJobStatus"] != "Completed":
        raise SystemExit(f"the job ended as {record}")
    with store.open("data", f"out/{job}/seen")[2] as stream:
        used, found = stream.read().decode().split()
    if int(found) < 2:
        raise SystemExit(f"the job found {found} files")
    return taken[0], (float(used) - before) / _MIB


def request(source: str, target: str) -> dict[str, Any]:
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    read = {"S3Uri": source, "LocalPath": "/opt/ml/processing/in", "S3DataType": "S3Prefix", "S3InputMode": "File"}
    code = {**read, "S3Uri": "s3://data/code/program", "LocalPath": "/opt/ml/processing/code"}
    written = {"S3Uri": target, "LocalPath": "/opt/ml/processing/out", "S3UploadMode": "EndOfJob"}
    return {
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {
            "ImageUri": "benchmark:none",
            "ContainerEntrypoint": ["python3", f"{code['LocalPath']}/program"],
        },
        "ProcessingInputs": [{"InputName": "in", "S3Input": read}, {"InputName": "code", "S3Input": code}],
        "ProcessingOutputConfig": {"Outputs": [{"OutputName": "out", "S3Output": written}]},
        "RoleArn": "arn:aws:iam::123456789012:role/benchmark",
    }


if __name__ == "__main__":
    main()
