"""Text → Definition: what is read, what is tolerated, and what is refused with which place and fix."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.definition import Cache, Definition, Dependency, Parameter, Parent, PropertyFile, RetryPolicy, parse
from pipelines.errors import DefinitionError

CASES = sorted((Path(__file__).parent / "cases").glob("*.json"))


def reading(*steps: Any, **rest: Any) -> Definition:
    return parse(json.dumps({"Steps": list(steps), **rest}))


def step(name: str, kind: str = "Processing", **rest: Any) -> dict[str, Any]:
    return {"Name": name, "Type": kind, "Arguments": {}, **rest}


def test_every_part_of_the_envelope_is_read() -> None:
    raw = step(
        "Evaluate",
        DependsOn=["Train", {"Step": "Check", "Trigger": "Failed"}],
        PropertyFiles=[{"PropertyFileName": "report", "OutputName": "out", "FilePath": "a.json"}],
        CacheConfig={"Enabled": True, "ExpireAfter": "P30D"},
        RetryPolicies=[{"ExceptionType": ["Step.THROTTLING"], "MaxAttempts": 3, "BackoffRate": 1.5}],
        DisplayName="Evaluation",
        Description="…",
        SomethingNew={"x": 1},
    )
    found = reading(raw).step("Evaluate")
    assert found.depends_on == (Dependency("Train"), Dependency("Check", "Failed"))
    assert found.property_files == (PropertyFile("report", "out", "a.json"),)
    assert found.property_file("report") == PropertyFile("report", "out", "a.json")
    assert found.property_file("other") is None
    assert found.cache == Cache(True, "P30D")
    assert found.retry_policies == (RetryPolicy(("Step.THROTTLING",), None, 1.5, 3, None),)
    assert (found.display_name, found.description, found.raw) == ("Evaluation", "…", raw)


def test_a_dependency_without_trigger_means_completed() -> None:
    assert reading(step("A"), step("B", DependsOn=["A"])).step("B").depends_on[0].trigger == "Completed"


def test_nested_steps_know_their_parent_and_come_after_it() -> None:
    inner = step("Inner", "Condition", Arguments={"Conditions": [], "IfSteps": [step("Deep")], "ElseSteps": []})
    gate = step("Gate", "Condition", Arguments={"Conditions": [], "IfSteps": [inner], "ElseSteps": [step("No")]})
    loop = step("Loop", "ForEach", Arguments={"ForEachBody": [step("Body")]})
    definition = reading(gate, step("Last"), loop)
    assert [found.name for found in definition.all_steps()] == ["Gate", "Inner", "Deep", "No", "Last", "Loop", "Body"]
    assert [found.name for found in definition.steps] == ["Gate", "Last", "Loop"]
    assert definition.step("Deep").parent == Parent("Inner", "IfSteps")
    assert definition.step("No").parent == Parent("Gate", "ElseSteps")
    assert definition.step("Body").parent == Parent("Loop", "ForEachBody")
    assert definition.step("Deep").where == "Steps[0].Arguments.IfSteps[0].Arguments.IfSteps[0]"
    assert definition.step("Gate").parent is None


def test_a_condition_does_not_own_the_references_of_its_branches() -> None:
    inside = step("Yes", Arguments={"x": {"Get": "Parameters.P"}})
    gate = step("Gate", "Condition", Arguments={"Conditions": [], "IfSteps": [inside]})
    definition = reading(gate)
    assert definition.step("Gate").references == ()
    assert [where for where, _ in definition.step("Yes").references] == ["Steps[0].Arguments.IfSteps[0].Arguments.x"]


def test_parameters_keep_type_default_and_enum() -> None:
    declared = [
        {"Name": "A", "Type": "Integer", "DefaultValue": 0},
        {"Name": "B", "EnumValues": ["x", "y"]},
        {"Name": "C", "Type": "Boolean", "DefaultValue": None},
    ]
    assert reading(Parameters=declared).parameters == (
        Parameter("A", "Integer", 0, True),
        Parameter("B", "String", None, False, ("x", "y")),
        Parameter("C", "Boolean", None, False),
    )


def test_unknown_keys_and_kinds_are_tolerated() -> None:
    definition = reading(step("A", "Quantum", Wings=2), Novelty={"Get": "Later.Thing"}, MlflowConfig=None)
    assert definition.step("A").type == "Quantum"
    assert definition.document["Novelty"] == {"Get": "Later.Thing"}


def test_the_digest_ignores_layout_and_key_order_but_not_values() -> None:
    one = parse('{"Steps": [], "Version": "2020-12-01"}')
    other = parse('{"Version":"2020-12-01",\n"Steps":[]}')
    assert one.digest == other.digest
    assert one.digest != parse('{"Steps": [], "Version": "2020-12-02"}').digest
    assert len(one.digest) == 64


@pytest.mark.parametrize(
    ("text", "where", "what", "fix"),
    [
        ("{", "definition:1:2", "not JSON: Expecting property name", "one JSON object"),
        ("[]", "definition", "not a JSON object", '{"Version"'),
        ('{"a": 1, "a": 2, "Steps": []}', "definition", 'the key "a" stands twice', "mend the JSON"),
        ('{"a": NaN, "Steps": []}', "definition", "NaN is not a JSON number", "mend the JSON"),
        ('{"a": 1e999, "Steps": []}', "definition", "1e999 is too large", "mend the JSON"),
        ('{"a": 1' + "0" * 5000 + ', "Steps": []}', "definition", "Exceeds the limit", "mend the JSON"),
        ('{"Steps": [], "a": ' + "[" * 200 + "]" * 200 + "}", "definition", "more than 100 levels", "flatten"),
        ('{"Steps": [], "a": ' + "[" * 90000 + "]" * 90000 + "}", "definition", "more than 100 levels", "flatten"),
        ("{}", "definition", "Steps is missing", 'add "Steps"'),
        ('{"Steps": {}}', "definition: Steps", "Steps is not a list", '"Steps": […]'),
        ('{"Steps": null}', "definition: Steps", "Steps is not a list", '"Steps": […]'),
        ('{"Steps": [1]}', "definition: Steps[0]", "not an object", "{…}"),
        ('{"Steps": [{"Type": "Fail"}]}', "definition: Steps[0]", "Name is missing", 'add "Name"'),
        ('{"Steps": [{"Name": "A"}]}', "definition: Steps[0]", "Type is missing", 'add "Type"'),
        (
            '{"Steps": [{"Name": "A", "Type": "Fail", "Arguments": []}]}',
            "definition: Steps[0].Arguments",
            "not an object",
            "{…}",
        ),
        (
            '{"Steps": [{"Name": "A", "Type": "Fail", "DependsOn": [3]}]}',
            "definition: Steps[0].DependsOn[0]",
            "neither a step name nor an object",
            '"Trigger"',
        ),
        (
            '{"Steps": [{"Name": "A", "Type": "Fail", "DependsOn": "B"}]}',
            "definition: Steps[0].DependsOn",
            "DependsOn is not a list",
            '"DependsOn": […]',
        ),
        (
            '{"Steps": [{"Name": "A", "Type": "Fail", "CacheConfig": true}]}',
            "definition: Steps[0].CacheConfig",
            "not an object",
            '"Enabled": true',
        ),
        (
            '{"Steps": [{"Name": "A", "Type": "Fail", "RetryPolicies": [{}]}]}',
            "definition: Steps[0].RetryPolicies[0]",
            "ExceptionType is missing",
            '"ExceptionType"',
        ),
        (
            '{"Steps": [{"Name": "A", "Type": "Fail", "Arguments": {"x": {"Get": 3}}}]}',
            "definition: Steps[0].Arguments.x.Get",
            "found a number",
            '{"Get": "Parameters.Name"}',
        ),
        (
            '{"Parameters": [{"Name": "P"}, {"Name": "P"}], "Steps": []}',
            "definition: Parameters[1]",
            'two parameters are named "P"',
            "rename",
        ),
        (
            '{"Steps": [{"Name": "A", "Type": "Condition",'
            ' "Arguments": {"IfSteps": [{"Name": "A", "Type": "Fail"}]}}]}',
            "definition: Steps[0].Arguments.IfSteps[0]",
            'two steps are named "A"',
            "rename",
        ),
    ],
)
def test_unreadable_documents_are_refused_with_place_and_fix(text: str, where: str, what: str, fix: str) -> None:
    with pytest.raises(DefinitionError) as caught:
        parse(text)
    (problem,) = caught.value.problems
    assert problem.where == where
    assert what in problem.what
    assert fix in problem.fix


def test_the_place_opens_with_the_name_of_the_document() -> None:
    with pytest.raises(DefinitionError, match=r"^flight\.json: Steps\[0\]: Name is missing"):
        parse('{"Steps": [{}]}', where="flight.json")


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_definitions_from_elsewhere_load(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    definition = parse(text)
    assert [found.name for found in definition.steps] == [raw["Name"] for raw in json.loads(text)["Steps"]]


def test_the_name_of_a_loops_child_gives_its_body_step() -> None:
    body = {"Name": "Body", "Type": "Processing"}
    loop = {"Name": "Loop", "Type": "ForEach", "Arguments": {"ForEachBody": [body]}}
    other = {"Name": "Other-7", "Type": "Processing"}
    definition = parse(json.dumps({"Steps": [loop, other]}))
    assert definition.step("Body-12").name == definition.step("Body").name == "Body"
    assert not definition.has_step("Body-12")
    assert definition.step("Other-7").name == "Other-7"
    for name in ("Loop-0", "Body-", "Body-01", "Body-x", "Bodi-1", "-1"):
        with pytest.raises(KeyError):
            definition.step(name)
