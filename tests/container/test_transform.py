"""Transform: new data gets the features that fitting would have given; unseen values by rule; shares of instances."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

duckdb = pytest.importorskip("duckdb")

from processing.contract import Paths  # noqa: E402
from processing.errors import ContainerError  # noqa: E402
from processing.machine import Limits  # noqa: E402
from processing.transform import run_transform  # noqa: E402


def rows_of(shop: Any, output: str, columns: str = "*") -> list[tuple[Any, ...]]:
    return duckdb.sql(f"SELECT {columns} FROM '{shop.output(output)}/*.parquet' ORDER BY key").fetchall()  # noqa: S608


def fitted(shop: Any) -> Any:
    """The features step has run, and its features.json is an input."""
    shop.run()
    given_ = shop.root / "processing" / "input" / "features"
    shutil.copytree(shop.output("features"), given_, dirs_exist_ok=True)
    return shop


def transform(shop: Any, root: Path | None = None) -> None:
    run_transform(Paths(root or shop.root), Limits("512MB", 2))


def test_rows_outside_training_get_exactly_the_features_that_fitting_wrote(shop: Any) -> None:
    fitted(shop)
    # delay and arrived are the last two fields; a comma stands in one city, so count from the end.
    lines = [line.rsplit(",", 2)[0] for line in shop.orders()]
    shop.write_orders(lines, header="id,placed,city,courier,weight")
    transform(shop)
    found = {row[0]: row[1:] for row in rows_of(shop, "transformed")}
    assert len(found) == 800
    for split in ("validation", "test"):
        for key, *features in rows_of(shop, split, "* EXCLUDE (target)"):
            assert found[key] == tuple(features)


@settings(
    max_examples=8, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)
@given(
    data=st.lists(
        st.tuples(
            st.sampled_from(["a", "b", "zz", "NA", "é'\\"]),
            st.one_of(st.just("NA"), st.floats(-1e30, 1e30).map(repr), st.just("inf")),
        ),
        min_size=1,
        max_size=20,
    )
)
def test_a_row_s_features_depend_on_the_row_alone(shop: Any, data: list[tuple[str, str]]) -> None:
    """Together or one by one, in any order: the same features. The counterpart of fitting on many rows."""
    if not shop.output("features").exists():  # the first example
        fitted(shop)
    header = "id,placed,city,courier,weight"
    lines = [f"{number},2024-01-01,Bonn,{courier},{weight}" for number, (courier, weight) in enumerate(data)]
    shop.write_orders(lines, header=header)
    transform(shop)
    together = rows_of(shop, "transformed")
    shutil.rmtree(shop.output("transformed"))
    shop.write_orders(lines[::-1][: len(lines) // 2 + 1], header=header)
    transform(shop)
    assert set(rows_of(shop, "transformed")) <= set(together)


def test_what_training_did_not_see_is_treated_by_rule_and_counted(shop: Any) -> None:
    fitted(shop)
    lines = ["9001,2024-01-01,Atlantis,zz,NA", "9001,2024-01-01,Bonn,a,1e30"]
    shop.write_orders(lines, header="id,placed,city,courier,weight")
    transform(shop)
    columns = 'key, "city=(other)", courier_share, raw_weight, weight_missing'
    assert sorted(rows_of(shop, "transformed", columns)) == [
        ("9001", 0.0, pytest.approx(rows_share(shop, "a")), pytest.approx(1e30), 0.0),
        ("9001", 1.0, 0.0, None, 1.0),
    ]
    told = json.loads((shop.output("quality") / "quality.json").read_text())
    assert told["rows_read"] == 2
    assert told["columns"]["orders.weight"] == {"nulls": 1, "not_finite": 0}
    assert told["features"]["courier_share"] == {"unseen": {"new": 1}}
    assert "orders.delay" not in told["columns"]


def rows_share(shop: Any, courier: str) -> float:
    statistics = json.loads((shop.output("features") / "features.json").read_text())["statistics"]["courier_share"]
    return dict(map(tuple, statistics["counts"]))[courier] / statistics["rows"]


def test_a_missing_features_json_and_a_missing_column_are_told(shop: Any) -> None:
    with pytest.raises(ContainerError, match=r"no features\.json can be read.*\n  fix: give the input 'features'"):
        transform(shop)
    fitted(shop)
    shop.write_orders(["1,2024-01-01,Bonn,a"], header="id,placed,city,courier")
    with pytest.raises(ContainerError, match=r"'weight' is not a column of orders\.csv"):
        transform(shop)


def configure(root: Path, current: str, count: int, sharded: str | None = None) -> None:
    config = root / "config"
    config.mkdir(exist_ok=True)
    hosts = [f"algo-{number}" for number in range(1, count + 1)]
    (config / "resourceconfig.json").write_text(json.dumps({"current_host": current, "hosts": hosts}))
    ways = {name: "ShardedByS3Key" if name == sharded else "FullyReplicated" for name in ("raw", "cities", "features")}
    inputs = [{"InputName": name, "S3Input": {"S3DataDistributionType": way}} for name, way in ways.items()]
    (config / "processingjobconfig.json").write_text(json.dumps({"ProcessingInputs": inputs}))


def test_instances_share_replicated_files_and_together_give_all_rows(shop: Any) -> None:
    fitted(shop)
    orders = shop.orders()
    (shop.raw / "orders.csv").unlink()
    for part in range(5):
        shop.write_orders(orders[part::5], f"orders-{part}.csv")
    transform(shop)
    wanted = rows_of(shop, "transformed")
    shutil.rmtree(shop.output("transformed"))
    for host in ("algo-1", "algo-2", "algo-3"):
        configure(shop.root, host, 3)
        transform(shop)
    assert rows_of(shop, "transformed") == wanted
    names = [path.name for path in sorted(shop.output("transformed").iterdir())]
    assert names == [f"part-00{host}-00000.parquet" for host in range(3)]


def test_an_instance_takes_all_files_of_a_shared_out_input_and_may_have_none(shop: Any) -> None:
    shop.edit_recipe("    input: raw\n    files: cities.csv", "    input: cities\n    files: cities.csv")
    cities = shop.root / "processing" / "input" / "cities"
    cities.mkdir()
    (shop.raw / "cities.csv").rename(cities / "cities.csv")
    fitted(shop)
    configure(shop.root, "algo-2", 2, sharded="raw")
    transform(shop)
    assert len(rows_of(shop, "transformed")) == 800
    shutil.rmtree(shop.output("transformed"))
    (shop.raw / "orders.csv").unlink()
    transform(shop)
    assert not shop.output("transformed").exists()


@pytest.mark.parametrize("sharded", ["cities", "features"])
def test_what_every_instance_needs_whole_may_not_be_shared_out(shop: Any, sharded: str) -> None:
    shop.edit_recipe("    input: raw\n    files: cities.csv", "    input: cities\n    files: cities.csv")
    cities = shop.root / "processing" / "input" / "cities"
    cities.mkdir()
    (shop.raw / "cities.csv").rename(cities / "cities.csv")
    fitted(shop)
    configure(shop.root, "algo-1", 2, sharded=sharded)
    with pytest.raises(ContainerError) as caught:
        transform(shop)
    assert f"'{sharded}' is ShardedByS3Key, but every instance needs the whole" in str(caught.value)
    assert "fix: set s3_data_distribution_type to FullyReplicated" in str(caught.value)


def test_fitting_on_several_instances_is_refused(shop: Any) -> None:
    configure(shop.root, "algo-1", 2)
    with pytest.raises(ContainerError) as caught:
        shop.run()
    assert "the job has 2 instances, but 'features' fits on one" in str(caught.value)
    assert "fix: set instance_count to 1, or run spark_features.py by a PySparkProcessor" in str(caught.value)
