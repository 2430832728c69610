"""What the local SageMaker adds to each step over the bare program, in the same run.

    python benchmarks/steps.py [--steps 20] [--runs 5] [--json FILE]

A chain of Processing steps that do nothing, and 8 steps side by side that sleep for a second, against the same programs
run bare. Prints the median overhead of a step and the ratio of the fan-out to one of its steps.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import boto3

from pipelines.local.daemon import ensure, stop
from pipelines.local.home import Home

ROLE = "arn:aws:iam::123456789012:role/benchmark"
FAN_OUT, SLEEP = 8, 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with served() as client:
        figures = measure(client, given.steps, given.runs)
    print(f"bare program                       {figures['bare_seconds'] * 1000:8.1f} ms")
    print(f"step in a chain of {given.steps:<4}            {figures['step_seconds'] * 1000:8.1f} ms")
    print(f"added to each step                 {figures['overhead_seconds'] * 1000:8.1f} ms")
    print(f"{FAN_OUT} sleeping steps / one            {figures['fan_out_ratio']:8.2f}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


@contextmanager
def served() -> Iterator[Any]:
    """A client of a local SageMaker of its own."""
    with tempfile.TemporaryDirectory() as folder:
        home = Home(Path(folder) / ".pipelines")
        endpoint = ensure(home, "us-east-1").endpoint
        try:
            yield boto3.client(
                "sagemaker",
                endpoint_url=endpoint,
                region_name="us-east-1",
                aws_access_key_id="local",
                aws_secret_access_key="local",  # noqa: S106 -- the local SageMaker checks none
            )
        finally:
            stop(home)


def measure(client: Any, steps: int, runs: int) -> dict[str, float]:
    chain = chain_of(steps)
    fan = [step(f"Sleep{number}", f"import time; time.sleep({SLEEP})", []) for number in range(FAN_OUT)]
    execute(client, "warm-up", chain[:1])
    bare, chained, fanned = [], [], []
    for run in range(runs):
        bare.append(bare_seconds())
        chained.append(execute(client, f"chain-{run}", chain) / steps)
        fanned.append(execute(client, f"fan-{run}", fan))
    step_seconds, bare_median = statistics.median(chained), statistics.median(bare)
    return {
        "bare_seconds": bare_median,
        "step_seconds": step_seconds,
        "overhead_seconds": step_seconds - bare_median,
        "fan_out_ratio": statistics.median(fanned) / SLEEP,
    }


def bare_seconds() -> float:
    start = time.perf_counter()
    subprocess.run([sys.executable, "-c", "pass"], check=True)
    return time.perf_counter() - start


def chain_of(steps: int) -> list[dict[str, Any]]:
    """Steps that do nothing, one after another."""
    return [step(f"Step{number}", "pass", [f"Step{number - 1}"] if number else []) for number in range(steps)]


def step(name: str, program: str, depends_on: list[str]) -> dict[str, Any]:
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 1}
    arguments = {
        "ProcessingResources": {"ClusterConfig": cluster},
        "AppSpecification": {"ImageUri": "benchmark:none", "ContainerEntrypoint": ["python3", "-c", program]},
        "RoleArn": ROLE,
    }
    return {"Name": name, "Type": "Processing", "Arguments": arguments, "DependsOn": depends_on}


def execute(client: Any, name: str, steps: list[dict[str, Any]]) -> float:
    """Seconds of an execution, by its own times."""
    definition = json.dumps({"Version": "2020-12-01", "Metadata": {}, "Parameters": [], "Steps": steps})
    client.create_pipeline(PipelineName=name, PipelineDefinition=definition, RoleArn=ROLE)
    arn = client.start_pipeline_execution(PipelineName=name)["PipelineExecutionArn"]
    while True:
        described = client.describe_pipeline_execution(PipelineExecutionArn=arn)
        if described["PipelineExecutionStatus"] == "Succeeded":
            return float((described["LastModifiedTime"] - described["CreationTime"]).total_seconds())
        if described["PipelineExecutionStatus"] != "Executing":
            raise SystemExit(f"the execution ended as {described['PipelineExecutionStatus']}: {described}")
        time.sleep(0.05)


if __name__ == "__main__":
    main()
