"""Formulas: what SQL computes is what the grammar says, with null where there is no number."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from processing.columns import Column, ColumnType
from processing.sql.dialect import FLOAT_BOUND, DuckDB
from processing.transforms.formula import Formula, Malformed, Token, parse, tokens

COLUMNS = ("x", "y", "z")
Value = float | None


def column(token: Token) -> Column:
    return Column("t", token.text, ColumnType.NUMBER)


def evaluate(text: str, row: dict[str, Value]) -> Value:
    """The grammar's meaning, by Python's own parser and arithmetic: an independent reading of the text."""
    import ast

    def walk(node: Any) -> Value:
        match node:
            case ast.Constant(value=value):
                return float(value)
            case ast.Name(id=name):
                return row[name]
            case ast.UnaryOp(operand=operand):
                value = walk(operand)
                return None if value is None else -value
            case ast.BinOp(left=left, op=op, right=right):
                return _arithmetic(type(op).__name__, walk(left), walk(right))
            case ast.Compare(left=left, ops=[op], comparators=[right]):
                return _compare(type(op).__name__, walk(left), walk(right))
            case ast.Call(func=ast.Name(id=name), args=arguments):
                return _call(name, [walk(argument) for argument in arguments])
        raise AssertionError(ast.dump(node))

    value = walk(ast.parse(text, mode="eval").body)
    return value if value is not None and abs(value) <= FLOAT_BOUND else None


def _arithmetic(name: str, left: Value, right: Value) -> Value:
    if left is None or right is None or (name == "Div" and right == 0):
        return None
    operations = {"Add": left + right, "Sub": left - right, "Mult": left * right}
    return operations[name] if name in operations else left / right


def _compare(name: str, left: Value, right: Value) -> Value:
    if left is None or right is None:
        return None
    found = {"Lt": left < right, "LtE": left <= right, "Gt": left > right, "GtE": left >= right, "Eq": left == right}
    return float(found.get(name, left != right))


def _call(name: str, values: list[Value]) -> Value:
    present = [value for value in values if value is not None]
    if not present:
        return None
    if name == "log":
        return math.log(present[0]) if present[0] > 0 else None
    return {"abs": lambda: abs(present[0]), "min": lambda: min(present), "max": lambda: max(present)}[name]()


NUMBER = st.sampled_from(["0", "1", "2.5", ".5", "3.", "1e3", "7e-2"])
LEAF = NUMBER | st.sampled_from(COLUMNS)


def deeper(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    signs = st.sampled_from(["+", "-", "*", "/", " < ", "<=", ">", ">=", "==", "!="])
    return st.one_of(
        st.tuples(inner, signs, inner).map(lambda parts: f"({parts[0]}{parts[1]}{parts[2]})"),
        st.tuples(inner, st.sampled_from("+-*/"), inner, st.sampled_from("+-*/"), inner)
        .map("".join)
        .map("({})".format),
        inner.map("-{}".format),
        inner.map("abs({})".format),
        inner.map("log( {} )".format),
        st.tuples(st.sampled_from(["min", "max"]), inner, inner).map(lambda p: f"{p[0]}({p[1]},{p[2]})"),
    )


FORMULA = st.recursive(LEAF, deeper, max_leaves=8).map(lambda text: f"{text} + x * 0")
ROW = st.fixed_dictionaries({name: st.none() | st.sampled_from([0.0, 1.0, -2.0, 0.5, 1e30, -3e38]) for name in COLUMNS})


@pytest.fixture(scope="module")
def connection() -> Any:
    return pytest.importorskip("duckdb").connect()


@settings(max_examples=150, deadline=None)
@given(text=FORMULA, row=ROW)
def test_sql_computes_what_the_grammar_says(connection: Any, text: str, row: dict[str, Value]) -> None:
    formula = parse(text, column)
    cells = ", ".join(
        f'CAST({"NULL" if value is None else repr(value)} AS DOUBLE) AS "t.{name}"' for name, value in row.items()
    )
    ((found,),) = connection.sql(f"SELECT {formula.sql(DuckDB())} FROM (SELECT {cells}) AS t").fetchall()  # noqa: S608
    wanted = evaluate(text, row)
    if wanted is None:
        assert found is None
    else:
        assert found == pytest.approx(wanted, rel=1e-9, abs=1e-30)


@given(st.text(alphabet="xy 12.()+-*/<>=!,abslogminmax\"'", max_size=40))
def test_any_text_is_read_or_refused_with_its_place(text: str) -> None:
    outcome = read(text)
    if isinstance(outcome, Malformed):
        assert 0 <= outcome.offset <= len(text)
        assert outcome.what
        assert outcome.fix
    else:
        assert outcome.columns


def read(text: str) -> Formula | Malformed:
    try:
        return parse(text, column)
    except Malformed as error:
        return error


@given(FORMULA)
def test_spaces_between_words_mean_nothing(text: str) -> None:
    spaced = "  ".join(token.text for token in tokens(text))
    assert parse(spaced, column).root == parse(text, column).root


PRECEDENCE = [
    ("x + y * z", "x + (y * z)"),
    ("x - y - z", "(x - y) - z"),
    ("x / y * z", "(x / y) * z"),
    ("-x * y", "(-x) * y"),
    ("x + 1 < y * 2", "(x + 1) < (y * 2)"),
]


@pytest.mark.parametrize(("loose", "tight"), PRECEDENCE)
def test_what_binds_tighter(loose: str, tight: str) -> None:
    assert parse(loose, column).root == parse(tight, column).root


def test_a_divisor_is_never_zero_on_any_engine() -> None:
    """DuckDB divides by zero to null by itself; another engine fails, or gives infinity."""
    assert parse("x / (y - 1)", column).root.sql(DuckDB()) == (
        '(CAST("t.x" AS DOUBLE) / nullif((CAST("t.y" AS DOUBLE) - 1.0e0), 0e0))'
    )


def test_a_logarithm_is_only_of_what_is_above_zero_on_any_engine() -> None:
    sql = parse("log(x)", column).root.sql(DuckDB())
    assert sql == 'ln(nullif(greatest(CAST("t.x" AS DOUBLE), 0e0), 0e0))'
