"""What two definitions differ in, in pipeline.yaml's words."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from pipelines.definition import parse
from pipelines.plan.difference import definition_changes
from pipelines.plan.model import Change, FieldChange
from pipelines.plan.words import condition_words, words
from tests.plan.definitions import condition, define, fail, get, output, parameter, processing, training

FEATURES = Path(__file__).parents[1] / "features"


def changed(old: Any, new: Any) -> list[tuple[str, str | None, str | None]]:
    """The fields that one change is of."""
    (change,) = definition_changes(define(old), define(new))
    assert change.symbol == "~"
    return [(item.field, item.old, item.new) for item in change.fields]


RETRY = {"ExceptionType": ["Step.THROTTLING"], "IntervalSeconds": 30, "BackoffRate": 2.0, "MaxAttempts": 5}
BASE = processing(
    "A",
    inputs={"raw": "s3://b/raw/", "recipe": "s3://b/1/r.yaml"},
    outputs={"train": None},
    arguments=["--rows", "10"],
    environment={"STAGE": "dev"},
    RetryPolicies=[RETRY],
    PropertyFiles=[{"PropertyFileName": "m", "OutputName": "train", "FilePath": "m.json"}],
)
MODEL = training("A", inputs={"train": "s3://b/t/"}, hyperparameters={"depth": "3"})


def spoiled(base: Any, path: str, value: Any) -> Any:
    """A copy in which one value is another, or is not there."""
    step = copy.deepcopy(base)
    *parents, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    holder = step
    for part in parents:
        holder = holder[part]
    if value is None:
        del holder[last]
    else:
        holder[last] = value
    return step


ARGUMENTS = "Arguments.AppSpecification.ContainerArguments"
TABLE = [
    ("Arguments.ProcessingResources.ClusterConfig.InstanceType", "ml.m5.4xlarge", "instance_type", "ml.m5.xlarge"),
    ("Arguments.ProcessingResources.ClusterConfig.VolumeSizeInGB", 50, "volume_gb", "30"),
    ("Arguments.ProcessingResources.ClusterConfig.InstanceCount", get("Parameters.N"), "instance_count", "1"),
    ("Arguments.StoppingCondition.MaxRuntimeInSeconds", 5400, "max_runtime", "1h"),
    ("Arguments.AppSpecification.ContainerEntrypoint", ["bash"], "entrypoint", "[python3, job.py]"),
    (f"{ARGUMENTS}.1", "20", "arguments[1]", "10"),
    (ARGUMENTS, ["--rows", "10", "--all"], "arguments", "[--rows, 10]"),
    (ARGUMENTS, None, "arguments", "[--rows, 10]"),
    ("Arguments.ProcessingInputs.1.S3Input.S3Uri", "s3://b/2/r.yaml", "inputs.recipe", "s3://b/1/r.yaml"),
    ("Arguments.ProcessingInputs.0.S3Input.S3Uri", output("B", "out"), "inputs.raw", "s3://b/raw/"),
    ("Arguments.ProcessingInputs.0.S3Input.LocalPath", "/opt/x", "inputs.raw.path", "/opt/ml/processing/input/raw"),
    ("Arguments.ProcessingInputs.0.S3Input.S3InputMode", "Pipe", "inputs.raw.S3InputMode", "File"),
    ("Arguments.ProcessingOutputConfig.Outputs.0.S3Output.S3UploadMode", "Continuous", "outputs.train.mode",
     "EndOfJob"),
    ("Arguments.ProcessingOutputConfig.Outputs.0.S3Output.S3Uri", "s3://b/fixed", "outputs.train.uri",
     "s3://team-dev/demo/${{ execution.id }}/A/train"),
    ("Arguments.ProcessingOutputConfig.KmsKeyId", "key", "ProcessingOutputConfig.KmsKeyId", None),
    ("Arguments.Environment.STAGE", "prod", "environment.STAGE", "dev"),
    ("Arguments.NetworkConfig", {"EnableNetworkIsolation": True}, "network_isolation", None),
    ("Arguments.RoleArn", "arn:aws:iam::1:role/x", "role", "arn:aws:iam::111111111111:role/pipelines"),
    ("RetryPolicies.0.MaxAttempts", 3, "retry[0].attempts", "5"),
    ("RetryPolicies.0.ExceptionType", ["SageMaker.CAPACITY_ERROR"], "retry[0].on[0]", "Step.THROTTLING"),
    ("PropertyFiles.0.FilePath", "n.json", "reports.m", "train/m.json"),
    ("CacheConfig", {"Enabled": True, "ExpireAfter": "P30D"}, "cache", None),
    ("CacheConfig", {"Enabled": False, "ExpireAfter": "P30D"}, "cache", None),
    ("CacheConfig", {"Enabled": True, "ExpireAfter": "PT90M"}, "cache", None),
    ("Description", "told", "description", None),
    ("DisplayName", "shown", "DisplayName", None),
]  # fmt: skip
NEW = {
    "max_runtime": "90m",
    "entrypoint": "[bash]",
    "arguments": "[--rows, 10, --all]",
    "instance_count": "${{ parameters.N }}",
    "inputs.raw": "${{ steps.B.outputs.out }}",
    "network_isolation": "true",
    "retry[0].on[0]": "SageMaker.CAPACITY_ERROR",
    "reports.m": "train/n.json",
}


@pytest.mark.parametrize(("path", "value", "field", "old"), TABLE, ids=[f"{row[2]} {row[1]}" for row in TABLE])
def test_one_value_is_one_field(path: str, value: Any, field: str, old: str | None) -> None:
    new = NEW.get(field, str(value))
    if field == "cache":
        new = {"P30D": "30d", "PT90M": "PT90M"}[value["ExpireAfter"]] if value["Enabled"] else "false"
    assert changed(BASE, spoiled(BASE, path, value)) == [(field, old, None if value is None else new)]


def test_the_words_of_a_training_step() -> None:
    new = spoiled(MODEL, "Arguments.HyperParameters.depth", "4")
    new = spoiled(new, "Arguments.AlgorithmSpecification.TrainingImage", "other")
    new = spoiled(new, "Arguments.InputDataConfig.0.DataSource.S3DataSource.S3Uri", output("B", "train"))
    assert changed(MODEL, new) == [
        ("image", "111111111111.dkr.ecr.eu-central-1.amazonaws.com/demo:src-1", "other"),
        ("inputs.train", "s3://b/t/", "${{ steps.B.outputs.train }}"),
        ("hyperparameters.depth", "3", "4"),
    ]


def test_the_words_of_spot_training() -> None:
    new = spoiled(MODEL, "Arguments.CheckpointConfig", {"S3Uri": "s3://b/c", "LocalPath": "/opt/ml/checkpoints"})
    new = spoiled(new, "Arguments.EnableManagedSpotTraining", True)
    new = spoiled(new, "Arguments.StoppingCondition.MaxWaitTimeInSeconds", 21600)
    assert changed(MODEL, new) == [
        ("checkpoints.path", None, "/opt/ml/checkpoints"),
        ("checkpoints.uri", None, "s3://b/c"),
        ("spot", None, "true"),
        ("spot.max_wait", None, "6h"),
    ]


def test_an_input_more_is_one_input_more() -> None:
    old = processing("A", inputs={"b": "s3://b/"})
    new = processing("A", inputs={"a": "s3://a/", "b": "s3://b/"})
    found = changed(old, new)
    assert {field.split(".")[1] for field, _, _ in found} == {"a"}
    assert ("inputs.a", None, "s3://a/") in found


def test_steps_and_parameters_come_and_go() -> None:
    old = define(fail("A"), fail("B"), parameters=(parameter("Old"), parameter("P", default="x")))
    new = define(fail("C"), fail("B", "other"), parameters=(parameter("P", default="y", EnumValues=["y", "z"]),))
    assert definition_changes(old, new) == (
        Change("~", "parameter", "P", (FieldChange("default", "x", "y"), FieldChange("enum", None, "[y, z]"))),
        Change("-", "parameter", "Old"),
        Change("+", "step", "C", (FieldChange("type", None, "Fail"), FieldChange("fail", None, "it failed"))),
        Change("~", "step", "B", (FieldChange("fail", "it failed", "other"),)),
        Change("-", "step", "A"),
    )


def test_a_condition_is_told_as_its_if_and_its_branches() -> None:
    auc = {"Std:JsonGet": {"PropertyFile": get("Steps.E.PropertyFiles.m"), "Path": "auc.value"}}
    old = {"Type": "GreaterThanOrEqualTo", "LeftValue": auc, "RightValue": get("Parameters.MinAuc")}
    new = old | {"RightValue": 0.7}
    found = definition_changes(
        define(condition("G", [old], [fail("R")])), define(condition("G", [new], [], [fail("R")]))
    )
    assert found == (
        Change(
            "~",
            "step",
            "G",
            (
                FieldChange(
                    "if",
                    "${{ steps.E.reports.m.auc.value }} >= ${{ parameters.MinAuc }}",
                    "${{ steps.E.reports.m.auc.value }} >= 0.7",
                ),
                FieldChange("then", "[R]", "[]"),
                FieldChange("else", "[]", "[R]"),
            ),
        ),
    )


def test_an_edge_that_comes_is_told() -> None:
    old = define(fail("A"), processing("B"), processing("C"))
    new = define(fail("A"), processing("B"), processing("C", DependsOn=["B"]))
    (change,) = definition_changes(old, new)
    assert change.fields == (FieldChange("depends_on", None, "[B]"), FieldChange("waits for", None, "[B]"))


def test_another_trigger_is_told() -> None:
    old = processing("C", DependsOn=["B"])
    (change,) = definition_changes(
        define(processing("B"), old), define(processing("B"), old | {"DependsOn": [{"Step": "B", "Trigger": "Failed"}]})
    )
    assert change.fields == (FieldChange("depends_on[0]", "B", "B (Failed)"),)


def test_the_order_of_steps_alone_is_told_as_such() -> None:
    found = definition_changes(define(fail("A"), fail("B")), define(fail("B"), fail("A")))
    assert found == (Change("~", "definition", "", (FieldChange("order of steps or keys", "another", "this"),)),)


def test_what_stands_beside_the_steps_is_told() -> None:
    old = define(fail("A"), PipelineExperimentConfig={"ExperimentName": "e", "TrialName": get("Execution.PipelineArn")})
    new = define(fail("A"), PipelineExperimentConfig=None)
    experiment = "{ExperimentName: e, TrialName: ${{ execution.pipeline_arn }}}"
    assert definition_changes(old, new) == (
        Change("~", "pipeline", "", (FieldChange("experiment", experiment, "none"),)),
    )


CONDITIONS = [
    ([], "true"),
    ([{"Type": "Equals", "LeftValue": "a b", "RightValue": get("Parameters.P")}], "'a b' == ${{ parameters.P }}"),
    ([{"Type": "LessThan", "LeftValue": 1, "RightValue": 2.5}, {"Type": "Equals", "LeftValue": True, "RightValue": 1}],
     "1 < 2.5 and true == 1"),
    ([{"Type": "Not", "Condition": {"Type": "Equals", "LeftValue": 1, "RightValue": 2}}], "1 != 2"),
    ([{"Type": "Not", "Condition": {"Type": "In", "QueryValue": 1, "Values": [1, "x"]}}], "1 not in [1, 'x']"),
    ([{"Type": "Or", "Conditions": [{"Type": "In", "QueryValue": "x", "Values": ["x"]},
                                    {"Type": "GreaterThan", "LeftValue": 1, "RightValue": 2}]}],
     "('x' in ['x'] or 1 > 2)"),
    ([{"Type": "Not", "Condition": {"Type": "GreaterThan", "LeftValue": 1, "RightValue": 2}}], "not (1 > 2)"),
    ([{"Type": "Not", "Condition": {"Type": "Or", "Conditions": [
        {"Type": "Not", "Condition": {"Type": "GreaterThan", "LeftValue": 1, "RightValue": 2}},
        {"Type": "Not", "Condition": {"Type": "LessThan", "LeftValue": 3, "RightValue": 4}}]}}],
     "(1 > 2 and 3 < 4)"),
    ([{"Type": "Newer", "Value": 1}], "{Type: Newer, Value: 1}"),
    (["odd"], "odd"),
]  # fmt: skip


@pytest.mark.parametrize(("conditions", "text"), CONDITIONS, ids=[text for _, text in CONDITIONS])
def test_conditions_in_words(conditions: Any, text: str) -> None:
    assert condition_words(conditions) == text


WORDS = [
    ({"Get": "Steps.T.ModelArtifacts.S3ModelArtifacts"}, "${{ steps.T.model }}"),
    ({"Get": "Steps.A.ProcessingJobName"}, "${{ steps.A.ProcessingJobName }}"),
    ({"Get": "Execution.StartDateTime"}, "${{ execution.start_time }}"),
    ({"Get": "Execution.ProcessingJobName"}, "${{ Execution.ProcessingJobName }}"),
    ({"Get": "ForEach.CurrentItem.x"}, "${{ ForEach.CurrentItem.x }}"),
    ({"Std:Join": {"On": "", "Values": [get("Parameters.N")]}}, "${{ parameters.N }}"),
    ({"Std:JsonGet": {"S3Uri": "s3://b/x.json", "Path": "a[0]"}}, "${{ s3://b/x.json.a[0] }}"),
    ({"Std:New": {"b": 1}}, 'Std:New({"b": 1})'),
    ("two\nlines\x1b[31m", "two\\nlines\\x1b[31m"),
    ([1, None, True, {"b": "c", "a": []}], "[1, null, true, {a: [], b: c}]"),
]


@pytest.mark.parametrize(("value", "text"), WORDS, ids=[text for _, text in WORDS])
def test_values_in_words(value: Any, text: str) -> None:
    assert words(value) == text


@pytest.mark.parametrize("file", sorted(FEATURES.glob("*/definition.json")), ids=lambda file: file.parent.name)
def test_every_value_of_every_feature_shows_when_it_changes(file: Path) -> None:
    """Whatever leaf of a step changes, some field says so: nothing of a definition is beyond the words."""
    text = file.read_text(encoding="utf-8")
    old = parse(text)
    for path in leaves(json.loads(text)["Steps"]):
        document = json.loads(text)
        holder = document["Steps"]
        for part in path[:-1]:
            holder = holder[part]
        if path[-1] in ("Name", "Type", "On", "Get", "Step"):  # other steps, or no definition any more
            continue
        holder[path[-1]] = "changed" if isinstance(holder[path[-1]], str) else 12345
        (first, *_) = definition_changes(old, parse(json.dumps(document)))
        assert first.kind in ("step", "parameter"), path
        assert first.fields


def leaves(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else None
    return [path] if pairs is None else [found for key, item in pairs for found in leaves(item, (*path, key))]
