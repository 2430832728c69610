"""The reference image: its size, layer by layer, and how long its programs take to start.

    python benchmarks/image.py [--runs 5] [--json FILE]

Builds the image (on a stand-in base where no registry is reached) and prints its layers, and the median seconds of
`docker run` of a program that does nothing, of `--help`, and of `features` on the demo's data where that is there.
Without a Docker engine nothing is measured, and the reason is told.
"""

from __future__ import annotations

import argparse
import gzip
import json
import shutil
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any

from docker_engine import CONTAINER, Missing, base_image, build, build_options, docker_engine

from pipelines.local.runner.docker import Engine

DATA = CONTAINER.parent / "data" / "raw"
RECIPE = CONTAINER / "recipes" / "flights.yaml"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        try:
            figures = measure(Path(name), given.runs)
        except Missing as missing:
            print(f"the image is not measured: {missing}")
            return
    for layer in figures["layers"]:
        print(f"{layer['megabytes']:8.1f} MB  {layer['made_by']}")
    print(f"{figures['megabytes']:8.1f} MB  in all, {figures['packed_megabytes']:.1f} MB packed by gzip -1")
    for program, seconds in figures["seconds"].items():
        print(f"{seconds * 1000:8.0f} ms  {program}")
    if given.json:
        given.json.write_text(json.dumps(figures, indent=2) + "\n")


def measure(folder: Path, runs: int) -> dict[str, Any]:
    """Sizes, and seconds by program; Missing where there is no engine."""
    with docker_engine(folder) as engine:
        (folder / "pip.conf").write_text("[global]\n", encoding="utf-8")
        options = build_options(base_image(engine, folder), folder / "pip.conf")
        image = build(engine, "pipelines-bench:image", options)
        layers = read_layers(engine, image)
        return {
            "layers": layers,
            "megabytes": sum(layer["megabytes"] for layer in layers),
            "packed_megabytes": packed_bytes(engine, image, folder) / 1e6,
            "seconds": {
                "a program that does nothing": seconds(engine, image, runs, ["--entrypoint", "true"], []),
                "--help": seconds(engine, image, runs, [], ["--help"]),
                **demo_seconds(engine, image, runs, folder),
            },
        }


def read_layers(engine: Engine, image: str) -> list[dict[str, Any]]:
    """What each instruction of the Dockerfile added, the base first."""
    lines = engine.run("history", "--no-trunc", "--human=false", "--format", "{{.Size}}\t{{.CreatedBy}}", image)
    layers = [line.split("\t", 1) for line in reversed(lines.splitlines())]
    return [
        {"megabytes": int(size) / 1e6, "made_by": made_by[:80] or "the base"} for size, made_by in layers if int(size)
    ]


def packed_bytes(engine: Engine, image: str, folder: Path) -> int:
    """About what a registry holds and a job pulls."""
    archive, packed = folder / "image.tar", folder / "image.tar.gz"
    engine.run("save", "--output", str(archive), image)
    with archive.open("rb") as source, gzip.open(packed, "wb", compresslevel=1) as target:
        shutil.copyfileobj(source, target, 1024**2)
    return packed.stat().st_size


def demo_seconds(engine: Engine, image: str, runs: int, folder: Path) -> dict[str, float]:
    """The feature step on the demo's data; nothing where the data is not there."""
    if not DATA.is_dir():
        return {}
    root = folder / "ml"
    shutil.copytree(DATA, root / "processing/input/raw")
    (root / "processing/input/recipe").mkdir()
    shutil.copy(RECIPE, root / "processing/input/recipe")
    options = ["--network", "none", "--read-only", "--volume", f"{root}:/opt/ml"]
    return {"features, on the demo's data": seconds(engine, image, runs, options, ["features"])}


def seconds(engine: Engine, image: str, runs: int, options: list[str], arguments: list[str]) -> float:
    """Median seconds of `docker run`."""
    taken = []
    for _ in range(runs):
        begun = time.perf_counter()
        engine.run("run", "--rm", *options, image, *arguments)
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


if __name__ == "__main__":
    main()
