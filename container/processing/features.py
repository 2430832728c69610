"""The feature step: the recipe's sources → train, validation and test tables, features.json, quality.json.

Everything is fitted on the training split alone. Memory stays bounded: the input is staged once as Parquet, each
split is written by a statement of its own, and DuckDB spills beside the data.

Same input, same recipe: the same bytes of features.json and quality.json, and the same rows. Up to ORDERED rows they
stand in the order of the key's hash, in one file for each split; beyond, their order is not promised, since sorting
would double the time (`output: {order: hash}` in the recipe asks for it all the same).
"""

from __future__ import annotations

import hashlib
import json
import time
from pathlib import Path

from processing.contract import Paths, write_whole
from processing.database import Database
from processing.errors import Problem, RecipeError
from processing.fitted import FILE, Fitted
from processing.fitting import fit
from processing.jsontext import to_json
from processing.machine import Limits
from processing.progress import stage_of
from processing.quality import SPLITS, count_treated, summarise
from processing.recipe.model import Recipe
from processing.recipe.reader import load_recipe
from processing.scratch import scratch_folder
from processing.settling import settle
from processing.sharding import refuse_several
from processing.sql.stage import clean_sql
from processing.sql.transform import split_rows
from processing.staging import stage

STEP = "features"
ORDERED = 500_000


def run_features(paths: Paths, recipe_path: Path | None = None, limits: Limits | None = None) -> None:
    """Run the step below the root of `paths`."""
    refuse_several(paths)
    started = time.monotonic()
    from processing.engine import Engine  # not where Spark runs: its image has no DuckDB

    recipe = load_recipe(recipe_path or find_recipe(paths.processing_input("recipe")))
    with scratch_folder(paths) as scratch:
        engine = Engine(scratch, limits or Limits())
        fitted = make_features(engine, recipe, paths, scratch)
    print(f"features: {len(fitted.columns)} columns in {time.monotonic() - started:.1f} s", flush=True)


def make_features(engine: Database, recipe: Recipe, paths: Paths, scratch: Path) -> Fitted:
    """Stage, check, fit, transform. features.json comes last: where it is, the step was complete."""
    engine.lock([paths.root / "processing", scratch])
    with stage_of(STEP, "stage", engine.percent) as progress:
        staged = stage(engine, recipe, paths.processing_input, scratch)
        settled = settle(engine, recipe, staged.relation)
        summary = summarise(engine, recipe, staged, settled)
        progress.rows = summary["rows_read"]
    print(f"features: {json.dumps({'rows_read': summary['rows_read'], **summary['splits']})}", flush=True)
    sound = {column for column, counts in summary["columns"].items() if not counts["not_finite"]}
    clean = f"(\n{clean_sql(recipe, settled.relation, engine.dialect, sound=sound)}\n)"
    with stage_of(STEP, "fit", engine.percent):
        statistics = fit(engine, recipe, f"{clean} AS clean", settled.target, scratch)
        fitted = Fitted(recipe, statistics, settled.target)
        fitted.keep_lookups(engine)
        summary["features"] = count_treated(engine, fitted, clean)
    text = fitted.to_json().encode()
    write_splits(engine, fitted, clean, summary["rows_read"], paths, hashlib.sha256(text).hexdigest())
    folder = paths.processing_output("features")
    write_whole(folder / "quality.json", to_json(summary).encode())
    write_whole(folder / FILE, text)
    return fitted


def write_splits(engine: Database, fitted: Fitted, clean: str, rows: int, paths: Paths, digest: str) -> None:
    """The tables, as the recipe's `output` asks; `digest` is that of features.json, by which they are known as its."""
    output = fitted.recipe.output
    ordered = output.order == "hash" or (output.order == "auto" and rows <= ORDERED)
    # XGBoost's algorithm wants the target first, and nothing that is no feature.
    own = ("target",) if output.format == "csv" else ("key", "target")
    for split in SPLITS:
        # Slices are for the evaluation alone: what is not in the files, no training can learn from.
        statement = fitted.sql(clean, engine.dialect, own, slices=split == "test")
        query = statement + split_rows(split, ordered, engine.dialect)
        with stage_of(STEP, f"write {split}", engine.percent) as progress:
            progress.rows = engine.export(query, paths.processing_output(split), output, ordered, digest=digest)


def find_recipe(folder: Path) -> Path:
    """The one recipe in the input `recipe`."""
    found = sorted(path for pattern in ("*.yaml", "*.yml") for path in folder.glob(pattern))
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found) or "none"
    what = f"the step needs exactly one recipe (*.yaml); found {names}"
    raise RecipeError([Problem(str(folder), what, "give the input 'recipe' one file, or pass --recipe PATH")])
