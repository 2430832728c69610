"""The same recipe on local Spark and on DuckDB: the same statistics, rows and refusals. Needs pyspark and Java.

.cache/spark/bin/python -m pytest tests/container/test_spark.py
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

duckdb = pytest.importorskip("duckdb")
pyspark = pytest.importorskip("pyspark", reason="pyspark is in .cache/spark alone (container/requirements-spark.txt)")
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    pytest.skip("Spark needs Java", allow_module_level=True)

from processing.contract import Paths  # noqa: E402
from processing.errors import ContainerError  # noqa: E402
from processing.spark.bundle import write_bundle  # noqa: E402
from processing.spark.engine import SETTINGS  # noqa: E402
from processing.spark.program import run  # noqa: E402

SPLITS = ("train", "validation", "test")
pytestmark = [pytest.mark.filterwarnings("ignore::ResourceWarning"), pytest.mark.xdist_group("spark")]


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master("local[2]").appName("tests")
    own = {
        "spark.ui.enabled": "false",
        "spark.sql.shuffle.partitions": "2",
        "spark.driver.memory": "1g",
        "spark.driver.host": "127.0.0.1",
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.ui.showConsoleProgress": "false",
        "spark.local.dir": str(tmp_path_factory.mktemp("spark")),
    }
    for name, value in {**SETTINGS, **own}.items():
        builder = builder.config(name, value)
    made = builder.getOrCreate()
    made.sparkContext.setLogLevel("OFF")
    yield made
    made.stop()


def result(shop: Any) -> tuple[Any, ...]:
    files = [json.loads((shop.output("features") / name).read_text()) for name in ("features.json", "quality.json")]
    rows = [
        sorted(duckdb.sql(f"SELECT * FROM '{shop.output(split)}/*.parquet'").fetchall())  # noqa: S608
        for split in SPLITS
    ]
    return (*files, *rows)


def assert_same(one: Any, two: Any, where: str = "") -> None:
    """Equal, numbers to 1e-9: a logarithm's last digit is the engine's own."""
    if isinstance(one, float) and isinstance(two, float):
        assert one == pytest.approx(two, rel=1e-9, abs=1e-9, nan_ok=True), where
    elif isinstance(one, dict) and isinstance(two, dict):
        assert list(one) == list(two), where
        for key in one:
            assert_same(one[key], two[key], f"{where}.{key}")
    elif isinstance(one, list | tuple) and isinstance(two, list | tuple):
        assert len(one) == len(two), where
        for place, (left, right) in enumerate(zip(one, two, strict=True)):
            assert_same(left, right, f"{where}[{place}]")
    else:
        assert one == two, where


EVERYTHING = """\
  weight: { transform: numeric, column: weight, clip: [0.01, 0.99], impute: median, scale: robust }
  weight_log: { transform: numeric, column: weight, impute: mean, scale: [log, standard] }
  weight_part: { transform: numeric, column: weight, impute: most_frequent, scale: min_max }
  ratio: { transform: expression, formula: "log(weight + 1) / max(distance - 2, 0.5)" }
  bins: { transform: bins, column: weight, by: quantile, count: 5 }
  city: { transform: one_hot, column: city, min_count: 20 }
  courier_code: { transform: ordinal, column: courier }
  courier_bucket: { transform: hashing, column: courier, buckets: 7 }
  courier_share: { transform: frequency, column: courier }
  courier_rate: { transform: target_encoding, column: courier, smoothing: 5, folds: 4 }
  placed: { transform: date_parts, column: placed, parts: [year, quarter, month, week, day, day_of_year, weekday,
      weekend, hour, minute], cyclic: [hour, weekday] }
"""


def test_every_transform_gives_the_same_on_both_engines(make_shop: Callable[[str], Any], session: Any) -> None:
    one, two = make_shop("one"), make_shop("two")
    odd = ["9001,2024-12-29,Ulm,'\\\"`,inf,20,1", '9002,2024-01-01 05:06:07.5,"a\\\'b",x\\y,1e3,NA,1']
    for shop in (one, two):
        head = shop.recipe.read_text().split("features:\n")[0]
        shop.recipe.write_text(f"{head}features:\n{EVERYTHING}")
        shop.write_orders([*shop.orders(), odd[1]])
        shop.write_orders([odd[0].replace("'\\\"`", "back`tick")], "orders-2.csv")
    one.run()
    run(session, Paths(two.root), None, None)
    assert_same(result(one), result(two))


def test_parquet_and_json_and_a_select_and_tasks_on_both_engines(make_shop: Callable[[str], Any], session: Any) -> None:
    one, two = make_shop("one"), make_shop("two")
    for shop in (one, two):
        orders = f"read_csv('{shop.raw / 'orders.csv'}', all_varchar = true, nullstr = 'NA')"
        typed = "CAST(id AS INT) AS id, CAST(placed AS TIMESTAMPTZ) AS placed, city, courier"
        typed += ", CAST(weight AS FLOAT) AS weight, CAST(delay AS DECIMAL(9, 2)) AS delay, arrived"
        query = f"SELECT {typed} FROM {orders}"  # noqa: S608
        duckdb.sql(f"SET TimeZone = 'UTC'; COPY ({query}) TO '{shop.raw / 'orders.parquet'}' (FORMAT parquet)")
        (shop.raw / "orders.csv").unlink()
        (shop.raw / "cities.json").write_text('{"city": "Bonn", "distance": 3.25}\n{"distance": 1, "city": "Köln"}\n')
        shop.edit_recipe("files: orders*.csv", 'files: "*.parquet"\n    format: parquet')
        shop.edit_recipe("files: cities.csv", "files: cities.json\n    format: json")
        shop.edit_recipe("joins:\n  - { source: cities, on: [city] }\n", "task: regression\n")
        shop.edit_recipe(
            "sources:\n",
            "sources:\n  table:\n    from: [orders, cities]\n"
            "    select: SELECT o.*, c.distance FROM orders AS o LEFT JOIN cities AS c ON o.city = c.city\n"
            "    columns: {id: integer, placed: timestamp, city: string, courier: string, weight: number,\n"
            "      delay: number, distance: number}\n",
        )
        head, features = shop.recipe.read_text().split("features:\n")
        head = head.replace("key: [id]", "key: [table.id]").replace("target: delay > 10", "target: table.delay")
        shop.recipe.write_text(f"{head}features:\n{features.replace('column: ', 'column: table.')}")
    one.run()
    run(session, Paths(two.root), None, None)
    assert_same(result(one), result(two))


def append(*lines: bytes) -> Callable[[Any], None]:
    return lambda shop: (shop.raw / "orders.csv").write_bytes(
        (shop.raw / "orders.csv").read_bytes() + b"\n".join(lines)
    )


def truncated_parquet(shop: Any) -> None:
    (shop.raw / "cities.parquet").write_bytes(b"PAR1 this is none PAR1")
    shop.edit_recipe("files: cities.csv", "files: cities.parquet\n    format: parquet")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (append(b"9001,2024-01-01,Bonn,a"), "orders.csv:802: the record has fewer or more fields than the header"),
        (append(b"9001,2024-01-01,Bonn,a,1,3,1,9"), "orders.csv:802: the record has fewer or more fields"),
        (append(b"9001,2024-01-01,Bonn,a,heavy,3,1"), "orders.csv:802: column 'weight': 'heavy' is not a number"),
        (append(b"9001,2024-01-01,Bonn,a,1.5d,3,1"), "orders.csv:802: column 'weight': '1.5d' is not a number"),
        (append(b"007,2024-01-01,Bonn,a,1,3,1"), "orders.csv:802: column 'id': '007' is not a whole number"),
        (append(b"9001,2024-02-30,Bonn,a,1,3,1"), "orders.csv:802: column 'placed': '2024-02-30' is not a timestamp"),
        (append(b"9001,2024-01-01,K\xf6ln,a,1,3,1"), "orders.csv:802: the file is not UTF-8"),
        (append(b"5,2024-01-01,Bonn,a,1,3,1"), "1 row(s) repeat the key of another, for example id=5"),
        (truncated_parquet, "cities.parquet: not a whole Parquet file: "),
    ],
)
def test_what_duckdb_refuses_spark_refuses(
    shop: Any, session: Any, change: Callable[[Any], None], message: str
) -> None:
    change(shop)
    with pytest.raises(ContainerError) as caught:
        run(session, Paths(shop.root), None, None)
    assert message in str(caught.value)


def test_the_program_runs_under_spark_submit_with_nothing_installed(shop: Any, tmp_path: Path) -> None:
    bundle = tmp_path / "bundle" / "processing.zip"
    write_bundle(bundle)
    first = bundle.read_bytes()
    write_bundle(bundle)
    assert bundle.read_bytes() == first
    assert {"processing/features.py", "yaml/__init__.py"} <= set(zipfile.ZipFile(bundle).namelist())
    home = Path(pyspark.__file__).parent
    bare = Path(sys.base_prefix) / "bin" / "python3"
    environment = {"PATH": os.environ["PATH"], "OPT_ML": str(shop.root), "SPARK_HOME": str(home)}
    environment |= {"PYSPARK_PYTHON": str(bare), "SPARK_LOCAL_IP": "127.0.0.1", "TMPDIR": str(tmp_path)}
    given = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2"}
    options = [word for name, value in given.items() for word in ("--conf", f"{name}={value}")]
    command = [home / "bin" / "spark-submit", "--master", "local[2]", *options, "--py-files", bundle]
    (shop.raw / "orders.csv").write_bytes((shop.raw / "orders.csv").read_bytes() + b"x,2024-01-01,Bonn,a,1,3,1\n")
    command += [bundle.parent / "spark_features.py"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode != 0, done.stderr
    told = (shop.root / "output" / "message").read_text()
    assert "orders.csv:802: column 'id': 'x' is not a whole number in plain digits\n  fix: mend the file" in told


def test_the_flights_recipe_renders_for_spark_without_duckdb() -> None:
    code = (
        "import sys; sys.modules['duckdb'] = None; sys.path.insert(0, sys.argv[1]);"
        "import processing.spark.program, processing.features; print('fine')"
    )
    container = Path(__file__).parents[2] / "container"
    done = subprocess.run([sys.executable, "-c", code, str(container)], capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr
