"""Reading recipes: what is taken, and that every mistake names its place and its fix."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from processing.errors import RecipeError
from processing.recipe.reader import load_recipe, read_recipe
from processing.transforms.numeric import Impute, Numeric


def refused(text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(text, "shop.yaml")
    return str(caught.value)


def test_a_recipe_is_read_into_typed_values(recipe_text: str) -> None:
    recipe = read_recipe(recipe_text, "shop.yaml")
    weight = recipe.features[0].transform
    assert isinstance(weight, Numeric)
    assert (str(weight.column), weight.clip, weight.scale) == ("orders.weight", (0.01, 0.99), ("standard",))
    assert weight.impute == Impute(way="median", flag=True)
    assert (recipe.target.operator, recipe.target.value) == (">", 10.0)
    assert recipe.sources["orders"].null == ("", "NA")


def test_a_recipe_survives_the_way_through_json(recipe_text: str) -> None:
    recipe = read_recipe(recipe_text, "shop.yaml")
    again = read_recipe(json.dumps(recipe.plain), "shop.yaml")
    assert [f.transform for f in again.features] == [f.transform for f in recipe.features]
    assert again.target == recipe.target
    assert again.plain == recipe.plain


# Each: what is replaced in the good recipe, by what, and what the message must hold.
MISTAKES = [
    ("key: [id]", "kye: [id]", "shop.yaml:21:1: the recipe has no key 'kye'\n  fix: did you mean 'key'?"),
    (
        "min_count: 20",
        "min_cuont: 20",
        "shop.yaml:30:45: feature 'city' has no key 'min_cuont'\n  fix: did you mean 'min_count'?",
    ),
    (
        "transform: frequency",
        "transform: frequncy",
        "shop.yaml:31:31: no transform 'frequncy'\n  fix: did you mean 'frequency'?",
    ),
    (
        "passthrough, column: weight",
        "passthrough, column: wieght",
        "shop.yaml:28:49: no column 'wieght' is declared\n  fix: did you mean 'weight'?",
    ),
    (
        "passthrough, column: weight",
        "passthrough, column: courier",
        "'courier' is declared string; this needs number or integer or boolean",
    ),
    ("weight: number", "weight: numbr", "shop.yaml:11:15: 'weight: numbr' is unknown\n  fix: did you mean 'number'?"),
    ("target: delay > 10", "target: delay late", "'delay late' is no column and no comparison\n  fix: write a column"),
    ("target: delay > 10", "target: courier > 10", "'orders.courier' is declared string; 'courier > 10' does not fit"),
    ("target: delay > 10", "target: delay > 10; DROP TABLE x", "is no column and no comparison"),
    ("train: 0.6", "train: 0.7", "the fractions add up to 1.1, not to 1\n  fix: write 'split: {train: 0.8"),
    (
        "clip: [0.01, 0.99]",
        "clip: [0.99, 0.01]",
        "'clip' is a list of two rising numbers from 0 to 1\n  fix: write 'clip: [0.01, 0.99]'",
    ),
    (
        "impute: mean",
        "impute: constant",
        "a constant needs its value\n  fix: write 'impute: {with: constant, value: 0}'",
    ),
    ("folds: 4", "folds: 5", "'folds: 5' is unknown\n  fix: use one of: 16, 2, 4, 8"),
    ("parts: [month,", "parts: [mnoth,", "'parts: mnoth' is unknown\n  fix: did you mean 'month'?"),
    (
        "passthrough, column: weight",
        "passthrough, column: delay",
        "shop.yaml:28:49: feature 'raw_weight' uses 'orders.delay', known only after the target",
    ),
    (
        "known_after: [delay, arrived]",
        "known_after: [city]",
        "uses 'orders.city' (through the join of 'cities'), known only after the target",
    ),
    ("known_after: [delay, arrived]", "known_after: [id]", "key column 'orders.id' is known only after the target"),
    ("on: [city]", "on: [town]", "source 'orders' declares no column 'town'"),
    ("  raw_weight:", "  WEIGHT:", "feature 'WEIGHT' has the name of 'weight'\n  fix: rename it"),
    ("  raw_weight:", "  target:", "feature 'target' has the name of 'target'"),
    ("  raw_weight:", "  weight:", "'weight' stands twice (first in line 26)\n  fix: remove one of the two"),
    ("key: [id]", "key: [weight]", "'weight' is declared number; this needs string or integer"),
    ("files: cities.csv", "files: ../cities.csv", "'../cities.csv' leaves the input's folder"),
    (
        "distance: number\n",
        "distance: number\n      weight: number\n",
        "'weight' is a column of several sources\n  fix: write 'orders.weight' or 'cities.weight'",
    ),
    (
        "test: 0.2 }",
        "test: 0.2, by: [city] }",
        "'orders.city' is no part of the key\n  fix: take some of the key's columns: id",
    ),
    ("input: raw\n    files: cities", "files: cities", "source 'cities' lacks 'input'\n  fix: add 'input: …'"),
]


@pytest.mark.parametrize(("old", "new", "message"), MISTAKES)
def test_a_mistake_is_told_with_place_and_fix(recipe_text: str, old: str, new: str, message: str) -> None:
    assert old in recipe_text
    told = refused(recipe_text.replace(old, new, 1))
    assert message in told
    assert told.startswith("shop.yaml:")


def test_every_mistake_is_told_at_once_in_the_order_of_the_file(recipe_text: str) -> None:
    text = recipe_text.replace("weight: number", "weight: numbr").replace("folds: 4", "folds: 5")
    assert [line.split(":")[1] for line in refused(text).splitlines() if line.startswith("shop.yaml")] == ["11", "32"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("sources: [", "not YAML"),
        ("- one\n", "a recipe is a mapping\n  fix: start with 'sources:'"),
        ("", "a recipe is a mapping"),
        ("a: &x [1]\nb: *x\n", "shop.yaml:2:4: YAML aliases are not read\n  fix: write the value out"),
        ("sources: {}\n", "'sources' is empty"),
    ],
)
def test_what_is_no_recipe_is_refused(text: str, message: str) -> None:
    assert message in refused(text)


def test_a_missing_recipe_file_is_told(tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r"cannot be read.*\n  fix: name a recipe that exists"):
        load_recipe(tmp_path / "none.yaml")


def test_words_that_yaml_1_1_takes_for_booleans_stay_texts(recipe_text: str) -> None:
    recipe = read_recipe(recipe_text.replace('null_text: ["NA"]', "null_text: [no, off, 1:00, -999]"), "shop.yaml")
    assert recipe.sources["orders"].null == ("", "no", "off", "1:00", "-999")
    again = read_recipe(json.dumps(recipe.plain), "shop.yaml")
    assert again.sources["orders"].null == recipe.sources["orders"].null


def test_a_source_that_is_not_joined_is_told(recipe_text: str) -> None:
    text = recipe_text.replace("  - { source: cities, on: [city] }", "  []").replace(
        "files: cities.csv\n    columns:\n      city:", "files: cities.csv\n    columns:\n      town:"
    )
    assert "source 'cities' is joined 0 times\n  fix: add '- {source: cities, on: […]}'" in refused(text)
