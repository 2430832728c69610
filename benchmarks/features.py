"""The feature step against pandas with scikit-learn and against the floor (parse plus rewrite), in the same run.

    python benchmarks/features.py --rows 1000000 [--json FILE] [--memory-limit 350MB] [--threads 2] [--no-pandas]

Takes the main environment (pandas, scikit-learn, pyarrow) and the image's (`make .cache/image/.ready`). Makes CSV
files shaped like the flights below --folder (removed at the end), runs each part as a process of its own, and prints
seconds, processor seconds and peak memory of each; then checks that both made the same features.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import shutil
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict, dataclass
from operator import attrgetter
from pathlib import Path

HERE = Path(__file__).parent
CONTAINER = HERE.parent / "container"


@dataclass(frozen=True)
class Run:
    """One process: wall and processor seconds, peak memory."""

    seconds: float
    cpu_seconds: float
    peak_rss_mb: float


@dataclass(frozen=True)
class Setting:
    rows: int
    threads: int
    memory_limit: str
    python: Path
    folder: Path

    @property
    def root(self) -> Path:
        return self.folder / "ml"

    @property
    def raw(self) -> Path:
        return self.root / "processing" / "input" / "raw"

    @property
    def output(self) -> Path:
        return self.root / "processing" / "output"


seconds, cpu_seconds = attrgetter("seconds"), attrgetter("cpu_seconds")


def measured(command: list[str | Path], output: Path | None = None, **environment: str) -> Run:
    """Run a command to its end; its standard output goes to a file where one is named."""
    begun = time.perf_counter()
    with Path(output or os.devnull).open("w") as stream:
        process = subprocess.Popen(list(map(str, command)), stdout=stream, env={**os.environ, **environment})
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"{' '.join(map(str, command))} ended with {process.returncode}")
    return Run(time.perf_counter() - begun, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024)


def prepare(setting: Setting) -> None:
    data = HERE / "features_data.py"
    measured([setting.python, data, "generate", str(setting.rows), setting.raw, str(setting.threads)])
    recipe = setting.root / "processing" / "input" / "recipe"
    recipe.mkdir()
    code = "import sys; sys.path.insert(0, sys.argv[1]); import features_data; sys.stdout.write(features_data.RECIPE)"
    measured([setting.python, "-c", code, HERE], recipe / "recipe.yaml")


def ours(setting: Setting) -> Run:
    command = [setting.python, "-m", "processing", "features", "--memory-limit", setting.memory_limit]
    command += ["--threads", str(setting.threads)]
    return measured(command, OPT_ML=str(setting.root), PYTHONPATH=str(CONTAINER), TMPDIR=str(setting.folder))


def floor(setting: Setting) -> dict[str, Run]:
    data, threads = HERE / "features_data.py", str(setting.threads)
    parse = measured([setting.python, data, "parse", setting.raw, threads])
    rewrite = measured([setting.python, data, "rewrite", setting.output, setting.folder / "copy", threads])
    return {"parse": parse, "rewrite": rewrite}


def compare(setting: Setting, told: Path) -> None:
    """The rows of training and the mean of every column agree."""
    pandas = json.loads(told.read_text())
    result = setting.folder / "means.json"
    measured([setting.python, HERE / "features_data.py", "means", setting.output], result)
    means = json.loads(result.read_text())
    if means["rows"] != pandas["rows"] or set(means["means"]) != set(pandas["means"]):
        raise SystemExit(f"not the same table: {means['rows']} and {pandas['rows']} rows")
    for name, mean in means["means"].items():
        if not math.isclose(mean, pandas["means"][name], rel_tol=1e-5, abs_tol=1e-5):
            raise SystemExit(f"not the same features: the mean of {name} is {mean} and {pandas['means'][name]}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--threads", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--memory-limit", default="350MB")
    parser.add_argument("--python", type=Path, default=HERE.parent / ".cache" / "image" / "bin" / "python")
    parser.add_argument("--folder", type=Path, default=None)
    parser.add_argument("--no-pandas", action="store_true", help="for sizes that do not fit into memory")
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="features-", dir=given.folder))
    setting = Setting(given.rows, given.threads, given.memory_limit, given.python, folder)
    try:
        document = benchmark(setting, given.no_pandas)
    finally:
        shutil.rmtree(folder)
    if given.json:
        given.json.write_text(json.dumps(document, indent=2) + "\n")


def benchmark(setting: Setting, no_pandas: bool) -> dict[str, object]:
    prepare(setting)
    parts = {"ours": ours(setting), **floor(setting)}
    if not no_pandas:
        told = setting.folder / "pandas.json"
        command = [sys.executable, HERE / "features_pandas.py", setting.raw, setting.folder / "pandas"]
        parts["pandas"] = measured(command, told)
        compare(setting, told)
    for name, run in parts.items():
        print(f"{name:8} {run.seconds:7.2f} s  {run.cpu_seconds:7.2f} s of processors  {run.peak_rss_mb:7.0f} MB")
    ratios: dict[str, float | None] = {"peak_rss_mb": parts["ours"].peak_rss_mb}
    # By the clock, which is what counts; and by processors, which says more where others share the machine.
    for ending, taken in (("", seconds), ("_by_cpu", cpu_seconds)):
        own = taken(parts["ours"])
        ratios[f"speedup_vs_pandas{ending}"] = None if no_pandas else taken(parts["pandas"]) / own
        ratios[f"ratio_to_floor{ending}"] = own / (taken(parts["parse"]) + taken(parts["rewrite"]))
    print(", ".join(f"{name} {value:.2f}" for name, value in ratios.items() if value is not None))
    size = sum(path.stat().st_size for path in setting.raw.iterdir()) / 1024**2
    given = {"rows": setting.rows, "input_mb": size, "threads": setting.threads, "memory_limit": setting.memory_limit}
    return {**ratios, **given, "parts": {name: asdict(run) for name, run in parts.items()}}


if __name__ == "__main__":
    main()
