"""The evaluation step: three tasks, slices, drift, a champion; models and data that do not belong together."""

from __future__ import annotations

import json
import shutil
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("duckdb")
pytest.importorskip("xgboost")

from processing.errors import ContainerError, DataError, ModelError
from processing.evaluation.scoring import score
from processing.matrix import open_split
from processing.training import modelfile

KEYS = {
    "binary": "binary_classification_metrics",
    "multiclass": "multiclass_classification_metrics",
    "regression": "regression_metrics",
}


@pytest.fixture
def trained(make_world: Callable[..., Any]) -> Callable[..., Any]:
    """A world with a trained model as the input `model`."""

    def make(task: str = "binary", name: str = "ml", **settings: object) -> Any:
        world = make_world(task, name, **settings)
        world.train()
        world.give()
        return world

    return make


@pytest.mark.parametrize("algorithm", ["xgboost", "lightgbm"])
@pytest.mark.parametrize("task", KEYS)
def test_a_model_is_measured_and_the_same_twice(trained: Callable[..., Any], task: str, algorithm: str) -> None:
    world = trained(task, algorithm=algorithm)
    document = world.evaluate()
    written = {path.name: path.read_bytes() for path in world.output.iterdir()}
    assert set(document) == {KEYS[task], "details"}
    assert set(written) == {"evaluation.json", "report.html"}
    details = document["details"]
    main = details["metrics"][details["main_metric"]]
    assert main["interval"][0] < main["value"] < main["interval"][1]
    assert document[KEYS[task]][details["main_metric"]]["value"] == main["value"]
    assert {"x": "x", "city=Köln": "city"}.items() <= {i["column"]: i["feature"] for i in details["importance"]}.items()
    assert sum(item["share"] for item in details["importance"]) == pytest.approx(1)
    assert details["importance"][0]["column"] == "x"
    assert {line["value"] for line in details["slices"]["city"]} == {"Köln", "Bonn <i>", "Ulm"}
    assert sum(line["rows"] for line in details["slices"]["city"]) == 700
    assert all(item["level"] == "small" for item in details["drift"]["columns"])
    assert "champion" not in details
    world.evaluate()
    assert {path.name: path.read_bytes() for path in world.output.iterdir()} == written
    assert list(world.root.glob("scratch-*")) == []


def test_a_column_that_moved_is_told(trained: Callable[..., Any], make_table: Any, write_table: Any) -> None:
    world = trained()
    write_table(world.test, make_table(700, 2, "binary", shift=1.0))
    first, *rest = world.evaluate()["details"]["drift"]["columns"]
    assert (first["name"], first["level"]) == ("x", "large")
    assert all(item["level"] == "small" for item in rest)


def test_a_champion_with_the_same_features_is_compared_on_the_same_rows(trained: Callable[..., Any]) -> None:
    for task, worse in (
        ("binary", {"max_depth": 1}),
        ("multiclass", {"max_depth": 1}),
        ("regression", {"max_depth": 1}),
    ):
        world = trained(task, f"champion-{task}", max_rounds=2, **worse)
        world.give("champion")
        world.settings(max_rounds=40, min_child_weight=1, max_depth=4)
        world.train()
        world.give()
        found = world.evaluate()["details"]["champion"]
        assert found["verdict"] == "better", task
        assert found["new"] - found["champion"] == pytest.approx(found["difference"]["value"])
        assert "Verdict: better" in (world.output / "report.html").read_text()


def test_a_champion_with_other_features_needs_its_own_rows(
    trained: Callable[..., Any], make_table: Any, write_table: Any
) -> None:
    world = trained()
    world.give("champion")
    world.fill(fit=2)
    world.train()
    world.give()
    with pytest.raises(
        DataError, match=r"trained with other features.*\n  fix: connect the same rows.*'champion_test'"
    ):
        world.evaluate()
    own = world.root / "processing" / "input" / "champion_test" / "part-0.parquet"
    write_table(own, make_table(700, 2, "binary"))
    assert world.evaluate()["details"]["champion"]["verdict"] == "no difference shown"
    rows = make_table(700, 2, "binary")
    rows["key"][5] = 9999
    write_table(own, rows)
    with pytest.raises(
        DataError, match="its rows have other keys than the test split's\n  fix: write both from the same"
    ):
        world.evaluate()
    write_table(own, make_table(699, 2, "binary"))
    with pytest.raises(DataError, match="it has 699 rows, the test split 700"):
        world.evaluate()


def test_a_test_split_of_other_features_is_refused(
    trained: Callable[..., Any], make_table: Any, write_table: Any
) -> None:
    world = trained()
    write_table(world.test, make_table(50, 2, "binary"), "0" * 64)
    with pytest.raises(DataError, match="written with other features"):
        world.evaluate()
    columns = make_table(50, 2, "binary")
    del columns["noise"]
    write_table(world.test, columns)
    with pytest.raises(DataError, match=r"1 column\(s\) of features.json are missing, first 'noise'"):
        world.evaluate()


def test_a_test_split_that_cannot_be_measured_is_refused(
    trained: Callable[..., Any], make_table: Any, write_table: Any
) -> None:
    world = trained()
    columns = make_table(50, 2, "binary")
    write_table(world.test, {**columns, "target": columns["target"] * 0})
    with pytest.raises(
        DataError, match="the test split holds negative rows only, so there is no AUC\n  fix: give more"
    ):
        world.evaluate()
    write_table(world.test, {name: values[:0] for name, values in columns.items()})
    with pytest.raises(DataError, match="the split has no rows"):
        world.evaluate()
    del columns["slice.city"]
    write_table(world.test, columns)
    with pytest.raises(DataError, match="the split has no column 'city', by which the recipe wants slices"):
        world.evaluate()


def repack(archive: Path, folder: Path) -> None:
    with tarfile.open(archive, "w:gz") as tar:
        for path in sorted(folder.iterdir()):
            tar.add(path, arcname=path.name)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("no model", "the archive lacks model.ubj\n  fix: give the model.tar.gz that the training job of this image"),
        ("no training", "the archive lacks training.json"),
        ("other features", "features.json is not the one that the model was trained with (its digest differs)"),
        ("junk model", "the model cannot be read: XGBoostError"),
        ("old format", "training.json has the format 1; this image reads 2"),
        ("other algorithm", "no algorithm '../../etc'"),
        ("nan threshold", "the threshold is nan"),
        ("fewer columns", "the model has 5 features, the data 4"),
        ("bad reference", "a reference's edges and shares do not fit"),
        ("not an object", "the model cannot be read: TypeError"),
    ],
)
def test_an_archive_whose_parts_do_not_fit_is_refused(trained: Callable[..., Any], kind: str, message: str) -> None:
    world = trained()
    folder = world.root / "model"
    training = folder / "training.json"
    document = json.loads(training.read_text())
    match kind:
        case "no model":
            (folder / "model.ubj").unlink()
        case "no training":
            training.unlink()
        case "other features":
            (folder / "features.json").write_text(
                (folder / "features.json").read_text().replace('"fit": 1', '"fit": 2')
            )
        case "junk model":
            (folder / "model.ubj").write_bytes(b"{L")
        case "old format":
            training.write_text(json.dumps({**document, "format": 1}))
        case "other algorithm":
            training.write_text(json.dumps({**document, "algorithm": "../../etc"}))
        case "nan threshold":
            training.write_text(json.dumps({**document, "threshold": "nan"}))
        case "fewer columns":
            features = json.loads((folder / "features.json").read_text())
            features["columns"].pop()
            (folder / "features.json").write_text(json.dumps(features))
            digest = modelfile.read_schema((folder / "features.json").read_bytes(), "").digest
            training.write_text(json.dumps({**document, "features_sha256": digest}))
        case "bad reference":
            document["columns"]["x"]["edges"].pop()
            training.write_text(json.dumps(document))
        case "not an object":
            training.write_text("[]")
    repack(world.root / "processing" / "input" / "model" / "model.tar.gz", folder)
    with pytest.raises(ContainerError) as caught:
        world.evaluate()
    assert message in str(caught.value)
    assert "model.tar.gz" in str(caught.value)
    assert not world.output.exists()


class NotANumber:
    """A model that fails on some rows."""

    rounds = 1

    def predict(self, features: Any) -> Any:
        return np.where(features[:, 1] > 0, np.nan, 0.5)


def test_scores_that_are_no_numbers_are_refused_with_their_count(trained: Callable[..., Any], tmp_path: Path) -> None:
    world = trained()
    model = modelfile.load(world.root / "processing" / "input" / "model" / "model.tar.gz", tmp_path / "scratch")
    split = open_split(world.test.parent, model.schema)
    wrong = sum(int((batch.features[:, 1] > 0).sum()) for batch in split.batches())
    with pytest.raises(ModelError, match=rf"no number for {wrong} row\(s\) of test\n  fix: train it again"):
        score(replace(model, model=NotANumber()), split, tmp_path / "scored")


def test_many_files_are_scored_in_the_order_of_their_names(
    trained: Callable[..., Any], make_table: Any, write_table: Any
) -> None:
    world = trained()
    whole = world.evaluate()
    columns = make_table(700, 2, "binary")
    shutil.rmtree(world.test.parent)
    for number, first in enumerate(range(0, 700, 150)):
        part = {name: values[first : first + 150] for name, values in columns.items()}
        write_table(world.test.parent / "sub" / f"part-{number}.parquet", part)
    assert world.evaluate() == whole
