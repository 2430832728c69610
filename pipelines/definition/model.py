"""The typed, read-only definition: what `parse` gives and everything after compilation reads.

Frozen values. JSON inside them (`arguments`, `raw`, `document`) is shared with the parsed document: read, never change.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final

from pipelines.definition.expressions import Reference
from pipelines.definition.step_types import COMPLETED, FOR_EACH_BODY

_CHILD: Final = re.compile(r"(?P<body>.+)-(?P<index>0|[1-9][0-9]{0,8})", re.DOTALL)


@dataclass(frozen=True)
class Parameter:
    """`type` is String, Integer, Boolean or Float, or what the document says; `default` is None without a default."""

    name: str
    type: str = "String"
    default: Any = None
    has_default: bool = False
    enum: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Dependency:
    """One entry of DependsOn."""

    step: str
    trigger: str = COMPLETED


@dataclass(frozen=True)
class PropertyFile:
    name: str
    output_name: str
    file_path: str


@dataclass(frozen=True)
class Cache:
    """CacheConfig; `expire_after` is the text, for `durations.parse_duration`."""

    enabled: bool
    expire_after: str | None = None


@dataclass(frozen=True)
class RetryPolicy:
    """One entry of RetryPolicies; None where the document says nothing (CONTRACT.md 1.9 has the defaults)."""

    exception_types: tuple[str, ...]
    interval_seconds: float | None = None
    backoff_rate: float | None = None
    max_attempts: int | None = None
    expire_after_min: float | None = None


@dataclass(frozen=True)
class Parent:
    """The Condition or ForEach that holds a step, and in which list: IfSteps, ElseSteps or ForEachBody."""

    step: str
    branch: str


@dataclass(frozen=True)
class Step:
    """One step; `where` is its path in the document, `references` its own ones (steps inside it have their own)."""

    name: str
    type: str
    arguments: dict[str, Any] = field(default_factory=dict)
    depends_on: tuple[Dependency, ...] = ()
    property_files: tuple[PropertyFile, ...] = ()
    cache: Cache | None = None
    retry_policies: tuple[RetryPolicy, ...] = ()
    display_name: str | None = None
    description: str | None = None
    if_steps: tuple[Step, ...] = ()
    else_steps: tuple[Step, ...] = ()
    body: tuple[Step, ...] = ()
    parent: Parent | None = None
    where: str = ""
    references: tuple[tuple[str, Reference], ...] = ()
    raw: dict[str, Any] = field(default_factory=dict, repr=False)

    @property
    def children(self) -> tuple[Step, ...]:
        """The steps inside this one, in document order."""
        return self.if_steps + self.else_steps + self.body

    def property_file(self, name: str) -> PropertyFile | None:
        return next((file for file in self.property_files if file.name == name), None)


@dataclass(frozen=True)
class Definition:
    """One pipeline definition; `references` are those outside any step (PipelineExperimentConfig, MlflowConfig …)."""

    parameters: tuple[Parameter, ...]
    steps: tuple[Step, ...]
    document: dict[str, Any] = field(repr=False)
    digest: str
    text: str = field(repr=False)
    references: tuple[tuple[str, Reference], ...] = ()

    @cached_property
    def _steps_by_name(self) -> dict[str, Step]:
        return {step.name: step for step in flatten(self.steps)}

    @cached_property
    def _parameters_by_name(self) -> dict[str, Parameter]:
        return {parameter.name: parameter for parameter in self.parameters}

    def all_steps(self) -> Iterator[Step]:
        """Every step of every nesting level, in document order: a step, then the steps inside it."""
        return iter(self._steps_by_name.values())

    def step(self, name: str) -> Step:
        """The step of that name on any level; KeyError when there is none.

        `<body step>-<index>` is the name of a ForEach's child at run time, and gives that body step.
        """
        found = self._steps_by_name.get(name)
        if found is None:
            found = self._steps_by_name[child_parts(name)[0] or name]
            if found.parent is None or found.parent.branch != FOR_EACH_BODY:
                raise KeyError(name)
        return found

    def has_step(self, name: str) -> bool:
        return name in self._steps_by_name

    def parameter(self, name: str) -> Parameter | None:
        return self._parameters_by_name.get(name)


def child_parts(name: str) -> tuple[str, int]:
    """Body step and index in the name of a ForEach's child (CONTRACT.md 1.8); ("", 0) when it is no such name."""
    match = _CHILD.fullmatch(name)
    return (match["body"], int(match["index"])) if match else ("", 0)


def flatten(steps: Iterable[Step]) -> Iterator[Step]:
    """The steps and all steps inside them, in document order."""
    for step in steps:
        yield step
        yield from flatten(step.children)
