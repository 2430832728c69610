"""recipe.schema.json and docs/reference/recipe.md follow the declarations, and the reader."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from processing.recipe import reference, schema
from processing.recipe.options import options_of
from processing.recipe.reader import load_recipe, read_recipe
from processing.recipe.sections import RecipeSection
from processing.transforms.registry import TRANSFORMS

RECIPES = sorted((Path(__file__).parents[2] / "container" / "recipes").glob("*.yaml"))


@pytest.fixture(scope="module")
def problems() -> Any:
    """The schema's problems with a document."""
    jsonschema = pytest.importorskip("jsonschema")
    validator = jsonschema.Draft202012Validator(schema.schema())
    jsonschema.Draft202012Validator.check_schema(schema.schema())
    return lambda document: [error.message for error in validator.iter_errors(document)]


def test_the_schema_file_is_the_declarations() -> None:
    fix = "run `python3 -m processing.recipe.schema` in container/"
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), fix


def test_the_reference_page_is_the_declarations() -> None:
    fix = "run `python3 -m processing.recipe.reference` in container/"
    assert reference.FILE.read_text(encoding="utf-8") == reference.page(), fix


def test_the_reference_names_every_key_of_every_transform() -> None:
    sections = reference.page().split("\n##")
    for name, cls in TRANSFORMS.items():
        (section,) = [text for text in sections if text.startswith(f"# {name}\n")]
        assert all(f"| `{one.key}` |" in section for _, one in options_of(cls))


def test_every_option_tells_its_meaning_in_a_sentence() -> None:
    for cls in (RecipeSection, *TRANSFORMS.values()):
        assert cls.__doc__
        for _, one in options_of(cls):
            assert one.help.endswith("."), (cls, one.key)


@pytest.mark.parametrize("path", RECIPES, ids=lambda path: path.name)
def test_the_recipes_that_ship_fit_the_schema(path: Path, problems: Any) -> None:
    assert path.read_text().startswith("# yaml-language-server: $schema=../recipe.schema.json\n")
    assert problems(load_recipe(path).plain) == []


EDITS = [
    ("target: delay > 10", "target: delay"),
    ("target: delay > 10", "target: {column: delay}\ntask: regression"),
    ("split: {", "split: { by: id, salt: 5,"),
    ("split: { train: 0.6, validation: 0.2, test: 0.2 }", "split: { time: placed, validation_from: 2024-06-01, "
     "test_from: 2024-09-01 }"),
    ("split: { train: 0.6, validation: 0.2, test: 0.2 }", "split: { column: courier, train: [a, b], test: c }"),
    ("impute: mean", "impute: {with: constant, value: 0.5}"),
    ("min_count: 20", "most: 3"),
    ("passthrough, column: weight", "expression, formula: weight / 2, scale: [log, robust]"),
    ("on: [city]", "on: {city: city}"),
]  # fmt: skip


@pytest.mark.parametrize(("old", "new"), EDITS)
def test_what_the_reader_takes_the_schema_takes(recipe_text: str, old: str, new: str, problems: Any) -> None:
    assert old in recipe_text
    assert problems(read_recipe(recipe_text.replace(old, new, 1), "shop.yaml").plain) == []


SLIPS = [
    ("key", "kye", "'kye' was unexpected"),
    ("split", {"train": 2, "validation": 0.1, "test": 0.1}, "is not valid under any of the given schemas"),
    ("task", "binry", "'binry' is not one of"),
    ("features", {}, "should be non-empty"),
    ("features", {"a": {"transform": "numerc", "column": "x"}}, "'numerc' is not one of"),
    ("features", {"a": {"transform": "numeric", "colum": "x"}}, "'colum' was unexpected"),
    ("features", {"a": {"transform": "cyclic", "column": "x"}}, "'period' is a required property"),
    ("features", {"a": {"transform": "bins", "column": "x", "count": 1}}, "1 is less than the minimum of 2"),
]


@pytest.mark.parametrize(("key", "value", "message"), SLIPS)
def test_the_schema_refuses_slips(recipe_text: str, key: str, value: Any, message: str, problems: Any) -> None:
    plain = dict(read_recipe(recipe_text, "shop.yaml").plain)
    changed = {**plain, value: plain.pop("key")} if key == "key" else {**plain, key: value}
    assert any(message in told for told in problems(changed))
