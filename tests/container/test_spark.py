"""The same recipe on local Spark and on DuckDB: the same statistics, rows and refusals. Needs pyspark and Java.

.cache/spark/bin/python -m pytest tests/container/test_spark.py
"""

from __future__ import annotations

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

duckdb = pytest.importorskip("duckdb")
pyspark = pytest.importorskip("pyspark", reason="pyspark is in .cache/spark alone (container/requirements-spark.txt)")
if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
    pytest.skip("Spark needs Java", allow_module_level=True)

from processing.contract import Paths  # noqa: E402
from processing.digests import digests  # noqa: E402
from processing.errors import ContainerError  # noqa: E402
from processing.spark import remote  # noqa: E402
from processing.spark.bundle import write_bundle  # noqa: E402
from processing.spark.engine import SETTINGS  # noqa: E402
from processing.spark.program import Places, main, run  # noqa: E402

SPLITS = ("train", "validation", "test")
# Each JVM lives for seconds: the second compiler and threads to collect garbage cost more than they bring.
JVM = {"JAVA_TOOL_OPTIONS": "-XX:TieredStopAtLevel=1 -XX:+UseSerialGC"}
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning")


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
    with pytest.MonkeyPatch.context() as patch:
        for name, value in JVM.items():
            patch.setenv(name, value)
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


@dataclass(frozen=True)
class Program:
    """The bundle, and Spark's own commands: as on a host with nothing of ours installed."""

    folder: Path

    @property
    def home(self) -> Path:
        return Path(pyspark.__file__).parent

    def environment(self, root: Path) -> dict[str, str]:
        bare = Path(sys.base_prefix) / "bin" / "python3"
        own = {"PATH": os.environ["PATH"], "OPT_ML": str(root), "SPARK_HOME": str(self.home)}
        return own | JVM | {"PYSPARK_PYTHON": str(bare), "SPARK_LOCAL_IP": "127.0.0.1", "TMPDIR": str(self.folder)}

    def submit(self, master: str, root: Path, *arguments: str) -> subprocess.CompletedProcess[str]:
        settings = {"spark.ui.enabled": "false", "spark.sql.shuffle.partitions": "2", "spark.driver.host": "127.0.0.1"}
        settings |= {"spark.executor.memory": "512m", "spark.executor.cores": "1"}
        options = [word for name, value in settings.items() for word in ("--conf", f"{name}={value}")]
        command = [self.home / "bin" / "spark-submit", "--master", master, *options]
        command += ["--py-files", self.folder / "processing.zip", self.folder / "spark_features.py", *arguments]
        return subprocess.run(
            command, env=self.environment(root), capture_output=True, text=True, timeout=900, check=False
        )


@pytest.fixture
def program(tmp_path: Path) -> Program:
    write_bundle(tmp_path / "bundle" / "processing.zip")
    return Program(tmp_path / "bundle")


@contextmanager
def cluster(program: Program, folder: Path, workers: int) -> Iterator[str]:
    """A Spark master and its workers, each a process; gives the master's URL. Their work lies below `folder`."""
    run = [program.home / "bin" / "spark-class"]
    started: list[subprocess.Popen[bytes]] = []

    def start(name: str, kind: str, *words: str) -> Path:
        log = folder / f"{name}.log"
        words = ("--host", "127.0.0.1", "--port", "0", "--webui-port", "0", *words)
        with log.open("wb") as out:
            command = [*run, f"org.apache.spark.deploy.{kind}", *words]
            started.append(subprocess.Popen(command, env=program.environment(folder), stdout=out, stderr=out))
        return log

    try:
        url = found(start("master", "master.Master"), r"Starting Spark master at (spark://\S+)")
        logs = [
            start(name, "worker.Worker", "--cores", "1", "--memory", "700m", "--work-dir", str(folder / name), url)
            for name in (f"worker-{number}" for number in range(workers))
        ]
        for log in logs:
            found(log, "(Successfully registered with master)")
        yield url
    finally:
        for process in started:
            process.terminate()
        for process in started:
            process.wait(180)


def found(log: Path, pattern: str) -> str:
    """What a log comes to say."""
    deadline = time.monotonic() + 300
    while time.monotonic() < deadline:
        match = re.search(pattern, log.read_text())
        if match:
            return match[1]
        time.sleep(0.1)
    raise AssertionError(log.read_text())


def test_a_cluster_gives_what_duckdb_gives_with_every_transform_nothing_installed_and_data_at_uris(
    make_shop: Callable[[str], Any], program: Program, tmp_path: Path
) -> None:
    """Two workers; the input and two of the outputs lie at URIs, the others are the job's own folders."""
    one, two = make_shop("one"), make_shop("two")
    odd = ["9001,2024-12-29,Ulm,'\\\"`,inf,20,1", '9002,2024-01-01 05:06:07.5,"a\\\'b",x\\y,1e3,NA,1']
    for shop in (one, two):
        head = shop.recipe.read_text().split("features:\n")[0]
        shop.recipe.write_text(f"{head}features:\n{EVERYTHING}")
        shop.write_orders([*shop.orders(), odd[1]])
        shop.write_orders([odd[0].replace("'\\\"`", "back`tick")], "orders-2.csv")
    one.run()
    away, made = tmp_path / "away", tmp_path / "made"
    two.raw.rename(away)
    places = [f"--input=raw=file://{away}"]
    places += [f"--output={name}=file://{made}/{name}" for name in ("train", "features")]
    two.output("train").mkdir(parents=True)
    with cluster(program, tmp_path, workers=2) as master:
        done = program.submit(master, two.root, "--scratch", f"file://{tmp_path}/shared", *places)
    assert done.returncode == 0, done.stderr[-3000:]
    for worker in ("worker-0", "worker-1"):
        (log,) = (tmp_path / worker).glob("app-*/*/stderr")
        assert "Finished task" in log.read_text()
    assert list(two.output("train").iterdir()) == []
    for name in ("train", "features"):
        two.output(name).rename(tmp_path / f"local-{name}")
        (made / name).rename(two.output(name))
    assert_same(result(one), result(two))
    digest = hashlib.sha256((two.output("features") / "features.json").read_bytes()).hexdigest()
    with duckdb.connect() as connection:
        files = [file for split in SPLITS for file in two.output(split).glob("*.parquet")]
        assert all(digests(connection, [file]) == {digest} for file in files)


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
    run(session, Paths(two.root), Places())
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
        run(session, Paths(shop.root), Places())
    assert message in str(caught.value)


def test_the_bundle_has_the_same_bytes_each_time(program: Program, tmp_path: Path) -> None:
    write_bundle(tmp_path / "again" / "processing.zip")
    bundle = program.folder / "processing.zip"
    assert bundle.read_bytes() == (tmp_path / "again" / "processing.zip").read_bytes()
    assert {"processing/features.py", "yaml/__init__.py"} <= set(zipfile.ZipFile(bundle).namelist())


def test_a_failure_of_the_program_is_its_message_and_exit_code(shop: Any, session: Any) -> None:
    append(b"x,2024-01-01,Bonn,a,1,3,1")(shop)
    assert main([], {"OPT_ML": str(shop.root)}) == 2
    told = (shop.root / "output" / "message").read_text()
    assert "orders.csv:802: column 'id': 'x' is not a whole number in plain digits\n  fix: mend the file" in told
    assert main(["--input", "raw"], {"OPT_ML": str(shop.root)}) == 2
    assert "write '--input raw=s3://bucket/prefix/'" in (shop.root / "output" / "message").read_text()


def test_messages_name_the_uri_of_a_file_and_large_files_are_looked_at_by_their_heads(
    shop: Any, session: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away = tmp_path / "away"
    append(b"9001,2024-01-01,Bonn,a,heavy,3,1")(shop)
    shop.raw.rename(away)
    places = Places(inputs={"raw": f"file://{away}"})
    with pytest.raises(ContainerError, match=rf"file:{away}/orders\.csv:802: column 'weight': 'heavy' is not a number"):
        run(session, Paths(shop.root), places)
    monkeypatch.setattr(remote, "HEAD", 4096)
    with pytest.raises(ContainerError, match=r"^[^\n]*1 record.s. of source 'orders' do not hold what the recipe"):
        run(session, Paths(shop.root), places)
    packed = gzip.compress((away / "orders.csv").read_bytes())
    (away / "orders.csv").unlink()
    (away / "orders.csv.gz").write_bytes(packed)
    shop.edit_recipe("orders*.csv", "orders*.csv.gz")
    with pytest.raises(ContainerError, match=r"^[^\n]*1 record.s. of source 'orders' do not hold what the recipe"):
        run(session, Paths(shop.root), places)
    with pytest.raises(ContainerError, match=r"--input raw=file:///nowhere: cannot be listed: .*\n  fix: mend the URI"):
        run(session, Paths(shop.root), Places(inputs={"raw": "file:///nowhere"}))


def test_the_flights_recipe_renders_for_spark_without_duckdb() -> None:
    code = (
        "import sys; sys.modules['duckdb'] = None; sys.path.insert(0, sys.argv[1]);"
        "import processing.spark.program, processing.features; print('fine')"
    )
    container = Path(__file__).parents[2] / "container"
    done = subprocess.run([sys.executable, "-c", code, str(container)], capture_output=True, text=True, check=False)
    assert done.stdout == "fine\n", done.stderr
