"""The transform step: new data and a saved features.json → a table of features, the same as fitting would have made.

In: the inputs of the recipe (without the target), and the input `features` with features.json. Out: `transformed`,
with the key and every feature, and quality.json beside it. Nothing is fitted: a category that training did not see is
treated by its feature's own rule, and counted.

On several instances each transforms its share of the first source's files: those that the service gave it
(ShardedByS3Key), or every n-th of all (FullyReplicated). File names carry the instance's number.
"""

from __future__ import annotations

import json
import time
from pathlib import Path

from processing.contract import Paths, write_whole
from processing.database import Database
from processing.errors import ModelError, Problem, SettingError
from processing.fitted import FILE, Fitted, read_fitted
from processing.jsontext import to_json
from processing.machine import Limits
from processing.progress import stage_of
from processing.quality import count_treated, summarise_new
from processing.recipe.model import Recipe
from processing.scratch import scratch_folder
from processing.sharding import Hosts, sharded_inputs
from processing.sources import find_files
from processing.sql.stage import NEW, clean_sql
from processing.staging import stage

STEP = "transform"
OUTPUT = "transformed"


def run_transform(paths: Paths, limits: Limits) -> None:
    """Run the step below the root of `paths`."""
    from processing.engine import Engine  # not where Spark runs: its image has no DuckDB

    started = time.monotonic()
    fitted = load_fitted(paths.processing_input("features"))
    with scratch_folder(paths) as scratch:
        rows = make_transformed(Engine(scratch, limits), fitted, paths, scratch)
    told = {"step": STEP, "rows": rows, "columns": len(fitted.columns), "seconds": round(time.monotonic() - started, 1)}
    print(json.dumps(told), flush=True)


def load_fitted(folder: Path) -> Fitted:
    """The features.json in a folder."""
    path = folder / FILE
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fix = "give the input 'features' the output 'features' of the features step"
        raise ModelError([Problem(str(path), f"no features.json can be read: {error}", fix)]) from error
    return read_fitted(text, FILE)


def make_transformed(engine: Database, fitted: Fitted, paths: Paths, scratch: Path) -> int:
    """Stage this instance's rows, check them, write the table; gives the number of rows."""
    hosts, recipe = Hosts.read(paths), fitted.recipe
    sharded = _sharded(recipe, paths, hosts)
    if not _own_files(recipe, paths, hosts, sharded):
        print(json.dumps({"step": STEP, "rows": 0, "told": "this instance has no file of the first source"}))
        return 0
    engine.lock([paths.root / "processing", scratch])
    with stage_of(STEP, "stage", engine.percent):
        staged = stage(
            engine, recipe, paths.processing_input, scratch, lambda files: files if sharded else hosts.share(files)
        )
        summary = summarise_new(engine, recipe, staged)
    clean = f"(\n{clean_sql(recipe, staged.relation, engine.dialect, labelled=False)}\n)"
    fitted.keep_lookups(engine)
    summary["features"] = count_treated(engine, fitted, clean, (NEW,))
    prefix = "part" if hosts.count == 1 else f"part-{hosts.index:03d}"
    with stage_of(STEP, "write", engine.percent) as progress:
        query = fitted.sql(clean, engine.dialect, ("key",))
        progress.rows = engine.export(query, paths.processing_output(OUTPUT), recipe.output, False, prefix)
    name = "quality.json" if hosts.count == 1 else f"quality-{hosts.index:03d}.json"
    write_whole(paths.processing_output("quality") / name, to_json(summary).encode())
    return progress.rows


def _sharded(recipe: Recipe, paths: Paths, hosts: Hosts) -> bool:
    """Whether the service shared out the first source's files; refused for any other source, and for features.json."""
    sharded = sharded_inputs(paths) if hosts.count > 1 else frozenset()
    base = recipe.base
    whole = {"features", *(source.input for source in recipe.sources.values() if source.name != base.name)}
    torn = sorted(sharded & whole)
    if torn:
        what = f"the input '{torn[0]}' is ShardedByS3Key, but every instance needs the whole of it"
        raise SettingError([Problem("processing inputs", what, "set s3_data_distribution_type to FullyReplicated")])
    if base.select and hosts.count > 1:
        what = f"the rows come from the select of '{base.name}', which no instance can run on a share of the files"
        raise SettingError([Problem("instance_count", what, "set instance_count to 1")])
    return base.input in sharded


def _own_files(recipe: Recipe, paths: Paths, hosts: Hosts, sharded: bool) -> bool:
    """Whether this instance has a file to transform; of several, some may have none."""
    base = recipe.base
    if base.select or hosts.count == 1:
        return True
    folder = paths.processing_input(base.input)
    if sharded:
        return any(path.is_file() for pattern in base.files for path in folder.glob(pattern))
    return bool(hosts.share(find_files(base, folder)))
