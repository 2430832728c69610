"""The JSON Schema and the reference page follow the types."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pipelines.errors import SpecError
from pipelines.spec import reference, schema, validated
from pipelines.spec.model import Pipeline
from pipelines.spec.reader import read_as
from pipelines.spec.source import Source, parse_source, read_source

ROOT = Path(__file__).parents[2]
SPECS = [ROOT / "pipeline.yaml", *sorted((ROOT / "tests" / "features").glob("*/pipeline.yaml"))]
VALIDATOR = Draft202012Validator(schema.schema())


def test_schema_file_is_the_generated_one():
    assert schema.FILE.read_text(encoding="utf-8") == schema.text(), "run: python -m pipelines.spec.schema"


def test_reference_page_is_the_generated_one():
    assert reference.FILE.read_text(encoding="utf-8") == reference.page(), "run: python -m pipelines.spec.reference"


def test_schema_is_a_schema():
    Draft202012Validator.check_schema(schema.schema())


def test_every_key_is_described():
    def undescribed(node: Any) -> list[str]:
        found = [key for key, value in node.get("properties", {}).items() if not value.get("description")]
        return found + [key for inner in node.get("$defs", {}).values() for key in undescribed(inner)]

    assert undescribed(schema.schema()) == []


@pytest.mark.parametrize("file", SPECS, ids=lambda file: file.parent.name)
def test_specs_are_valid_by_the_schema(file):
    assert list(VALIDATOR.iter_errors(read_source(file).value)) == []


VALUES = [read_source(file).value for file in SPECS]
JUNK = [
    None,
    True,
    False,
    0,
    7,
    -1,
    0.5,
    "",
    "x",
    "a b",
    "30m",
    "0m",
    "${{ parameters.X }}",
    "${{ x }}",
    [],
    ["x"],
    [1],
]
JUNK += [{}, {"x": "y"}, {"a b": 1}, "default", "s3://b/k", "./x", "ml.m5.large", 10**6, ["x"] * 101]


def containers(value: Any) -> list[Any]:
    """Every mapping and list in a value."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    here = [value] if isinstance(value, dict | list) and value else []
    return here + [found for item in inner for found in containers(item)]


@st.composite
def spoiled(draw: st.DrawFn) -> Any:
    """A spec in which one value was replaced, removed or added."""
    value = copy.deepcopy(draw(st.sampled_from(VALUES)))
    place = draw(st.sampled_from(containers(value)))
    junk = draw(st.sampled_from(JUNK))
    keys = list(place) if isinstance(place, dict) else list(range(len(place)))
    key = draw(st.sampled_from(keys))
    assume(key != "if" or not isinstance(junk, str))  # the schema leaves the syntax of conditions to the reader
    match draw(st.sampled_from(["replace", "remove", "add"])):
        case "replace":
            place[key] = junk
        case "remove":
            del place[key]
        case "add" if isinstance(place, dict):
            place[draw(st.sampled_from(["x", "a b", "image", "fail", "enum", "description"]))] = junk
        case _:
            place.append(junk)
    return value


def source(value: Any) -> Source:
    return parse_source(json.dumps(value, ensure_ascii=False), Path("pipeline.yaml"))


@settings(max_examples=250, deadline=None)
@given(spoiled())
def test_what_the_schema_refuses_the_reader_refuses(value):
    if not VALIDATOR.is_valid(value):
        with pytest.raises(SpecError):
            validated(source(value))


@settings(max_examples=250, deadline=None)
@given(spoiled())
def test_what_the_reader_refuses_by_type_the_schema_refuses(value):
    assert not refused_by_type(value) or not VALIDATOR.is_valid(value)


def refused_by_type(value: Any) -> list[str]:
    try:
        read_as(Pipeline, source(value))
    except SpecError as error:
        return [problem.what for problem in error.problems]
    return []
