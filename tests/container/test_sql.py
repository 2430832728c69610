"""Generated SQL: literals, names, split rule, and regeneration from features.json. Nothing here needs an engine."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing.errors import ModelError
from processing.fitted import Fitted, read_fitted, unique_names
from processing.jsontext import to_json
from processing.recipe.model import HashSplit
from processing.recipe.reader import read_recipe
from processing.sql import statistics
from processing.sql.dialect import DuckDB
from processing.sql.split import split_of, thresholds
from processing.sql.transform import lookup_tables, split_rows
from processing.task import FittedTarget, Task
from processing.transforms.target_encoding import encode

SQL = DuckDB()

STATISTICS = {
    "weight": {"clip": [0.1, 9.5], "impute": 3.0, "mean": 4.0, "deviation": 0.0},
    "raw_weight": {},
    "distance": {"impute": 2.0},
    "city": {"categories": [None, "O'Hare", "ulm", "Ulm"], "folded": 1},
    "courier_share": {"rows": 4, "counts": [[None, 1], ["a", 3]]},
    "courier_rate": {"counts": [["a", [2, 1, 0, 0], [1, 1, 0, 0]]]},
    "placed": {},
}


@pytest.fixture
def fitted(recipe_text: str) -> Fitted:
    return Fitted(
        read_recipe(recipe_text, "shop.yaml"), STATISTICS, FittedTarget(Task.BINARY, "orders.delay", "delay > 10")
    )


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_literal_is_a_double_and_exact(value: float) -> None:
    text = SQL.number(value)
    assert "e" in text
    assert float(text) == value


@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_no_literal_for_what_is_no_number(value: float) -> None:
    with pytest.raises(ValueError, match="no SQL literal"):
        SQL.number(value)


def test_quotes_in_texts_and_names_are_doubled() -> None:
    assert SQL.text("O'Hare") == "'O''Hare'"
    assert SQL.name('a"b') == '"a""b"'


@given(st.text(max_size=20))
def test_the_split_of_a_key_grows_with_the_fractions(key: str) -> None:
    small, large = HashSplit(0.2, 0.4, 0.4, "", ()), HashSplit(0.6, 0.2, 0.2, "", ())
    assert split_of(key, small) != "train" or split_of(key, large) == "train"


def test_thresholds_are_hex_text_of_eight_digits() -> None:
    assert thresholds(HashSplit(0.8, 0.1, 0.1, "", ())) == ("cccccccd", "e6666666")
    assert thresholds(HashSplit(0.001, 0.001, 0.998, "", ())) == ("00418937", "0083126f")


@given(st.lists(st.sampled_from(["a", "A", "b", "a~2", "key"])))
def test_column_names_differ_in_more_than_case(names: list[str]) -> None:
    found = [name.lower() for name in unique_names(names)]
    assert len({"key", "target", *found}) == len(found) + 2


def test_sql_is_made_again_from_features_json(fitted: Fitted) -> None:
    again = read_fitted(fitted.to_json(), "features.json")
    assert again.sql("t", SQL) == fitted.sql("t", SQL)
    assert [item.lookup for item in again.rendered(SQL)] == [item.lookup for item in fitted.rendered(SQL)]
    assert again.to_json() == fitted.to_json()


def test_output_columns_name_every_source_column(fitted: Fitted) -> None:
    sources = {column.name: column.sources for column in fitted.columns}
    assert sources["distance"] == ("cities.distance", "orders.city")
    assert sources["courier_rate"] == ("orders.courier",)
    assert {"city=(missing)", "city=O'Hare", "city=ulm", "city=Ulm~2", "city=(other)"} <= set(sources)


def test_clipping_keeps_null_and_a_constant_column_divides_by_one(fitted: Fitted) -> None:
    text = fitted.sql("t", SQL)
    value = 'CAST("orders.weight" AS DOUBLE)'
    clipped = f"CASE WHEN {value} < 0.1e0 THEN 0.1e0 WHEN {value} > 9.5e0 THEN 9.5e0 ELSE {value} END"
    assert f"((coalesce({clipped}, 3.0e0)) - 4.0e0) / 1.0e0" in text
    assert split_rows("test", True, SQL) == '\nWHERE "_split" = \'test\'\nORDER BY "_hash", "_key"'


def test_what_is_looked_up_by_one_category_is_joined_once(fitted: Fitted) -> None:
    (table,) = lookup_tables(fitted.rendered(SQL))
    assert fitted.sql("t", SQL).count("LEFT JOIN") == 1
    assert [name for name, _ in table.columns(SQL)] == ["category", "fold", "encoded_5_0", "encoded_4_0"]
    held = {(category, fold): values for category, fold, *values in table.rows()}
    assert len(held) == 2 * 5
    # A share serves every fold; a category that no other fold saw has a share, and no rate.
    assert {share for (category, _), (_, share) in held.items() if category == "a"} == {0.75}
    assert held[(None, -1)] == [None, 0.25]


def test_a_foreign_features_json_is_refused(fitted: Fitted) -> None:
    with pytest.raises(ModelError, match=r"format 9 is not read.*\n  fix: take the features.json"):
        read_fitted(json.dumps({**json.loads(fitted.to_json()), "format": 9}), "features.json")
    with pytest.raises(ModelError, match=r"not a features\.json"):
        read_fitted("[]", "features.json")


COUNTS = st.lists(
    st.lists(st.tuples(st.integers(0, 50), st.integers(0, 50)), min_size=4, max_size=4), min_size=1, max_size=5
)


@given(COUNTS, st.integers(0, 3))
def test_a_fold_is_encoded_without_its_own_labels(folds: list[list[tuple[int, int]]], fold: int) -> None:
    def table(extra: int) -> object:
        counts = [
            (str(i), [a + b for a, b in rows], [[a + (extra if f == fold else 0)] for f, (a, _) in enumerate(rows)])
            for i, rows in enumerate(folds)
        ]
        rows, priors = encode(counts, 4, 3.0)
        return [row for row in rows if row[1] == fold], priors[fold]

    assert table(0) == table(7)


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50))
def test_the_scaled_sum_gives_the_exact_mean_in_any_order(values: list[float]) -> None:
    power = statistics.exponent(max(abs(value) for value in values))
    total = sum(round(value * 2.0**power) for value in values)
    assert total.bit_length() <= statistics.BITS + 6
    assert statistics.average(total, power, len(values)) == pytest.approx(
        math.fsum(values) / len(values), abs=1e-15 * 1e6
    )


def test_json_text_is_json_and_refuses_nan() -> None:
    document = {"a": [1, [2, None]], "b": {"c": "ü"}, "d": {}, "e": [], "long": [list(range(60)), list(range(60))]}
    text = to_json(document)
    assert json.loads(text) == document
    assert max(len(line) for line in text.splitlines()) < 300
    with pytest.raises(ValueError, match="not JSON compliant"):
        to_json({"a": {"b": [math.nan]}})
