"""AWS's own model as a validator: what is refused, where, why and the mend."""

from __future__ import annotations

import subprocess
import sys
import warnings
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipelines.service_model import (
    Fault,
    request_faults,
    request_shape,
    response_shape,
    service,
    shape_faults,
    spots,
)


def job(**more: Any) -> dict[str, Any]:
    """A valid CreateProcessingJob request."""
    return {
        "ProcessingJobName": "job-1",
        "ProcessingResources": {
            "ClusterConfig": {"InstanceCount": 1, "InstanceType": "ml.m5.xlarge", "VolumeSizeInGB": 30}
        },
        "AppSpecification": {"ImageUri": "image"},
        "RoleArn": "arn:aws:iam::111122223333:role/pipelines",
        **more,
    }


def fault(**more: Any) -> Fault:
    (found,) = request_faults("sagemaker", "CreateProcessingJob", job(**more))
    return found


def test_a_valid_request_has_no_fault() -> None:
    assert request_faults("sagemaker", "CreateProcessingJob", job(Environment={"A": "b"}, NetworkConfig=None)) == []


def test_an_unknown_operation_raises() -> None:
    with pytest.raises(KeyError, match="CreateProcessingJobb"):
        request_faults("sagemaker", "CreateProcessingJobb", {})


def test_an_operation_without_input_refuses_nothing() -> None:
    assert request_shape("sts", "GetCallerIdentity") is not None
    assert request_faults("sts", "GetCallerIdentity", {}) == []


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"RoleArn": None}, Fault("RoleArn", "is required", "required", 'add "RoleArn"')),
        (
            {"Enviroment": {}},
            Fault("Enviroment", "is not known to the service", "unknown", 'write "Environment"'),
        ),
        (
            {"ProcessingInputs": {}},
            Fault("ProcessingInputs", "must be a list, not an object", "type", "write […]"),
        ),
        (
            {"StoppingCondition": [1]},
            Fault("StoppingCondition", "must be an object, not a list", "type", "write {…}"),
        ),
        ({"Environment": "A=b"}, Fault("Environment", "must be an object, not 'A=b'", "type", "write {…}")),
        (
            {"Environment": {"A": True}},
            Fault("Environment['A']", "must be text, not true", "type", 'write "true"'),
        ),
        (
            {"Environment": {"A": 0.5}},
            Fault("Environment['A']", "must be text, not 0.5", "type", 'write "0.5"'),
        ),
        (
            {"Environment": {"A-B": "c"}},
            Fault(
                "Environment['A-B']",
                "has a key that must match [a-zA-Z_][a-zA-Z0-9_]*; it is 'A-B'",
                "pattern",
                "rename the key: write a value that matches [a-zA-Z_][a-zA-Z0-9_]*",
            ),
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": 0}},
            Fault(
                "StoppingCondition.MaxRuntimeInSeconds",
                "must be a number from 1 to 777600; it is 0",
                "range",
                "write a whole number from 1 to 777600",
            ),
        ),
        (
            {"StoppingCondition": {"MaxRuntimeInSeconds": "60"}},
            Fault(
                "StoppingCondition.MaxRuntimeInSeconds",
                "must be a whole number, not '60'",
                "type",
                "write a whole number from 1 to 777600",
            ),
        ),
        (
            {"NetworkConfig": {"EnableNetworkIsolation": "yes"}},
            Fault(
                "NetworkConfig.EnableNetworkIsolation",
                "must be true or false, not 'yes'",
                "type",
                "write true or false",
            ),
        ),
        (
            {"AppSpecification": {"ImageUri": "x" * 256}},
            Fault(
                "AppSpecification.ImageUri",
                "takes at most 255 characters; it has 256",
                "size",
                "keep at most 255 characters",
            ),
        ),
        (
            {"AppSpecification": {"ImageUri": "x", "ContainerArguments": []}},
            Fault(
                "AppSpecification.ContainerArguments",
                "takes at least 1 entries; it has 0",
                "size",
                "give it 1 or more, or leave it out",
            ),
        ),
        (
            {"RoleArn": "arn:aws:iam::1:role/x"},
            Fault(
                "RoleArn",
                r"must match arn:aws[a-z\-]*:iam::\d{12}:role/?[a-zA-Z_0-9+=,.@\-_/]+; it is 'arn:aws:iam::1:role/x'",
                "pattern",
                "write arn:aws:iam::ACCOUNT:role/NAME",
            ),
        ),
    ],
    ids=lambda value: value.what if isinstance(value, Fault) else "",
)
def test_one_broken_constraint_gives_one_fault_with_its_mend(more: dict[str, Any], expected: Fault) -> None:
    assert fault(**more) == expected


def test_an_unknown_value_names_the_nearest_one() -> None:
    cluster = {"InstanceCount": 1, "InstanceType": "ml.m5.xlrage", "VolumeSizeInGB": 30}
    found = fault(ProcessingResources={"ClusterConfig": cluster})
    assert found.kind == "enum"
    assert found.path == "ProcessingResources.ClusterConfig.InstanceType"
    assert found.what == "must be one of the values that the service knows; it is 'ml.m5.xlrage'"
    assert found.fix == 'write "ml.m5.xlarge"'


def test_an_unknown_value_far_from_all_lists_some() -> None:
    found = fault(ProcessingInputs=[{"InputName": "a", "S3Input": {"S3Uri": "s3://b/k", "S3DataType": "?"}}])
    assert found.fix == "use one of ManifestFile, S3Prefix"


def test_a_union_takes_exactly_one_member() -> None:
    shape = service("sagemaker").shape_for("AutoMLProblemTypeConfig")
    (found,) = shape_faults(shape, {}, "Config")
    assert (found.path, found.kind) == ("Config", "union")
    assert found.what.startswith("takes exactly one of ImageClassificationJobConfig,")
    assert found.fix.startswith("keep one of ImageClassificationJobConfig,")


def test_expressions_pass_wherever_they_stand() -> None:
    got = {"Get": "Parameters.X"}
    join = {"Std:Join": {"On": "", "Values": [got]}}
    app = {"ImageUri": join, "ContainerArguments": [got]}
    assert request_faults("sagemaker", "CreateProcessingJob", job(RoleArn=got, AppSpecification=app)) == []


def test_spots_are_every_value_once_with_its_path_and_shape() -> None:
    shape = request_shape("sagemaker", "CreateProcessingJob")
    value = {"Environment": {"A.B": {"Get": "Parameters.X"}}, "Other": [{"a b": 1}]}
    assert [(spot.path, spot.shape.type_name if spot.shape else None) for spot in spots(shape, value, "")] == [
        ("", "structure"),
        ("Environment", "map"),
        ("Environment['A.B']", "string"),
        ("Other", None),
        ("Other[0]", None),
        ("Other[0]['a b']", None),
    ]


def test_every_pattern_of_the_model_can_be_used() -> None:
    model = service("sagemaker")
    shapes = [model.shape_for(name) for name in model.shape_names]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for shape in shapes:
            if shape.type_name == "string":
                list(shape_faults(shape, "a" * 70, "x"))


def test_a_long_value_does_not_run_into_the_backtracking_of_a_pattern() -> None:
    (found,) = request_faults("sagemaker", "CreateProcessingJob", job(ProcessingJobName="-" * 1_000_000))
    assert found.what == "takes at most 63 characters; it has 1000000"


def test_a_response_has_a_shape() -> None:
    assert "ProcessingInputs" in response_shape("sagemaker", "DescribeProcessingJob").members


def test_the_import_loads_no_botocore() -> None:
    code = "import sys, pipelines.service_model; print('botocore' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "False\n"


JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False), st.text(max_size=5)),
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(
            st.sampled_from(["AppSpecification", "ImageUri", "Environment", "Get", "x"]), inner, max_size=3
        ),
    ),
    max_leaves=8,
)


@settings(max_examples=200, deadline=None)
@given(JSON)
def test_any_json_can_be_looked_at(value: Any) -> None:
    for found in request_faults("sagemaker", "CreateProcessingJob", value):
        assert found.what
        assert found.fix
        assert found.kind
