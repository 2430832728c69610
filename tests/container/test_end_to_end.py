"""features → train → evaluate as the processes that the image starts, in a root of their own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("duckdb")
pytest.importorskip("xgboost")

CONTAINER = Path(__file__).parents[2] / "container"


def step(root: Path, name: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "OPT_ML": str(root), "PYTHONPATH": str(CONTAINER), "PYTHONWARNINGS": "error"}
    command = [sys.executable, "-m", "processing", name]
    return subprocess.run(command, env=environment, text=True, capture_output=True, timeout=600, check=False)


def give_channels(shop: Any, **settings: str) -> None:
    for name in ("train", "validation", "features"):
        shutil.copytree(shop.output(name), shop.root / "input" / "data" / name)
    (shop.root / "input" / "config").mkdir(parents=True)
    (shop.root / "input" / "config" / "hyperparameters.json").write_text(json.dumps(settings))


def give_model(shop: Any) -> None:
    (shop.root / "processing" / "input" / "model").mkdir()
    with tarfile.open(shop.root / "processing" / "input" / "model" / "model.tar.gz", "w:gz") as tar:
        tar.add(shop.root / "model", arcname=".")
    shutil.copytree(shop.output("test"), shop.root / "processing" / "input" / "test")


def test_features_train_evaluate(shop: Any) -> None:
    shop.edit_recipe("features:\n", "evaluation: { slices: [city] }\nfeatures:\n")
    done = step(shop.root, "features")
    assert (done.returncode, done.stderr) == (0, "")
    give_channels(shop, max_rounds="40", min_child_weight="1", seed="3")
    done = step(shop.root, "train")
    assert (done.returncode, done.stderr) == (0, "")
    assert "round 0: validation-logloss=" in done.stdout
    assert {path.name for path in (shop.root / "model").iterdir()} == {"model.ubj", "features.json", "training.json"}
    model = (shop.root / "model" / "model.ubj").read_bytes()
    assert step(shop.root, "train").returncode == 0
    assert (shop.root / "model" / "model.ubj").read_bytes() == model

    give_model(shop)
    done = step(shop.root, "evaluate")
    assert (done.returncode, done.stderr) == (0, "")
    document = json.loads((shop.output("evaluation") / "evaluation.json").read_text())
    (slices,) = document["details"]["slices"].values()
    assert {line["value"] for line in slices} == {"Bonn", "Köln", "Ulm", 'O\'Hare, "x"'}
    measures = document["binary_classification_metrics"]
    assert measures["auc"]["value"] > 0.75
    assert f"test-auc: {measures['auc']['value']:.6f}" in done.stdout
    assert "orders.delay" not in (shop.output("evaluation") / "report.html").read_text()
    assert "<svg" in (shop.output("evaluation") / "report.html").read_text()
    assert not (shop.root / "output").exists()


def test_failures_reach_the_file_that_the_service_reads(shop: Any) -> None:
    (shop.raw / "cities.csv").unlink()
    done = step(shop.root, "features")
    told = (shop.root / "output" / "message").read_text()
    assert done.returncode == 2
    assert "no file matches 'cities.csv'" in told
    assert f"error: {told}" in done.stderr

    done = step(shop.root, "train")
    assert done.returncode == 2
    told = (shop.root / "output" / "failure").read_text()
    assert "the channel 'features' lacks features.json\n  fix: connect the channel 'features'" in told

    done = step(shop.root, "evaluate")
    assert done.returncode == 2
    assert "no model archive" in (shop.root / "output" / "message").read_text()


def test_training_refuses_data_of_another_run_and_unknown_settings(shop: Any) -> None:
    shop.run()
    give_channels(shop, max_dept="3")
    done = step(shop.root, "train")
    assert "no hyperparameter 'max_dept'\n  fix: did you mean 'max_depth'?" in done.stderr
    (shop.root / "input" / "config" / "hyperparameters.json").unlink()
    shop.edit_recipe("  raw_weight:", "  weight_as_it_is:")
    shop.run()
    shutil.copy(shop.output("features") / "features.json", shop.root / "input" / "data" / "features")
    done = step(shop.root, "train")
    assert done.returncode == 2
    assert "1 column(s) of features.json are missing, first 'weight_as_it_is'" in done.stderr
    assert "fix: take data and features of one run of the features step" in done.stderr


def test_splits_of_another_fit_are_refused_though_their_columns_fit(shop: Any) -> None:
    """The same recipe on other rows: every column is there, and each means something else."""
    shop.run()
    give_channels(shop, max_rounds="5", min_child_weight="1")
    assert step(shop.root, "train").returncode == 0
    give_model(shop)
    shop.write_orders(shop.orders()[:700])
    shop.run()
    told = "the files were written with other features than this features.json (their digests differ)\n  fix: take data"
    for given in (shop.root / "input" / "data" / "validation", shop.root / "processing" / "input" / "test"):
        shutil.rmtree(given)
        shutil.copytree(shop.output(given.name), given)
        done = step(shop.root, "train" if given.name == "validation" else "evaluate")
        assert done.returncode == 2
        assert f"{given}: {told}" in done.stderr
