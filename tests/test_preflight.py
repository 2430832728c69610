"""What an execution would miss is said before it starts."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from pipelines.definition import parse, resolve_parameters
from pipelines.errors import AwsError
from pipelines.preflight import empty_inputs

PARAMETER = {"Get": "Parameters.Data"}


class Objects:
    """S3, as far as it is asked."""

    def __init__(self, *there: str, refusal: str = "") -> None:
        self.there = there
        self.refusal = refusal
        self.asked: list[str] = []

    def keys(self, bucket: str, prefix: str) -> Iterator[str]:
        self.asked.append(f"s3://{bucket}/{prefix}")
        if self.refusal:
            raise AwsError("no", code=self.refusal)
        return (uri for uri in self.there if uri.startswith(f"s3://{bucket}/{prefix}"))


def definition(*uris: Any, output: Any = "s3://b/made") -> Any:
    inputs = [{"InputName": f"in{n}", "S3Input": {"S3Uri": uri}} for n, uri in enumerate(uris)]
    outputs = {"Outputs": [{"OutputName": "out", "S3Output": {"S3Uri": output}}]}
    train = {"ChannelName": "train", "DataSource": {"S3DataSource": {"S3Uri": "s3://b/rows"}}}
    document = {
        "Version": "2020-12-01",
        "Parameters": [{"Name": "Data", "Type": "String", "DefaultValue": "s3://b/raw/"}],
        "Steps": [
            {
                "Name": "A",
                "Type": "Processing",
                "Arguments": {"ProcessingInputs": inputs, "ProcessingOutputConfig": outputs},
            },
            {"Name": "T", "Type": "Training", "Arguments": {"InputDataConfig": [train]}},
        ],
    }
    return parse(json.dumps(document))


def notes(made: Any, objects: Objects, **given: str) -> list[str]:
    return list(empty_inputs(made, resolve_parameters(made, given), objects))


def test_an_empty_input_is_named_with_its_step_and_uri():
    assert notes(definition(PARAMETER), Objects("s3://b/rows/a")) == [
        "input in0 of step A is empty: nothing lies under s3://b/raw/"
    ]


def test_what_is_there_is_not_told():
    assert notes(definition(PARAMETER), Objects("s3://b/raw/a.csv", "s3://b/rows/a")) == []


def test_the_value_of_the_start_counts_and_joins_are_put_together():
    joined = {"Std:Join": {"On": "/", "Values": ["s3:/", "b", PARAMETER]}}
    objects = Objects("s3://b/rows/a")
    assert "s3://b/other" in notes(definition(PARAMETER), objects, Data="s3://b/other")[0]
    assert "s3://b/x" in notes(definition(joined), objects, Data="x")[0]


@pytest.mark.parametrize(
    "uri",
    [
        {"Get": "Steps.T.ModelArtifacts.S3ModelArtifacts"},
        {"Std:Join": {"On": "/", "Values": ["s3://b", {"Get": "Execution.PipelineExecutionId"}]}},
        "s3://b/made/part",
        "http://elsewhere",
        "",
    ],
)
def test_what_is_not_known_beforehand_or_made_by_a_step_is_not_looked_at(uri):
    objects = Objects("s3://b/rows/a")
    assert notes(definition(uri), objects) == []
    assert objects.asked == ["s3://b/rows"]


def test_each_uri_is_looked_at_once():
    objects = Objects()
    assert len(notes(definition(PARAMETER, PARAMETER), objects)) == 2
    assert objects.asked == ["s3://b/raw/", "s3://b/rows"]


def test_a_bucket_that_is_not_there_is_empty_and_one_that_may_not_be_read_is_not_judged():
    assert len(notes(definition(PARAMETER), Objects(refusal="NoSuchBucket"))) == 2
    assert notes(definition(PARAMETER), Objects(refusal="AccessDenied")) == []


def test_a_definition_that_is_wrong_elsewhere_is_no_matter_of_ours():
    made = parse(json.dumps({"Version": "2020-12-01", "Steps": [{"Name": "A", "Type": "Processing", "Arguments": {}}]}))
    assert notes(made, Objects()) == []
