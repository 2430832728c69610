"""Where `Steps.S.<path>` leads, for every type of step (CONTRACT.md 1.6)."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.checks import check
from pipelines.checks.properties import NoProperty, Property, follow
from pipelines.checks.subject import Subject
from pipelines.definition import parse_path
from tests.checks.documents import (
    call,
    changed,
    defined,
    document,
    equals,
    fail,
    gate,
    get,
    loop,
    looped,
    processing,
    training,
)

METRICS = {"AlgorithmSpecification": {"MetricDefinitions": [{"Name": "validation:auc", "Regex": "x"}]}}
STEPS = {
    "Processing": changed(processing("S"), "Arguments.Environment", {"K": "v"}),
    "Training": changed(training("S"), "Arguments", METRICS),
    "Lambda": call("S", ("rows", "Integer"), ("uri", "String")),
    "Condition": gate(equals(), name="S"),
    "ForEach": {**loop(looped()), "Name": "S"},
    **{
        kind: {"Name": "S", "Type": kind, "Arguments": {}}
        for kind in [
            *(
                "Tuning",
                "Transform",
                "AutoML",
                "Model",
                "RegisterModel",
                "EndpointConfig",
                "Endpoint",
                "Lineage",
                "EMR",
            ),
            *("InferenceComponent", "Job", "QualityCheck", "ClarifyCheck", "EMRServerless", "Cleanup", "Bedrock"),
        ]
    },
}


def led(kind: str, path: str) -> Property | NoProperty:
    definition = defined(document(STEPS[kind]))
    return follow(Subject(definition), definition.step("S"), parse_path(path))


@pytest.mark.parametrize(
    ("kind", "path", "expected"),
    [
        ("Processing", "ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri", "String"),
        ("Processing", "ProcessingInputs['raw'].S3Input.S3Uri", "String"),
        ("Processing", "ProcessingResources.ClusterConfig.InstanceCount", "Integer"),
        ("Processing", "AppSpecification.ContainerArguments[0]", "String"),
        ("Processing", "Environment['K']", "String"),
        ("Processing", "CreationTime", None),
        ("Processing", "ProcessingOutputConfig", "object"),
        ("Processing", "ProcessingInputs", "list"),
        ("Training", "ModelArtifacts.S3ModelArtifacts", "String"),
        ("Training", "FinalMetricDataList['validation:auc'].Value", "Float"),
        ("Tuning", "TrainingJobSummaries[0].TrainingJobName", "String"),
        ("Tuning", "BestTrainingJob.TrainingJobName", "String"),
        ("Transform", "TransformOutput.S3OutputPath", "String"),
        ("AutoML", "BestCandidateProperties.ModelInsightsJsonReportPath", "String"),
        ("AutoML", "BestCandidate.CandidateName", "String"),
        ("Model", "PrimaryContainer.ModelDataUrl", "String"),
        ("RegisterModel", "ModelPackageArn", "String"),
        ("EndpointConfig", "EndpointConfigName", "String"),
        ("Endpoint", "EndpointArn", "String"),
        ("InferenceComponent", "InferenceComponentName", "String"),
        ("Job", "JobConfigDocument.Anything.below", None),
        ("Job", "JobArn", "String"),
        ("Lambda", "OutputParameters['rows']", "Integer"),
        ("Condition", "Outcome", None),
        ("QualityCheck", "CalculatedBaselineStatistics", "String"),
        ("ClarifyCheck", "CalculatedBaselineConstraints", "String"),
        ("EMR", "ClusterId", "String"),
        ("EMR", "Config.Args[1]", "String"),
        ("Lineage", "ActionArns['a']", None),
        ("ForEach", "Status", "String"),
        ("ForEach", "FailedStepCount", "Integer"),
        ("ForEach", "IterationOutputs[0].Each.ProcessingJobArn", "String"),
        ("EMRServerless", "Whatever", None),
        ("Bedrock", "Whatever", None),
    ],
)
def test_a_legal_path_has_a_type(kind: str, path: str, expected: str | None) -> None:
    found = led(kind, path)
    assert isinstance(found, Property)
    assert found.type == expected


@pytest.mark.parametrize(
    ("kind", "path", "what", "fix"),
    [
        (
            "Processing",
            "ProcesingInputs",
            '"S", a Processing step, has no "ProcesingInputs"',
            'write "ProcessingInputs"',
        ),
        ("Processing", "ProcessingInputs['rwa']", '"S" has no input "rwa"', "write ['raw']"),
        (
            "Processing",
            "ProcessingOutputConfig.Outputs['x'].S3Output",
            '"S" has no output "x"',
            "use one of train, report",
        ),
        ("Processing", "Environment['Z']", 'Environment of "S" has no "Z"', "use one of K"),
        ("Processing", "RoleArn.Name", 'RoleArn of "S" is a single value: nothing lies below it', "end at RoleArn"),
        (
            "Processing",
            "AppSpecification.ContainerArguments['a']",
            'AppSpecification.ContainerArguments of "S" is a list: "a" is no position',
            "write [0]",
        ),
        (
            "Processing",
            "AppSpecification[0]",
            'AppSpecification of "S" is an object: [0] is no key',
            "name one of its members",
        ),
        ("Training", "FinalMetricDataList['auc'].Value", '"S" has no metric "auc"', "use one of validation:auc"),
        (
            "AutoML",
            "BestCandidateProperties.X",
            None,
            "use one of ModelInsightsJsonReportPath, ExplainabilityJsonReportPath",
        ),
        ("Lambda", "OutputParameters['row']", 'OutputParameters of "S" has no "row"', 'write "rows"'),
        (
            "Lambda",
            "OutputParameters['rows'].a",
            "OutputParameters['rows'] of \"S\" is one value: nothing lies below it",
            "end the reference at \"Steps.S.OutputParameters['rows']\", or declare another output",
        ),
        ("Lambda", "Result", '"S", a Lambda step, has no "Result"', "use one of OutputParameters['name']"),
        ("Condition", "Result", '"S", a Condition step, has no "Result"', "use one of Outcome"),
        ("Cleanup", "X", '"S", a Cleanup step, has no "X"', "remove the reference"),
        ("Lineage", "ActionArn", '"S", a Lineage step, has no "ActionArn"', 'write "ActionArns"'),
        ("ForEach", "Each.X", '"S", a ForEach step, has no "Each.X"', None),
        (
            "ForEach",
            "Selected.X",
            '"S" selects nothing: it has no Selector',
            "give the loop a Selector, or read IterationOutputs[0]",
        ),
        ("ForEach", "IterationOutputs.Each.X", None, 'write "Steps.S.IterationOutputs[0].StepName.Property"'),
        ("ForEach", "IterationOutputs[0].Eech.X", 'IterationOutputs[0] of "S" has no "Eech"', 'write "Each"'),
    ],
)
def test_an_illegal_path_says_what_is_there_instead(kind: str, path: str, what: str | None, fix: str | None) -> None:
    found = led(kind, path)
    assert isinstance(found, NoProperty)
    assert what is None or found.what == what
    assert fix is None or found.fix == fix


def test_a_whole_step_is_no_value() -> None:
    (finding,) = check(defined(document(processing(), fail(get("Steps.Prep")))))
    assert finding.what == 'Steps.Prep: "Prep" is a whole step, not a value'


@pytest.mark.parametrize("names", [[get("Parameters.X")], "nonsense", [{"S3Input": {}}]])
def test_names_that_are_not_literal_are_not_judged(names: Any) -> None:
    step = changed(processing("S"), "Arguments.ProcessingInputs", names)
    definition = defined(document(step))
    found = follow(Subject(definition), definition.step("S"), parse_path("ProcessingInputs['any'].S3Input.S3Uri"))
    assert found == Property("String")
