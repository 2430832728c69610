"""The container's tests: run by the main environment (pure parts) and by the image's own (everything).

`shop` is a small synthetic input: orders joined with cities; will an order arrive more than 10 minutes late?
"""

from __future__ import annotations

import random
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

CONTAINER = Path(__file__).parents[2] / "container"
sys.path.insert(0, str(CONTAINER))

RECIPE = """\
sources:
  orders:
    input: raw
    files: orders*.csv
    null_text: ["NA"]
    columns:
      id: integer
      placed: timestamp
      city: string
      courier: string
      weight: number
      delay: number
  cities:
    input: raw
    files: cities.csv
    columns:
      city: string
      distance: number
joins:
  - { source: cities, on: [city] }
key: [id]
target: delay > 10
known_after: [delay, arrived]
split: { train: 0.6, validation: 0.2, test: 0.2 }
features:
  weight:
    { transform: numeric, column: weight, clip: [0.01, 0.99], impute: { with: median, flag: true }, scale: standard }
  raw_weight: { transform: passthrough, column: weight }
  distance: { transform: numeric, column: distance, impute: mean }
  city: { transform: one_hot, column: city, min_count: 20 }
  courier_share: { transform: frequency, column: courier }
  courier_rate: { transform: target_encoding, column: courier, smoothing: 5, folds: 4 }
  placed: { transform: date_parts, column: placed, parts: [month, weekday, hour], cyclic: [hour] }
"""

HEADER = "id,placed,city,courier,weight,delay,arrived"


@dataclass(frozen=True)
class Shop:
    """A root like /opt/ml with the recipe and the synthetic input in place."""

    root: Path

    @property
    def raw(self) -> Path:
        return self.root / "processing" / "input" / "raw"

    @property
    def recipe(self) -> Path:
        return self.root / "processing" / "input" / "recipe" / "shop.yaml"

    def output(self, name: str) -> Path:
        return self.root / "processing" / "output" / name

    def edit_recipe(self, old: str, new: str) -> None:
        text = self.recipe.read_text()
        assert old in text
        self.recipe.write_text(text.replace(old, new))

    def orders(self) -> list[str]:
        return (self.raw / "orders.csv").read_text().splitlines()[1:]

    def write_orders(self, rows: list[str], name: str = "orders.csv", header: str = HEADER) -> None:
        (self.raw / name).write_text("\n".join([header, *rows]) + "\n")

    def run(self, threads: int = 2) -> None:
        from processing.contract import Paths
        from processing.engine import Limits
        from processing.features import run_features

        run_features(Paths(self.root), None, Limits("512MB", threads))


def order_rows(count: int, seed: int = 1) -> list[str]:
    """Orders whose delay depends on courier and weight; some weights, couriers and delays are NA."""
    draw = random.Random(seed)  # noqa: S311 - a table, no secret
    rows = []
    for number in range(1, count + 1):
        courier, city = draw.choice("abcdef"), draw.choice(["Bonn", "Köln", 'O\'Hare, "x"', "Ulm"])
        weight = round(draw.expovariate(0.2), 3)
        delay = round(draw.gauss(4 * "abcdef".index(courier) + weight, 5), 2)
        placed = f"2024-{draw.randint(1, 12):02d}-{draw.randint(1, 28):02d}T{draw.randint(0, 23):02d}:30:00Z"
        quoted = '"' + city.replace('"', '""') + '"'
        shown = ["NA" if draw.random() < 0.05 else value for value in (courier, str(weight), str(delay))]
        rows.append(f"{number},{placed},{quoted},{shown[0]},{shown[1]},{shown[2]},{delay + 60}")
    return rows


@pytest.fixture
def recipe_text() -> str:
    return RECIPE


@pytest.fixture
def make_shop(tmp_path: Path) -> Callable[[str], Shop]:
    """Makes roots with the same 800 orders in each."""

    def make(name: str = "ml") -> Shop:
        shop = Shop(tmp_path / name)
        shop.raw.mkdir(parents=True)
        shop.recipe.parent.mkdir(parents=True)
        shop.recipe.write_text(RECIPE)
        shop.write_orders(order_rows(800))
        cities = ['"O\'Hare, ""x""",7.5', "Köln,1", "Bonn,3.25"]
        (shop.raw / "cities.csv").write_text("\n".join(["city,distance", *cities]) + "\n")
        return shop

    return make


@pytest.fixture
def shop(make_shop: Callable[[str], Shop]) -> Shop:
    return make_shop("ml")
