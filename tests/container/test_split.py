"""The ways to split: laws of membership, the same whatever the rows' order, the files or who computes it."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing.errors import DataError, RecipeError
from processing.recipe.model import ColumnSplit, HashSplit, TimeSplit
from processing.recipe.reader import read_recipe
from processing.sql.dialect import DuckDB
from processing.sql.split import Cuts, is_static, split_of, split_sql, thresholds

SPLITS = ("train", "validation", "test")
SHARES = "train: 0.6, validation: 0.2, test: 0.2"
OLD = "split: { train: 0.6, validation: 0.2, test: 0.2 }"


def refused(text: str) -> str:
    with pytest.raises(RecipeError) as caught:
        read_recipe(text, "shop.yaml")
    return str(caught.value)


# The rule in numbers that no change may move: rows would wander from training to test.
PINNED = {"1": "validation", "2": "train", "3": "train", "4": "test", "a\x1fb": "test", "ü": "train"}


def test_keys_stay_in_their_split_from_release_to_release() -> None:
    split = HashSplit(0.6, 0.2, 0.2, "s", ())
    assert {key: split_of(key, split) for key in PINNED} == PINNED
    assert thresholds(split) == ("9999999a", "cccccccd")


@given(st.text(max_size=20), st.text(max_size=5))
def test_a_salt_is_another_key(key: str, salt: str) -> None:
    assert split_of(key, HashSplit(0.5, 0.25, 0.25, salt, ())) in SPLITS


GOOD = [
    (f"split: {{ time: placed, {SHARES} }}", TimeSplit, False),
    ("split: { time: placed, validation_from: 2024-06-01, test_from: 2024-09-01 12:00:00 }", TimeSplit, True),
    ("split: { column: courier, train: [a, b], validation: c, test: [d, e, f] }", ColumnSplit, True),
    (f"split: {{ {SHARES}, stratify: true }}", HashSplit, False),
    (f"split: {{ {SHARES}, salt: 5 }}", HashSplit, True),
]  # fmt: skip


@pytest.mark.parametrize(("new", "kind", "static"), GOOD)
def test_every_way_is_read(recipe_text: str, new: str, kind: type, static: bool) -> None:
    split = read_recipe(recipe_text.replace(OLD, new), "shop.yaml").split
    assert type(split) is kind
    assert is_static(split) is static


BAD = [
    ("split: { time: placed }", "needs the three fractions, or 'validation_from' and 'test_from'\n  fix: add 'train"),
    (f"split: {{ time: placed, {SHARES}, test_from: 2024-01-01 }}", "needs the three fractions, or"),
    ("split: { time: placed, train: 0.6, validation: 0.2, test: 0.3 }", "the fractions add up to 1.1, not to 1"),
    (f"split: {{ time: weight, {SHARES} }}", "'weight' is declared number; this needs integer or date or timestamp"),
    (f"split: {{ time: [id, placed], {SHARES} }}", "'time' is one column, or year, month and day\n  fix: write"),
    (f"split: {{ time: [id, id, placed], {SHARES} }}", "year, month and day are declared integer"),
    ("split: { time: placed, validation_from: 2024-09-01, test_from: 2024-06-01 }", "let 'validation_from' be before"),
    ("split: { time: placed, validation_from: June, test_from: 2024-06-01 }", "'June' is no timestamp such as '2013-"),
    ("split: { time: id, validation_from: 1.5, test_from: 7 }", "'1.5' is no integer such as '2013'"),
    ("split: { column: weight }", "'weight' is declared number; this needs string or integer"),
    ("split: { column: courier, train: a, test: a }", "'a' is named for two splits\n  fix: name each value once"),
    ("split: { column: courer }", "no column 'courer' is declared\n  fix: did you mean 'courier'?"),
    (f"split: {{ {SHARES}, stratify: yes }}", "'stratify' is true or false\n  fix: write 'stratify: true'"),
    (f"split: {{ {SHARES}, stratify: true, by: id }}", "rows that stay together cannot be parted by class"),
    (f"split: {{ {SHARES}, stratfy: true }}", "shop.yaml:24:50: 'split' has no key 'stratfy'\n  fix: did you mean"),
    (f"split: {{ time: arrived, {SHARES} }}", "no column 'arrived' is declared"),
]  # fmt: skip


@pytest.mark.parametrize(("new", "message"), BAD)
def test_a_mistake_is_told_with_place_and_fix(recipe_text: str, new: str, message: str) -> None:
    told = refused(recipe_text.replace(OLD, new))
    assert message in told
    assert told.startswith("shop.yaml:24:")
    assert "\n  fix: " in told


@pytest.mark.parametrize("new", [f"split: {{ time: placed, {SHARES} }}", "split: { column: courier }"])
def test_a_split_by_what_is_known_afterwards_is_refused(recipe_text: str, new: str) -> None:
    text = recipe_text.replace(OLD, new)
    column = "placed" if "placed" in new else "courier"
    told = refused(text.replace("known_after: [delay, arrived]", f"known_after: [delay, arrived, {column}]"))
    assert f"the split depends on 'orders.{column}', known only after the target\n  fix: split by another" in told


def test_a_number_cannot_be_stratified(recipe_text: str) -> None:
    text = recipe_text.replace(OLD, f"split: {{ {SHARES}, stratify: true }}").replace("delay > 10", "delay")
    assert "a number has no classes to stratify by\n  fix: remove 'stratify'" in refused(text)


def test_cuts_that_nobody_looked_up_are_our_mistake() -> None:
    with pytest.raises(ValueError, match="needs its cuts"):
        split_sql("h", HashSplit(0.6, 0.2, 0.2, "", (), stratify=True), DuckDB(), Cuts())
    with pytest.raises(ValueError, match="needs its cuts"):
        split_sql("h", TimeSplit((), None, (0.6, 0.2, 0.2), "", ()), DuckDB())


# From here on with DuckDB.


def run(shop: Any, split: str) -> dict[str, dict[str, str]]:
    """Run the step; each split's keys, with the row's time."""
    duckdb = pytest.importorskip("duckdb")
    shop.edit_recipe(OLD, split)
    shop.run()
    times = {line.split(",")[0]: line.split(",")[1] for line in shop.orders()}
    found = {}
    for name in SPLITS:
        rows = duckdb.sql(f"SELECT key FROM '{shop.output(name)}/*.parquet'").fetchall()  # noqa: S608
        found[name] = {key: times[key] for (key,) in rows}
    return found


def quality(shop: Any) -> dict[str, Any]:
    return json.loads((shop.output("features") / "quality.json").read_text())


def shuffled(shop: Any) -> Any:
    """The same rows in two files, in another order."""
    orders = sorted(shop.orders(), key=lambda line: line[::-1])
    shop.write_orders(orders[500:])
    shop.write_orders(orders[:500], "orders-2.csv")
    return shop


def joined(shop: Any) -> None:
    """All rows in orders.csv again, for `run` to read them back."""
    lines = [*shop.orders(), *(shop.raw / "orders-2.csv").read_text().splitlines()[1:]]
    (shop.raw / "orders-2.csv").unlink()
    shop.write_orders(lines)


WAYS = [
    f"split: {{ {SHARES} }}",
    f"split: {{ {SHARES}, stratify: true }}",
    f"split: {{ time: placed, {SHARES} }}",
    "split: { time: placed, validation_from: 2024-06-01, test_from: 2024-09-01 }",
]  # fmt: skip


@pytest.mark.parametrize("way", WAYS)
def test_membership_depends_on_neither_order_nor_files_nor_threads(make_shop: Callable[[str], Any], way: str) -> None:
    pytest.importorskip("duckdb")
    one, two = make_shop("one"), shuffled(make_shop("two"))
    first = run(one, way)
    two.edit_recipe(OLD, way)
    two.run(threads=4)
    for name in ("features.json", "quality.json"):
        texts = [(shop.output("features") / name).read_text() for shop in (one, two)]
        assert texts[0].replace('"files": 1,', '"files": 2,') == texts[1].replace('"files": 1,', '"files": 2,')
    joined(two)
    two.edit_recipe(way, OLD)
    assert run(two, way) == first


def test_no_training_row_is_as_late_as_any_validation_row(shop: Any) -> None:
    found = run(shop, f"split: {{ time: placed, {SHARES} }}")
    assert max(found["train"].values()) < min(found["validation"].values())
    assert max(found["validation"].values()) < min(found["test"].values())
    times = {time for rows in found.values() for time in rows.values()}
    every = {line.split(",")[1] for line in shop.orders()}
    before = {time for time in every if time < min(found["validation"].values())}
    assert len(before) == round(0.6 * len(every))
    assert times <= every
    assert quality(shop)["split_times"]["validation_from"] == min(every - before).replace("T", " ").rstrip("Z")


def test_given_times_are_the_first_of_their_split(shop: Any) -> None:
    found = run(shop, "split: { time: placed, validation_from: 2024-06-01, test_from: 2024-09-01 }")
    assert max(found["train"].values()) < "2024-06-01" <= min(found["validation"].values())
    assert max(found["validation"].values()) < "2024-09-01" <= min(found["test"].values())


def test_year_month_and_day_make_a_time(shop: Any) -> None:
    shop.edit_recipe("delay: number", "delay: number\n      y: integer\n      m: integer\n      d: integer")
    rows = [f"{line},2024,{1 + number % 12},{1 + number % 28}" for number, line in enumerate(shop.orders())]
    shop.write_orders(rows, header="id,placed,city,courier,weight,delay,arrived,y,m,d")
    found = run(shop, "split: { time: [y, m, d], validation_from: 2024-09-10, test_from: 2024-10-02 }")
    day = {line.split(",")[0]: tuple(map(int, line.split(",")[-3:])) for line in shop.orders()}
    assert all(day[key] < (2024, 9, 10) for key in found["train"])
    assert all((2024, 9, 10) <= day[key] < (2024, 10, 2) for key in found["validation"])
    assert all(day[key] >= (2024, 10, 2) for key in found["test"])


def test_stratified_fractions_hold_within_each_class_to_a_row(shop: Any) -> None:
    run(shop, "split: { train: 0.5, validation: 0.25, test: 0.25, stratify: true }")
    splits = quality(shop)["splits"]
    positives = [splits[name]["positives"] for name in SPLITS]
    negatives = [splits[name]["rows"] - splits[name]["positives"] for name in SPLITS]
    for counts in (positives, negatives):
        total = sum(counts)
        assert [abs(count - share * total) <= 1 for count, share in zip(counts, (0.5, 0.25, 0.25), strict=True)]
        assert abs(counts[0] - total / 2) <= 0.5


def test_stratified_classes_reach_every_split(shop: Any) -> None:
    shop.edit_recipe("target: delay > 10", "target: courier")
    shop.edit_recipe("  courier_share: { transform: frequency, column: courier }\n", "")
    shop.edit_recipe("  courier_rate: { transform: target_encoding, column: courier, smoothing: 5, folds: 4 }\n", "")
    rare = [f"{9000 + number},2024-01-01,Bonn,rare,1,5,1" for number in range(5)]
    shop.write_orders([*shop.orders(), *rare])
    run(shop, f"split: {{ {SHARES}, stratify: true }}")
    counts = [quality(shop)["splits"][name]["classes"]["rare"] for name in SPLITS]
    assert counts == [3, 1, 1]


def test_a_column_tells_the_split(shop: Any) -> None:
    lines = [line for line in shop.orders() if line.split(",")[-4] != "NA"]
    shop.write_orders(lines)
    found = run(shop, "split: { column: courier, train: [a, b, c], validation: [d, e], test: f }")
    couriers = {line.split(",")[0]: line.split(",")[-4] for line in lines}
    assert {couriers[key] for key in found["train"]} == set("abc")
    assert {couriers[key] for key in found["validation"]} == set("de")
    assert {couriers[key] for key in found["test"]} == {"f"}


UNPLACED = [
    ("split: { column: courier, train: [a, b, c, d], validation: e, test: g }", "row(s) belong to no split: "
     "'orders.courier' holds 'f'\n  fix: name it under 'train', 'validation' or 'test' of 'split'"),
    (f"split: {{ time: placed, {SHARES} }}", "1 row(s) belong to no split: 'orders.placed' holds null\n  fix: fill or"),
    ("split: { time: placed, validation_from: 2024-06-01, test_from: 2024-09-01 }", "1 row(s) belong to no split"),
    ("split: { time: placed, validation_from: 2030-06-01, test_from: 2031-09-01 }", "belong to no split"),
]  # fmt: skip


@pytest.mark.parametrize(("way", "message"), UNPLACED)
def test_a_row_without_a_split_is_refused(shop: Any, way: str, message: str) -> None:
    shop.write_orders([*shop.orders(), "9001,,Bonn,f,1,5,1"])
    with pytest.raises(DataError) as caught:
        run(shop, way)
    assert message in str(caught.value)


def test_too_few_times_are_refused(shop: Any) -> None:
    shop.write_orders([f"{number},2024-01-0{1 + number % 2},Bonn,a,1,{number % 21},1" for number in range(100)])
    with pytest.raises(DataError) as caught:
        run(shop, f"split: {{ time: placed, {SHARES} }}")
    assert "needs three distinct times at least; 'orders.placed' has 2\n  fix: split by another" in str(caught.value)


def test_a_split_that_no_time_reaches_is_empty(shop: Any) -> None:
    with pytest.raises(DataError, match="the validation split is empty"):
        run(shop, "split: { time: placed, validation_from: 2030-06-01, test_from: 2031-09-01 }")
