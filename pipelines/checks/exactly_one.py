"""Checks of members that exclude one another: exactly one is to be given (CONTRACT.md 1.3, 3.3, 3.4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipelines.checks.arguments import dig, given
from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject, inside
from pipelines.definition import Step
from pipelines.definition.expressions import is_expression
from pipelines.definition.step_types import REGISTER_MODEL


class _Choice(NamedTuple):
    """Exactly one of `members` in every object at `path` of a step's Arguments; `[]` stands for every item."""

    type: str
    path: tuple[str, ...]
    members: tuple[str, ...]


_S3_OR_DATASET: Final = ("S3Input", "DatasetDefinition")
_CHOICES: Final = (
    _Choice("Processing", ("ProcessingInputs", "[]"), _S3_OR_DATASET),
    _Choice(
        "Processing",
        ("ProcessingInputs", "[]", "DatasetDefinition"),
        ("AthenaDatasetDefinition", "RedshiftDatasetDefinition"),
    ),
    _Choice("Processing", ("ProcessingOutputConfig", "Outputs", "[]"), ("S3Output", "FeatureStoreOutput")),
    _Choice("Processing", ("ProcessingResources", "ClusterConfig"), ("InstanceType", "InstancePreferences")),
    _Choice("Training", ("AlgorithmSpecification",), ("TrainingImage", "AlgorithmName")),
    _Choice(
        "Training",
        ("InputDataConfig", "[]", "DataSource"),
        ("S3DataSource", "FileSystemDataSource", "DatasetSource"),
    ),
    _Choice("Tuning", (), ("TrainingJobDefinition", "TrainingJobDefinitions")),
    _Choice("Model", (), ("PrimaryContainer", "Containers")),
    _Choice("EMR", (), ("ClusterId", "ClusterConfig")),
    _Choice("EMR", ("ClusterConfig", "Instances"), ("InstanceGroups", "InstanceFleets")),
    _Choice("EMRServerless", (), ("ApplicationId", "ApplicationConfig")),
)


def choices(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        for choice in _CHOICES:
            if choice.type == step.type:
                yield from _check(step, choice)


def _check(step: Step, choice: _Choice) -> Iterator[Found]:
    for where, holder in _holders(step.arguments, choice.path, inside(step)):
        present = [name for name in choice.members if given(holder, name)]
        if len(present) != 1:
            has = " and ".join(present) if present else "neither" if len(choice.members) == 2 else "none"
            what = f"{where.rpartition('.')[2]} takes exactly one of {', '.join(choice.members)}; it has {has}"
            fix = f"keep one of {', '.join(present)}" if present else f"add one of {', '.join(choice.members)}"
            yield Found(step.name, where, what, fix)


def _holders(value: Any, path: tuple[str, ...], where: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not path:
        if isinstance(value, dict) and not is_expression(value):
            yield where, value
    elif path[0] != "[]":
        yield from _holders(dig(value, path[0]), path[1:], f"{where}.{path[0]}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            yield from _holders(item, path[1:], f"{where}[{index}]")


def versioned_packages(subject: Subject) -> Iterator[Found]:
    """A package of a group takes its name and tags from the group (CONTRACT.md 5)."""
    for step in subject.steps:
        if step.type == REGISTER_MODEL and given(step.arguments, "ModelPackageGroupName"):
            for key in ("Tags", "ModelPackageName"):
                if step.arguments.get(key):
                    what = f"a model package in a group takes no {key}: the group has them"
                    yield Found(step.name, f"{inside(step)}.{key}", what, f"remove {key}, or put them on the group")
