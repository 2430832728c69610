"""The training step: three tasks, two libraries, the same bytes twice, and data that cannot be learned from."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pytest

pytest.importorskip("duckdb")
pytest.importorskip("xgboost")

from processing.database import DIGEST
from processing.digests import SPARK_SCHEMA
from processing.errors import ContainerError, DataError, SettingError
from processing.hyperparameters import Hyperparameters
from processing.matrix import open_split
from processing.stopping import Stop
from processing.train import run_train
from processing.training.checkpoint import FILE
from processing.training.interface import Lesson
from processing.training.lightgbm_model import Window, library
from processing.training.limits import limit_problem, telling_limits
from processing.training.reference import column_references, read_reference, reference_of
from processing.training.schema import load_schema, read_schema
from processing.training.weights import class_weights
from processing.training.xgboost_model import Rows, fit

CONTAINER = Path(__file__).parents[3] / "container"
TASKS = ("binary", "multiclass", "regression")
FILES = {"xgboost": "model.ubj", "lightgbm": "model.txt"}


@pytest.mark.parametrize("algorithm", FILES)
@pytest.mark.parametrize("task", TASKS)
def test_two_runs_write_the_same_bytes(make_world: Callable[..., Any], task: str, algorithm: str) -> None:
    written = []
    for name in ("one", "two"):
        world = make_world(task, name, algorithm=algorithm, subsample=0.7, seed=5, max_rounds=5)
        world.train()
        written.append({path.name: path.read_bytes() for path in (world.root / "model").iterdir()})
    assert set(written[0]) == {FILES[algorithm], "features.json", "training.json"}
    assert written[0] == written[1]


@pytest.mark.parametrize("task", TASKS)
def test_the_archive_carries_the_features_and_what_was_measured(make_world: Callable[..., Any], task: str) -> None:
    world = make_world(task)
    world.train()
    document = world.training()
    schema = load_schema(world.channel("features"))
    assert document["features_sha256"] == schema.digest
    assert (world.root / "model" / "features.json").read_bytes() == (
        world.channel("features") / "features.json"
    ).read_bytes()
    assert list(document["columns"]) == list(schema.columns)
    assert document["rows"]["train"] == 1500
    assert sum(document["rows"]["train_by_class"].values()) == (0 if task == "regression" else 1500)
    worst = {"binary": ("auc", 0.8), "multiclass": ("accuracy", 0.6), "regression": ("rmse", 6.0)}
    measure, bound = worst[task]
    assert (document["validation"][measure] < bound) == (task == "regression")


def test_every_round_and_the_end_are_told_as_metric_definitions_read_them(
    make_world: Callable[..., Any], capsys: pytest.CaptureFixture[str]
) -> None:
    world = make_world()
    world.train()
    told = capsys.readouterr().out
    assert "round 0: validation-logloss=" in told
    assert f"validation-auc: {world.training()['validation']['auc']:.6f}\n" in told


def test_training_stops_early_and_keeps_the_best_round(make_world: Callable[..., Any]) -> None:
    for algorithm in FILES:
        world = make_world("binary", algorithm, algorithm=algorithm, max_rounds=400, early_stopping_rounds=3)
        world.train()
        assert world.training()["rounds"] < 200


def test_xgboost_reads_batches_as_it_reads_the_whole(make_world: Callable[..., Any]) -> None:
    import xgboost

    split = open_split(make_world().channel("train"), load_schema(make_world().channel("features")))
    kept, read = (xgboost.QuantileDMatrix(Rows(split, None, most)) for most in (10**9, 0))
    cuts = [matrix.get_quantile_cut() for matrix in (kept, read)]
    assert kept.num_row() == read.num_row() == 1500
    assert all((a == b).all() for a, b in zip(*cuts, strict=True))
    assert (kept.get_label() == read.get_label()).all()


def test_xgboost_works_from_disk_and_learns_the_same(make_world: Callable[..., Any], tmp_path: Path) -> None:
    world = make_world()
    schema = load_schema(world.channel("features"))
    train, validation = (open_split(world.channel(name), schema) for name in ("train", "validation"))
    lesson = Lesson(train, validation, None, Hyperparameters(max_rounds=10, min_child_weight=1))
    batch = next(validation.batches())
    (tmp_path / "pages").mkdir()
    inside, outside = (fit(replace(lesson, pages=pages)) for pages in (None, tmp_path / "pages"))
    np.testing.assert_allclose(outside.predict(batch.features), inside.predict(batch.features), atol=0.02)


def test_a_window_gives_any_ascending_rows_and_starts_again(make_world: Callable[..., Any]) -> None:
    world = make_world()
    split = open_split(world.channel("train"), load_schema(world.channel("features")))
    whole = np.concatenate([batch.features for batch in split.batches()])
    window = Window(split)
    for first, last in ((3, 4), (900, 1100), (1400, 9000), (0, 2)):
        np.testing.assert_array_equal(window.rows(first, last), whole[first:last])


@pytest.mark.parametrize("setting", ["balanced", '{"1": 30}'])
def test_class_weights_move_the_scores_of_the_rare_class(make_world: Callable[..., Any], setting: str) -> None:
    thresholds = []
    for name, weight in (("plain", "none"), ("weighted", setting)):
        world = make_world("binary", name, class_weight=weight)
        world.train()
        thresholds.append(world.training()["scores"]["score"]["edges"][5])
    assert thresholds[1] > thresholds[0]


def test_balanced_weights_give_every_class_the_same_sum() -> None:
    found = class_weights("balanced", ("a", "b", "c"), [10, 30, 0])
    assert found is not None
    assert found.tolist() == [2.0, 40 / 60, 1.0]
    assert class_weights("none", ("a", "b"), [1, 2]) is None
    with pytest.raises(SettingError, match=r"class_weight names 'hgh'.*\n  fix: did you mean 'high'\?"):
        class_weights('{"hgh": 2}', ("low", "high"), [1, 1])
    with pytest.raises(SettingError, match="the target is a number\n  fix: remove class_weight"):
        class_weights("balanced", (), [])


def spoil(world: Any, write: Callable[..., None], make: Callable[..., Any], kind: str) -> None:
    """Break the training split in one way."""
    path, columns = world.channel("train") / "part-0.parquet", make(60, 9, world.task)
    match kind:
        case "one class":
            columns["target"][:] = 1
        case "class out of range":
            columns["target"][7] = 2
        case "null target":
            columns["target"] = np.ma.array(columns["target"].astype(np.float64))
            columns["target"][3] = np.nan
        case "no rows":
            columns = {name: values[:0] for name, values in columns.items()}
        case "missing column":
            columns["y~2"] = columns.pop("y")
        case "corrupt":
            path.write_bytes(b"PAR1junk")
            return
        case "no file":
            path.unlink()
            return
    write(path, columns)


@pytest.mark.parametrize(
    ("kind", "message"),
    [
        ("one class", "all 60 rows have the target 1\n  fix: mend the recipe's target"),
        ("class out of range", "a target is 2, not a class from 0 to 1\n  fix: take data and features of one run"),
        ("null target", "a target is null or not a number, not a class from 0 to 1"),
        ("no rows", "the split has no rows\n  fix: run the features step with more data"),
        ("missing column", "1 column(s) of features.json are missing, first 'y' (there is 'y~2')\n  fix: take data"),
        ("corrupt", "not readable as Parquet"),
        ("no file", "no Parquet file in this input\n  fix: connect it to the output of the same name"),
    ],
)
def test_data_that_cannot_be_learned_from_is_refused(
    make_world: Callable[..., Any], write_table: Any, make_table: Any, kind: str, message: str
) -> None:
    world = make_world()
    spoil(world, write_table, make_table, kind)
    with pytest.raises(DataError) as caught:
        world.train()
    assert message in str(caught.value)
    assert str(world.channel("train")) in str(caught.value)
    assert not (world.root / "model").exists()


def test_files_written_with_other_features_are_refused(make_world: Callable[..., Any]) -> None:
    world = make_world()
    world.fill(digest=load_schema(world.channel("features")).digest)
    world.train()
    world.fill(digest="0" * 64)
    with pytest.raises(DataError, match=r"their digests differ\)\n  fix: take data and features of one run"):
        world.train()


def test_files_that_spark_wrote_with_other_features_are_refused(make_world: Callable[..., Any]) -> None:
    import duckdb

    world = make_world()
    path = world.channel("train") / "part-0.parquet"
    fields = [{"name": "key", "metadata": {DIGEST: "0" * 64}}, {"name": "target", "metadata": {}}]
    value = json.dumps({"type": "struct", "fields": fields})
    other = path.with_name("part-1.parquet")
    duckdb.sql(f"COPY '{path}' TO '{other}' (FORMAT parquet, KV_METADATA {{'{SPARK_SCHEMA}': '{value}'}})")
    with pytest.raises(DataError, match=r"their digests differ"):
        world.train()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not a features.json"),
        ('{"columns": [], "target": "a > 1"}', "there is no feature column"),
        ('{"columns": [{"name": "x"}], "target": {"task": "rank"}}', "not a features.json"),
        (
            '{"columns": [{"name": "x"}], "target": {"task": "multiclass", "column": "", "rule": "", "classes": []}}',
            "0 class(es) to tell apart",
        ),
    ],
)
def test_what_is_no_features_json_is_refused(text: str, message: str) -> None:
    with pytest.raises(ContainerError) as caught:
        read_schema(text.encode(), "features.json")
    assert message in str(caught.value)


@pytest.mark.parametrize(("given", "told"), [({}, "PASSIVE"), ({"OMP_WAIT_POLICY": "ACTIVE"}, "ACTIVE")])
def test_waiting_threads_sleep_unless_told_otherwise(given: dict[str, str], told: str) -> None:
    program = "import os, processing.training; print(os.environ['OMP_WAIT_POLICY'])"
    environment = {**{k: v for k, v in os.environ.items() if k != "OMP_WAIT_POLICY"}, "PYTHONPATH": str(CONTAINER)}
    done = subprocess.run(
        [sys.executable, "-c", program], env=environment | given, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == told


def test_a_missing_library_is_told_with_both_ways_out() -> None:
    def no_libgomp(_name: str) -> Any:
        raise OSError("libgomp.so.1: cannot open shared object file")

    def no_package(_name: str) -> Any:
        raise ImportError("No module named 'lightgbm'")

    with pytest.raises(
        SettingError, match=r"libgomp.so.1.*\n  fix: install libgomp1 in the Dockerfile, or set algorithm"
    ):
        library(no_libgomp)
    with pytest.raises(SettingError, match=r"not in this image.*\n  fix: add lightgbm to the image's requirements"):
        library(no_package)


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            MemoryError("Unable to allocate 9 GiB"),
            "memory: out of memory: Unable to allocate 9 GiB\n  fix: take an instance",
        ),
        (RuntimeError("std::bad_alloc"), "memory: out of memory"),
        (OSError(28, "No space left on device"), "disk: the volume is full"),
    ],
)
def test_the_limits_of_the_machine_are_told_as_such(error: Exception, message: str) -> None:
    with pytest.raises(DataError) as caught, telling_limits():
        raise error
    assert message in str(caught.value)
    assert limit_problem(ValueError("something else")) is None


def program(world: Any, step: str) -> subprocess.Popen[str]:
    """A step, as a process of its own."""
    return process(world, "-m", "processing", step)


def process(world: Any, *words: str) -> subprocess.Popen[str]:
    environment = {**os.environ, "OPT_ML": str(world.root), "PYTHONPATH": str(CONTAINER)}
    return subprocess.Popen([sys.executable, *words], env=environment, text=True, stdout=subprocess.PIPE)


# Evaluates, and stays at that once the rows are scored.
ENDLESS = """
import sys, time
import processing.__main__ as program
def endless(*_given):
    print("at work", flush=True)
    time.sleep(600)
def run(*given, run=program.run):
    import processing.evaluate
    processing.evaluate.evaluation_document = endless
    run(*given)
program.run = run
sys.exit(program.main(["evaluate"], program.Paths.from_environment(__import__("os").environ)))
"""


@pytest.mark.parametrize(
    ("step", "written", "reason"),
    [
        ("train", "model/model.ubj", "failure"),
        ("train", "model/model.txt", "failure"),
        ("train", "checkpoints/training.checkpoint.part", "failure"),
        ("evaluate", "processing/output/evaluation/report.html.part", "message"),
    ],
)
def test_a_full_disk_is_told_as_such(make_world: Callable[..., Any], step: str, written: str, reason: str) -> None:
    algorithm = "lightgbm" if written.endswith("txt") else "xgboost"
    world = make_world("binary", algorithm=algorithm, max_rounds=10)
    if step == "evaluate":
        world.train()
        world.give()
    (world.root / written).parent.mkdir(parents=True, exist_ok=True)
    (world.root / written).symlink_to("/dev/full")
    done = program(world, step)
    done.communicate(timeout=600)
    told = (world.root / "output" / reason).read_text()
    assert "is full" in told
    assert "volume" in told
    assert done.returncode == 2


def test_a_stop_ends_evaluation_at_once_and_says_so(make_world: Callable[..., Any]) -> None:
    world = make_world("binary")
    world.train()
    world.give()
    evaluation = process(world, "-c", ENDLESS)
    assert evaluation.stdout is not None
    said = list(iter(evaluation.stdout.readline, "at work\n"))
    assert said[-1].startswith("evaluate: 700 rows")
    assert list(world.root.glob("scratch-*"))
    evaluation.send_signal(signal.SIGTERM)
    evaluation.communicate(timeout=300)
    assert evaluation.returncode == 143
    assert (world.root / "output" / "message").read_text() == "Stopped by SIGTERM before the step was done."
    assert not list(world.root.glob("scratch-*"))


def test_references_are_kept_and_read_again_and_count_every_value() -> None:
    values = np.array([1.0, 2.0, 2.0, np.nan, 5.0] * 20, dtype=np.float32)
    found = reference_of(values)
    assert found.edges.tolist() == [1.0, 2.0]
    assert found.shares.tolist() == [0.2, 0.4, 0.2, 0.2]
    assert read_reference(json.loads(json.dumps(found.plain()))).counts(values).tolist() == [20, 40, 20, 20]
    many = np.random.default_rng(0).normal(size=5000).astype(np.float32)
    assert reference_of(many).shares[:-1] == pytest.approx(np.full(10, 0.1), abs=0.01)
    assert reference_of(np.full(3, np.nan)).shares.tolist() == [0.0, 1.0]
    batches = (many[first : first + 70].reshape(-1, 1) for first in range(0, 5000, 70))
    assert column_references(batches, ["x"], 5000)["x"].rows == 5000


def resumed(make_world: Callable[..., Any], task: str, rounds: int, **settings: Any) -> tuple[bytes, bytes]:
    """The model of an uninterrupted training, and that of one stopped after `rounds` rounds and started again."""
    settings = {"seed": 5, "max_rounds": 40, "early_stopping_rounds": 12, "learning_rate": 0.2} | settings
    name = FILES[settings["algorithm"]]
    worlds = [make_world(task, f"{name} {place}", **settings) for place in ("at once", "in two")]
    for world in worlds:
        (world.root / "checkpoints").mkdir()
    worlds[0].train()
    with pytest.raises(Ended, match=f"A checkpoint of {rounds} rounds is kept"):
        run_train(worlds[1].paths, StopAfter(rounds))
    assert not (worlds[1].root / "model").exists()
    worlds[1].train()
    one, two = (world.root / "model" / name for world in worlds)
    return one.read_bytes(), two.read_bytes()


class Ended(Exception):
    """The work is saved."""


class StopAfter(Stop):
    """Wants a stop in the round of this number."""

    def __init__(self, rounds: int) -> None:
        super().__init__()
        self._left = rounds

    @property
    def wanted(self) -> bool:
        self._left -= 1
        return self._left < 1

    def saved(self, note: str) -> NoReturn:
        raise Ended(note)


@pytest.mark.parametrize("task", TASKS)
@pytest.mark.parametrize(("algorithm", "subsample"), [("xgboost", 0.7), ("lightgbm", 1.0)])
def test_a_stopped_training_goes_on_to_the_same_bytes(
    make_world: Callable[..., Any], task: str, algorithm: str, subsample: float, capsys: pytest.CaptureFixture[str]
) -> None:
    one, two = resumed(make_world, task, 13, algorithm=algorithm, subsample=subsample)
    assert "train: goes on after round 13 of the checkpoint\n" in capsys.readouterr().out
    assert one == two


def test_a_training_stopped_in_its_last_round_only_writes_its_model(make_world: Callable[..., Any]) -> None:
    for algorithm in FILES:
        one, two = resumed(make_world, "binary", 7, algorithm=algorithm, max_rounds=7)
        assert one == two


def test_lightgbms_draws_of_rows_begin_anew_after_a_stop(make_world: Callable[..., Any]) -> None:
    one, two = resumed(make_world, "binary", 13, algorithm="lightgbm", subsample=0.7)
    assert one != two  # once it can be the same, say so in lightgbm_model.py


def test_a_checkpoint_changes_nothing_of_the_model(make_world: Callable[..., Any]) -> None:
    models = []
    for name in ("with", "without"):
        world = make_world("binary", name, subsample=0.7)
        if name == "with":
            (world.root / "checkpoints").mkdir()
        world.train()
        models.append((world.root / "model" / "model.ubj").read_bytes())
    assert models[0] == models[1]


@pytest.mark.parametrize(
    ("spoil", "told"),
    [
        (lambda world: world.settings(max_rounds=12, seed=9), "is of other data, settings or library"),
        (lambda world: cut_in_half(world.root / "checkpoints" / FILE), "is not whole"),
    ],
)
def test_another_checkpoint_is_told_and_training_starts_from_nothing(
    make_world: Callable[..., Any], capsys: pytest.CaptureFixture[str], spoil: Callable[[Any], None], told: str
) -> None:
    world = make_world(max_rounds=12)
    (world.root / "checkpoints").mkdir()
    world.train()
    spoil(world)
    capsys.readouterr()
    world.train()
    out = capsys.readouterr().out
    assert f"train: the checkpoint {told}: training starts from nothing\n" in out
    assert "round 0: " in out


def cut_in_half(path: Path) -> None:
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])


def stop(world: Any) -> None:
    """Train in a process of its own, and stop it in the third round."""
    training = program(world, "train")
    assert training.stdout is not None
    assert any(line.startswith("round 3:") for line in training.stdout)
    training.send_signal(signal.SIGTERM)
    training.communicate(timeout=300)
    assert training.returncode == 143


def test_a_stop_with_checkpoints_keeps_the_round_at_work_and_says_so(make_world: Callable[..., Any]) -> None:
    world = make_world("binary", max_rounds=100_000, early_stopping_rounds=100_000)
    (world.root / "checkpoints").mkdir()
    stop(world)
    head = json.loads((world.root / "checkpoints" / FILE).read_bytes().partition(b"\n")[0])
    rounds = head["standing"]["rounds"]
    kept = f"A checkpoint of {rounds} rounds is kept: run the job again to go on."
    told = (world.root / "output" / "failure").read_text()
    assert told == f"Stopped by SIGTERM before the step was done. {kept}"


def test_a_stop_ends_training_at_once_and_leaves_no_model(make_world: Callable[..., Any]) -> None:
    world = make_world("binary", max_rounds=100_000, early_stopping_rounds=100_000)
    stop(world)
    assert (world.root / "output" / "failure").read_text() == "Stopped by SIGTERM before the step was done."
    assert not (world.root / "model").exists()
