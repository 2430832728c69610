"""Whatever parses can be checked and drawn: no definition makes a check raise."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pipelines.checks import check
from pipelines.definition import Definition, parse
from pipelines.definition.step_types import KNOWN_TYPES
from pipelines.errors import DefinitionError
from pipelines.graph import as_mermaid, as_text
from tests.checks.cases import CASES

NAMES = st.sampled_from(["A", "B", "C", "A-1", "x y", "\ud800", 'q"', ""])
TEXTS = st.sampled_from(
    ["", "a", "s3://b/x", "s3://b/x/", "latest", "x:latest", "/opt/ml/processing", "/opt/ml/processing/a", "Gzip", "In"]
)
REFERENCES = st.sampled_from(
    [
        *(
            "Parameters.P",
            "Parameters.Q",
            "Execution.PipelineExecutionId",
            "Execution.ProcessingJobName",
            "Execution.X",
        ),
        *("Steps.A", "Steps.A.Outcome", "Steps.B.ProcessingOutputConfig.Outputs['a'].S3Output.S3Uri"),
        *(
            "Steps.A.ProcessingOutputConfig.Outputs['a'].S3Output.S3Uri",
            "Steps.A.PropertyFiles.f",
            "Steps.C.Selected.x",
        ),
        *("Steps.C.IterationOutputs[0].A.Outcome", "Steps.A.OutputParameters['o']", "ForEach.CurrentItem", "Foo.bar"),
        *("Steps.B.TransformOutput.S3OutputPath", "Steps.A[0]", "Steps.B.Environment['K']", "IterationOutput.A.x"),
        *("PipelineExperimentConfig.X", "Steps.A.JobConfigDocument.a.b", "Steps.A.FinalMetricDataList['m'].Value"),
    ]
)
KEYS = st.sampled_from(
    [
        *("ProcessingInputs", "ProcessingOutputConfig", "Outputs", "S3Output", "S3Input", "S3Uri", "LocalPath"),
        *("InputName", "OutputName", "Environment", "HyperParameters", "AppSpecification", "ImageUri", "Tags"),
        *("TransformOutput", "S3OutputPath", "InputDataConfig", "DataSource", "S3DataSource", "ErrorMessage"),
        *(
            "IfSteps",
            "ElseSteps",
            "ForEachBody",
            "Conditions",
            "Condition",
            "Type",
            "LeftValue",
            "RightValue",
            "Values",
        ),
        *("QueryValue", "MaxConcurrency", "IterableItems", "Selector", "Pick", "Field", "Resources", "S3", "StepName"),
        *("ModelMetrics", "ModelQuality", "Statistics", "ModelDataUrl", "AlgorithmSpecification", "TrainingImage"),
        *("EndpointConfigName", "StepConfig", "ModelPackageGroupName", "DB_PASSWORD", "a b", "Metrics", "Jar", ""),
    ]
)
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False), TEXTS)


def expressions(values: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    got = st.builds(lambda text: {"Get": text}, REFERENCES)
    joined = st.builds(
        lambda on, parts: {"Std:Join": {"On": on, "Values": parts}},
        st.sampled_from(["", "/"]),
        st.lists(st.one_of(got, st.sampled_from(["s3:/", "b", 1, True])), max_size=4),
    )
    read = st.builds(lambda uri: {"Std:JsonGet": {"S3Uri": uri, "Path": "a[0]"}}, st.one_of(got, joined))
    return st.one_of(values, got, joined, read, st.just({"Std:Other": [1]}))


def trees(leaves: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.recursive(
        expressions(leaves),
        lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(KEYS, inner, max_size=4)),
        max_leaves=12,
    )


ENVELOPES = st.fixed_dictionaries(
    {},
    optional={
        "DependsOn": st.lists(
            st.one_of(NAMES, st.builds(lambda s, t: {"Step": s, "Trigger": t}, NAMES, TEXTS)), max_size=3
        ),
        "CacheConfig": st.fixed_dictionaries({"Enabled": st.booleans()}, optional={"ExpireAfter": TEXTS}),
        "PropertyFiles": st.just([{"PropertyFileName": "f", "OutputName": "a", "FilePath": "f.json"}]),
        "RetryPolicies": st.just([{"ExceptionType": ["X"], "MaxAttempts": 99, "ExpireAfterMin": -1.5}]),
        "OutputParameters": trees(SCALARS),
        "CheckType": SCALARS,
        "DependOn": SCALARS,
    },
)


def step_of(kind: str, name: str, arguments: dict[str, Any], envelope: dict[str, Any], inner: list[Any]) -> Any:
    nested = {key: inner for key in ("IfSteps", "ElseSteps", "ForEachBody") if key in arguments}
    return {"Name": name, "Type": kind, "Arguments": {**arguments, **nested}, **envelope}


STEPS = st.recursive(
    st.builds(
        step_of,
        st.sampled_from([*sorted(KNOWN_TYPES), "Athena", "Other"]),
        NAMES,
        st.dictionaries(KEYS, trees(SCALARS), max_size=4),
        ENVELOPES,
        st.just([]),
    ),
    lambda inner: st.builds(
        step_of,
        st.sampled_from(["Condition", "ForEach"]),
        NAMES,
        st.dictionaries(KEYS, trees(SCALARS), max_size=3),
        ENVELOPES,
        st.lists(inner, max_size=2),
    ),
    max_leaves=4,
)
PARAMETERS = st.builds(
    lambda kind, default: {"Name": "P", "Type": kind, "DefaultValue": default},
    st.sampled_from(["String", "Integer", "Float", "Boolean", "Thing"]),
    trees(SCALARS),
)
DOCUMENTS = st.builds(
    lambda steps, parameters, outside: {"Steps": steps, "Parameters": parameters, **outside},
    st.lists(STEPS, max_size=4),
    st.lists(PARAMETERS, max_size=1),
    st.dictionaries(
        st.sampled_from(["Version", "Metadata", "PipelineExperimentConfig", "MlflowConfig"]), trees(SCALARS)
    ),
)


def survives(text: str) -> bool:
    """Whether a text parses; everything that does is checked and drawn."""
    try:
        definition = parse(text)
    except DefinitionError:
        return False
    every_finding_is_complete(definition)
    assert as_text(definition).count("\n") >= len(definition.steps)
    assert as_mermaid(definition).startswith("flowchart TD\n")
    return True


def every_finding_is_complete(definition: Definition) -> None:
    for finding in check(definition, pipeline_name="a b"):
        assert finding.what
        assert finding.fix
        assert finding.step is None or definition.has_step(finding.step)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(DOCUMENTS)
def test_no_definition_that_parses_makes_a_check_raise(document: Any) -> None:
    survives(json.dumps(document))


def spoilt(value: Any, at: int, new: Any) -> tuple[Any, int]:
    """A copy with the value at the `at`-th place, counted depth first, replaced; and how many places are left."""
    if at == 0:
        return new, -1
    at -= 1
    if isinstance(value, dict):
        copied: Any = dict(value)
        for key, inner in value.items():
            copied[key], at = spoilt(inner, at, new)
            if at < 0:
                break
        return copied, at
    if isinstance(value, list):
        copied = list(value)
        for index, inner in enumerate(value):
            copied[index], at = spoilt(inner, at, new)
            if at < 0:
                break
        return copied, at
    return value, at


@settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    st.sampled_from([case.bad for case in CASES if case.check != "definition-size"]), st.integers(1, 90), trees(SCALARS)
)
def test_no_valid_definition_spoilt_at_one_place_makes_a_check_raise(document: Any, at: int, new: Any) -> None:
    survives(json.dumps(spoilt(document, at, new)[0]))


def test_the_strategy_reaches_definitions_that_parse() -> None:
    assert survives(json.dumps(CASES[0].bad))
    assert not survives("{}")
