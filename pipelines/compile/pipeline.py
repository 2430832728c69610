"""The whole pipeline: spec → SDK `Pipeline` → definition text."""

from __future__ import annotations

import json
from graphlib import TopologicalSorter
from typing import Any

from pipelines.compile.local_files import LocalFiles
from pipelines.compile.sdk import Sdk, loaded
from pipelines.compile.steps import Builder
from pipelines.compile.values import Scope
from pipelines.errors import CompileError
from pipelines.spec import Pipeline, Spec, Target
from pipelines.spec.environment import Experiment
from pipelines.spec.links import branches, used_steps
from pipelines.spec.model import Image, ImageBuild, Parameter

_PARAMETERS = {
    "String": "ParameterString",
    "Integer": "ParameterInteger",
    "Float": "ParameterFloat",
    "Boolean": "ParameterBoolean",
}


def definition_text(spec: Spec, target: Target, local_files: LocalFiles) -> str:
    """The definition JSON, one line, keys in the SDK's order. Raises `CompileError` when the SDK refuses."""
    with loaded(target.region, target.bucket) as sdk:
        steps = _steps(spec, target, local_files, sdk)
        pipeline = spec.pipeline
        inner = {child for step in pipeline.steps.values() for child in branches(step)}
        try:
            text = sdk.Pipeline(
                name=pipeline.name,
                parameters=list(steps.parameters.values()),
                steps=[steps.steps[name] for name in pipeline.steps if name not in inner],
                sagemaker_session=sdk.session,
                **_experiment(target, steps),
            ).definition()
        except Exception as error:
            raise _refusal(error, str(spec.source.file)) from error
    return json.dumps(json.loads(text), separators=(",", ":"), ensure_ascii=False)


def _steps(spec: Spec, target: Target, local_files: LocalFiles, sdk: Sdk) -> Scope:
    """Every parameter and step of the spec as the SDK's."""
    pipeline = spec.pipeline
    parameters = {name: _parameter(sdk, target, name, declared) for name, declared in pipeline.parameters.items()}
    scope = Scope(sdk, target, pipeline.steps, parameters)

    def image(of_step: Image | None) -> Any:
        chosen = of_step if of_step is not None else pipeline.image
        if isinstance(chosen, ImageBuild):
            return local_files.image_sources[chosen].uri(target.account, target.region)
        assert chosen is not None  # noqa: S101 -- validated by spec/meaning.py
        return scope.text(chosen)

    builder = Builder(scope, pipeline.defaults, image, local_files.uris)
    for name in build_order(pipeline):
        try:
            scope.steps[name] = builder.build(name, pipeline.steps[name])
        except Exception as error:
            raise _refusal(error, spec.source.where(("steps", name), key=True), f"step {name!r}") from error
    return scope


def _experiment(target: Target, scope: Scope) -> dict[str, Any]:
    """The experiment of an environment that names one or wants none; nothing leaves it to the SDK."""
    match target.experiment:
        case Experiment(name, trial):
            trial_name = scope.text(trial) if trial else scope.sdk.ExecutionVariable("PipelineExecutionId")
            config = scope.sdk.PipelineExperimentConfig(experiment_name=scope.text(name), trial_name=trial_name)
            return {"pipeline_experiment_config": config}
        case False:
            return {"pipeline_experiment_config": None}
    return {}


def _refusal(error: Exception, where: str, what: str = "the pipeline") -> CompileError:
    reason = f"the SageMaker SDK refuses {what}: {type(error).__name__}: {error}"
    return CompileError(reason, where=where, fix="change what it names, or report it to us")


def build_order(pipeline: Pipeline) -> list[str]:
    """Steps after those whose results they use, conditions after their branches; else in the file's order."""
    graph = {name: [*used_steps(step), *branches(step)] for name, step in pipeline.steps.items()}
    return list(TopologicalSorter(graph).static_order())


def _parameter(sdk: Sdk, target: Target, name: str, declared: Parameter) -> Any:
    options: dict[str, Any] = {"name": name}
    if name in target.parameters:
        options["default_value"] = target.parameters[name]
    if declared.enum:
        options["enum_values"] = list(declared.enum)
    return getattr(sdk, _PARAMETERS[declared.type])(**options)
