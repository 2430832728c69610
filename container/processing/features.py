"""The feature step: CSV inputs and a recipe → train, validation and test as Parquet, features.json, quality.json.

Everything is fitted on the training split alone. Memory stays bounded: the input is staged once as Parquet, each
split is written by a statement of its own, and DuckDB spills beside the data.

Same input, same recipe: the same bytes of features.json and quality.json, and the same Parquet rows in the same order.
Not promised: the bytes of the Parquet files (row-group bounds, and the writer's version, are DuckDB's).
"""

from __future__ import annotations

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from processing.contract import Paths, write_whole
from processing.engine import Engine, Limits
from processing.errors import Problem, RecipeError
from processing.fitted import FILE, Fitted
from processing.fitting import fit
from processing.jsontext import to_json
from processing.quality import SPLITS, count_treated, summarise
from processing.recipe.model import Recipe
from processing.recipe.reader import load_recipe
from processing.settling import settle
from processing.sql.stage import clean_sql
from processing.staging import stage


def run_features(paths: Paths, recipe_path: Path | None = None, limits: Limits | None = None) -> None:
    """Run the step below the root of `paths`."""
    started = time.monotonic()
    recipe = load_recipe(recipe_path or find_recipe(paths.processing_input("recipe")))
    with scratch_folder(paths.root) as scratch:
        engine = Engine(scratch, limits or Limits())
        fitted = make_features(engine, recipe, paths, scratch)
    print(f"features: {len(fitted.columns)} columns in {time.monotonic() - started:.1f} s", flush=True)


def make_features(engine: Engine, recipe: Recipe, paths: Paths, scratch: Path) -> Fitted:
    """Stage, check, fit, transform. features.json comes last: where it is, the step was complete."""
    staged = stage(engine, recipe, paths.processing_input, scratch)
    settled = settle(engine, recipe, staged.relation)
    summary = summarise(engine, recipe, staged, settled)
    print(f"features: {json.dumps({'rows_read': summary['rows_read'], **summary['splits']})}", flush=True)
    clean = f"(\n{clean_sql(recipe, settled.relation, engine.dialect)}\n)"
    statistics = fit(engine, recipe, f"{clean} AS clean", settled.target)
    fitted = Fitted(recipe, statistics, settled.target)
    for table, query in fitted.lookups(engine.dialect):
        engine.run(f"CREATE TEMP TABLE {table} AS {query}")
    summary["features"] = count_treated(engine, fitted, clean)
    for split in SPLITS:
        folder = paths.processing_output(split)
        engine.write(fitted.sql(clean, split, engine.dialect), folder / "part-00000.parquet")
    folder = paths.processing_output("features")
    write_whole(folder / "quality.json", to_json(summary).encode())
    write_whole(folder / FILE, fitted.to_json().encode())
    return fitted


def find_recipe(folder: Path) -> Path:
    """The one recipe in the input `recipe`."""
    found = sorted(path for pattern in ("*.yaml", "*.yml") for path in folder.glob(pattern))
    if len(found) == 1:
        return found[0]
    names = ", ".join(path.name for path in found) or "none"
    what = f"the step needs exactly one recipe (*.yaml); found {names}"
    raise RecipeError([Problem(str(folder), what, "give the input 'recipe' one file, or pass --recipe PATH")])


@contextmanager
def scratch_folder(root: Path) -> Iterator[Path]:
    """A folder on the volume that holds the data, removed at the end; /tmp of a container may be small."""
    root.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix="scratch-", dir=root))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
