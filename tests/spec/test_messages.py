"""Every message of the reader, with its place and its fix.

messages.txt is the table. `=== name` begins a case; `(yaml)` after the name says that the text is no YAML that we take,
`(schema)` that the JSON Schema refuses it too. The text follows, then each problem: `--- line:column`, what, fix.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator

from pipelines.errors import SpecError
from pipelines.spec import load
from pipelines.spec.schema import schema
from pipelines.spec.source import parse_source


@dataclass(frozen=True)
class Case:
    name: str
    mark: str
    text: str
    problems: list[tuple[str, str, str]]


def cases() -> list[Case]:
    table = Path(__file__).with_name("messages.txt").read_text(encoding="utf-8")
    return [case(block) for block in re.split(r"^=== ", table, flags=re.MULTILINE)[1:]]


def case(block: str) -> Case:
    head, _, rest = block.partition("\n")
    name, _, mark = head.partition(" (")
    # A line of YAML may be `---` too: a problem's line has a place.
    text, *problems = re.split(r"^--- (?=[0-9])", rest, flags=re.MULTILINE)
    read = [tuple(problem.strip("\n").split("\n")) for problem in problems]
    return Case(name, mark.removesuffix(")"), text, read)


@pytest.mark.parametrize("case", cases(), ids=lambda case: case.name)
def test_message_place_and_fix(case, problems_of):
    assert case.problems
    assert problems_of(case.text) == case.problems


@pytest.mark.parametrize("case", [case for case in cases() if case.mark != "yaml"], ids=lambda case: case.name)
def test_schema_refuses_what_is_wrong_in_structure_and_nothing_else(case):
    value = parse_source(case.text, Path("pipeline.yaml")).value
    assert Draft202012Validator(schema()).is_valid(value) == (case.mark != "schema")


@pytest.mark.parametrize("case", [case for case in cases() if case.mark == "yaml"], ids=lambda case: case.name)
def test_cases_marked_yaml_fail_before_they_are_values(case):
    with pytest.raises(SpecError):
        parse_source(case.text, Path("pipeline.yaml"))


STEPS = "steps: {A: {fail: x}}\n"
JOB = "name: p\nimage: i\nsteps: {A: {processing: {%s}}}\n"
LONG = [
    ("", ("1:1", "the file is empty", "write a pipeline: docs/reference/pipeline-yaml.md names its keys")),
    (
        "name: p\nsteps:\n\tA: 1\n",
        (
            "3:1",
            "not valid YAML: while scanning for the next token found character that cannot start any token",
            "check indentation, quotes and brackets at this place",
        ),
    ),
    ("name: p\nnote: a\x07b\n", ("2:8", "the character U+0007 is not allowed in YAML", "remove it")),
    (
        f"name: p\ndescription: {'x' * 3001}\n{STEPS}",
        ("2:14", "a text of 3001 characters is out of range", "use 0 to 3,000 characters"),
    ),
    (
        "name: p\nparameters: {P: {type: String, default: a}}\nsteps: {A: {fail: x}}\n"
        f"environments: {{dev: {{schedules: {{s: {{rate: 1 day, parameters: {{P: {'x' * 1025}}}}}}}}}}}\n",
        ("4:67", "1025 characters; a start takes 1024", "put the value into a file, and give the file's URI"),
    ),
    (
        JOB % f"arguments: [{'x' * 257}]",
        ("3:38", "257 characters; SageMaker takes 256", "put the value into a file and make it an input"),
    ),
    (
        f"name: p\ndefaults: {{training: {{environment: {{X: {'x' * 257}}}}}}}\n{STEPS}",
        ("2:40", "257 characters; SageMaker takes 256", "put the value into a file and make it an input"),
    ),
]


@pytest.mark.parametrize(("text", "problem"), LONG, ids=[fix for _, (_, _, fix) in LONG])
def test_message_of_texts_too_long_or_strange_for_the_table(text, problem, problems_of):
    assert problems_of(text) == [problem]


def test_longest_texts_allowed_are_allowed(problems_of):
    assert problems_of(f"name: p\ndescription: {'x' * 3000}\n{STEPS}") == []
    assert problems_of(JOB % f"arguments: [{'x' * 256}]") == []


def message(file: Path) -> str:
    with pytest.raises(SpecError) as caught:
        load(file)
    return str(caught.value)


def test_missing_file(tmp_path):
    fix = "run the command in the folder of your pipeline.yaml, or name the file with -f"
    assert message(tmp_path / "no.yaml") == f"{tmp_path / 'no.yaml'}: there is no such file\n  fix: {fix}"


def test_folder_in_place_of_the_file(tmp_path):
    expected = f"{tmp_path}: cannot be read: Is a directory\n  fix: make it a readable UTF-8 text file"
    assert message(tmp_path) == expected


def test_file_that_is_not_utf8(tmp_path):
    file = tmp_path / "pipeline.yaml"
    file.write_bytes("name: Grün".encode("latin-1"))
    expected = f"{file}: cannot be read: byte 8 is not UTF-8\n  fix: make it a readable UTF-8 text file"
    assert message(file) == expected


def test_byte_order_mark_is_skipped(tmp_path):
    file = tmp_path / "pipeline.yaml"
    file.write_bytes(b"\xef\xbb\xbfname: p\n" + STEPS.encode())
    assert load(file).pipeline.name == "p"
    assert load(file).source.place(("name",)) == (1, 7)


def test_places_begin_with_the_file_as_it_was_named(tmp_path):
    file = tmp_path / "other.yaml"
    file.write_text("name: p\n")
    assert message(file) == f"{file}:1:1: the key 'steps' is missing\n  fix: add `steps:` here"
