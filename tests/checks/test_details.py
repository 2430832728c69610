"""What single checks let pass and what they do not: borders that a broken and a valid definition cannot show."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.checks import check
from pipelines.checks.caching import moving_tag
from tests.checks.documents import (
    GONE,
    Json,
    changed,
    defined,
    document,
    equals,
    fail,
    gate,
    get,
    join,
    loop,
    looped,
    output,
    own_uri,
    parameter,
    processing,
    register,
    source,
    training,
    transform,
)


def ids(value: Json) -> list[str]:
    return [finding.check for finding in check(defined(value))]


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("DB_PASSWORD", "hunter2"),
        ("dbPassword", "hunter2"),
        ("HF_TOKEN", "hf_abc"),
        ("AWS_SECRET_ACCESS_KEY", "abc"),
        ("api-key", "abc"),
        ("wandb_api_key", '"abc"'),
        ("CLIENT_SECRET", "abc"),
    ],
)
def test_literal_secrets_are_found_and_never_shown(key: str, value: str) -> None:
    (finding,) = check(defined(document(changed(training(), "Arguments.HyperParameters", {key: value}))))
    assert (finding.check, finding.where) == ("secret-literal", f"Steps[0].Arguments.HyperParameters['{key}']")
    assert value.strip('"') not in f"{finding.what} {finding.fix}"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("TOKENIZERS_PARALLELISM", "false"),
        ("tokenizer", "bert"),
        ("max_token", '"512"'),
        ("eos_token", "</s>"),
        ("DB_SECRET_ARN", "x"),
        ("SECRET_NAME", "prod/db"),
        ("DB_PASSWORD", "arn:aws:secretsmanager:eu-central-1:111122223333:secret:db"),
        ("PASSWORD_FILE", "/run/x"),
        ("TOKEN", ""),
        ("MONKEY", "abc"),
        ("KEY", "id"),
        ("DB_PASSWORD", get("Execution.PipelineName")),
    ],
)
def test_names_that_only_sound_secret_pass(key: str, value: Any) -> None:
    assert ids(document(changed(training(), "Arguments.HyperParameters", {key: value}))) == []


def test_a_parameter_with_a_secret_as_its_default_is_found() -> None:
    step = changed(processing(), "Arguments.Environment", {"A": get("Parameters.ApiKey")})
    (finding,) = check(defined(document(step, parameters=[parameter("ApiKey", default="abc")])))
    assert (finding.check, finding.where, finding.step) == ("secret-literal", "Parameters[0].DefaultValue", None)
    assert finding.what == "the default of ApiKey looks like a secret"


@pytest.mark.parametrize(
    ("image", "named"),
    [
        ("registry/flights:latest", 'by the tag "latest"'),
        ("registry/flights", "without a tag"),
        ("registry:5000/flights", "without a tag"),
        ("registry/flights:", "without a tag"),
        ("registry/flights:prod", 'by the tag "prod"'),
        ("registry/flights:src-52baf7a66f746f9d", None),
        ("registry/flights:2.0.0-cpu-py310", None),
        ("registry/flights@sha256:0123", None),
        ("registry/flights:latest@sha256:0123", None),
    ],
)
def test_a_moving_tag_is_told_from_a_fixed_one(image: str, named: str | None) -> None:
    assert moving_tag(image) == named


@pytest.mark.parametrize("step", [processing(), training()])
def test_an_image_given_by_a_parameter_counts_with_its_default(step: Json) -> None:
    path = "AppSpecification.ImageUri" if step["Type"] == "Processing" else "AlgorithmSpecification.TrainingImage"
    cached = {**step, "CacheConfig": {"Enabled": True, "ExpireAfter": "P1D"}}
    bad = changed(cached, f"Arguments.{path}", join(":", "registry/x", get("Parameters.Tag")))
    assert ids(document(bad, parameters=[parameter("Tag", default="latest")])) == ["cache-image"]
    assert ids(document(bad, parameters=[parameter("Tag", default="v1")])) == []
    assert ids(document(bad, parameters=[parameter("Tag")])) == []


def test_the_months_of_a_duration_are_said_in_words() -> None:
    step = processing(CacheConfig={"Enabled": True, "ExpireAfter": "p1m"})
    (finding,) = check(defined(document(step)))
    assert finding.what == "p1m is 1 month, not minutes"
    for fine in ("PT30M", "T30m", "P1DT30M", "30d", "P1Y"):
        assert ids(document(processing(CacheConfig={"Enabled": True, "ExpireAfter": fine}))) == []


def test_a_cache_that_is_off_is_not_judged() -> None:
    assert ids(document(processing(CacheConfig={"Enabled": False, "ExpireAfter": "nonsense"}))) == []


def test_a_script_may_lie_below_the_usual_input() -> None:
    inputs = [source("data", LocalPath="/opt/ml/processing/input"), source("code", "s3://bucket/code.py")]
    assert ids(document(changed(processing(), "Arguments.ProcessingInputs", inputs))) == []


def test_an_output_in_the_folder_of_an_input_is_nested() -> None:
    step = changed(processing(), "Arguments.ProcessingInputs.0.S3Input.LocalPath", "/opt/ml/processing/output/train")
    (finding,) = check(defined(document(step)))
    assert finding.check == "nested-local-path"
    assert finding.what == 'LocalPath of "train" lies inside the one of "raw", /opt/ml/processing/output/train'


@pytest.mark.parametrize("path", ["/opt/ml/processing", "/opt/ml/processing/x/", "/opt/ml/processing/input"])
def test_local_paths_below_the_root_pass(path: str) -> None:
    assert ids(document(changed(processing(), "Arguments.ProcessingInputs.0.S3Input.LocalPath", path))) in (
        [],
        ["nested-local-path", "nested-local-path"],
    )


def test_outputs_of_branches_that_exclude_one_another_may_share_a_prefix() -> None:
    first, second = processing("First"), processing("Second")
    for index in (0, 1):
        path = f"Arguments.ProcessingOutputConfig.Outputs.{index}.S3Output.S3Uri"
        first = changed(first, path, own_uri("out", str(index)))
        second = changed(second, path, own_uri("out", str(index)))
    assert ids(document(gate(equals(), then=[first], otherwise=[second]))) == []
    assert ids(document(gate(equals(), then=[first, second]))) == ["shared-output", "shared-output"]


def test_outputs_of_one_parameter_without_default_are_not_called_static() -> None:
    step = changed(transform(), "Arguments.TransformOutput.S3OutputPath", get("Parameters.Out"))
    assert ids(document(step, parameters=[parameter("Out")])) == []


def test_a_transform_to_a_fixed_place_is_static_a_training_job_is_not() -> None:
    static = changed(transform(), "Arguments.TransformOutput.S3OutputPath", "s3://bucket/scores")
    (finding,) = check(defined(document(static, training())))
    assert (finding.check, finding.step) == ("static-output", "Score")
    assert finding.what == (
        'output "S3OutputPath" of "Score" is s3://bucket/scores in every execution: the next overwrites this one\'s'
    )


def test_a_document_read_by_uri_is_a_read() -> None:
    read = {"Std:JsonGet": {"S3Uri": own_uri("Prep", "report", "m.json"), "Path": "auc"}}
    (finding,) = check(defined(document(processing(), gate(equals(read)))))
    assert (finding.check, finding.step, finding.where) == (
        "unordered-read",
        "Gate",
        "Steps[1].Arguments.Conditions[0].LeftValue",
    )
    assert finding.what == '"Gate" reads what "Prep" writes (output "report"), and nothing makes it wait'
    assert ids(document(processing(), gate(equals(read), DependsOn=["Prep"]))) == []


def test_reading_a_whole_prefix_reads_what_is_written_below_it() -> None:
    reader = training(uri=join("/", "s3:/", "bucket", get("Execution.PipelineExecutionId")))
    assert ids(document(processing(), reader)) == ["unordered-read"]
    assert ids(document(processing(), training(uri="s3://bucket"))) == ["unordered-read"]
    assert ids(document(processing(), training(uri="s3://bucke"))) == []


def test_a_writer_that_waits_for_the_reader_is_in_order() -> None:
    reader = training(uri="s3://bucket/data/")
    path = "Arguments.TransformOutput.S3OutputPath"
    writer = changed(transform(), path, join("/", "s3://bucket/data", get("Execution.PipelineExecutionId")))
    assert ids(document(reader, writer)) == ["unordered-read"]
    assert ids(document(reader, {**writer, "DependsOn": ["Train"]})) == []


def test_a_uri_that_ends_with_a_slash_needs_none() -> None:
    uri = get("Steps.Prep.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri")
    glued = training(uri=join("", uri, "part.csv"))
    closed = changed(processing(), "Arguments.ProcessingOutputConfig.Outputs.0.S3Output.S3Uri", own_uri("Prep", "x/"))
    assert ids(document(processing(), glued)) == ["missing-slash"]
    assert ids(document(closed, glued)) == []


def test_a_uri_made_of_itself_is_left_alone() -> None:
    path = "Arguments.ProcessingOutputConfig.Outputs.0.S3Output.S3Uri"
    itself = get("Steps.Prep.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri")
    assert ids(document(changed(processing(), path, join("/", itself, "x")))) == ["cycle"]


def test_whole_numbers_may_be_written_with_a_point() -> None:
    path = "Arguments.ProcessingResources.ClusterConfig.InstanceCount"
    assert ids(document(changed(processing(), path, 1.0))) == []
    assert ids(document(changed(processing(), path, 1.5))) == ["argument-type"]


def test_a_float_parameter_may_have_a_whole_default() -> None:
    assert ids(document(gate(equals(get("Parameters.Min"), 1)), parameters=[parameter("Min", "Float", 1)])) == []


def test_the_job_name_may_stand_in_a_request_as_a_prefix() -> None:
    assert ids(document(changed(processing(), "Arguments.ProcessingJobName", "flights"))) == []


def test_what_a_check_step_leaves_out_is_not_called_missing() -> None:
    step = {"Name": "Q", "Type": "QualityCheck", "CheckType": "DATA_QUALITY", "Arguments": {"RoleArn": "x"}}
    assert ids(document(step)) == ["argument-size"]


def test_a_reference_between_steps_of_one_loop_is_no_read_from_outside() -> None:
    uri = get("Steps.Each.ProcessingOutputConfig.Outputs['train'].S3Output.S3Uri")
    second = changed(looped("Next"), "Arguments.ProcessingInputs.0.S3Input.S3Uri", uri)
    assert ids(document(loop(looped(), second))) == []


def test_a_fail_step_with_a_property_of_the_gate_waits_for_it() -> None:
    assert ids(document(gate(equals()), fail(join("", "outcome ", get("Steps.Gate.Outcome"))))) == []


def test_metrics_with_empty_parts_pass() -> None:
    metrics = {"Bias": {}, "Explainability": {}}
    assert ids(document(changed(register(), "Arguments.ModelMetrics", metrics))) == []


def test_outputs_without_arguments_at_all() -> None:
    assert ids(document(changed(processing(), "Arguments.ProcessingOutputConfig", GONE))) == []
    empty = changed(processing(), "Arguments.ProcessingOutputConfig", {"Outputs": [output("Prep", "a")]})
    assert ids(document(empty)) == []
