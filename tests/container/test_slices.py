"""`evaluation: {slices: …}`: what the recipe may name, and that the columns reach the test split and nothing else."""

from __future__ import annotations

import json
from typing import Any

import pytest
from processing.errors import RecipeError
from processing.recipe.reader import read_recipe

SLICES = "evaluation: { slices: [city, orders.courier] }\nfeatures:\n"


def refused(text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(text, "shop.yaml")
    return str(caught.value)


def with_evaluation(recipe: str, evaluation: str) -> str:
    return recipe.replace("features:\n", f"evaluation: {evaluation}\nfeatures:\n")


def test_slices_are_declared_columns_and_survive_the_way_through_json(recipe_text: str) -> None:
    recipe = read_recipe(with_evaluation(recipe_text, "{ slices: [id, city] }"), "shop.yaml")
    assert [(name, str(column)) for name, column in recipe.evaluation.slices] == [
        ("id", "orders.id"),
        ("city", "orders.city"),
    ]
    again = read_recipe(json.dumps(recipe.plain), "features.json")
    assert again.evaluation.slices == recipe.evaluation.slices


def test_a_slice_need_not_be_a_feature(recipe_text: str) -> None:
    text = recipe_text.replace("      delay: number\n", "      delay: number\n      shift: boolean\n")
    recipe = read_recipe(with_evaluation(text, "{ slices: shift }"), "shop.yaml")
    assert "orders.shift" in map(str, recipe.used())
    assert "orders.shift" not in map(str, recipe.used(labelled=False))


@pytest.mark.parametrize(
    ("evaluation", "message"),
    [
        ("{ slices: [cty] }", "no column 'cty' is declared\n  fix: did you mean 'city'?"),
        ("{ slices: weight }", "'weight' is declared number; this needs string or integer or boolean"),
        ("{ slices: [city, City] }", "'slices' names a column twice\n  fix: name each column once"),
        (f"{{ slices: [{', '.join(['city'] * 11)}] }}", "names 11 columns; 10 are the most\n  fix: name the main ones"),
        ("{ slcies: [city] }", "'evaluation' has no key 'slcies'\n  fix: did you mean 'slices'?"),
        ("{}", "'evaluation' lacks 'slices'"),
    ],
)
def test_a_mistake_in_the_slices_is_told_with_place_and_fix(recipe_text: str, evaluation: str, message: str) -> None:
    told = refused(with_evaluation(recipe_text, evaluation))
    assert told.startswith("shop.yaml:25:")
    assert message in told


def test_a_slice_known_only_after_the_target_is_refused(recipe_text: str) -> None:
    text = with_evaluation(recipe_text, "{ slices: courier }")
    told = refused(text.replace("known_after: [delay, arrived]", "known_after: [courier]"))
    assert "shop.yaml:25:13: slice 'courier' uses 'orders.courier', known only after the target\n  fix: take it" in told
    joined = refused(
        with_evaluation(recipe_text, "{ slices: cities.city }").replace("[delay, arrived]", "[orders.city]")
    )
    assert "slice 'cities.city' uses 'orders.city' (through the join of 'cities'), known only after" in joined


def test_tables_without_header_have_no_place_for_slices(recipe_text: str) -> None:
    told = refused(with_evaluation(recipe_text, "{ slices: city }\noutput: { format: csv }"))
    assert "a test split without header has no place for slices" in told
    assert "fix: remove 'slices', or write 'output: {format: parquet}'" in told


def test_no_feature_takes_the_name_of_a_slice(recipe_text: str) -> None:
    told = refused(recipe_text.replace("  raw_weight:", "  Slice.city:"))
    assert "feature 'Slice.city' has the name of a slice\n  fix: rename it" in told


def columns(shop: Any, split: str) -> list[tuple[str, str]]:
    duckdb = pytest.importorskip("duckdb")
    held = duckdb.sql(f"DESCRIBE SELECT * FROM '{shop.output(split)}/*.parquet'").fetchall()  # noqa: S608
    return [(row[0], row[1]) for row in held]


def test_slices_reach_the_test_split_as_texts_and_no_other(shop: Any) -> None:
    duckdb = pytest.importorskip("duckdb")
    shop.edit_recipe("features:\n", SLICES)
    shop.run()
    document = json.loads((shop.output("features") / "features.json").read_text())
    listed = [column["name"] for column in document["columns"]]
    for split in ("train", "validation"):
        assert [name for name, _ in columns(shop, split)] == listed
    added = columns(shop, "test")[len(listed) :]
    assert added == [("slice.city", "VARCHAR"), ("slice.orders.courier", "VARCHAR")]
    query = f'SELECT key, "slice.city", "slice.orders.courier" FROM \'{shop.output("test")}/*.parquet\''  # noqa: S608
    found = {key: (city, courier) for key, city, courier in duckdb.sql(query).fetchall()}
    raw = duckdb.sql(f"SELECT id, city, nullif(courier, 'NA') FROM '{shop.raw}/orders.csv'").fetchall()  # noqa: S608
    assert found == {str(key): (city, courier) for key, city, courier in raw if str(key) in found}
    assert len({courier for _, courier in found.values()}) == 7  # six and none


def test_slices_change_no_feature_and_new_data_needs_none(make_shop: Any) -> None:
    duckdb = pytest.importorskip("duckdb")
    from processing.contract import Paths
    from processing.machine import Limits
    from processing.transform import run_transform

    plain, sliced = make_shop("plain"), make_shop("sliced")
    sliced.edit_recipe("      delay: number\n", "      delay: number\n      arrived: number\n      shift: integer\n")
    sliced.edit_recipe("features:\n", "evaluation: { slices: shift }\nfeatures:\n")
    sliced.write_orders(
        [f"{line},{number % 3}" for number, line in enumerate(sliced.orders())],
        header="id,placed,city,courier,weight,delay,arrived,shift",
    )
    rows = []
    for shop in (plain, sliced):
        shop.run()
        rows.append(
            duckdb.sql(f"SELECT COLUMNS(c -> c NOT LIKE 'slice.%') FROM '{shop.output('test')}/*.parquet'").fetchall()  # noqa: S608
        )
    assert rows[0] == rows[1]
    (sliced.root / "processing" / "input" / "features").mkdir()
    text = (sliced.output("features") / "features.json").read_text()
    (sliced.root / "processing" / "input" / "features" / "features.json").write_text(text)
    sliced.write_orders(plain.orders())  # without the column 'shift'
    run_transform(Paths(sliced.root), Limits("512MB", 1))
    assert "slice.shift" not in [name for name, _ in columns(sliced, "transformed")]
