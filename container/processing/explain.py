"""`features --explain`: what the step would do, without doing it: size, passes, memory, disk, time, and where to run.

In: a recipe, the inputs' folders, limits. Out: lines of text. Rates are those measured by benchmarks/features.py.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from processing.contract import Paths
from processing.machine import Limits, memory_bytes, processors
from processing.recipe.model import Recipe
from processing.sources import find_files

RATE = 18e6
"""Bytes of CSV that one processor takes through the whole step in a second."""
PACKED = {".gz": 4.0, ".parquet": 4.0, ".pq": 4.0}
"""How much larger the CSV of a packed file would be, roughly."""
SCRATCH = 0.8
"""Scratch space for a byte of CSV: the staged table, and what spills."""
LONG = 2 * 3600.0
"""Seconds of one instance beyond which several are worth their start and their overhead."""
SPARK_PENALTY = 5
"""How many times slower Spark is on the same processors, at sizes that one machine holds."""
ROUNDS = 8
"""Batches of questions while fitting, at most: clip, impute and scale, each of up to three questions."""


def explain(recipe: Recipe, paths: Paths, limits: Limits) -> Iterator[str]:
    """The lines."""
    total = 0.0
    for source in recipe.sources.values():
        if source.select:
            yield f"source {source.name}: a select over {', '.join(source.of)}"
            continue
        files = find_files(source, paths.processing_input(source.input))
        size = sum(path.stat().st_size for path in files)
        unpacked = sum(path.stat().st_size * PACKED.get(path.suffix.lower(), 1.0) for path in files)
        total += unpacked
        held = f"{len(files)} {source.format} file(s), {_bytes(size)}, about {_bytes(unpacked)} as CSV"
        yield f"source {source.name}: {held}"
    threads = limits.threads or processors()
    seconds = total / (RATE * threads)
    free = shutil.disk_usage(_existing(paths.temporary or paths.root)).free
    yield f"features: {len(recipe.features)}, from {len(recipe.used())} columns"
    yield "passes: one over the files; then, over the staged table's columns:"
    yield f"  4 of checks, at most {ROUNDS} of fitting (all features at once), 1 of counts, 1 for each of the 3 tables"
    yield f"memory: {limits.memory_size} for DuckDB, of {_bytes(memory_bytes())}; the same whatever the size: it spills"
    yield f"scratch: about {_bytes(total * SCRATCH)} of {_bytes(free)} free"
    yield f"time: about {_time(seconds)} on DuckDB with {threads} thread(s)"
    yield f"run on: {_advice(seconds, total, free)}"


def _advice(seconds: float, total: float, free: float) -> str:
    if total * SCRATCH > 0.9 * free:
        return (
            "a larger volume (volume_gb): the scratch files do not fit. "
            "Beyond 16 TB, the largest there is: Spark (docs/how-to/features-on-spark.md)"
        )
    if seconds > LONG:
        return (
            f"Spark with {max(2, round(SPARK_PENALTY * seconds / LONG))} or more instances of this size "
            "(docs/how-to/features-on-spark.md), or one instance with more processors"
        )
    return f"DuckDB, one instance; Spark would take {SPARK_PENALTY} times the processors' time at this size"


def _existing(path: Path) -> Path:
    return next(one for one in (path, *path.parents) if one.exists())


def _bytes(size: float) -> str:
    for unit in ("B", "KB", "MB", "GB"):
        if size < 1000:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1000
    return f"{size:.1f} TB"


def _time(seconds: float) -> str:
    if seconds < 90:
        return f"{max(1, round(seconds))} s"
    return f"{round(seconds / 60)} min" if seconds < 5400 else f"{seconds / 3600:.1f} h"
