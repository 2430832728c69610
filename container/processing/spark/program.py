"""The program under spark-submit: arguments and environment in, exit code out; failures told as in __main__.py."""

from __future__ import annotations

import argparse
import json
import time
import traceback
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from pyspark.sql import SparkSession  # type: ignore[import-not-found]

from processing.contract import Paths, write_reason
from processing.errors import ContainerError, Problem, SettingError
from processing.features import find_recipe, make_features
from processing.recipe.reader import load_recipe
from processing.scratch import scratch_folder
from processing.sharding import Hosts, refuse_sharded
from processing.spark.engine import SETTINGS, SparkEngine
from processing.spark.remote import at_home, fetch, read_places, upload


@dataclass(frozen=True)
class Places:
    """What the arguments say of places: the recipe, the scratch tables, inputs and outputs that lie at URIs."""

    recipe: Path | None = None
    scratch: str | None = None
    inputs: Mapping[str, str] = field(default_factory=dict)
    outputs: Mapping[str, str] = field(default_factory=dict)


def run(session: SparkSession, paths: Paths, places: Places) -> None:
    """The feature step, from the inputs to the outputs."""
    started = time.monotonic()
    hosts = Hosts.read(paths)
    refuse_sharded(paths, "Spark reads each input whole on every host")
    with scratch_folder(paths) as folder:
        paths, uris = fetch(session, paths, places.inputs, folder / "inputs")
        recipe = load_recipe(places.recipe or find_recipe(paths.processing_input("recipe")))
        shared = places.scratch or (
            f"hdfs:///tmp/features-{uuid.uuid4().hex}" if hosts.count > 1 else f"file://{folder}"
        )
        tables = {str(paths.processing_output(name)): uri for name, uri in places.outputs.items()}
        try:
            fitted = make_features(SparkEngine(session, shared, uris | tables), recipe, paths, folder)
        except ContainerError as error:
            raise at_home(error, uris) from error
        if "features" in places.outputs:
            upload(session, paths.processing_output("features"), places.outputs["features"])
    print(json.dumps({"step": "features", "columns": len(fitted.columns), "seconds": time.monotonic() - started}))


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="spark_features.py", description="The feature step on Spark.", exit_on_error=False
    )
    parser.add_argument("--recipe", type=Path, help="the recipe; else the only *.yaml of the input 'recipe'")
    parser.add_argument("--scratch", help="a URI that all hosts share; HDFS of the cluster when left out")
    for kind, does in (("input", "reads"), ("output", "writes")):
        told = f"an {kind} that Spark {does} itself, as often as needed: raw=s3://bucket/prefix/"
        parser.add_argument(f"--{kind}", metavar="NAME=URI", action="append", default=[], help=told)
    return parser.parse_args(arguments)


def main(arguments: Sequence[str], environment: Mapping[str, str]) -> int:
    """Run the step; leave the reason of a failure; give the exit code."""
    paths = Paths.from_environment(environment)
    try:
        given = parse(arguments)
        inputs, outputs = read_places(given.input, "--input"), read_places(given.output, "--output")
        builder = SparkSession.builder.appName("features")
        for name, value in SETTINGS.items():
            builder = builder.config(name, value)
        run(builder.getOrCreate(), paths, Places(given.recipe, given.scratch, inputs, outputs))
    except argparse.ArgumentError as error:
        return _failed(paths, SettingError([Problem("arguments", str(error), "see --help")]))
    except ContainerError as error:
        return _failed(paths, error)
    except Exception as error:  # noqa: BLE001 - whatever it is, the exit message has to tell it
        write_reason(paths.message, f"unexpected {type(error).__name__}: {error}")
        traceback.print_exc()
        return 1
    return 0


def _failed(paths: Paths, error: ContainerError) -> int:
    write_reason(paths.message, str(error))
    print(f"error: {error}", flush=True)
    return 2
