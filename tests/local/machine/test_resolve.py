"""Expressions → values, as a launched step sees them."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.local.machine import Launch, job_name
from pipelines.local.machine.resolve import ResolutionError, Scope, resolve
from tests.local.machine.simulation import START, Simulation, context, flow_of, get, step

DESCRIBED = {
    "ProcessingJobName": "job",
    "ProcessingOutputConfig": {"Outputs": [{"OutputName": "train", "S3Output": {"S3Uri": "s3://b/train"}}]},
    "ProcessingInputs": [{"InputName": "raw", "S3Input": {"S3Uri": "s3://b/raw"}}],
    "FinalMetricDataList": [{"MetricName": "auc", "Value": 0.8}],
    "Environment": {"K.1": "v"},
    "AppSpecification": {"ContainerArguments": ["--x", "1"]},
    "OutputParameters": {"count": 3, "nested": {"a": [1]}},
    "CalculatedBaselineConstraints": "s3://b/constraints.json",
    "TrainingJobSummaries": [{"TrainingJobName": "best"}, {"TrainingJobName": "second"}],
    "ActionArns": {"n": "arn:n"},
    "JobConfigDocument": '{"epochs": [5]}',
}
ARN = "arn:aws:sagemaker:eu-central-1:111122223333:pipeline/flights"


def consumer(value: Any, kind: str = "Processing", experiment: Any = None, **parameters: Any) -> Simulation:
    steps = [step("Prep"), step("Use", "Prep", kind=kind, value=value)]
    flow = flow_of(*steps, PipelineExperimentConfig=experiment)
    return Simulation(flow, context(**parameters)).start().succeed("Prep", **DESCRIBED)


def resolved(value: Any, **rest: Any) -> Any:
    execution = consumer(value, **rest)
    assert isinstance(execution.commands[0], Launch), execution.step("Use").failure_reason
    return execution.commands[0].arguments["value"]


def reason(value: Any, **rest: Any) -> str:
    return str(consumer(value, **rest).step("Use").failure_reason)


def join(*values: Any, by: str = "") -> dict[str, Any]:
    return {"Std:Join": {"On": by, "Values": list(values)}}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Steps.Prep.ProcessingJobName", "job"),
        ("Steps.Prep.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri", "s3://b/train"),
        ("Steps.Prep.ProcessingInputs['raw'].S3Input.S3Uri", "s3://b/raw"),
        ("Steps.Prep.FinalMetricDataList['auc'].Value", 0.8),
        ("Steps.Prep.Environment['K.1']", "v"),
        ("Steps.Prep.AppSpecification.ContainerArguments[1]", "1"),
        ("Steps.Prep.OutputParameters['count']", 3),
        ("Steps.Prep.OutputParameters['nested']", '{"a": [1]}'),
        ("Steps.Prep.CalculatedBaselineConstraints", "s3://b/constraints.json"),
        ("Steps.Prep.TrainingJobSummaries[1].TrainingJobName", "second"),
        ("Steps.Prep.ActionArns['n']", "arn:n"),
        ("Steps.Prep.JobConfigDocument.epochs[0]", 5),
        ("Execution.PipelineName", "flights"),
        ("Execution.PipelineArn", ARN),
        ("Execution.PipelineExecutionId", "ABCDEF123456"),
        ("Execution.PipelineExecutionArn", f"{ARN}/execution/ABCDEF123456"),
        ("Execution.StartDateTime", "2024-05-01T12:34:56.789Z"),
        ("Execution.CurrentDateTime", "2024-05-01T12:34:57.789Z"),
        ("Execution.ProcessingJobName", job_name("ABCDEF123456", "Use")),
    ],
)
def test_references_have_these_values(text: str, expected: object) -> None:
    assert resolved(get(text)) == expected


@pytest.mark.parametrize("value", [3, 0.5, True, "text"])
def test_parameters_keep_their_type(value: object) -> None:
    found = resolved(get("Parameters.P"), P=value)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("value", "text"),
    [(True, "true"), (False, "false"), (3, "3"), (1.0, "1.0"), (0.1, "0.1"), (1e-7, "1e-07"), ("a b", "a b")],
)
def test_join_casts_to_text(value: object, text: str) -> None:
    assert resolved(join(get("Parameters.P")), P=value) == text
    assert resolved(join(value)) == text


def test_joins_nest_and_stand_anywhere_in_the_arguments() -> None:
    uri = join("s3:/", "b", join("run-", get("Execution.PipelineExecutionId")), by="/")
    value = {"a": [uri, 1, None], "b": {"c": get("Parameters.P")}}
    assert resolved(value, P=2) == {"a": ["s3://b/run-ABCDEF123456", 1, None], "b": {"c": 2}}


def test_the_job_name_of_the_step_is_the_one_it_is_launched_with() -> None:
    command = consumer(get("Execution.ProcessingJobName")).commands[0]
    assert isinstance(command, Launch)
    assert command.job_name == command.arguments["value"]


def test_the_experiment_is_the_definitions_own() -> None:
    config = {"ExperimentName": get("Execution.PipelineName"), "TrialName": "t"}
    assert resolved(get("PipelineExperimentConfig.ExperimentName"), experiment=config) == "flights"
    assert reason(get("PipelineExperimentConfig.ExperimentName")) == (
        "PipelineExperimentConfig.ExperimentName is undefined: the definition does not set it"
    )


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (get("Parameters.Min"), 'Parameters.Min is not defined; the nearest is "MinAuc"'),
        (get("Steps.Perp.X"), 'Steps.Perp.X is undefined: there is no step "Perp"; the nearest is "Prep"'),
        (
            get("Steps.Prep.ProcessingOutputConfig.Outputs['trian'].S3Output.S3Uri"),
            'ProcessingOutputConfig.Outputs has no "trian"; the nearest is "train"',
        ),
        (
            get("Steps.Prep.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri"),
            "ProcessingOutputConfig.Outputs is keyed by OutputName, not by position: write ['train'] instead of [0]",
        ),
        (get("Steps.Prep.AppSpecification.ContainerArguments[2]"), "has no item [2]: it is a list of 2"),
        (get("Steps.Prep.ProcessingJobName.X"), 'ProcessingJobName is the string "job": "X" needs an object'),
        (get("Steps.Prep.Environment"), "is an object with K.1, where a single value is needed"),
        (
            get("Steps.Prep.OutputParameters['nested'].a"),
            'OutputParameters.nested is the string "{"a": [1]}": "a" needs',
        ),
        (get("Steps.Prep.OutputParameters['cuont']"), 'OutputParameters has no "cuont"; the nearest is "count"'),
        (get("IterationOutput.Prep.X"), "IterationOutput.Prep.X may stand only in the Selector of a ForEach"),
        (get("Steps.Prep.Zzz"), "it has ActionArns, AppSpecification, CalculatedBaselineConstraints"),
        (join(get("Steps.Prep.ProcessingInputs")), "Steps.Prep.ProcessingInputs is a list of 1, where a single value"),
        (join(None), "the literal is null, where a single value is needed"),
        (get("Execution.TrainingJobName"), 'has a value only in a Training step, and "Use" is none'),
        (get("Execution.Nonsense"), "Execution.Nonsense is not an execution variable"),
        (get("Steps.Prep.PropertyFiles.f"), "Steps.Prep.PropertyFiles.f may stand only inside Std:JsonGet"),
        (get("ForEach.CurrentItem.a"), "ForEach.CurrentItem.a has a value only in the body of a ForEach"),
        ({"Std:Later": {}}, "not executed locally: Std:Later"),
        (
            {"Std:JsonGet": {"PropertyFile": get("Steps.Prep.PropertyFiles.f"), "Path": "a"}},
            'Steps.Prep.PropertyFiles.f is undefined: step "Prep" has no such property file',
        ),
    ],
)
def test_what_has_no_value_says_what_was_there(value: Any, expected: str) -> None:
    assert expected in reason(value, MinAuc=0.5)


def test_a_step_that_has_not_run_has_no_properties() -> None:
    scope = Scope(flow_of(step("Prep"), step("Use")), context(), {}, "Use", START)
    with pytest.raises(ResolutionError, match=r'Steps\.Prep\.X is undefined: step "Prep" has not run'):
        resolve(get("Steps.Prep.X"), scope)


def test_output_parameters_may_come_as_the_api_lists_them() -> None:
    flow = flow_of(step("Ask", kind="Callback"), step("Use", x=get("Steps.Ask.OutputParameters['answer']")))
    execution = Simulation(flow).start().succeed("Ask", OutputParameters=[{"Name": "answer", "Value": "42"}])
    assert execution.launches[0].arguments == {"x": "42"}


@pytest.mark.parametrize("kind", ["QualityCheck", "ClarifyCheck"])
def test_a_check_step_has_a_processing_job_of_its_own(kind: str) -> None:
    assert resolved(get("Execution.ProcessingJobName"), kind=kind) == job_name("ABCDEF123456", "Use")


def test_keys_beside_the_arguments_reach_the_launch_resolved() -> None:
    made = {
        **step("Use", "Prep", kind="Lambda", a=1),
        "FunctionArn": get("Parameters.Arn"),
        "OutputParameters": [{"OutputName": "x", "OutputType": "String"}],
        "SkipCheck": True,
        "SuppliedBaselineConstraints": None,
        "SqsQueueUrl": get("Steps.Prep.ProcessingJobName"),
        "DisplayName": "d",
        "CacheConfig": {"Enabled": False},
        "RetryPolicies": [],
        "PropertyFiles": [],
    }
    execution = Simulation(flow_of(step("Prep"), made), context(Arn="arn:f")).start().succeed("Prep", **DESCRIBED)
    assert execution.launches[0].arguments == {"a": 1}
    assert execution.launches[0].settings == {
        "FunctionArn": "arn:f",
        "OutputParameters": [{"OutputName": "x", "OutputType": "String"}],
        "SkipCheck": True,
        "SuppliedBaselineConstraints": None,
        "SqsQueueUrl": "job",
    }
