"""What the state machine and the engine cost of themselves: executions of steps that do nothing.

    python benchmarks/scheduling.py [--steps 250 1000] [--runs 4] [--json FILE]

Every step is a Processing step that ends as soon as it is launched; all else is real: the state machine, the step
cache, the database on disk, the threads. Each shape (a chain, layers of 50 that wait for the layer before, all side by
side) runs several times in a process of its own. Prints the median time of an execution, the time per step, and by how
much the process's memory grew from its first execution to its last: it should not.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from pipelines.definition import parse
from pipelines.local.database import Database
from pipelines.local.engine import Engine
from pipelines.local.execution import Execution, Services, StartRequest
from pipelines.local.machine import Launch
from pipelines.local.steps.kinds import Kinds
from pipelines.local.steps.step import StepKind, Tell
from pipelines.local.store import ObjectStore

Json = dict[str, Any]
ARN = "arn:aws:sagemaker:us-east-1:123456789012:pipeline/benchmark"
WIDTH = 50


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, nargs="+", default=[250, 1000])
    parser.add_argument("--runs", type=int, default=4)
    parser.add_argument("--json", type=Path)
    parser.add_argument("--one", choices=SHAPES, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(measure(given.one, given.steps[0], given.runs)))
        return
    figures = {}
    for shape in SHAPES:
        for count in given.steps:
            found = figures[f"{shape}-{count}"] = alone(shape, count, given.runs)
            print(
                f"{shape:8} of {count:5} steps   {found['seconds']:7.2f} s"
                f"   {found['seconds'] / count * 1000:6.2f} ms a step   memory {found['grown_mib']:+6.1f} MiB"
            )
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def alone(shape: str, count: int, runs: int) -> dict[str, float]:
    """`measure` in a process of its own: its memory is nobody else's."""
    command = [sys.executable, __file__, "--one", shape, "--steps", str(count), "--runs", str(runs)]
    found: dict[str, float] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE).stdout)
    return found


def measure(shape: str, count: int, runs: int) -> dict[str, float]:
    text = json.dumps({"Version": "2020-12-01", "Steps": [step(name, after) for name, after in SHAPES[shape](count)]})
    seconds, memory = [], []
    with engine() as running:
        for number in range(runs):
            start = time.perf_counter()
            execute(running, text, f"e{number:011}")
            seconds.append(time.perf_counter() - start)
            memory.append(resident_mib())
    return {"seconds": statistics.median(seconds), "grown_mib": memory[-1] - memory[0]}


class Done(StepKind):
    """A step that has nothing to do."""

    def run(self, launch: Launch, tell: Tell) -> None:
        tell.succeeded({"ProcessingJobName": launch.job_name}, {"ProcessingJob": {"Arn": launch.job_name}})


@contextmanager
def engine() -> Iterator[Engine]:
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(8) as workers, ThreadPoolExecutor(4) as readers:
        database = Database(Path(folder) / "state.sqlite3")
        store = ObjectStore(Path(folder) / "s3")
        kinds = Kinds({}, Done())
        yield Engine(Services(database, store, kinds, lambda: datetime.now(UTC), workers, readers))
        database.close()


def execute(running: Engine, text: str, ident: str) -> None:
    request = StartRequest("benchmark", ARN, ident, parse(text), {}, None, {})
    execution = running.prepare(request)
    if not isinstance(execution, Execution):
        raise SystemExit(execution.message)
    running.begin(execution)
    while running.busy:
        time.sleep(0.002)
    record = running.describe(execution.arn) or {}
    if record["state"]["status"] != "Succeeded":
        raise SystemExit(f"the execution did not succeed: {record['state']}")


def resident_mib() -> float:
    pages = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[1])
    return pages * 4096 / 2**20


def chain(count: int) -> Iterator[tuple[str, list[str]]]:
    for number in range(count):
        yield f"S{number}", [f"S{number - 1}"] if number else []


def layers(count: int) -> Iterator[tuple[str, list[str]]]:
    for number in range(count):
        first = (number // WIDTH - 1) * WIDTH
        yield f"S{number}", [f"S{before}" for before in range(max(first, 0), first + WIDTH)]


def side_by_side(count: int) -> Iterator[tuple[str, list[str]]]:
    return ((f"S{number}", []) for number in range(count))


def step(name: str, after: list[str]) -> Json:
    cache = {"Enabled": True, "ExpireAfter": "PT1M"}
    arguments = {
        "AppSpecification": {"ImageUri": "none", "ContainerArguments": [{"Get": "Execution.PipelineExecutionId"}]}
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, "DependsOn": after, "CacheConfig": cache}


SHAPES: dict[str, Callable[[int], Iterator[tuple[str, list[str]]]]] = {
    "chain": chain,
    "layers": layers,
    "parallel": side_by_side,
}

if __name__ == "__main__":
    main()
