"""What a step that does nothing costs by the local SageMaker and by the SDK's own local mode, in the same run.

    python benchmarks/local_mode.py [--steps 5] [--runs 3] [--json FILE]

A chain of no-op Processing steps by each; overhead = seconds of a step less those of the bare program. The SDK's local
mode takes a Docker engine and Docker Compose; its imports and one execution before are not counted. Between the two
stands `docker run` of the same program: what any runner has to pay that makes a container of each step. Without an
engine or Compose only our own side is measured, and the reason is told.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from docker_engine import Missing, base_image, compose_environment, docker_engine
from steps import bare_seconds, chain_of, execute, served

from pipelines.local.runner.docker import Engine

PROGRAM = ("python3", "-c", "pass")
LOCAL_MODE = Path(__file__).with_name("sdk_local_mode.py")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    bare = statistics.median(bare_seconds() for _ in range(given.runs))
    figures: dict[str, Any] = {"bare_seconds": bare, "overhead_seconds": our_seconds(given.steps, given.runs) - bare}
    try:
        figures |= peers(given.steps, given.runs, bare)
        figures["local_mode_ratio"] = figures["local_mode_overhead_seconds"] / figures["overhead_seconds"]
        figures["docker_run_ratio"] = figures["docker_run_overhead_seconds"] / figures["overhead_seconds"]
    except Missing as missing:
        figures["skipped"] = str(missing)
    for line in told(figures):
        print(line)
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def our_seconds(steps: int, runs: int) -> float:
    """Median seconds of a step in a chain, by the local SageMaker and its process runner."""
    with served() as client:
        execute(client, "warm-up", chain_of(1))
        return statistics.median(execute(client, f"chain-{run}", chain_of(steps)) / steps for run in range(runs))


def peers(steps: int, runs: int, bare: float) -> dict[str, Any]:
    """Median overheads of the SDK's local mode and of `docker run`; Missing where there is no engine or Compose."""
    with tempfile.TemporaryDirectory() as name, docker_engine(Path(name)) as engine:
        environment = compose_environment(engine)
        image = base_image(engine, Path(name))
        local_mode_seconds(image, environment, 1)
        theirs = statistics.median(local_mode_seconds(image, environment, steps) for _ in range(runs))
        plain = statistics.median(docker_run_seconds(engine, image) for _ in range(runs * steps))
        version = ["docker-compose", "version", "--short"]
        compose = (
            engine.run("compose", "version", "--short", check=False).strip()
            or subprocess.run(version, env=environment, capture_output=True, text=True, check=True).stdout.strip()
        )
    return {
        "local_mode_overhead_seconds": theirs - bare,
        "docker_run_overhead_seconds": plain - bare,
        "compose": compose,
    }


def local_mode_seconds(image: str, environment: dict[str, str], steps: int) -> float:
    """Seconds of a step in a chain, from the start of the execution to its end."""
    chain = [{"name": f"Step{number}", "image": image, "entrypoint": PROGRAM} for number in range(steps)]
    command = [sys.executable, LOCAL_MODE]
    done = subprocess.run(
        command, input=json.dumps({"steps": chain}), env=environment, capture_output=True, text=True, check=False
    )
    found = json.loads(done.stdout) if done.returncode == 0 else {"status": "none"}
    if found["status"] != "Succeeded":
        raise SystemExit(f"the SDK's local mode failed:\n{done.stderr[-2000:]}")
    return float(found["seconds"]) / steps


def docker_run_seconds(engine: Engine, image: str) -> float:
    start = time.perf_counter()
    engine.run("run", "--rm", image, *PROGRAM)
    return time.perf_counter() - start


def told(figures: dict[str, Any]) -> list[str]:
    lines = [
        f"bare program                       {figures['bare_seconds'] * 1000:8.1f} ms",
        f"added by the local SageMaker       {figures['overhead_seconds'] * 1000:8.1f} ms",
    ]
    if "skipped" in figures:
        return [*lines, f"the SDK's local mode is not measured: {figures['skipped']}"]
    return [
        *lines,
        f"added by `docker run`              {figures['docker_run_overhead_seconds'] * 1000:8.1f} ms"
        f"   {figures['docker_run_ratio']:5.1f} times ours",
        f"added by the SDK's local mode      {figures['local_mode_overhead_seconds'] * 1000:8.1f} ms"
        f"   {figures['local_mode_ratio']:5.1f} times ours (Compose {figures['compose']})",
    ]


if __name__ == "__main__":
    main()
