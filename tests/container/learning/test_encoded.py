"""Target-encoded columns: their drift is measured against training rows encoded as test rows are."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

duckdb = pytest.importorskip("duckdb")

from processing.evaluation.drift import BinCounts  # noqa: E402
from processing.matrix import open_split  # noqa: E402
from processing.training.encoded import encoded_references  # noqa: E402
from processing.training.reference import column_references, reference_of  # noqa: E402
from processing.training.schema import load_schema  # noqa: E402


def column(shop: Any, split: str, names: str) -> list[Any]:
    return duckdb.sql(f"SELECT {names} FROM '{shop.output(split)}/*.parquet' ORDER BY key").fetchall()  # noqa: S608


def features_of(shop: Any) -> bytes:
    return (shop.output("features") / "features.json").read_bytes()


def test_the_reference_is_the_training_rows_encoded_as_test_rows_are(shop: Any) -> None:
    shop.run()
    couriers = {line.split(",")[0]: line.split(",")[-4] for line in shop.orders()}
    outside = {couriers[key]: rate for key, rate in column(shop, "test", "key, courier_rate")}
    train = np.array([outside[couriers[key]] for (key,) in column(shop, "train", "key")], dtype=np.float32)
    (found,) = encoded_references(features_of(shop)).items()
    assert found[0] == "courier_rate"
    assert found[1].plain() == reference_of(train).plain()


def test_folds_are_no_drift(shop: Any) -> None:
    shop.run()
    schema = load_schema(shop.output("features"))
    splits = {name: open_split(shop.output(name), schema) for name in ("train", "test")}
    batches = (batch.features for batch in splits["train"].batches())
    naive = column_references(batches, schema.columns, splits["train"].rows)
    index = schema.columns.index("courier_rate")
    found = {}
    for name, references in (("out of fold", naive), ("as test", encoded_references(features_of(shop)))):
        counts = BinCounts({"courier_rate": references["courier_rate"]})
        for batch in splits["test"].batches():
            counts.add({"courier_rate": batch.features[:, index]})
        (found[name],) = counts.drift()
    assert found["out of fold"]["level"] == "large"
    assert found["as test"]["level"] == "small"
    assert found["as test"]["psi"] < 0.1


@pytest.mark.parametrize("target", ["delay", "courier"])
def test_numbers_and_every_class_have_their_reference(shop: Any, target: str) -> None:
    shop.edit_recipe("target: delay > 10", f"target: {target}")
    if target == "courier":
        shop.edit_recipe("  courier_share: { transform: frequency, column: courier }\n", "")
        shop.edit_recipe("target_encoding, column: courier", "target_encoding, column: city")
    shop.run()
    found = encoded_references(features_of(shop))
    names = [c["name"] for c in json.loads(features_of(shop))["columns"] if c.get("feature") == "courier_rate"]
    assert list(found) == names
    assert len(names) == (6 if target == "courier" else 1)
    for name in names:
        values = np.array(column(shop, "test", f'"{name}"'), dtype=np.float32)[:, 0]
        counts = BinCounts({name: found[name]})
        counts.add({name: values})
        assert counts.drift()[0]["level"] == "small"


def test_without_target_encoding_there_is_nothing_to_replace(shop: Any) -> None:
    shop.edit_recipe("  courier_rate: { transform: target_encoding, column: courier, smoothing: 5, folds: 4 }\n", "")
    shop.run()
    assert encoded_references(features_of(shop)) == {}


def test_many_rows_are_sampled_evenly(shop: Any) -> None:
    shop.run()
    whole = encoded_references(features_of(shop))["courier_rate"]
    sampled = encoded_references(features_of(shop), 200)["courier_rate"]
    assert sampled.rows == 200
    assert sampled.edges.tolist() == whole.edges.tolist()
    assert np.abs(sampled.shares - whole.shares).max() <= 1 / 200


def test_training_keeps_the_reference(shop: Any, tmp_path: Path) -> None:
    pytest.importorskip("xgboost")
    import shutil

    from processing.contract import Paths
    from processing.train import run_train

    shop.run()
    for name in ("train", "validation", "features"):
        shutil.copytree(shop.output(name), tmp_path / "input" / "data" / name)
    settings = tmp_path / "input" / "config" / "hyperparameters.json"
    settings.parent.mkdir()
    settings.write_text(json.dumps({"max_rounds": "2"}))
    run_train(Paths(tmp_path))
    kept = json.loads((tmp_path / "model" / "training.json").read_text())["columns"]
    wanted = encoded_references(features_of(shop))["courier_rate"].plain()
    assert kept["courier_rate"] == json.loads(json.dumps(wanted))
    assert list(kept) == list(load_schema(shop.output("features")).columns)
