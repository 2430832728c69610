"""Bounded work: limits from the container, few scans, many files, explain; at sizes that a test can afford."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

duckdb = pytest.importorskip("duckdb")

from processing.columns import Column, ColumnType  # noqa: E402
from processing.contract import Paths  # noqa: E402
from processing.counted import SAMPLE  # noqa: E402
from processing.engine import Engine  # noqa: E402
from processing.errors import DataError  # noqa: E402
from processing.explain import explain  # noqa: E402
from processing.fitting import TrainingSplit, ask_all  # noqa: E402
from processing.machine import Limits, memory_bytes, processors  # noqa: E402
from processing.recipe.reader import load_recipe  # noqa: E402
from processing.scratch import scratch_folder, sweep  # noqa: E402

CONTAINER = Path(__file__).parents[2] / "container"


def cgroup(root: Path, **files: str) -> Path:
    (root / "proc").mkdir()
    (root / "proc" / "meminfo").write_text("MemTotal:       8000000 kB\nMemFree: 1 kB\n")
    for name, text in files.items():
        path = root / "sys" / "fs" / "cgroup" / name.replace("__", "/").replace("_max", ".max")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


@pytest.mark.parametrize(
    ("files", "wanted"),
    [
        ({"memory_max": "2000000000\n"}, 2_000_000_000),
        ({"memory_max": "max\n"}, 8_192_000_000),
        ({"memory__memory.limit_in_bytes": "1000000000"}, 1_000_000_000),
        ({"memory__memory.limit_in_bytes": "9223372036854771712"}, 8_192_000_000),
        ({}, 8_192_000_000),
    ],
)
def test_memory_is_the_container_s(tmp_path: Path, files: dict[str, str], wanted: int) -> None:
    assert memory_bytes(cgroup(tmp_path, **files)) == wanted


def test_processors_are_bounded_by_the_quota(tmp_path: Path) -> None:
    assert processors(cgroup(tmp_path, cpu_max="50000 100000")) == 1
    assert processors(tmp_path / "none") == len(os.sched_getaffinity(0))


class Counted:
    """An engine that counts what it is asked."""

    def __init__(self, engine: Engine) -> None:
        self._engine, self.dialect, self.statements = engine, engine.dialect, 0

    def rows(self, statement: str) -> list[tuple[Any, ...]]:
        self.statements += 1
        return self._engine.rows(statement)


def test_many_columns_are_fitted_in_few_scans(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Limits("512MB", 2))
    columns = ", ".join(f"CAST(hash(i * 99 + {n}) % 1000 AS DOUBLE) AS x{n}" for n in range(40))
    engine.run(f"CREATE TABLE t AS SELECT 'train' AS _split, {columns} FROM range(2000) AS r(i)")  # noqa: S608
    counted = Counted(engine)
    found = TrainingSplit(counted, "t")
    moments = [ask_all(found, lambda fitter, n=n: fitter.moments(f"x{n}")) for n in range(40)]
    assert all(500 - 30 < one.mean < 500 + 30 for one in moments)
    assert counted.statements == 3 * 40  # one by one, each has scans of its own
    together = Counted(engine)
    split = TrainingSplit(together, "t")
    assert ask_all(split, lambda fitter: both(fitter, 40)) == moments
    assert together.statements == 3


def both(split: TrainingSplit, count: int) -> list[Any]:
    """Asks every column before giving up, as features do one beside another."""
    from processing.fitting import Unanswered

    found, waiting = [], False
    for number in range(count):
        try:
            found.append(split.moments(f"x{number}"))
        except Unanswered:
            waiting = True
    if waiting:
        raise Unanswered
    return found


def test_buckets_find_ranks_in_a_tail_and_among_equal_values(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Limits("512MB", 2))
    engine.run(
        "CREATE TABLE t AS SELECT 'train' AS _split, CASE WHEN i % 3 = 0 THEN 7.0 ELSE exp(i / 50.0) END AS x "
        "FROM range(5000) AS r(i)"
    )
    plain, cut = (TrainingSplit(engine, "t", long=long) for long in (10**9, 20))
    chances = [0.0, 0.001, 0.33, 0.5, 0.999, 1.0]
    found = [ask_all(split, lambda fitter: fitter.quantiles("x", chances)) for split in (plain, cut)]
    assert found[0] == found[1]
    (wanted,) = engine.row(f"SELECT quantile_cont(x, {chances}) FROM t")  # noqa: S608
    assert found[0] == pytest.approx(wanted)


def test_counted_values_give_the_same_statistics_as_rows(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Limits("512MB", 2))
    number = "CAST(CASE WHEN i % 11 = 0 THEN NULL ELSE ln(1 + hash(i) % 500) * 1e3 - 2e3 END AS DOUBLE)"
    engine.run(
        f'CREATE TABLE t AS SELECT \'train\' AS _split, {number} AS "t.few", CAST(i AS DOUBLE) / 7 AS "t.many" '  # noqa: S608
        f"FROM range({SAMPLE} + 1000) AS r(i)"
    )
    plain, counting = TrainingSplit(engine, "t"), TrainingSplit(engine, "t")
    counting.count(engine, [Column("t", name, ColumnType.NUMBER) for name in ("few", "many")], tmp_path)
    few = '"t.few"'
    for value in (few, f"CASE WHEN {few} > 3e3 THEN 3e3 ELSE {few} END", f"coalesce({few}, 0.5e0)", '"t.many"'):
        moments, quantiles = (
            [ask_all(one, ask) for one in (plain, counting)]
            for ask in (
                lambda one, v=value: one.moments(v),
                lambda one, v=value: one.quantiles(v, [0.0, 0.001, 0.33, 0.5, 0.999, 1.0]),
            )
        )
        assert moments[0] == moments[1]
        assert quantiles[0] == quantiles[1]
    assert [path.name for path in tmp_path.glob("counted-*")] == ["counted-0"]


def test_unordered_output_is_cut_into_files(make_shop: Callable[[str], Any]) -> None:
    one, two = make_shop("one"), make_shop("two")
    two.recipe.write_text(two.recipe.read_text() + "output: { order: none, row_group: 2048, file_megabytes: 1 }\n")
    one.run()
    two.run()
    for split in ("train", "validation", "test"):
        rows = [duckdb.sql(f"SELECT * FROM '{shop.output(split)}/*.parquet'").fetchall() for shop in (one, two)]  # noqa: S608
        assert sorted(rows[0]) == sorted(rows[1])
        assert [path.name for path in two.output(split).iterdir()] == ["part-00000.parquet"]


def test_more_than_the_memory_limit_is_told_as_such(tmp_path: Path) -> None:
    engine = Engine(tmp_path, Limits("20MB", 1))
    with pytest.raises(DataError, match=r"out of memory.*\n  fix: take an instance with more memory"):
        engine.rows("SELECT list(i) FROM range(20000000) AS r(i)")


def test_explain_tells_size_memory_and_where_to_run(shop: Any) -> None:
    told = "\n".join(explain(load_recipe(shop.recipe), Paths(shop.root), Limits("2GB", 2)))
    assert "source orders: 1 csv file(s), " in told
    assert "memory: 2GB for DuckDB" in told
    assert "run on: DuckDB, one instance" in told
    with (shop.raw / "orders.csv").open("r+b") as stream:
        stream.truncate(500 * 10**9)  # a hole: no disk is taken
    told = "\n".join(explain(load_recipe(shop.recipe), Paths(shop.root), Limits("2GB", 2)))
    assert "time: about 3.9 h on DuckDB with 2 thread(s)" in told
    assert "run on: a larger volume" in told or "run on: Spark with" in told


def test_explain_by_command_line_writes_nothing(shop: Any) -> None:
    done = run_step(shop.root, "features", "--explain")
    out, _ = done.communicate(timeout=300)
    assert done.returncode == 0
    assert "run on: DuckDB" in out
    assert not (shop.root / "processing" / "output").exists()


def run_step(root: Path, *arguments: str) -> subprocess.Popen[str]:
    return run_python(root, "-m", "processing", *arguments)


def run_python(root: Path, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OPT_ML": str(root), "PYTHONPATH": str(CONTAINER)}
    environment.pop("TMPDIR", None)
    return subprocess.Popen(
        [sys.executable, *words], env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


# Makes features, and stays at that once the rows are staged.
ENDLESS = """
import sys, time
import processing.__main__ as program
def endless(*_given):
    print("at work", flush=True)
    time.sleep(600)
def run(*given, run=program.run):
    import processing.features
    processing.features.fit = endless
    run(*given)
program.run = run
sys.exit(program.main(["features"], program.Paths.from_environment(__import__("os").environ)))
"""


def test_a_stopped_step_leaves_no_scratch(shop: Any) -> None:
    process = run_python(shop.root, "-c", ENDLESS)
    assert process.stdout is not None
    assert "at work\n" in iter(process.stdout.readline, "")
    assert list(shop.root.glob("scratch-*"))
    process.send_signal(signal.SIGTERM)
    process.communicate(timeout=300)
    assert process.returncode == 143
    assert list(shop.root.glob("scratch-*")) == []


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            OSError(28, "No space left on device", "/opt/ml/x"),
            "/opt/ml/x: the disk is full\n  fix: give the job a larger",
        ),
        (MemoryError(), "memory: out of memory\n  fix: take an instance with more memory"),
        (OSError(2, "No such file", "/x"), "None"),
    ],
)
def test_a_shortage_of_the_machine_is_told_as_such(error: Exception, message: str) -> None:
    from processing.__main__ import shortage

    assert str(shortage(error)).startswith(message)


def test_scratch_lies_in_the_temporary_folder_that_is_named(tmp_path: Path) -> None:
    paths = Paths.from_environment({"OPT_ML": str(tmp_path / "ml"), "TMPDIR": str(tmp_path / "tmp")})
    with scratch_folder(paths) as folder:
        assert folder.parent == tmp_path / "tmp"
        sweep()
        assert not folder.exists()


def test_progress_is_told_as_lines_of_json(shop: Any, capsys: pytest.CaptureFixture[str]) -> None:
    shop.run()
    lines = [json.loads(line) for line in capsys.readouterr().out.splitlines() if line.startswith("{")]
    assert [line["stage"] for line in lines] == ["stage", "fit", "write train", "write validation", "write test"]
    assert all(line["percent"] == 100.0 for line in lines)
    assert lines[0]["rows"] == 800
    dropped = sum(line.split(",")[-2] == "NA" for line in shop.orders())
    assert sum(line["rows"] for line in lines[2:]) == 800 - dropped
