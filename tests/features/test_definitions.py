"""Every feature compiles to its `definition.json`, to the byte, wherever and however it is compiled.

`UPDATE_DEFINITIONS=1` in the environment writes those files anew: read the difference before you commit it.
"""

from __future__ import annotations

import json
import os
from typing import Any

import botocore.session
import pytest
from botocore.validate import ParamValidator

from pipelines.definition import cycle, parse, unknown_references


def one_line(text: str) -> str:
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


def test_feature_compiles_to_its_definition(feature, compiled_text):
    text = compiled_text(feature)
    if os.environ.get("UPDATE_DEFINITIONS"):
        document = json.dumps(json.loads(text), indent=2, ensure_ascii=False)
        feature.definition.write_text(document + "\n", encoding="utf-8")
    assert text == one_line(feature.definition.read_text(encoding="utf-8"))


def test_another_process_folder_home_and_environment_give_the_same_bytes(feature, compiled):
    here, elsewhere = compiled
    assert here["definitions"][feature.name] == elsewhere["definitions"][feature.name]
    assert here["before"]["environment"] != elsewhere["before"]["environment"]


def test_definition_is_a_graph_without_loose_ends(feature, compiled_text):
    definition = parse(compiled_text(feature))
    assert unknown_references(definition) == ()
    assert cycle(definition) in (None, ())


@pytest.fixture(scope="module")
def operations() -> dict[str, Any]:
    model = botocore.session.Session().get_service_model("sagemaker")
    return {
        "Processing": model.operation_model("CreateProcessingJob").input_shape,
        "Training": model.operation_model("CreateTrainingJob").input_shape,
        "RegisterModel": model.operation_model("CreateModelPackage").input_shape,
    }


NAMES = {"Processing": {"ProcessingJobName": "job"}, "Training": {"TrainingJobName": "job"}, "RegisterModel": {}}


def test_arguments_satisfy_the_api(feature, compiled_text, operations):
    definition = parse(compiled_text(feature))
    types = {parameter.name: parameter.type for parameter in definition.parameters}
    for step in definition.all_steps():
        if step.type in operations:
            shape = operations[step.type]
            arguments = sample(dict(step.arguments), types) | NAMES[step.type]
            report = ParamValidator().validate(arguments, shape)
            assert not report.has_errors(), f"{step.name}: {report.generate_report()}"


def sample(value: Any, types: dict[str, str]) -> Any:
    """The value with expressions replaced by what they could be at run time."""
    match value:
        case {"Get": str(reference)} if reference.startswith("Parameters."):
            kind = types[reference.removeprefix("Parameters.")]
            return {"String": "s3://bucket/key", "Integer": 1, "Float": 0.5, "Boolean": True}[kind]
        case {"Get": _} | {"Std:Join": _}:
            return "s3://bucket/key"
        case {"Std:JsonGet": _}:
            return 0.5
        case dict():
            return {key: sample(item, types) for key, item in value.items()}
        case list() | tuple():
            return [sample(item, types) for item in value]
    return value
