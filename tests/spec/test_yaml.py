"""YAML text → values with places."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.errors import SpecError
from pipelines.spec.nodes import LOADER, MAX_DEPTH
from pipelines.spec.scalars import plain_scalar
from pipelines.spec.source import MAX_VALUES, parse_source

FILE = Path("pipeline.yaml")
loaders = pytest.mark.parametrize("loader", [LOADER, yaml.SafeLoader], ids=["libyaml", "python"])

SCALARS = [
    ("", None),
    ("~", None),
    ("null", None),
    ("NULL", None),
    ("nUll", "nUll"),
    ("true", True),
    ("False", False),
    ("tRUE", "tRUE"),
    ("yes", "yes"),
    ("no", "no"),
    ("on", "on"),
    ("off", "off"),
    ("y", "y"),
    ("0", 0),
    ("-12", -12),
    ("+12", 12),
    ("007", 7),
    ("0o17", 15),
    ("0x1F", 31),
    ("0b11", "0b11"),
    ("1_000", "1_000"),
    ("12:30", "12:30"),
    ("12:30:45", "12:30:45"),
    ("2013-01-01", "2013-01-01"),
    ("1.", 1.0),
    (".5", 0.5),
    ("-.5e3", -500.0),
    ("1e3", 1000.0),
    ("1e-5", 1e-5),
    ("1.5.2", "1.5.2"),
    ("9223372036854775807", 2**63 - 1),
    ("-9223372036854775808", -(2**63)),
    ("0000000000000000000000000000000012", 12),
    ("٣", "٣"),
    ("=", "="),
]


@pytest.mark.parametrize(("text", "value"), SCALARS)
def test_plain_scalars_follow_yaml_1_2(text, value):
    assert plain_scalar(text) == value
    assert type(plain_scalar(text)) is type(value)


@pytest.mark.parametrize("text", ["9223372036854775808", "9" * 5000, "0x" + "f" * 20, "1e999", ".inf", "-.INF", ".nan"])
def test_numbers_that_json_cannot_carry_are_refused(text):
    with pytest.raises(ValueError, match=r"number"):
        plain_scalar(text)


@pytest.mark.parametrize("text", ['"12"', "'true'", "|\n  12", ">-\n  ~", '""'])
def test_quoted_and_block_scalars_are_text(text):
    value = parse_source(f"a: {text}\n", FILE).value["a"]
    assert isinstance(value, str)


def test_an_alias_stands_for_the_value_of_its_anchor():
    source = parse_source("a: &x [1, {b: 2}]\nc: *x\n", FILE)
    assert source.value["c"] == [1, {"b": 2}]
    assert source.place(("c", 1, "b")) == source.place(("a", 1, "b")) == (1, 15)


def test_an_anchor_that_stands_again_takes_the_place_of_the_first():
    assert parse_source("a: &x 1\nb: *x\nc: &x 2\nd: *x\n", FILE).value == {"a": 1, "b": 1, "c": 2, "d": 2}


def test_place_of_what_is_not_there_is_that_of_the_nearest_value_around_it():
    source = parse_source("a:\n  b: 1\n", FILE)
    assert source.where(("a", "b", "c", 0)) == "pipeline.yaml:2:6"
    assert source.where(("a", "x"), key=True) == "pipeline.yaml:2:3"


def refusal(text: str) -> str:
    with pytest.raises(SpecError) as caught:
        parse_source(text, FILE)
    return str(caught.value)


def test_alias_bomb_ends_early():
    rows = ["a0: &a0 [" + ", ".join(["x"] * 10) + "]"]
    rows += [f"a{row}: &a{row} [" + ", ".join([f"*a{row - 1}"] * 10) + "]" for row in range(1, 9)]
    fix = "write the values out instead of nesting aliases"
    assert refusal("\n".join(rows)) == f"pipeline.yaml: more than {MAX_VALUES:,} values\n  fix: {fix}"


@loaders
@pytest.mark.parametrize("text", ["- " * 100_000, "[" * 900, "{a: " * 900, "? " * 10_000])
def test_deep_nesting_is_refused_and_never_exhausts_the_stack(text, loader):
    with pytest.raises(SpecError) as caught:
        parse_source(text, FILE, loader=loader)
    assert caught.value.what == f"values are nested more than {MAX_DEPTH} deep"
    assert caught.value.problems[0].fix == "write them less deeply"


def test_deep_nesting_through_aliases_is_refused():
    rows = ["- &a0 [x]", *(f"- &a{row} [*a{row - 1}]" for row in range(1, 2000))]
    assert f"aliases nest values more than {MAX_DEPTH} deep\n  fix: write them less deeply" in refusal("\n".join(rows))


def test_depth_that_specs_need_is_allowed():
    assert parse_source("[" * MAX_DEPTH + "]" * MAX_DEPTH, FILE).value


@loaders
@pytest.mark.parametrize("text", ['"\\UFFFFFFFF"', f"%YAML {'9' * 5000}.1\n---\na"])
def test_what_the_parsers_stumble_over_is_a_message(text, loader):
    with pytest.raises(SpecError) as caught:
        parse_source(text, FILE, loader=loader)
    assert caught.value.what.startswith("not valid YAML: ")
    assert caught.value.problems[0].fix == "check indentation, quotes and brackets at this place"


keys = st.text(st.characters(codec="utf-8", exclude_categories=["C"]), max_size=6)
scalars = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
)
documents = st.recursive(
    scalars | keys, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(keys, inner, max_size=4), max_leaves=25
)


def written(value: object, indent: int | None) -> str:
    return json.dumps(value, ensure_ascii=False, indent=indent)


@loaders
@settings(max_examples=60, deadline=None)
@given(value=documents, indent=st.sampled_from([None, 1, 3]))
def test_json_reads_as_the_same_values(loader, value, indent):
    assert parse_source(written(value, indent), FILE, loader=loader).value == value


@loaders
@settings(max_examples=60, deadline=None)
@given(value=documents, indent=st.sampled_from([None, 1, 3]))
def test_each_place_is_where_its_text_stands(loader, value, indent):
    text = written(value, indent)
    source = parse_source(text, FILE, loader=loader)
    lines = text.split("\n")
    for path, (line, column) in source.places.items():
        part = value
        for key in path:
            part = part[key]
        first = {dict: "{", list: "["}.get(type(part)) or json.dumps(part, ensure_ascii=False)
        assert lines[line - 1][column - 1 :].startswith(first)
    for path, (line, column) in source.keys.items():
        assert lines[line - 1][column - 1 :].startswith(json.dumps(path[-1], ensure_ascii=False))


PIECES = ["name", "steps", "processing", "fail", "if", "condition", ": ", "\n", "  ", "- ", "{", "}", "[", "]", ", "]
PIECES += [
    "${{",
    "}}",
    "parameters.X",
    "steps.A.model",
    "&a ",
    "*a",
    "!!str ",
    "'",
    '"',
    "|",
    ">",
    "#",
    "~",
    "1",
    "== ",
]
PIECES += ["\t", "\x00", "\ufeff", "\x85", "\u2028", "é", "%YAML 1.2", "---", "..."]


@settings(max_examples=300, deadline=None)
@given(text=st.text() | st.lists(st.sampled_from(PIECES), max_size=30).map("".join))
def test_any_text_is_a_spec_or_a_message(text, problems_of):
    assert all(where and what and fix for where, what, fix in problems_of(text))
