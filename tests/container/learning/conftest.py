"""A small world for training and evaluation: splits as the features step would write them, from plain numbers.

`make_world(task)` gives a root like /opt/ml with the channels, the test split and features.json in place.
"""

from __future__ import annotations

import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

# Two workers with two threads each share two cores: threads that wait shall sleep.
os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")

COLUMNS = ("x", "y", "z<1", "city=Köln", "noise")
CLASSES = ("low", "mid <x>", "high")
CITIES = ("Bonn <i>", "Ulm", "Köln")


@dataclass(frozen=True)
class World:
    """A root like /opt/ml."""

    root: Path
    task: str

    @property
    def paths(self) -> Any:
        from processing.contract import Paths

        return Paths(self.root)

    @property
    def test(self) -> Path:
        return self.root / "processing" / "input" / "test" / "part-0.parquet"

    def channel(self, name: str) -> Path:
        return self.root / "input" / "data" / name

    def settings(self, **values: object) -> None:
        path = self.root / "input" / "config" / "hyperparameters.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({name: str(value) for name, value in values.items()}))

    def fill(self, fit: int = 1, digest: str | None = None, slices: tuple[str, ...] = ("city",)) -> None:
        """Write every split; `fit` stands for what a fit on other data would change."""
        self.channel("features").mkdir(parents=True, exist_ok=True)
        (self.channel("features") / "features.json").write_text(features_json(self.task, fit, slices))
        places = (self.channel("train"), self.channel("validation"), self.test.parent)
        for seed, (folder, rows) in enumerate(zip(places, (1500, 600, 700), strict=True)):
            write(folder / "part-0.parquet", table(rows, seed, self.task), digest)

    def train(self) -> None:
        from processing.train import run_train

        run_train(self.paths)

    def give(self, name: str = "model") -> Path:
        """The trained model as the input `name`."""
        archive = self.root / "processing" / "input" / name / "model.tar.gz"
        archive.parent.mkdir(parents=True, exist_ok=True)
        with tarfile.open(archive, "w:gz") as tar:
            tar.add(self.root / "model", arcname=".")
        return archive

    def evaluate(self) -> dict[str, Any]:
        from processing.evaluate import run_evaluate

        run_evaluate(self.paths)
        return json.loads((self.output / "evaluation.json").read_text())

    @property
    def output(self) -> Path:
        return self.root / "processing" / "output" / "evaluation"

    def training(self) -> dict[str, Any]:
        return json.loads((self.root / "model" / "training.json").read_text())


def features_json(task: str, fit: int = 1, slices: tuple[str, ...] = ()) -> str:
    columns = [{"name": name, "type": "FLOAT", "feature": name.split("=")[0], "sources": []} for name in COLUMNS]
    target: dict[str, Any] = {"task": task, "column": "orders.delay", "rule": "delay > 1 & <b>"}
    if task == "multiclass":
        target["classes"] = list(CLASSES)
    document = {"format": 1, "target": target, "columns": [{"name": "key"}, {"name": "target"}, *columns]}
    return json.dumps({**document, "statistics": {"fit": fit}, "recipe": {"evaluation": {"slices": list(slices)}}})


def table(rows: int, seed: int, task: str, shift: float = 0.0) -> dict[str, Any]:
    """The target follows x, and y within one city; x has nulls."""
    draw = np.random.default_rng(seed)
    x, y, noise = (draw.normal(size=rows).astype(np.float32) for _ in range(3))
    z, city = draw.random(rows).astype(np.float32), (draw.random(rows) < 0.3).astype(np.float32)
    signal = x + 0.5 * y * city + 0.5 * z - 0.6
    match task:
        case "binary":
            target = (draw.random(rows) < 1 / (1 + np.exp(-2 * signal))).astype(np.int32)
        case "multiclass":
            target = np.digitize(signal + 0.3 * draw.normal(size=rows), [-0.8, 0.3]).astype(np.int32)
        case _:
            target = 10.0 * signal + draw.normal(size=rows)
    x = np.where(draw.random(rows) < 0.05, np.float32("nan"), x + np.float32(shift))
    cities = np.where(city == 1, 2, draw.integers(0, 2, rows))
    features = dict(zip(COLUMNS, (x, y, z, city, noise), strict=True))
    return {"key": np.arange(rows), "target": target, **features, "slice.city": cities}


def write(path: Path, columns: dict[str, Any], digest: str | None = None) -> None:
    """A Parquet file as the features step writes it: NaN as null, texts for numbers, the digest in its metadata.

    Texts are made in SQL: for each Python text that DuckDB takes in, it looks for pandas anew.
    """
    import duckdb

    path.parent.mkdir(parents=True, exist_ok=True)
    chosen = []
    for name, values in columns.items():
        quoted = f'"{name}"'
        expression = {"key": "'k' || key", "slice.city": f"({list(CITIES)})[{quoted} + 1]"}.get(name, quoted)
        if values.dtype.kind == "f" and name != "target":
            expression = f"CASE WHEN isnan({quoted}) THEN NULL ELSE {quoted} END"
        chosen.append(f"{expression} AS {quoted}")
    metadata = f", KV_METADATA {{features_sha256: '{digest}'}}" if digest else ""
    with duckdb.connect() as connection:
        connection.register("made", columns)
        query = f"SELECT {', '.join(chosen)} FROM made"  # noqa: S608 - names of this file
        connection.execute(f"COPY ({query}) TO '{path}' (FORMAT parquet{metadata})")


@pytest.fixture
def make_world(tmp_path: Path) -> Callable[..., World]:
    def make(task: str = "binary", name: str = "ml", **settings: object) -> World:
        world = World(tmp_path / name, task)
        world.fill()
        world.settings(**{"max_rounds": 15, "min_child_weight": 1, **settings})
        return world

    return make


@pytest.fixture
def make_table() -> Callable[..., dict[str, Any]]:
    return table


@pytest.fixture
def write_table() -> Callable[..., None]:
    return write
