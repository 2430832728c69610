"""Laws of every transform, on small random tables with nulls, run in DuckDB.

Fitted on training, applied to all rows, the values are those of scikit-learn's transformer where there is one; and
what stands in the rows outside training changes no statistic.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

duckdb = pytest.importorskip("duckdb")
preprocessing = pytest.importorskip("sklearn.preprocessing")
impute = pytest.importorskip("sklearn.impute")

from processing.engine import Engine, Limits  # noqa: E402
from processing.errors import RecipeError  # noqa: E402
from processing.fitted import Fitted  # noqa: E402
from processing.fitting import TrainingSplit, ask_all, fit  # noqa: E402
from processing.recipe.model import Recipe  # noqa: E402
from processing.recipe.reader import read_recipe  # noqa: E402
from processing.sql.dialect import DuckDB  # noqa: E402
from processing.sql.statistics import clipped_sql  # noqa: E402
from processing.task import FittedTarget, Task  # noqa: E402

RECIPE = """
sources:
  t: {{ input: raw, files: t.csv, columns: {{ k: integer, x: number, y: number, n: integer, c: string, b: boolean,
    at: timestamp, late: number }} }}
key: k
target: late > 0
features:
  f: {{ {feature} }}
"""
TYPES = {"x": "DOUBLE", "y": "DOUBLE", "n": "BIGINT", "c": "VARCHAR", "b": "BOOLEAN", "at": "TIMESTAMP"}
LAWS = settings(
    max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)

Row = dict[str, Any]
NUMBER = st.none() | st.floats(-1e6, 1e6).map(lambda value: round(value, 3)) | st.sampled_from([0.0, 1.0, 2.5, -7.0])
WHOLE = st.none() | st.integers(-20, 20)
WORD = st.none() | st.sampled_from(["", "a", "B", "b", "O'Hare", "ü", "{lookup}", "a b"])
ROW = st.fixed_dictionaries(
    {"x": NUMBER, "y": NUMBER, "n": WHOLE, "c": WORD, "b": st.none() | st.booleans(), "target": st.integers(0, 2)}
)
TABLE = st.tuples(st.lists(ROW, min_size=1, max_size=25), st.lists(ROW, max_size=10))
"""Training rows, and rows outside."""


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Any:
    return Engine(tmp_path_factory.mktemp("laws"), Limits("512MB", 1))


@lru_cache
def recipe_with(feature: str) -> Recipe:
    return read_recipe(RECIPE.format(feature=feature), "t.yaml")


class Learned:
    """A feature fitted on training rows and applied to all."""

    def __init__(self, engine: Any, feature: str, table: tuple[list[Row], list[Row]], task: Task = Task.BINARY) -> None:
        recipe = recipe_with(feature)
        classes = ("u", "v", "w") if task is Task.MULTICLASS else ()
        engine.run(_create(table))
        statistics = fit(engine, recipe, "t", FittedTarget(task, "t.late", "late", classes))
        self.fitted = Fitted(recipe, statistics, FittedTarget(task, "t.late", "late", classes))
        self.fitted.keep_lookups(engine)
        # In double precision: how far a 32-bit float is from it is no law of ours.
        statement = self.fitted.sql("t", DuckDB()).replace("AS FLOAT)", "AS DOUBLE)")
        rows = engine.rows(f"SELECT * FROM ({statement}) AS v ORDER BY CAST(key AS INT)")  # noqa: S608
        values = [[math.nan if value is None else value for value in row[2:]] for row in rows]
        self.values = np.array(values, dtype=np.float64).reshape(len(rows), -1)
        self.train = self.values[: len(table[0])]

    @property
    def statistics(self) -> Any:
        return self.fitted.statistics["f"]

    def column(self, index: int = 0) -> np.ndarray:
        return self.values[:, index]


def _create(table: tuple[list[Row], list[Row]]) -> str:
    names = ", ".join(f'"t.{name}"' for name in TYPES)
    splits = ["train"] * len(table[0]) + ["validation", "test"] * len(table[1])
    rows = []
    for number, (row, split) in enumerate(zip(itertools.chain(*table), splits, strict=False)):
        cells = [f"CAST({_literal(row.get(name))} AS {kind})" for name, kind in TYPES.items()]
        rows.append(f"({', '.join(cells)}, '{number}', 'h{number:02d}', {number % 16}, '{split}', {row['target']})")
    columns = f"{names}, _key, _hash, _fold, _split, _target"
    return f"CREATE OR REPLACE TEMP TABLE t AS SELECT * FROM (VALUES {', '.join(rows)}) AS v({columns})"  # noqa: S608


def _literal(value: Any) -> str:
    if value is None:
        return "NULL"
    return DuckDB().text(value) if isinstance(value, str) else repr(value)


def column(table: tuple[list[Row], list[Row]], name: str) -> tuple[np.ndarray, np.ndarray]:
    """A numeric column of training, and of all rows, as scikit-learn takes them."""
    values = [[math.nan if row[name] is None else row[name]] for row in itertools.chain(*table)]
    both = np.array(values, dtype=np.float64).reshape(-1, 1)
    return both[: len(table[0])], both


def has_value(table: tuple[list[Row], list[Row]], name: str) -> bool:
    return any(row[name] is not None for row in table[0])


def same(found: Any, wanted: Any) -> None:
    np.testing.assert_allclose(found, wanted, rtol=1e-9, atol=1e-9)


def learned_or_refused(engine: Any, feature: str, table: tuple[list[Row], list[Row]], name: str) -> Learned | None:
    """None, after the message was seen, where training holds no value to fit on."""
    if has_value(table, name):
        return Learned(engine, feature, table)
    with pytest.raises(RecipeError, match=rf"'(t\.)?{name}' has no value in the training split\n  fix: "):
        Learned(engine, feature, table)
    return None


@pytest.mark.parametrize(
    ("scale", "transformer"),
    [
        ("standard", preprocessing.StandardScaler()),
        ("robust", preprocessing.RobustScaler()),
        ("min_max", preprocessing.MinMaxScaler()),
    ],
)
@pytest.mark.parametrize("source", ["transform: numeric, column: x", "transform: expression, formula: x"])
@LAWS
@given(table=TABLE)
def test_scales_are_scikit_learn_s(engine: Any, source: str, scale: str, transformer: Any, table: Any) -> None:
    learned = learned_or_refused(engine, f"{source}, scale: {scale}", table, "x")
    if learned is not None:
        train, every = column(table, "x")
        same(learned.values, transformer.fit(train).transform(every))


@LAWS
@given(table=TABLE)
def test_a_constant_column_becomes_zero(engine: Any, table: Any) -> None:
    constant = ([{**row, "x": 3.5} for row in table[0]], [{**row, "x": 3.5} for row in table[1]])
    for scale in ("standard", "robust", "min_max"):
        learned = Learned(engine, f"transform: numeric, column: x, scale: {scale}", constant)
        assert set(learned.column()) == {0.0}
        (rendered,) = learned.fitted.rendered(DuckDB())
        assert rendered.remarks == ("'t.x' has no spread in the training split; it is not scaled",)


@pytest.mark.parametrize("way", ["mean", "median", "most_frequent"])
@LAWS
@given(table=TABLE)
def test_nulls_are_filled_as_by_scikit_learn(engine: Any, way: str, table: Any) -> None:
    learned = learned_or_refused(
        engine, f"transform: numeric, column: x, impute: {{with: {way}, flag: true}}", table, "x"
    )
    if learned is not None:
        train, every = column(table, "x")
        imputer = impute.SimpleImputer(strategy=way, add_indicator=False).fit(train)
        same(learned.column(), imputer.transform(every)[:, 0])
        same(learned.column(1), np.isnan(every)[:, 0])


@LAWS
@given(table=TABLE)
def test_a_constant_fills_an_empty_column(engine: Any, table: Any) -> None:
    empty = ([{**row, "x": None} for row in table[0]], table[1])
    learned = Learned(engine, "transform: numeric, column: x, impute: {with: constant, value: 2}, scale: robust", empty)
    assert set(learned.train[:, 0]) == {0.0}


@LAWS
@given(table=TABLE)
def test_the_logarithm_is_log1p_with_the_sign(engine: Any, table: Any) -> None:
    _, every = column(table, "x")
    learned = Learned(engine, "transform: numeric, column: x, scale: log", table)
    same(learned.values, np.sign(every) * np.log1p(np.abs(every)))


@LAWS
@given(table=TABLE)
def test_clipping_is_by_numpy_s_quantiles(engine: Any, table: Any) -> None:
    learned = learned_or_refused(engine, "transform: numeric, column: x, clip: [0.1, 0.8]", table, "x")
    if learned is not None:
        train, every = column(table, "x")
        same(learned.values, np.clip(every, *np.nanquantile(train, [0.1, 0.8])))


ON_EDGES = tuple([{"x": None, "y": None, "n": n, "c": None, "b": None, "target": 0} for n in ns]
                 for ns in (range(-3, 4), (-1, 1, 0, 9)))  # fmt: skip
"""Thirds and sixths of these training rows end at values that they, and rows outside, have."""


@pytest.mark.parametrize(("by", "strategy"), [("quantile", "quantile"), ("width", "uniform")])
@pytest.mark.filterwarnings("ignore:Bins whose width are too small", "ignore:Feature 0 is constant")
@LAWS
@given(table=TABLE, count=st.integers(2, 6))
@example(table=ON_EDGES, count=3)
@example(table=ON_EDGES, count=6)
def test_bins_are_scikit_learn_s(engine: Any, by: str, strategy: str, table: Any, count: int) -> None:
    # scikit-learn refuses nulls, and merges edges closer than 1e-8.
    whole = tuple([{**row, "x": float(row["n"] or 0)} for row in rows] for rows in table)
    learned = Learned(engine, f"transform: bins, column: x, by: {by}, count: {count}", whole)
    train, every = column(whole, "x")
    settings_ = {"quantile_method": "linear"} if by == "quantile" else {}
    binner = preprocessing.KBinsDiscretizer(count, encode="ordinal", strategy=strategy, subsample=None, **settings_)
    binner.fit(train)
    # The edges, and from them the bins: a value on an edge that is off by one rounding would fall to the other side.
    same(learned.statistics["edges"], binner.bin_edges_[0][1:-1])
    same(learned.column(), np.searchsorted(learned.statistics["edges"], every[:, 0], side="right"))


@LAWS
@given(table=TABLE)
def test_given_edges_are_half_open(engine: Any, table: Any) -> None:
    _, every = column(table, "x")
    learned = Learned(engine, "transform: bins, column: x, edges: [-7, 0, 2.5], as: columns", table)
    codes = np.where(np.isnan(every[:, 0]), -1, np.searchsorted([-7, 0, 2.5], every[:, 0], side="right"))
    same(learned.values, np.stack([codes == number for number in range(4)], axis=1))


def texts(table: tuple[list[Row], list[Row]], name: str = "c") -> tuple[np.ndarray, np.ndarray]:
    every = np.array([[row[name]] for row in itertools.chain(*table)], dtype=object)
    return every[: len(table[0])], every


@LAWS
@given(table=TABLE, least=st.integers(1, 4))
def test_one_hot_is_scikit_learn_s(engine: Any, table: Any, least: int) -> None:
    filled = tuple([{**row, "c": row["c"] or "none"} for row in rows] for rows in table)
    learned = Learned(engine, f"transform: one_hot, column: c, min_count: {least}", filled)
    train, every = texts(filled)
    encoder = preprocessing.OneHotEncoder(
        handle_unknown="infrequent_if_exist", min_frequency=least, sparse_output=False
    )
    wanted = encoder.fit(train).transform(every)
    rare = encoder.infrequent_categories_[0]
    if rare is None:
        # Without rare categories an unknown one is all zeros there; here it is in (other).
        wanted = np.column_stack([wanted, wanted.sum(axis=1) == 0])
    same(learned.values, wanted)


@LAWS
@given(table=TABLE)
def test_ordinal_is_scikit_learn_s(engine: Any, table: Any) -> None:
    learned = Learned(engine, "transform: ordinal, column: c", table)
    train, every = texts(table)
    encoder = preprocessing.OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1)
    categories = [[*sorted({value for (value,) in train if value is not None}), None]]
    encoder.set_params(categories=categories)
    wanted = encoder.fit(train).transform(every)[:, 0]
    wanted = np.where([value is None for (value,) in every], math.nan, wanted)
    same(learned.column(), wanted)


@LAWS
@given(table=TABLE)
def test_ordinal_keeps_the_given_order(engine: Any, table: Any) -> None:
    learned = Learned(engine, "transform: ordinal, column: c, order: [b, a]", table)
    places = {"b": 0.0, "a": 1.0, None: math.nan}
    same(learned.column(), [places.get(value, -1.0) for (value,) in texts(table)[1]])


@LAWS
@given(table=TABLE)
def test_the_most_frequent_category_fills_nulls_as_by_scikit_learn(engine: Any, table: Any) -> None:
    if not has_value(table, "c"):
        return
    learned = Learned(engine, "transform: ordinal, column: c, impute: most_frequent", table)
    train, every = texts(table)
    filled = impute.SimpleImputer(strategy="most_frequent", missing_values=None).fit(train).transform(every)[:, 0]
    order = learned.statistics["categories"]
    same(learned.column(), [order.index(value) if value in order else -1 for value in filled])


@pytest.mark.parametrize(("task", "target_type"), [(Task.BINARY, "binary"), (Task.REGRESSION, "continuous"),
                                                  (Task.MULTICLASS, "multiclass")])  # fmt: skip
@pytest.mark.filterwarnings("ignore:The number of unique classes", "ignore:The least populated class")
@LAWS
@given(table=TABLE, smoothing=st.sampled_from([0.0, 1.0, 20.0]))
def test_target_encoding_is_scikit_learn_s(
    engine: Any, task: Task, target_type: str, table: Any, smoothing: float
) -> None:
    modulus = 2 if task is Task.BINARY else 3
    scale = 0.1 if task is Task.REGRESSION else 1
    filled = tuple(
        [{**row, "c": row["c"] or "none", "target": (row["target"] % modulus) * scale} for row in rows]
        for rows in table
    )
    train, every = texts(filled)
    targets = np.array([row["target"] for row in filled[0]])
    if len(set(targets)) < modulus:
        return
    learned = Learned(engine, f"transform: target_encoding, column: c, smoothing: {smoothing}", filled, task)
    encoder = preprocessing.TargetEncoder(target_type=target_type, smooth=smoothing).fit(train, targets)
    outside = slice(len(filled[0]), None)
    same(learned.values[outside], encoder.transform(every)[outside])


@LAWS
@given(table=TABLE)
def test_target_encoding_of_training_rows_is_that_of_the_other_folds(engine: Any, table: Any) -> None:
    feature = "transform: target_encoding, column: c, smoothing: 2, folds: 4"
    binary = tuple([{**row, "target": row["target"] % 2} for row in rows] for rows in table)
    learned = Learned(engine, feature, binary)
    for place, row in enumerate(binary[0]):
        others = [one for index, one in enumerate(binary[0]) if index % 16 % 4 != place % 16 % 4]
        prior = sum(one["target"] for one in others) / len(others) if others else 0.0
        own = [one["target"] for one in others if one["c"] == row["c"]]
        assert learned.train[place, 0] == pytest.approx((sum(own) + 2 * prior) / (len(own) + 2), rel=1e-12)


@LAWS
@given(table=TABLE)
def test_frequency_is_the_share_of_training(engine: Any, table: Any) -> None:
    learned = Learned(engine, "transform: frequency, column: c", table)
    train = [row["c"] for row in table[0]]
    same(learned.column(), [train.count(row["c"]) / len(train) for row in itertools.chain(*table)])


@LAWS
@given(table=TABLE, buckets=st.sampled_from([2, 7, 64, 1000]))
def test_buckets_are_those_of_hashlib(engine: Any, table: Any, buckets: int) -> None:
    import hashlib

    learned = Learned(engine, f"transform: hashing, column: c, buckets: {buckets}", table)

    def bucket(text: str | None) -> float:
        if text is None:
            return math.nan
        return int(hashlib.md5(text.encode(), usedforsecurity=False).hexdigest()[:7], 16) % buckets

    same(learned.column(), [bucket(value) for (value,) in texts(table)[1]])


def or_nan(value: Any, result: Any) -> float:
    return math.nan if value is None else float(result(value))


# What a transform without statistics makes of a row, in Python.
PLAIN = {
    "transform: passthrough, column: x": lambda row: [or_nan(row["x"], float)],
    "transform: missing, column: c": lambda row: [float(row["c"] is None)],
    "transform: boolean, column: b": lambda row: [or_nan(row["b"], float)],
    "transform: boolean, column: c, true: [a, b]": lambda row: [or_nan(row["c"], lambda text: text in ("a", "b"))],
    "transform: boolean, column: n, true: 1, false: 0": lambda row: [{1: 1.0, 0: 0.0}.get(row["n"], math.nan)],
    "transform: text_length, column: c": lambda row: [or_nan(row["c"], len)],
    "transform: cyclic, column: n, period: 24": lambda row: [
        or_nan(row["n"], lambda hour: math.sin(math.tau * hour / 24)),
        or_nan(row["n"], lambda hour: math.cos(math.tau * hour / 24)),
    ],
    "transform: date_parts, column: at, parts: [year, quarter, month, week, day, day_of_year, weekday, weekend, hour, "
    "minute], cyclic: hour": lambda row: [
        *(or_nan(row["at"], part) for part in DATE_PARTS),
        or_nan(row["at"], lambda at: math.sin(math.tau * at.hour / 24)),
        or_nan(row["at"], lambda at: math.cos(math.tau * at.hour / 24)),
    ],
}
DATE_PARTS = [
    lambda at: at.year,
    lambda at: (at.month + 2) // 3,
    lambda at: at.month,
    lambda at: at.isocalendar().week,
    lambda at: at.day,
    lambda at: at.timetuple().tm_yday,
    lambda at: at.isoweekday(),
    lambda at: at.isoweekday() >= 6,
    lambda at: at.hour,
    lambda at: at.minute,
]
TIMES = st.none() | st.datetimes(datetime(1900, 1, 1), datetime(2100, 1, 1)).map(lambda at: at.replace(microsecond=0))


@pytest.mark.parametrize("feature", PLAIN, ids=lambda feature: feature[:40])
@LAWS
@given(table=TABLE, times=st.lists(TIMES, min_size=35, max_size=35))
def test_what_needs_no_statistic_is_what_python_says(
    engine: Any, feature: str, table: Any, times: list[datetime | None]
) -> None:
    taken = iter(times)
    dated = tuple([{**row, "at": next(taken)} for row in rows] for rows in table)
    learned = Learned(engine, feature, tuple([{**row, "at": at_text(row)} for row in rows] for rows in dated))
    same(learned.values, [PLAIN[feature](row) for row in itertools.chain(*dated)])
    assert learned.statistics == {}


def at_text(row: Row) -> str | None:
    return None if row["at"] is None else str(row["at"])


# One of each transform; a planted value is anything at all in the rows outside training.
FEATURES = [
    "transform: numeric, column: x, clip: [0.1, 0.9], impute: {with: constant, value: 1}, scale: [log, standard]",
    "transform: expression, formula: 'x / (y - n) + log(x) * min(x, y) - (x > 2)', impute: {with: constant, value: 0}",
    "transform: passthrough, column: n",
    "transform: cyclic, column: n, period: 24",
    "transform: missing, column: c",
    "transform: boolean, column: c, true: [a], false: [b, B]",
    "transform: boolean, column: b",
    "transform: text_length, column: c",
    "transform: bins, column: n, edges: [1]",
    "transform: date_parts, column: at, parts: [month, weekday], cyclic: [hour]",
    "transform: one_hot, column: c, most: 2",
    "transform: ordinal, column: n, min_count: 2",
    "transform: hashing, column: c, buckets: 8, as: columns",
    "transform: frequency, column: b",
    "transform: target_encoding, column: c, impute: {with: constant, value: none}",
    "transform: drop, column: late",
]


@pytest.mark.parametrize("feature", FEATURES)
@settings(LAWS, max_examples=6)
@given(table=TABLE, planted=st.lists(ROW, min_size=1, max_size=5))
def test_nothing_outside_training_changes_a_statistic_or_a_training_value(
    engine: Any, feature: str, table: Any, planted: Sequence[Row]
) -> None:
    extreme = {"x": 1e30, "y": -1e30, "n": 2**60, "c": "planted", "b": True, "at": "2099-12-31 23:59:59", "target": 1}
    before = Learned(engine, feature, table)
    after = Learned(engine, feature, (table[0], [*planted, extreme]))
    assert after.fitted.to_json() == before.fitted.to_json()
    np.testing.assert_array_equal(after.train, before.train)


def test_every_transform_is_among_the_planted() -> None:
    from processing.transforms.registry import TRANSFORMS

    assert {feature.split(",")[0].removeprefix("transform: ") for feature in FEATURES} == set(TRANSFORMS)


@LAWS
@given(TABLE, st.tuples(st.floats(-1e3, 1e3), st.floats(-1e3, 1e3)).map(sorted), st.floats(-1e7, 1e7))
def test_what_follows_from_plain_values_is_what_the_shaped_values_give(
    engine: Any, table: Any, clip: list[float], fill: float
) -> None:
    engine.run(_create(table))
    split = TrainingSplit(engine, "t")
    value = '"t.x"'
    clipped = clipped_sql(value, clip, split.dialect)
    filled = f"coalesce({clipped}, {split.dialect.number(fill)})"
    shares = [0.0, 0.1, 0.5, 0.999, 1.0]
    for told, worked_out in (
        (lambda s: s.quantiles(clipped, shares), lambda s: s.quantiles(value, shares, clip)),
        (lambda s: s.mean(clipped), lambda s: s.mean(value, clip)),
        (lambda s: s.moments(filled), lambda s: s.moments(value, clip, fill)),
    ):
        assert ask_all(split, worked_out) == ask_all(split, told)
