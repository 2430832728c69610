"""The whole pipeline: spec → SDK `Pipeline` → definition text."""

from __future__ import annotations

import json
from collections.abc import Mapping
from graphlib import TopologicalSorter
from typing import Any

from pipelines.compile.local_files import LocalFiles
from pipelines.compile.sdk import Sdk, loaded
from pipelines.compile.steps import Builder
from pipelines.compile.values import Scope
from pipelines.errors import CompileError, PipelinesError
from pipelines.spec import Pipeline, Spec, Target
from pipelines.spec.expressions import Model, Output, Report, Template
from pipelines.spec.meaning import references
from pipelines.spec.model import Image, ImageBuild, Parameter


def definition_text(spec: Spec, target: Target, local_files: LocalFiles) -> str:
    """The definition JSON, one line, keys in the SDK's order. Raises `CompileError` when the SDK refuses."""
    with loaded(target.region, target.bucket) as sdk:
        try:
            text = _pipeline(spec, target, local_files, sdk).definition()
        except PipelinesError:
            raise
        except Exception as error:
            what = f"the SageMaker SDK refuses the pipeline: {type(error).__name__}: {error}"
            raise CompileError(
                what, where=str(spec.source.file), fix="change what it names, or report it to us"
            ) from error
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


def _pipeline(spec: Spec, target: Target, local_files: LocalFiles, sdk: Sdk) -> Any:
    pipeline = spec.pipeline
    parameters = {name: _parameter(sdk, target, name, declared) for name, declared in pipeline.parameters.items()}
    scope = Scope(sdk, target, pipeline.steps, parameters)

    def image(of_step: Image | None) -> Any:
        chosen = of_step if of_step is not None else pipeline.image
        if isinstance(chosen, ImageBuild):
            return local_files.image_sources[chosen].uri(target.account, target.region)
        assert chosen is not None  # noqa: S101 -- validated by local_files
        return scope.text(chosen)

    builder = Builder(scope, pipeline.defaults, image, local_files.uris)
    for name in build_order(pipeline):
        scope.steps[name] = builder.build(name, pipeline.steps[name])
    children = {name for step in pipeline.steps.values() if step.condition for name in _children(step)}
    return sdk.Pipeline(
        name=pipeline.name,
        parameters=list(parameters.values()),
        steps=[scope.steps[name] for name in pipeline.steps if name not in children],
        sagemaker_session=sdk.session,
    )


def build_order(pipeline: Pipeline) -> list[str]:
    """Steps after those whose results they use, conditions after their branches; else in the file's order."""
    graph: dict[str, list[str]] = {}
    for name, step in pipeline.steps.items():
        used = [item.step for _, item in references(step) if isinstance(item, (Output, Model, Report))]
        graph[name] = [*used, *(_children(step) if step.condition else ())]
    return list(TopologicalSorter(graph).static_order())


def _children(step: Any) -> tuple[str, ...]:
    return (*step.condition.then, *step.condition.else_)


def _parameter(sdk: Sdk, target: Target, name: str, declared: Parameter) -> Any:
    value = target.parameters.get(name, declared.default)
    value = target.text(value) if isinstance(value, Template) else value
    kinds: Mapping[str, str] = {
        "String": "ParameterString",
        "Integer": "ParameterInteger",
        "Float": "ParameterFloat",
        "Boolean": "ParameterBoolean",
    }
    options: dict[str, Any] = {"name": name}
    if value is not None:
        options["default_value"] = float(value) if declared.type == "Float" else value
    if declared.enum:
        options["enum_values"] = list(declared.enum)
    return getattr(sdk, kinds[declared.type])(**options)
