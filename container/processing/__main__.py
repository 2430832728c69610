"""`python3 -m processing STEP`: runs one step and tells a failure where the service looks.

This is the only place that reads the environment and the arguments, and that exits. `train` as the only argument is
the training contract. Exit code 0: done; 1: a bug of ours; 2: a mistake the user can mend; 143: stopped.
"""

from __future__ import annotations

import argparse
import errno
import os
import signal
import sys
import threading
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from processing.contract import Paths, write_reason
from processing.errors import ContainerError, DataError, Problem, SettingError
from processing.scratch import sweep
from processing.stopping import Stop

STOPPED = 143


class _Parser(argparse.ArgumentParser):
    """Wrong arguments become our error, so that they reach the exit message."""

    def error(self, message: str) -> NoReturn:
        raise SettingError([Problem("arguments", message, self.format_usage().strip())])


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The step and its settings."""
    parser = _Parser(prog="python3 -m processing", description="The steps of the reference pipeline.")
    steps = parser.add_subparsers(dest="step", required=True, parser_class=_Parser)
    features = steps.add_parser("features", help="inputs and a recipe to train, validation and test")
    features.add_argument("--recipe", type=Path, help="the recipe; else the only *.yaml of the input 'recipe'")
    features.add_argument("--explain", action="store_true", help="tell size, passes, memory and time; do nothing")
    transform = steps.add_parser("transform", help="new data and features.json to a table of features")
    for step in (features, transform):
        step.add_argument("--memory-limit", help="DuckDB's memory, for example 4GB; it spills beyond")
        step.add_argument("--threads", type=int, help="as many as the container has cores when left out")
    bundle = steps.add_parser("spark-bundle", help="the files that a PySparkProcessor runs")
    bundle.add_argument("target", type=Path, help="where processing.zip goes; spark_features.py lands beside it")
    steps.add_parser("train", help="XGBoost with early stopping")
    steps.add_parser("evaluate", help="evaluation.json and report.html on the test split")
    return parser.parse_args(arguments)


def run(arguments: Sequence[str], paths: Paths, stop: Stop) -> None:
    """Run the step. Engines are imported here, after the signals are set up (see `stop_promptly`)."""
    options = parse(arguments)
    match options.step:
        case "features":
            from processing.features import run_features
            from processing.machine import Limits

            limits = Limits(options.memory_limit, options.threads)
            if options.explain:
                from processing.explain import explain
                from processing.features import find_recipe
                from processing.recipe.reader import load_recipe

                path = options.recipe or find_recipe(paths.processing_input("recipe"))
                print("\n".join(explain(load_recipe(path), paths, limits)))
            else:
                run_features(paths, options.recipe, limits)
        case "transform":
            from processing.machine import Limits
            from processing.transform import run_transform

            run_transform(paths, Limits(options.memory_limit, options.threads))
        case "spark-bundle":
            from processing.spark.bundle import write_bundle

            write_bundle(options.target)
        case "train":
            from processing.train import run_train

            run_train(paths, stop)
        case "evaluate":
            from processing.evaluate import run_evaluate

            run_evaluate(paths)
        case step:
            raise ValueError(f"unknown step {step}")


def stop_promptly(reason_file: Path, stop: Stop | None = None) -> None:
    """Exit as soon as SIGTERM or SIGINT arrives, even inside a long call of an engine; where `stop` saves, after that.

    Python runs signal handlers between its own instructions only, and as process 1 the default action is ignored.
    So both signals are blocked, in every thread started from here on, and one thread waits for them.
    """
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)

    def wait() -> None:
        caught = signal.Signals(signal.sigwait(signals)).name
        kept = stop.want() if stop is not None else ""
        write_reason(reason_file, f"Stopped by {caught} before the step was done. {kept}".rstrip())
        sweep()
        print(f"stopped by {caught}", file=sys.stderr, flush=True)
        os._exit(STOPPED)

    threading.Thread(target=wait, name="signals", daemon=True).start()


def shortage(error: Exception) -> ContainerError | None:
    """The error as ours where the machine ran out of something; None for any other."""
    if isinstance(error, MemoryError):
        return DataError([Problem("memory", "out of memory", "take an instance with more memory")])
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
        where = str(error.filename or "disk")
        return DataError([Problem(where, "the disk is full", "give the job a larger volume (volume_gb)")])
    return None


def describe(error: Exception) -> str:
    """An unexpected error in a line: type, message, and the place that raised it."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = [frame for frame in frames if "processing" in Path(frame.filename).parts] or list(frames)
    place = f" at {Path(ours[-1].filename).name}:{ours[-1].lineno} in {ours[-1].name}" if ours else ""
    return f"unexpected {type(error).__name__}{place}: {error}\n  fix: this is a bug; the log has the traceback"


def main(arguments: Sequence[str], paths: Paths) -> int:
    """Run a step; leave the reason of a failure; give the exit code."""
    reason_file = paths.failure if list(arguments) == ["train"] else paths.message
    stop = Stop()
    stop_promptly(reason_file, stop)
    try:
        run(arguments, paths, stop)
    except ContainerError as error:
        write_reason(reason_file, str(error))
        print(f"error: {error}", file=sys.stderr, flush=True)
        return 2
    except Exception as error:  # noqa: BLE001 - whatever it is, the exit message has to tell it
        short = shortage(error)
        if short is not None:
            write_reason(reason_file, str(short))
            traceback.print_exc()
            return 2
        write_reason(reason_file, describe(error))
        traceback.print_exc()
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:], Paths.from_environment(os.environ)))
