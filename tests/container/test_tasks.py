"""The three tasks end to end: what the feature tables, features.json and quality.json hold, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

duckdb = pytest.importorskip("duckdb")

from processing.errors import ContainerError, DataError  # noqa: E402
from processing.fitted import read_fitted  # noqa: E402
from processing.recipe.reader import load_recipe  # noqa: E402
from processing.sql.split import split_of  # noqa: E402
from processing.task import Task  # noqa: E402

SPLITS = ("train", "validation", "test")
COURIERS = """  courier_share: { transform: frequency, column: courier }
  courier_rate: { transform: target_encoding, column: courier, smoothing: 5, folds: 4 }
"""


def rows_of(shop: Any, split: str, columns: str) -> list[tuple[Any, ...]]:
    return duckdb.sql(f"SELECT {columns} FROM '{shop.output(split)}/*.parquet'").fetchall()  # noqa: S608


def document(shop: Any, name: str) -> dict[str, Any]:
    return json.loads((shop.output("features") / name).read_text())


def delays(shop: Any) -> dict[str, str]:
    return {line.split(",")[0]: line.split(",")[-2] for line in shop.orders()}


def by_key(shop: Any, place: int) -> dict[str, str]:
    """A column of the orders, counted from the end, by id."""
    return {line.split(",")[0]: line.split(",")[place] for line in shop.orders()}


@pytest.fixture
def regression(shop: Any) -> Any:
    shop.edit_recipe("target: delay > 10", "target: delay")
    return shop


@pytest.fixture
def multiclass(shop: Any) -> Any:
    shop.edit_recipe("target: delay > 10", "target: courier")
    shop.edit_recipe(COURIERS, "  city_rate: { transform: target_encoding, column: city, smoothing: 5 }\n")
    return shop


def test_regression_learns_the_number_itself(regression: Any) -> None:
    regression.run()
    fitted = read_fitted((regression.output("features") / "features.json").read_text(), "features.json")
    assert (fitted.target.task, fitted.target.column) == (Task.REGRESSION, "orders.delay")
    written = delays(regression)
    for split in SPLITS:
        rows = rows_of(regression, split, "key, target")
        assert all(target == float(written[key]) for key, target in rows)
    held = document(regression, "features.json")
    assert held["target"] == {"task": "regression", "column": "orders.delay", "rule": "delay"}
    assert held["columns"][1] == {"name": "target", "type": "DOUBLE"}
    train = [target for (target,) in rows_of(regression, "train", "target")]
    told = document(regression, "quality.json")
    assert told["splits"]["train"] == {"rows": len(train), "minimum": min(train), "maximum": max(train)}
    assert told["rows_dropped_for_null_target"] == sum(delay == "NA" for delay in written.values())


def test_regression_encodes_a_category_by_its_mean_target(regression: Any) -> None:
    regression.run()
    couriers, written = by_key(regression, -4), delays(regression)
    train = [key for (key,) in rows_of(regression, "train", "key")]
    prior = sum(float(written[key]) for key in train) / len(train)
    own = [float(written[key]) for key in train if couriers[key] == "c"]
    wanted = (sum(own) + 5 * prior) / (len(own) + 5)
    found = {rate for key, rate in rows_of(regression, "test", "key, courier_rate") if couriers[key] == "c"}
    assert sorted(found) == pytest.approx([wanted], rel=1e-6)


def test_regression_sums_do_not_depend_on_the_order_of_rows(make_shop: Callable[[str], Any]) -> None:
    texts = set()
    for name in ("one", "two"):
        shop = make_shop(name)
        shop.edit_recipe("target: delay > 10", "target: delay")
        shop.write_orders(sorted(shop.orders(), key=lambda line: line[::-1]) if name == "two" else shop.orders())
        shop.run(threads=1 if name == "one" else 3)
        texts.add((shop.output("features") / "features.json").read_text())
    assert len(texts) == 1


def test_multiclass_learns_the_index_of_the_class(multiclass: Any) -> None:
    multiclass.run()
    held = document(multiclass, "features.json")
    classes = held["target"]["classes"]
    assert (held["target"]["task"], classes) == ("multiclass", list("abcdef"))
    couriers = by_key(multiclass, -4)
    for split in SPLITS:
        assert all(couriers[key] == classes[target] for key, target in rows_of(multiclass, split, "key, target"))
        targets = [target for (target,) in rows_of(multiclass, split, "target")]
        counts = document(multiclass, "quality.json")["splits"][split]["classes"]
        assert counts == {one: targets.count(place) for place, one in enumerate(classes)}
    names = [column["name"] for column in held["columns"]]
    assert [name for name in names if name.startswith("city_rate")] == [f"city_rate={one}" for one in classes]
    rates = rows_of(multiclass, "train", ", ".join(f'"city_rate={one}"' for one in classes))
    assert all(sum(row) == pytest.approx(1, abs=1e-5) for row in rates)


def test_declared_classes_keep_their_order(multiclass: Any) -> None:
    multiclass.edit_recipe("target: courier", "target: { column: courier, classes: [f, e, d, c, b, a] }")
    multiclass.run()
    assert document(multiclass, "features.json")["target"]["classes"] == list("fedcba")


def test_whole_numbers_are_classes_in_the_order_of_their_size(shop: Any) -> None:
    shop.edit_recipe("target: delay > 10", "target: grade\ntask: multiclass")
    shop.edit_recipe("delay: number", "delay: number\n      grade: integer")
    rows = [f"{line},{(2, 10, -1)[number % 3]}" for number, line in enumerate(shop.orders())]
    shop.write_orders(rows, header="id,placed,city,courier,weight,delay,arrived,grade")
    shop.run()
    assert document(shop, "features.json")["target"]["classes"] == ["-1", "2", "10"]


def with_new_class(shop: Any) -> str:
    """Give one row outside training a class of its own; its split."""
    split = load_recipe(shop.recipe).split
    lines = shop.orders()
    place = next(n for n, line in enumerate(lines) if split_of(line.split(",")[0], split) != "train")
    cells = lines[place].split(",")
    lines[place] = ",".join([*cells[:-4], "zz", *cells[-3:]])
    shop.write_orders(lines)
    return split_of(cells[0], split)


def test_a_class_that_training_lacks_is_refused(multiclass: Any) -> None:
    split = with_new_class(multiclass)
    with pytest.raises(DataError) as caught:
        multiclass.run()
    assert f"1 row(s) of the {split} split have class 'zz', which the training split does not have" in str(caught.value)
    assert "fix: give more rows, 'split: {…, stratify: true}', or 'target: {…, unseen: drop}'" in str(caught.value)


def test_a_class_that_training_lacks_is_dropped_and_counted_on_request(multiclass: Any) -> None:
    multiclass.run()
    before = document(multiclass, "quality.json")
    nulls = before["rows_dropped_for_null_target"]
    split = with_new_class(multiclass)
    multiclass.edit_recipe("target: courier", "target: { column: courier, unseen: drop }")
    multiclass.run()
    told = document(multiclass, "quality.json")
    assert told["rows_dropped_for_unseen_class"] == {"zz": 1}
    assert told["splits"][split]["rows"] in (before["splits"][split]["rows"] - 1, before["splits"][split]["rows"])
    kept = sum(one["rows"] for one in told["splits"].values())
    assert kept + 1 + told["rows_dropped_for_null_target"] == told["rows_read"]
    assert told["rows_dropped_for_null_target"] in (nulls, nulls - 1)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("target: courier", "target: { column: courier, classes: [a, b] }", "holds 'c', which is no class\n  fix: add"),
        (
            "target: courier",
            "target: { column: courier, classes: [a, b, c, d, e, f, g] }",
            "no row of class 'g'\n  fix: take 'g' out of 'classes'",
        ),
    ],
)
def test_declared_classes_are_those_of_training(multiclass: Any, old: str, new: str, message: str) -> None:
    multiclass.edit_recipe(old, new)
    with pytest.raises(DataError) as caught:
        multiclass.run()
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("target", "delay", "courier", "message"),
    [
        ("delay", "5", "a", "the train split has one number only: 5 is the target of its"),
        ("courier", "5", "a", "the train split has one class only: 'a' is the target of its"),
        ("delay > 10", "5", "a", "the train split has one class only: the target holds for none of its"),
        ("delay > 1", "5", "a", "the train split has one class only: the target holds for all of its"),
        ("delay", "NA", "a", "the train split is empty: 0 of"),
        ("delay", "inf", "a", "the train split is empty: 0 of"),
    ],
)
def test_a_target_that_teaches_nothing_is_refused(
    shop: Any, target: str, delay: str, courier: str, message: str
) -> None:
    shop.edit_recipe("target: delay > 10", f"target: {target}")
    shop.edit_recipe(COURIERS, "")
    shop.write_orders([f"{number},2024-01-01,Bonn,{courier},{number},{delay},1" for number in range(100)])
    with pytest.raises(ContainerError) as caught:
        shop.run()
    assert message in str(caught.value)
    assert "fix: " in str(caught.value)


def test_features_json_without_a_known_task_is_refused(shop: Any) -> None:
    from processing.errors import ModelError

    shop.run()
    held = document(shop, "features.json")
    held["target"]["task"] = "ranking"
    with pytest.raises(ModelError, match=r"not a features\.json: 'ranking' is not a valid Task"):
        read_fitted(json.dumps(held), "features.json")


def test_what_features_treat_in_their_own_way_is_counted(shop: Any) -> None:
    shop.edit_recipe("  raw_weight:", "  share: { transform: expression, formula: weight / (id - 7) }\n  raw_weight:")
    shop.edit_recipe(
        "  raw_weight:", "  same: { transform: expression, formula: id - id, scale: standard }\n  raw_weight:"
    )
    split = load_recipe(shop.recipe).split
    seven = split_of("7", split)
    outside = [number for number in range(9000, 9100) if split_of(str(number), split) == "validation"][:3]
    rows = [line for line in shop.orders() if not line.startswith("7,")]
    shop.write_orders(
        [*rows, "7,2024-01-01,Bonn,a,1,50,1", *(f"{number},2024-01-01,Aachen,new,1,50,1" for number in outside)]
    )
    shop.run()
    told = document(shop, "quality.json")["features"]
    assert told["share"] == {"undefined": {seven: 1}}
    assert told["same"]["remarks"] == ["'id - id' has no spread in the training split; it is not scaled"]
    assert told["courier_share"] == {"unseen": {"validation": 3}}
    assert told["courier_rate"] == {"unseen": {"validation": 3}}
    assert told["city"]["in_other"]["validation"] >= 3
