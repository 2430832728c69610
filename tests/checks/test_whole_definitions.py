"""Whole definitions: the demo's own, one from elsewhere, and what its findings are, each looked at by hand."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.checks import Finding, check
from pipelines.definition import parse
from tests.checks.documents import Json, defined, document, get, processing, training
from tests.work import lines_run

FOLDER = Path(__file__).parent / "definitions"


def test_the_demo_has_no_finding() -> None:
    definition = parse((FOLDER / "flights.json").read_text(encoding="utf-8"))
    assert check(definition, pipeline_name="flight-delays") == ()


def test_a_definition_from_elsewhere_has_its_two_true_findings() -> None:
    definition = parse((FOLDER / "calhousing-and-text.json").read_text(encoding="utf-8"))
    prefix = "s3://sagemaker-us-east-1-111122223333/sklearn-2023-10-20-01-19-23-238/output/model_evaluation_metrics"
    assert check(definition, pipeline_name="calhousing") == (
        Finding(
            "static-output",
            "warning",
            "calhousing-Metrics",
            "Steps[7].Arguments.ProcessingOutputConfig.Outputs[0].S3Output.S3Uri",
            f'output "model_evaluation_metrics" of "calhousing-Metrics" is {prefix} in every execution: '
            "the next overwrites this one's",
            'put {"Get": "Execution.PipelineExecutionId"} into the URI, by Std:Join',
        ),
        Finding(
            "missing-slash",
            "warning",
            "calhousing-Register-RegisterModel",
            "Steps[8].Arguments.ModelMetrics.ModelQuality.Statistics.S3Uri",
            'the URI runs output "model_evaluation_metrics" of "calhousing-Metrics" and its file '
            '"model_evaluation_metrics.json" into one word',
            'put a slash before "model_evaluation_metrics.json"',
        ),
    )


def test_findings_stand_in_the_order_of_the_document() -> None:
    broken = [processing(f"Step{index}", DependsOn=["Nothing"]) for index in range(12)]
    places = [finding.where for finding in check(defined(document(*broken)))]
    assert places == [f"Steps[{index}].DependsOn[0]" for index in range(12)]


def chain(length: int) -> Json:
    steps = [processing("Step0")]
    for index in range(1, length):
        uri = get(f"Steps.Step{index - 1}.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri")
        step = processing(f"Step{index}")
        step["Arguments"]["ProcessingInputs"][0]["S3Input"]["S3Uri"] = uri
        steps.append(step)
    return document(*steps)


def work(steps: Json) -> int:
    definition = defined(steps)
    check(definition)  # once before it is counted: loads the model, fills caches
    return lines_run(lambda: check(definition))


def test_twice_the_steps_are_twice_the_work() -> None:
    assert [finding.check for finding in check(defined(chain(2000)))] == ["definition-size"]
    assert work(chain(300)) < 2.1 * work(chain(150))


def test_a_chain_of_uris_made_of_one_another_neither_recurses_nor_grows() -> None:
    assert work(doubling(300)) < 2.1 * work(doubling(150))


def doubling(length: int) -> Json:
    steps = [processing("Step0")]
    for index in range(1, length):
        before = get(f"Steps.Step{index - 1}.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri")
        step = processing(f"Step{index}")
        uri = {"Std:Join": {"On": "/", "Values": [before, before]}}
        step["Arguments"]["ProcessingOutputConfig"]["Outputs"][0]["S3Output"]["S3Uri"] = uri
        steps.append(step)
    return document(*steps)


def test_the_model_of_aws_is_not_loaded_by_the_import() -> None:
    code = "import sys, pipelines.checks; print(sorted({'botocore', 'boto3', 'sagemaker'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize("name", ["flights.json", "calhousing-and-text.json"])
def test_a_definition_is_left_as_it_was(name: str) -> None:
    definition = parse((FOLDER / name).read_text(encoding="utf-8"))
    before = json.dumps(definition.document)
    check(definition)
    assert json.dumps(definition.document) == before


def test_findings_of_a_definition_are_always_the_same() -> None:
    definition = defined(document(training(DependsOn=["X"]), processing(DependsOn=["Y", "Z"])))
    assert check(definition) == check(definition)
    assert [finding.check for finding in check(definition)] == ["unknown-step"] * 3
