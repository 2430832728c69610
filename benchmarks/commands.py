"""How long commands take, as whole processes, against `import sagemaker` alone in the same run.

    python benchmarks/commands.py [--runs 5] [--json FILE]

Prints medians in seconds and the ratio to the import; runs alternate, so a machine whose speed drifts slows all alike.
Needs a project that has been run once (`make run`).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

FLOOR = "import sagemaker"
PIPELINES = [sys.executable, "-m", "pipelines"]
COMMANDS = {
    FLOOR: [
        sys.executable,
        "-c",
        "import sagemaker.mlops.workflow.pipeline, sagemaker.core.processing, sagemaker.train",
    ],
    "python -c pass": [sys.executable, "-c", "pass"],
    "pipelines --help": [*PIPELINES, "--help"],
    "pipelines validate (compiled before)": [*PIPELINES, "validate"],
    "pipelines status": [*PIPELINES, "status"],
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    seconds: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for run in range(given.runs + 1):
        for name, command in COMMANDS.items():
            took = timed(command)
            if run:  # the first warms caches
                seconds[name].append(took)
    medians = {name: statistics.median(values) for name, values in seconds.items()}
    for name, median in medians.items():
        low, high = min(seconds[name]), max(seconds[name])
        ratio = medians[FLOOR] / median
        print(f"{name:40} {median:6.2f} s  ({low:.2f}-{high:.2f})  {ratio:5.1f} times faster than the import")
    if given.json:
        given.json.write_text(json.dumps({"median_seconds": medians, "runs": given.runs}, indent=2) + "\n")


def timed(command: list[str]) -> float:
    """Seconds of one whole process."""
    environment = {**os.environ, "AWS_DEFAULT_REGION": "us-east-1"}
    start = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
