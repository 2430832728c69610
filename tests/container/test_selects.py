"""A select gives nothing that is known only after the target under another name."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing.errors import RecipeError
from processing.recipe.model import Recipe
from processing.recipe.reader import read_recipe

RECIPE = """\
sources:
  trips:
    select: {select}
    from: [orders, cities]
    columns: {{ id: integer, late: number, weight: number, city: string, delay: number }}
  orders:
    input: raw
    files: orders.csv
    columns: {{ id: integer, city: string, weight: number, delay: number, "arrived at": number }}
  cities: {{ input: raw, files: cities.csv, columns: {{ city: string, distance: number }} }}
key: trips.id
target: trips.delay > 10
known_after: {after}
features:
  weight: {{ transform: passthrough, column: trips.weight }}
"""
AFTER = '[delay, "arrived at"]'


def read(select: str, after: str = AFTER) -> Recipe:
    return read_recipe(RECIPE.format(select=json.dumps(select), after=after), "trips.yaml")


@pytest.mark.parametrize(
    "select",
    [
        "SELECT o.*, c.distance FROM orders AS o LEFT JOIN cities AS c ON o.city = c.city",
        "SELECT * FROM orders",
        "SELECT DISTINCT id, city, weight, delay FROM orders",
        "select O.ID, o.weight * 2 AS weight, o.delay from orders o",
        'SELECT id, weight, coalesce("delay", 0) AS delay FROM orders',
        "SELECT id, weight, delay * 2 AS twice, delay FROM orders",  # 'twice' is not declared: nothing can use it
        'SELECT * EXCLUDE ("arrived at") FROM orders',
        "SELECT id, count(*) AS weight, max(delay) AS delay FROM orders GROUP BY id",
        "SELECT id, CASE WHEN city = 'delay' THEN 1 END AS weight, delay FROM orders",
        "WITH w AS (SELECT id, weight FROM orders) SELECT id, weight FROM w",
        "SELECT * FROM orders UNION ALL BY NAME SELECT * FROM orders",
        "SELECT id, left(city, 2) AS city FROM orders LEFT JOIN cities USING (city) WHERE (weight > 1) AND (id > 2)",
    ],
)
def test_a_select_that_hides_nothing_is_taken(select: str) -> None:
    assert read(select).sources["trips"].select == select


@pytest.mark.parametrize(
    "select",
    [
        "SELECT id, delay AS late FROM orders",
        "SELECT o.*, o.DELAY / 60 AS late FROM orders o",
        'SELECT *, "delay" + 1 AS weight FROM orders',
        "SELECT *, `delay` + 1 AS weight FROM orders",
        "SELECT id, delay late FROM orders",
        "SELECT late: delay, * FROM orders",
        "SELECT * REPLACE (delay AS weight) FROM orders",
        "SELECT * RENAME (delay AS late) FROM orders",
        "SELECT id, weight, delay FROM orders WHERE delay > 0",
        "SELECT id, weight, delay FROM orders ORDER BY delay LIMIT 10",
        "SELECT id, d AS late FROM (SELECT id, delay AS d FROM orders)",
        "WITH w AS (SELECT id, delay AS late FROM orders) SELECT * FROM w",
        "SELECT id, (SELECT max(delay) FROM orders) AS weight FROM orders",
        "SELECT id, avg(delay) OVER (PARTITION BY city) AS late FROM orders",
        "SELECT id, weight FROM orders UNION ALL SELECT id, delay FROM orders",
        "SELECT * FROM orders UNION ALL SELECT * FROM orders",
        "SELECT a AS id, d AS late FROM orders AS o(a, b, c, d)",
        "WITH w(id, c, weight, late) AS (SELECT * FROM orders) SELECT * FROM w",
        "SELECT id, t.d AS late FROM (SELECT * FROM orders) AS t (a, b, c, d)",
        "SELECT id, COLUMNS('d.*') AS late FROM orders",
        "SELECT id, to_json(struct(*)) AS city FROM orders",
        "SELECT id, to_json(struct(o.*)) AS city FROM orders o",
        "SELECT id, to_json(o) AS city FROM orders AS o",
        "SELECT id, orders AS city FROM orders",
        "SELECT #4 AS late FROM orders",
        "SELECT id, '--' AS city, delay AS late FROM orders",
        "SELECT id, 'it\\'s', delay AS late, 'x' FROM orders",
        "SELECT id /* don't */, delay AS late /* won't */ FROM orders",
        "SELECT id, $$'$$ AS city, delay AS late, $$'$$ AS x FROM orders",
        "SELECT DISTINCT ON (delay) * FROM orders",
        "FROM orders SELECT id, delay AS late",
    ],
)
def test_what_is_known_after_comes_out_under_no_other_name(select: str) -> None:
    with pytest.raises(RecipeError) as caught:
        read(select)
    told = str(caught.value)
    assert told.startswith("trips.yaml:3:5: the select of 'trips' uses '")
    assert "'delay', known only after the target, for a column that is not under known_after, or to choose rows" in told
    assert "fix: take 'delay' out, or write '… AS name' in the list behind SELECT, and 'name' under known_after" in told


def test_an_output_that_is_itself_listed_may_use_what_is_known_after() -> None:
    select = 'SELECT o.*, delay - "arrived at" AS late FROM orders o'
    with pytest.raises(RecipeError, match="uses 'arrived at', known only after"):
        read(select)
    assert read(select, '[delay, "arrived at", late]')
    with pytest.raises(RecipeError, match=r"feature 'weight' uses 'trips\.weight', known only after"):
        read("SELECT id, delay AS weight, delay FROM orders", "[delay, weight]")


def test_a_star_does_not_free_a_column_that_only_its_own_source_guards() -> None:
    with pytest.raises(RecipeError, match="the select of 'trips' uses 'weight'"):
        read("SELECT * FROM orders", "[orders.weight]")


def test_the_target_s_column_is_guarded_in_the_select_s_tables_too() -> None:
    with pytest.raises(RecipeError, match="uses 'delay', known only after"):
        read("SELECT id, delay AS weight, delay FROM orders", "[]")


@given(
    st.lists(
        st.sampled_from(["id", "delay", "AS late", ",", "(", ")", "'", '"', "*", "FROM orders", "o.", "1 +"]),
        max_size=12,
    )
)
def test_a_late_column_under_an_open_name_is_never_passed_over(parts: list[str]) -> None:
    """Whatever stands around it, unless it is inside a text."""
    select = f"SELECT id, delay AS weight, {' '.join(parts)} FROM orders"  # noqa: S608
    with pytest.raises(RecipeError, match="uses 'delay'"):
        read(select)
