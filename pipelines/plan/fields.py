"""A step or parameter of a definition as flat fields in pipeline.yaml's words: `inputs.raw`, `arguments`, `cache` …

A step in; field → value out, in a fixed order: that of pipeline.yaml's reference, then the alphabet. A value is a text,
or a tuple of texts for a list. What pipeline.yaml has no key for keeps its path in the definition.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any, Final

from pipelines.definition import Parameter, Step, render_path
from pipelines.definition import step_types as types
from pipelines.definition.expressions import is_expression
from pipelines.definition.step_types import COMPLETED
from pipelines.definition.texts import one_line
from pipelines.plan.words import condition_words, words

Value = str | tuple[str, ...]
Fields = dict[str, Value]
_Path = tuple[str, ...]

_NAMES: Final = ("InputName", "OutputName", "ChannelName", "PropertyFileName", "Name")
_JOB: Final = {
    "StoppingCondition.MaxRuntimeInSeconds": "max_runtime",
    "Environment": "environment",
    "NetworkConfig.EnableNetworkIsolation": "network_isolation",
    "EnableNetworkIsolation": "network_isolation",
    "RoleArn": "role",
}
_RETRY: Final = {
    "RetryPolicies.*.ExceptionType": "retry[*].on",
    "RetryPolicies.*.MaxAttempts": "retry[*].attempts",
    "RetryPolicies.*.IntervalSeconds": "retry[*].interval",
    "RetryPolicies.*.BackoffRate": "retry[*].backoff",
    "RetryPolicies.*": "retry[*]",
    "Description": "description",
}
# Paths in a step → keys of pipeline.yaml; * stands for a name, and what follows a path is kept behind its key.
_WORDS: Final[Mapping[str, Mapping[str, str]]] = {
    types.PROCESSING: {
        "AppSpecification.ImageUri": "image",
        "AppSpecification.ContainerEntrypoint": "entrypoint",
        "AppSpecification.ContainerArguments": "arguments",
        "ProcessingInputs.*.S3Input.S3Uri": "inputs.*",
        "ProcessingInputs.*.S3Input.LocalPath": "inputs.*.path",
        "ProcessingInputs.*.S3Input.S3DataDistributionType": "inputs.*.distribution",
        "ProcessingInputs.*.S3Input": "inputs.*",
        "ProcessingInputs.*": "inputs.*",
        "ProcessingOutputConfig.Outputs.*.S3Output.S3Uri": "outputs.*.uri",
        "ProcessingOutputConfig.Outputs.*.S3Output.LocalPath": "outputs.*.path",
        "ProcessingOutputConfig.Outputs.*.S3Output.S3UploadMode": "outputs.*.mode",
        "ProcessingOutputConfig.Outputs.*": "outputs.*",
        "ProcessingResources.ClusterConfig.InstanceType": "instance_type",
        "ProcessingResources.ClusterConfig.InstanceCount": "instance_count",
        "ProcessingResources.ClusterConfig.VolumeSizeInGB": "volume_gb",
        **_JOB,
        **_RETRY,
    },
    types.TRAINING: {
        "AlgorithmSpecification.TrainingImage": "image",
        "InputDataConfig.*.DataSource.S3DataSource.S3Uri": "inputs.*",
        "InputDataConfig.*.DataSource.S3DataSource.S3DataDistributionType": "inputs.*.distribution",
        "InputDataConfig.*.DataSource.S3DataSource": "inputs.*",
        "InputDataConfig.*": "inputs.*",
        "HyperParameters": "hyperparameters",
        "CheckpointConfig.S3Uri": "checkpoints.uri",
        "CheckpointConfig.LocalPath": "checkpoints.path",
        "EnableManagedSpotTraining": "spot",
        "StoppingCondition.MaxWaitTimeInSeconds": "spot.max_wait",
        "OutputDataConfig.S3OutputPath": "output",
        "ResourceConfig.InstanceType": "instance_type",
        "ResourceConfig.InstanceCount": "instance_count",
        "ResourceConfig.VolumeSizeInGB": "volume_gb",
        **_JOB,
        **_RETRY,
    },
    types.REGISTER_MODEL: {
        "InferenceSpecification.Containers.0.ModelDataUrl": "model",
        "ModelPackageGroupName": "group",
        "ModelMetrics.ModelQuality.Statistics.S3Uri": "metrics",
        "ModelApprovalStatus": "approval",
        "InferenceSpecification.Containers.0.Image": "image",
        "InferenceSpecification.SupportedContentTypes": "content_types",
        "InferenceSpecification.SupportedResponseMIMETypes": "response_types",
        **_RETRY,
    },
    types.FAIL: {"ErrorMessage": "fail", **_RETRY},
}
_SECONDS: Final = (("MaxRuntimeInSeconds",), ("MaxWaitTimeInSeconds",))
_FIRST: Final = ("type", "if", "then", "else", "body")
_LAST: Final = ("cache", "depends_on", "waits for")
_OWN: Final = {"Name", "Type", "Arguments", "CacheConfig", "DependsOn", "PropertyFiles"}


def step_fields(step: Step, waits_for: tuple[str, ...] = ()) -> Fields:
    """Everything that a step says, but for what stands in the steps inside it."""
    nested = types.NESTED_KEYS.get(step.type, ())
    values = {key: value for key, value in step.arguments.items() if key not in nested}
    values |= {key: value for key, value in step.raw.items() if key not in _OWN}
    if step.type == types.CONDITION:
        values.pop("Conditions", None)
    found = fields_of(step.type, values) | _special(step)
    if waits_for:
        found["waits for"] = waits_for
    return ordered(step.type, found)


def fields_of(step_type: str, values: Mapping[str, Any]) -> Fields:
    """Fields of a part of a step's arguments, under pipeline.yaml's keys."""
    return {_key(step_type, path): _shown(path, value) for path, value in _leaves(values, ())}


def ordered(step_type: str, fields: Fields) -> Fields:
    """In the order of pipeline.yaml's keys, whatever order the document had."""
    ranks = _ranks(step_type)
    return dict(sorted(fields.items(), key=lambda item: (ranks.get(_root(item[0]), len(ranks)), item[0])))


def parameter_fields(parameter: Parameter) -> Fields:
    found: Fields = {"type": parameter.type}
    if parameter.has_default:
        found["default"] = words(parameter.default)
    if parameter.enum:
        found["enum"] = tuple(words(value) for value in parameter.enum)
    return found


def _special(step: Step) -> Fields:
    """What pipeline.yaml says in another form than the definition."""
    found: Fields = {"type": step.type}
    if step.type == types.CONDITION:
        found["if"] = condition_words(step.arguments.get("Conditions"))
        found["then"] = tuple(child.name for child in step.if_steps)
        found["else"] = tuple(child.name for child in step.else_steps)
    if step.body:
        found["body"] = tuple(child.name for child in step.body)
    if step.cache is not None:
        found["cache"] = _cache(step.cache.expire_after) if step.cache.enabled else "false"
    if step.depends_on:
        found["depends_on"] = tuple(
            item.step if item.trigger == COMPLETED else f"{item.step} ({item.trigger})" for item in step.depends_on
        )
    for file in step.property_files:
        found[f"reports.{one_line(file.name)}"] = one_line(f"{file.output_name}/{file.file_path}")
    return found


def _cache(expire_after: str | None) -> str:
    text = expire_after or "without ExpireAfter"
    days = text.removeprefix("P").removesuffix("D")
    return f"{days}d" if days.isdigit() and text == f"P{days}D" else one_line(text)


def _leaves(value: Any, path: _Path) -> Iterator[tuple[_Path, Any]]:
    """Scalars, expressions and lists of them, each with its path; named items of lists under their names."""
    if isinstance(value, dict) and value and not is_expression(value):
        for key, item in value.items():
            yield from _leaves(item, (*path, key))
    elif isinstance(value, list) and any(_is_object(item) for item in value):
        for key, item in _named(value):
            yield from _leaves(item, (*path, key))
    else:
        yield path, value


def _named(items: list[Any]) -> Iterator[tuple[str, Any]]:
    """The items of a list by their names, which they then go without; by their positions unless each has its own."""
    for naming in _NAMES:
        names = [item.get(naming) if isinstance(item, dict) else None for item in items]
        if all(isinstance(name, str) for name in names) and len(set(names)) == len(items):
            for name, item in zip(names, items, strict=True):
                yield str(name), {key: value for key, value in item.items() if key != naming}
            return
    yield from ((str(index), item) for index, item in enumerate(items))


def _is_object(value: Any) -> bool:
    return isinstance(value, dict) and not is_expression(value)


def _shown(path: _Path, value: Any) -> Value:
    if path[-1:] in _SECONDS and type(value) is int and value > 0:
        return _seconds(value)
    return tuple(map(words, value)) if isinstance(value, list) else words(value)


def _seconds(seconds: int) -> str:
    units = (("d", 86400), ("h", 3600), ("m", 60))
    return next((f"{seconds // size}{unit}" for unit, size in units if seconds % size == 0), f"{seconds}s")


@lru_cache(maxsize=4096)
def _key(step_type: str, path: _Path) -> str:
    """The key of pipeline.yaml for a path: the longest known beginning of it, and what is left."""
    known = _patterns(step_type)
    for length in range(len(path), 0, -1):
        for pattern, key in known.get(length, ()):
            stars = [part for part, wanted in zip(path, pattern, strict=False) if wanted == "*"]
            if all(wanted in ("*", part) for part, wanted in zip(path, pattern, strict=False)):
                return _named_key(key, stars, path[length:])
    return one_line(render_path(path))


def _named_key(key: str, stars: list[str], rest: _Path) -> str:
    for star in stars:
        key = key.replace("*", star, 1)
    return one_line(".".join([key, *rest]))


@lru_cache
def _patterns(step_type: str) -> dict[int, list[tuple[_Path, str]]]:
    found: dict[int, list[tuple[_Path, str]]] = {}
    for path, key in _WORDS.get(step_type, _RETRY).items():
        pattern = tuple(path.split("."))
        found.setdefault(len(pattern), []).append((pattern, key))
    return found


@lru_cache
def _ranks(step_type: str) -> dict[str, int]:
    keys = (_root(key) for key in _WORDS.get(step_type, _RETRY).values())
    return {key: rank for rank, key in enumerate(dict.fromkeys((*_FIRST, *keys, "reports", *_LAST)))}


def _root(key: str) -> str:
    return key.partition(".")[0].partition("[")[0]
