"""The options of every transform: what is taken, what is refused with place and fix, and what is known too late."""

from __future__ import annotations

import pytest
from processing.errors import RecipeError
from processing.recipe.model import Feature
from processing.recipe.reader import read_recipe
from processing.sql.dialect import DuckDB
from processing.transforms.bins import Bins
from processing.transforms.registry import TRANSFORMS

RECIPE = """\
sources:
  t: { input: raw, files: t.csv, columns: { k: integer, x: number, n: integer, c: string, b: boolean, day: date,
       at: timestamp, y: integer, late: number, late_word: string, late_flag: boolean, late_at: timestamp } }
  u: { input: raw, files: u.csv, columns: { c: string, late_word: string, v: number, w: string } }
joins:
  - { source: u, on: JOIN }
key: k
target: late > 0
known_after: [late_word, late_flag, late_at]
features:
  f: FEATURE
"""


def feature(text: str, join: str = "c") -> Feature:
    recipe = read_recipe(RECIPE.replace("FEATURE", text).replace("JOIN", join), "t.yaml")
    return recipe.features[0]


def refused(text: str, join: str = "c") -> str:
    with pytest.raises(RecipeError) as caught:
        feature(text, join)
    return str(caught.value)


# Each: the feature, and what the message must hold.
MISTAKES = [
    ("{ transform: numeric, column: c }", "t.yaml:11:36: 'c' is declared string; this needs number or integer"),
    ("{ transform: numeric, column: x, scale: standrd }",
     "'scale: standrd' is unknown\n  fix: did you mean 'standard'?"),
    (
        "{ transform: numeric, column: x, scale: [standard, robust] }",
        "t.yaml:11:46: 'standard' and 'robust' exclude one another\n  fix: write 'scale: standard', or 'scale: [log,",
    ),
    ("{ transform: numeric, column: x, impute: mode }", "'with: mode' is unknown\n  fix: "),
    ("{ transform: numeric, column: x, impute: constant }", "a constant needs its value\n  fix: write 'impute: {with:"),
    (
        "{ transform: numeric, column: x, impute: { with: mean, value: 3 } }",
        "t.yaml:11:68: 'mean' takes no value\n  fix: write 'with: constant', or remove 'value'",
    ),
    ("{ transform: numeric, column: x, impute: { with: mean, flg: true } }",
     "'impute' has no key 'flg'\n  fix: did you"),
    ("{ transform: numeric, column: x, impute: }", "'impute' is a mapping"),
    ("{ transform: numeric, column: x, clip: [0.1] }", "'clip' is a list of 2 numbers"),
    ("{ transform: numeric, column: x, clip: [0.1, 1.5] }", "'clip' is a list of two rising numbers from 0 to 1"),
    ("{ transform: bins, column: x }", "bins need 'count' or 'edges'\n  fix: add 'count: 10'"),
    ("{ transform: bins, column: x, count: 3, edges: [1] }", "t.yaml:11:53: 'count' and 'edges' exclude one another"),
    ("{ transform: bins, column: x, edges: [2, 1] }",
     "a list of rising numbers from -1e+30 to 1e+30\n  fix: write 'edges"),
    ("{ transform: bins, column: x, edges: [a] }", "'edges' is a list of numbers\n  fix: write 'edges: [0.5]'"),
    ("{ transform: bins, column: x, count: 1 }", "'count' is a number from 2 to 1000"),
    ("{ transform: bins, column: x, count: 2.5 }", "'count' is a whole number\n  fix: write 'count: 2'"),
    ("{ transform: ordinal, column: x }", "'x' is declared number; this needs string or integer or boolean"),
    ("{ transform: ordinal, column: c, order: [a, b, a] }", "'a' stands twice\n  fix: remove one of the two"),
    ("{ transform: ordinal, column: c, impute: constant }", "a constant needs its value\n  fix: write 'impute: {with:"),
    ("{ transform: hashing, column: c }", "feature 'f' lacks 'buckets'\n  fix: add 'buckets: …'"),
    ("{ transform: hashing, column: c, buckets: 900, as: columns }",
     "at most 500 buckets become columns\n  fix: write"),
    ("{ transform: hashing, column: c, buckets: 8, as: colums }",
     "'as: colums' is unknown\n  fix: did you mean 'columns'"),
    ("{ transform: boolean, column: b, true: [yes] }", "a boolean column is 1 where it is true\n  fix: remove 'true'"),
    ("{ transform: boolean, column: c }", "which values of 't.c' mean true?\n  fix: add 'true: [yes]'"),
    ("{ transform: boolean, column: c, true: a, false: a }", "'a' is under 'true', too\n  fix: remove it from one"),
    ("{ transform: text_length, column: n }", "'n' is declared integer; this needs string"),
    ("{ transform: cyclic, column: n }", "feature 'f' lacks 'period'"),
    ("{ transform: missing, column: nn }", "no column 'nn' is declared\n  fix: did you mean 'n'?"),
    ("{ transform: date_parts, column: day, parts: hour }", "a date has no hour\n  fix: remove 'hour', or declare"),
    ("{ transform: date_parts, column: at }", "date_parts makes no column\n  fix: add 'parts: [month, weekday]'"),
    ("{ transform: date_parts, column: [y, n], parts: day }",
     "'column' is one date or timestamp, or the three columns"),
    ("{ transform: date_parts, column: at, cyclic: weekend }", "'cyclic: weekend' is unknown"),
    ("{ transform: target_encoding, column: c, smoothing: -1 }", "'smoothing' is a number from 0 to 1e+12"),
    ("{ column: x }", "feature 'f' lacks 'transform'\n  fix: add 'transform: …'"),
    ("{ transform: expression }", "feature 'f' lacks 'formula'"),
    ("{ transform: expression, formula: x / z }", "t.yaml:11:44: no column 'z' is declared"),
    ("{ transform: expression, formula: x * c }", "t.yaml:11:44: 'c' is declared string; this needs number"),
    ("{ transform: expression, formula: 'x + c' }", "t.yaml:11:45: 'c' is declared string"),
    ("{ transform: expression, formula: x + lg(n) }", "t.yaml:11:44: no function 'lg'\n  fix: did you mean 'log'?"),
    ("{ transform: expression, formula: (x + n }",
     "t.yaml:11:46: the formula has its end where ')' belongs\n  fix: write"),
    ("{ transform: expression, formula: x + * n }", "t.yaml:11:44: the formula has '*' where a number, a column or"),
    ("{ transform: expression, formula: x n }", "t.yaml:11:42: the formula has 'n' where an operator belongs"),
    ("{ transform: expression, formula: x < n < 3 }", "t.yaml:11:46: the formula has '<' where an operator belongs"),
    ("{ transform: expression, formula: x ^ 2 }", "t.yaml:11:42: '^' is no part of a formula\n  fix: a formula holds"),
    ("{ transform: expression, formula: x; DROP TABLE t }", "';' is no part of a formula"),
    ("{ transform: expression, formula: 1 + 2 }",
     "t.yaml:11:40: the formula reads no column\n  fix: name at least one"),
    ("{ transform: expression, formula: x + 1e39 }", "t.yaml:11:44: 1e39 is too large\n  fix: write a number below"),
    ("{ transform: expression, formula: 'min(x)' }", "min takes two values or more\n  fix: write 'min(x, y)'"),
    ("{ transform: expression, formula: 'log(x, n)' }", "log takes one value\n  fix: write 'log(x)'"),
    ("{ transform: expression, formula: min(x, n) }", "put a formula with a comma in quotes"),
    ("{ transform: expression, formula: " + "x+" * 301 + "x }", "longer than 600 characters\n  fix: make two"),
    ("{ transform: expression, formula: " + "(" * 41 + "x" + ")" * 41 + " }", "nested deeper than 40\n  fix: make two"),
    ("{ transform: expression, formula: 0 " + "-" * 42 + "x }", "too many signs in a row\n  fix: write one"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "message"), MISTAKES)
def test_a_mistake_is_told_with_place_and_fix(text: str, message: str) -> None:
    told = refused(text)
    assert message in told
    assert told.startswith("t.yaml:11:")
    assert "\n  fix: " in told


def test_options_are_read_into_typed_values() -> None:
    bins = feature("{ transform: bins, column: x, edges: [1, 2.5], as: columns }").transform
    assert isinstance(bins, Bins)
    assert (str(bins.column), bins.edges, bins.count, bins.form) == ("t.x", (1.0, 2.5), None, "columns")


def test_a_formula_names_its_columns_once_and_in_order() -> None:
    transform = feature("{ transform: expression, formula: 'max(x, u.v) / (x - t.n)' }").transform
    assert [str(column) for column in transform.columns] == ["t.x", "u.v", "t.n"]


def test_a_column_with_a_strange_name_stands_in_double_quotes() -> None:
    text = RECIPE.replace("x: number", "'a b-c': number").replace("JOIN", "c")
    formula = "{ transform: expression, formula: '\"a b-c\" * 2' }"
    (one,) = read_recipe(text.replace("FEATURE", formula), "t.yaml").features
    assert [str(column) for column in one.transform.columns] == ["t.a b-c"]
    rendered = one.transform.render("f", {}, DuckDB())
    assert '(CAST("t.a b-c" AS DOUBLE) * 2.0e0)' in rendered.outputs[0].sql


# Every transform over a column that is known only afterwards; `drop` alone may name one, and does not read it.
LATE = {
    "numeric": "column: late",
    "passthrough": "column: late",
    "expression": "formula: x / (1 + late)",
    "bins": "column: late, count: 3",
    "cyclic": "column: late, period: 24",
    "boolean": "column: late_flag",
    "missing": "column: late_word",
    "one_hot": "column: late_word",
    "ordinal": "column: late_word",
    "hashing": "column: late_word, buckets: 8",
    "frequency": "column: late_word",
    "target_encoding": "column: late_word",
    "date_parts": "column: late_at, parts: month",
    "text_length": "column: t.late_word",
}

# The same over what is joined in by a column that is known only afterwards.
JOINED = {
    "numeric": "column: v",
    "passthrough": "column: v",
    "expression": "formula: n * v",
    "bins": "column: v, count: 3",
    "cyclic": "column: v, period: 24",
    "missing": "column: v",
    "one_hot": "column: w",
    "ordinal": "column: w",
    "hashing": "column: w, buckets: 8",
    "frequency": "column: w",
    "target_encoding": "column: w",
    "text_length": "column: w",
}


def test_every_transform_is_proven_to_guard() -> None:
    assert set(LATE) == set(TRANSFORMS) - {"drop"}


@pytest.mark.parametrize("name", LATE)
def test_no_transform_takes_what_is_known_only_afterwards(name: str) -> None:
    options = LATE[name].replace("late_word", "t.late_word").replace("t.t.", "t.")
    told = refused(f"{{ transform: {name}, {options} }}")
    assert "feature 'f' uses 't.late" in told
    assert "known only after the target\n  fix: remove the feature, or build it from another column" in told


@pytest.mark.parametrize("name", JOINED)
def test_no_transform_takes_what_is_joined_through_it(name: str) -> None:
    told = refused(f"{{ transform: {name}, {JOINED[name]} }}", join="late_word")
    assert "feature 'f' uses 't.late_word' (through the join of 'u'), known only after the target" in told


FORMULAS = [
    "late", "-late", "(late)", "x + late", "late / x", "abs(late)", "log(x * late)", "'min(x, late)'", "'max(late, x)'",
    "x < late", "1 - (2 * (3 / (x - late)))", "t.late * 0", "late == late",
]  # fmt: skip


@pytest.mark.parametrize("formula", FORMULAS)
def test_no_formula_hides_what_is_known_only_afterwards(formula: str) -> None:
    told = refused(f"{{ transform: expression, formula: {formula} }}")
    assert "feature 'f' uses 't.late', known only after the target" in told


def test_drop_may_name_what_is_known_only_afterwards_and_reads_nothing() -> None:
    transform = feature("{ transform: drop, column: late }").transform
    assert transform.columns == ()
    assert transform.render("f", {}, DuckDB()).outputs == ()
