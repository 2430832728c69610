"""How long a plan takes after compilation: 500 steps that read one another, 200 files, everything changed or nothing.

    python benchmarks/planning.py [--steps 500]

The live side is in memory: what is measured is our own work, reading what is there included. Best of five.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path

from pipelines.plan import dump, load, render

# A package `tests` of somebody else's may be installed.
sys.path.insert(0, str(Path(__file__).parent.parent / "tests" / "plan"))
from definitions import chain, image, upload, wanted
from world import World


def best(action: Callable[[], object], times: int = 5) -> float:
    taken = []
    for _ in range(times):
        started = time.perf_counter()
        action()
        taken.append(time.perf_counter() - started)
    return min(taken)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=500)
    steps = parser.parse_args().steps
    world = World()
    files = tuple(upload(f"f{number}") for number in range(200))
    old, new = (
        wanted(chain(steps, name), uploads=files, images=(image(),)) for name in ("ml.m5.xlarge", "ml.m5.4xlarge")
    )
    world.deploy(old)
    made = world.plan(new)
    for name, action in {
        "plan, nothing to do": lambda: world.plan(old),
        "plan, every step changed": lambda: world.plan(new),
        "render it": lambda: render(made),
        "save and load it": lambda: load(dump(made), where="plan.json"),
    }.items():
        print(f"{steps} steps, {name}: {best(action) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
