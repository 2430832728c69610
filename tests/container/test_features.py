"""The feature step on a small table: laws of split and fit, exact statistics, determinism, and bad input."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

duckdb = pytest.importorskip("duckdb")

from processing.engine import Engine, Limits  # noqa: E402
from processing.errors import ContainerError, SettingError  # noqa: E402
from processing.fitting import TrainingSplit, ask_all  # noqa: E402
from processing.sql.split import split_of  # noqa: E402

SPLITS = ("train", "validation", "test")


def rows_of(shop: Any, split: str, columns: str = "*") -> list[tuple[Any, ...]]:
    """A split's rows, in the file's order."""
    return duckdb.sql(f"SELECT {columns} FROM '{shop.output(split)}/*.parquet'").fetchall()  # noqa: S608


def features_json(shop: Any) -> dict[str, Any]:
    return json.loads((shop.output("features") / "features.json").read_text())


def quality(shop: Any) -> dict[str, Any]:
    return json.loads((shop.output("features") / "quality.json").read_text())


def everything(shop: Any) -> tuple[Any, ...]:
    files = [(shop.output("features") / name).read_bytes() for name in ("features.json", "quality.json")]
    return (*files, *(rows_of(shop, split) for split in SPLITS))


def test_columns_are_those_of_features_json_and_no_scratch_stays(shop: Any) -> None:
    shop.run()
    listed = [column["name"] for column in features_json(shop)["columns"]]
    for split in SPLITS:
        held = duckdb.sql(f"DESCRIBE SELECT * FROM '{shop.output(split)}/*.parquet'").fetchall()  # noqa: S608
        assert [row[0] for row in held] == listed
        assert {row[1] for row in held[2:]} == {"FLOAT"}
    assert [path.name for path in shop.root.iterdir()] == ["processing"]


def test_two_runs_are_equal_whatever_the_threads_and_the_order_of_rows(make_shop: Callable[[str], Any]) -> None:
    one, two = make_shop("one"), make_shop("two")
    orders = two.orders()
    orders.sort(key=lambda line: line[::-1])
    two.write_orders(orders)
    one.run(threads=1)
    two.run(threads=4)
    assert everything(one) == everything(two)


def test_the_split_depends_on_the_key_alone_however_many_files(make_shop: Callable[[str], Any]) -> None:
    one, two = make_shop("one"), make_shop("two")
    orders = two.orders()
    two.write_orders(orders[600:], "orders.csv")
    two.write_orders(orders[:600], "orders-0.csv")
    one.run()
    two.run()
    assert [rows_of(one, split) for split in SPLITS] == [rows_of(two, split) for split in SPLITS]
    smaller = make_shop("three")
    smaller.write_orders(orders[:400])
    smaller.run()
    for split in SPLITS:
        assert {key for (key,) in rows_of(smaller, split, "key")} <= {key for (key,) in rows_of(one, split, "key")}


def test_python_and_sql_split_alike(shop: Any) -> None:
    from processing.recipe.reader import load_recipe

    shop.run()
    split = load_recipe(shop.recipe).split
    for name in SPLITS:
        assert {split_of(key, split) for (key,) in rows_of(shop, name, "key")} == {name}


def test_a_group_of_keys_stays_in_one_split(shop: Any) -> None:
    shop.edit_recipe("key: [id]", "key: [id, city]")
    shop.edit_recipe("test: 0.2 }", "test: 0.2, by: [city], salt: s1 }")
    shop.write_orders([f"{number},2024-01-01,c{number % 40},a,1,{number % 21},1" for number in range(800)])
    (shop.raw / "cities.csv").write_text("city,distance\n" + "".join(f"c{number},1\n" for number in range(40)))
    shop.run()
    groups = [{key.split("\x1f")[1] for (key,) in rows_of(shop, split, "key")} for split in SPLITS]
    assert all(groups)
    assert sum(map(len, groups)) == 40


def test_planted_values_outside_training_change_no_statistic(make_shop: Callable[[str], Any]) -> None:
    one, two = make_shop("one"), make_shop("two")
    one.run()
    outside = {key for split in ("validation", "test") for (key,) in rows_of(one, split, "key")}
    # The join too: a city that only these rows have.
    planted = [
        f"{line.split(',')[0]},2030-01-01T00:00:00Z,Nowhere,zz,1e6,{line.split(',')[-2]},1"
        if line.split(",")[0] in outside
        else line
        for line in two.orders()
    ]
    two.write_orders(planted)
    two.run()
    path = ("features", "features.json")
    assert (one.output(path[0]) / path[1]).read_bytes() == (two.output(path[0]) / path[1]).read_bytes()
    assert rows_of(one, "train") == rows_of(two, "train")
    assert rows_of(one, "test") != rows_of(two, "test")


def test_a_training_row_s_own_label_does_not_reach_its_own_features(make_shop: Callable[[str], Any]) -> None:
    one, two = make_shop("one"), make_shop("two")
    one.run()
    key, target, before = rows_of(one, "train", "key, target, courier_rate")[0]
    flipped = []
    for line in two.orders():
        fields = line.split(",")
        if fields[0] == key:
            fields[-2] = "0" if target else "99"
        flipped.append(",".join(fields))
    two.write_orders(flipped)
    two.run()
    after = {row[0]: row[1:] for row in rows_of(two, "train", "key, target, courier_rate")}
    assert after[key] == (1 - target, before)
    others = {row[0]: row[1] for row in rows_of(one, "train", "key, courier_rate")}
    assert any(others[other] != value[1] for other, value in after.items())


def test_statistics_are_those_of_numpy_on_the_training_rows(shop: Any) -> None:
    shop.run()
    fitted = features_json(shop)["statistics"]["weight"]
    raw = np.array([row[0] for row in rows_of(shop, "train", "raw_weight") if row[0] is not None], dtype=np.float64)
    low, high = np.quantile(raw, [0.01, 0.99])
    assert fitted["clip"] == pytest.approx([low, high], rel=1e-6)
    clipped = np.clip(raw, low, high)
    assert fitted["impute"] == pytest.approx(np.median(clipped), rel=1e-6)
    missing = sum(row[0] for row in rows_of(shop, "train", "weight_missing"))
    filled = np.concatenate([clipped, np.full(int(missing), np.median(clipped))])
    assert (fitted["mean"], fitted["deviation"]) == pytest.approx((filled.mean(), filled.std()), rel=1e-6)
    scaled = np.array(rows_of(shop, "train", "weight"), dtype=np.float64)
    assert (scaled.mean(), scaled.std()) == pytest.approx((0, 1), abs=1e-5)


@pytest.mark.parametrize("scale", [1e-30, 1.0, 1e30])
@pytest.mark.parametrize("long", [10, 10_000])
def test_moments_and_quantiles_are_exact_in_any_order(tmp_path: Any, scale: float, long: int) -> None:
    draw = np.random.default_rng(1)
    values = draw.lognormal(0, 5, 5000) * scale
    found = set()
    for order in (values, values[::-1], draw.permutation(values)):
        engine = Engine(tmp_path, Limits(threads=2))
        engine.run(
            "CREATE TABLE t AS SELECT 'train' AS _split, unnest(["
            + ",".join(map(repr, order.tolist()))
            + "]::DOUBLE[]) AS x"
        )
        split = TrainingSplit(engine, "t", long=long)
        asked = ask_all(split, lambda fitter: (fitter.moments("x"), fitter.quantiles("x", [0, 0.123, 1])))
        found.add(asked)
    ((moments, quantiles),) = found
    assert moments.mean == pytest.approx(math.fsum(values) / 5000, rel=1e-15)
    assert moments.deviation == pytest.approx(values.std(), rel=1e-12)
    assert quantiles == pytest.approx(np.quantile(values, [0, 0.123, 1]), rel=1e-14)


def test_dates_and_one_hot_hold_what_the_file_says(shop: Any) -> None:
    line = '9001,2024-12-29T23:30:00Z,"O\'Hare, ""x""",a,1,50,1'
    shop.write_orders([*shop.orders(), line])
    shop.run()
    names = "placed_month, placed_weekday, placed_hour, target, distance, "
    names += '"city=O\'Hare, ""x""", "city=Bonn", "city=(other)"'
    found = [row for split in SPLITS for row in rows_of(shop, split, f"key, {names}") if row[0] == "9001"]
    assert found == [("9001", 12.0, 7.0, 23.0, 1, 7.5, 1.0, 0.0, 0.0)]


def test_what_does_not_reach_the_features_is_counted(shop: Any) -> None:
    shop.write_orders([*shop.orders(), "9001,2024-01-01,Bonn,a,inf,20,1", "9002,2024-01-01,Bonn,a,nan,NA,1"])
    shop.write_orders([], "orders-empty.csv")
    shop.run()
    told = quality(shop)
    nulls = sum(line.split(",")[-2] == "NA" for line in shop.orders())
    assert told["rows_read"] == 802
    assert told["rows_dropped_for_null_target"] == nulls
    assert sum(split["rows"] for split in told["splits"].values()) == 802 - nulls
    assert told["columns"]["orders.weight"]["not_finite"] == 2
    assert told["joins"]["cities"]["rows_without_match"] == sum("Ulm" in line for line in shop.orders())
    assert told["sources"]["orders"] == {"files": 2, "header_only_files": 1, "columns_not_read": ["arrived"]}


def orders(*lines: str, header: str | None = None) -> Callable[[Any], None]:
    def change(shop: Any) -> None:
        shop.write_orders([*shop.orders(), *lines], **({"header": header} if header else {}))

    return change


def cities(text: str) -> Callable[[Any], None]:
    return lambda shop: (shop.raw / "cities.csv").write_text(text)


def recipe(old: str, new: str) -> Callable[[Any], None]:
    return lambda shop: shop.edit_recipe(old, new)


BAD_INPUT = [
    (
        lambda shop: shop.recipe.unlink(),
        "exactly one recipe (*.yaml); found none\n  fix: give the input 'recipe' one file",
    ),
    (
        lambda shop: (shop.raw / "orders.csv").unlink(),
        "no file matches 'orders*.csv' for source 'orders'; the folder holds: cities.csv\n  fix: mend the input",
    ),
    (
        lambda shop: (shop.raw / "orders.csv").write_text(""),
        "orders.csv:1: the file is empty: not even a header\n  fix: remove the file",
    ),
    (lambda shop: shop.write_orders([]), "source 'orders' has no rows: 1 file(s) hold a header only"),
    (lambda shop: (shop.raw / "orders.csv").write_bytes(b"id\xff\n1\n"), "orders.csv:1: the file cannot be read"),
    (
        orders(header="id,placed,city,courier,wieght,delay,arrived"),
        "shop.yaml:11:15: 'weight' is not a column of orders.csv\n  fix: did you mean 'wieght'?",
    ),
    (orders(header="id,placed,city,courier,weight,delay,ID"), "orders.csv:1: column 'ID' stands twice in the header"),
    (
        recipe("[delay, arrived]", "[delay, arived]"),
        "shop.yaml:23:14: known_after names 'arived', which no file has\n  fix: did you mean 'arrived'?",
    ),
    (
        orders("9001,2024-01-01,Bonn,a,heavy,3,1"),
        'orders.csv:802: column \'weight\': Error when converting column "weight". Could not convert string "heavy"',
    ),
    (orders("9001,2024-01-01,Bonn,a"), "orders.csv:802: column 'weight': Expected Number of Columns: 7 Found: 4"),
    (
        orders("2.7,2024-01-01,Bonn,a,1,3,1"),
        "orders.csv:802: column 'id': '2.7' is not a whole number in plain digits\n  fix: mend the file; or",
    ),
    (orders("007,2024-01-01,Bonn,a,1,3,1"), "orders.csv:802: column 'id': '007' is not a whole number"),
    (
        orders("9001,2024-01-01T00:00:00+02:00,Bonn,a,1,3,1"),
        "orders.csv:802: column 'placed': '2024-01-01T00:00:00+02:00' is not a timestamp",
    ),
    (orders("9001,2024-02-30,Bonn,a,1,3,1"), "orders.csv:802: column 'placed': '2024-02-30' is not a timestamp"),
    (orders("NA,2024-01-01,Bonn,a,1,3,1"), "1 row(s) have a null in the key (id: 1)\n  fix: fill or remove them"),
    (
        orders("5,2024-01-01,Bonn,a,1,3,1"),
        "1 row(s) repeat the key of another, for example id=5\n  fix: remove the repeated rows, or add a column",
    ),
    (
        cities("city,distance\nBonn,1\nBonn,2\n"),
        "source 'cities': 2 rows have city=Bonn: the join would multiply rows\n  fix: add columns to 'on'",
    ),
    (cities("city,distance\nBonn,far\n"), "cities.csv:2: column 'distance'"),
    (recipe("delay > 10", "delay > 9999"), "the train split has one class only: the target holds for none"),
    (lambda shop: shop.write_orders(shop.orders()[:2]), "split is empty"),
    (
        cities("city,distance\nBonn,\n"),
        "feature 'distance': 'cities.distance' has no value in the training split\n  fix: fill it with 'impute",
    ),
]


@pytest.mark.parametrize(("change", "message"), BAD_INPUT)
def test_bad_input_is_refused_with_place_and_fix(shop: Any, change: Callable[[Any], None], message: str) -> None:
    change(shop)
    with pytest.raises(ContainerError) as caught:
        shop.run()
    assert message in str(caught.value)
    assert not (shop.output("features") / "features.json").exists()


@pytest.mark.parametrize("apart", [1, 10**6, 2**53])
def test_keys_that_lie_close_or_far_apart_or_below_zero_may_not_repeat(shop: Any, apart: int) -> None:
    rows = [row.partition(",") for row in shop.orders()]
    far = [f"{(int(key) - 400) * apart},{rest}" for key, _, rest in rows]
    shop.write_orders(far)
    shop.run()
    assert len({key for split in ("train", "validation", "test") for (key,) in rows_of(shop, split, "key")}) > 700
    shop.write_orders([*far, far[9], far[9]])
    with pytest.raises(
        ContainerError, match=rf"2 row\(s\) repeat the key of another, for example id=-?{390 * apart}\n"
    ):
        shop.run()


def test_gzip_crlf_other_column_order_and_a_byte_order_mark_are_read_alike(make_shop: Callable[[str], Any]) -> None:
    import csv
    import gzip
    import io

    one, two = make_shop("one"), make_shop("two")
    table = list(csv.reader(io.StringIO((two.raw / "orders.csv").read_text())))
    out = io.StringIO()
    csv.writer(out, lineterminator="\r\n").writerows([row[::-1] for row in table])
    (two.raw / "orders.csv").unlink()
    (two.raw / "orders-[1].csv.gz").write_bytes(gzip.compress(("\ufeff" + out.getvalue()).encode()))
    two.edit_recipe("files: orders*.csv", "files: orders*.csv.gz")
    one.run()
    two.run()
    assert [rows_of(one, split) for split in SPLITS] == [rows_of(two, split) for split in SPLITS]


def test_a_limit_that_is_no_size_is_refused() -> None:
    with pytest.raises(SettingError, match=r"'lots' is no size\n  fix: write '--memory-limit 4GB'"):
        Limits("lots")
    with pytest.raises(SettingError, match="at least one thread"):
        Limits(threads=0)


@pytest.mark.parametrize("order", ["hash", "none"])
def test_every_file_of_a_split_carries_the_digest_of_features_json(shop: Any, order: str) -> None:
    shop.edit_recipe("features:\n", f"output: {{ order: {order} }}\nfeatures:\n")
    shop.run()
    digest = hashlib.sha256((shop.output("features") / "features.json").read_bytes()).hexdigest()
    for split in SPLITS:
        query = f"SELECT decode(key), decode(value) FROM parquet_kv_metadata('{shop.output(split)}/*.parquet')"  # noqa: S608
        assert ("features_sha256", digest) in duckdb.sql(query).fetchall()
        files = len(list(shop.output(split).glob("*.parquet")))
        assert len([key for key, _ in duckdb.sql(query).fetchall() if key == "features_sha256"]) == files
