"""What is being checked, with what several checks need of it, computed once.

A definition and a pipeline's name in; the values of every step with their shapes, the expressions with their places.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Final, NamedTuple, TypeVar

from pipelines.definition import Definition, Edge, Path, Step, edges
from pipelines.definition.expressions import Expression, Reference, is_expression, parse_expression, references_of
from pipelines.definition.step_types import NESTED_KEYS
from pipelines.service_model import Fault, Spot, faults, request_shape, spots

# Step type → the operation whose request its Arguments are, and the member that the service fills (CONTRACT.md 1.3).
OPERATIONS: Final = {
    "Processing": ("CreateProcessingJob", "ProcessingJobName"),
    "QualityCheck": ("CreateProcessingJob", "ProcessingJobName"),
    "ClarifyCheck": ("CreateProcessingJob", "ProcessingJobName"),
    "Training": ("CreateTrainingJob", "TrainingJobName"),
    "Tuning": ("CreateHyperParameterTuningJob", "HyperParameterTuningJobName"),
    "Transform": ("CreateTransformJob", "TransformJobName"),
    "AutoML": ("CreateAutoMLJob", "AutoMLJobName"),
    "Model": ("CreateModel", "ModelName"),
    "RegisterModel": ("CreateModelPackage", "ModelPackageName"),
    "EndpointConfig": ("CreateEndpointConfig", ""),
    "Endpoint": ("CreateEndpoint", ""),
    "InferenceComponent": ("CreateInferenceComponent", ""),
    "Job": ("CreateJob", "JobName"),
}
T = TypeVar("T")
_BRACKETED: Final = re.compile(r"\['([^']*)'\]")


class Placed(NamedTuple):
    """One outermost expression: its step (None outside any), its place, and the shape of the value it stands for."""

    step: Step | None
    where: str
    expression: Expression
    shape: Any

    @property
    def references(self) -> Iterator[Reference]:
        return references_of(self.expression)


@dataclass(frozen=True)
class Subject:
    definition: Definition
    pipeline_name: str | None = None

    @cached_property
    def steps(self) -> tuple[Step, ...]:
        """Every step of every level, in document order."""
        return tuple(self.definition.all_steps())

    @cached_property
    def edges(self) -> tuple[Edge, ...]:
        return edges(self.definition)

    @cached_property
    def arguments(self) -> dict[str, tuple[Spot, ...]]:
        """By step: every value of its Arguments with its place in the document and its shape."""
        return {step.name: tuple(_argument_spots(step)) for step in self.steps}

    @cached_property
    def faults(self) -> dict[str, tuple[Fault, ...]]:
        """By step: what the request would refuse of its Arguments."""
        return {
            name: tuple(fault for spot in found for fault in faults(spot)) for name, found in self.arguments.items()
        }

    @cached_property
    def placed(self) -> tuple[Placed, ...]:
        """Every outermost expression of the document."""
        return tuple(self._placed())

    def _placed(self) -> Iterator[Placed]:
        document = self.definition.document
        outside = {key: value for key, value in document.items() if key not in {"Steps", "Parameters"}}
        yield from _expressions(None, spots(None, outside, ""))
        for step in self.steps:
            envelope = {key: value for key, value in step.raw.items() if key != "Arguments"}
            yield from _expressions(step, spots(None, envelope, step.where))
            yield from _expressions(step, self.arguments[step.name])

    @cached_property
    def _places(self) -> dict[str, str]:
        return {_BRACKETED.sub(r".\1", placed.where): placed.where for placed in self.placed}

    def place(self, dotted: str) -> str:
        """The place as findings write it, of an expression as `definition` writes it."""
        return self._places.get(dotted, dotted)

    @cached_property
    def texts(self) -> dict[tuple[str, Path], tuple[str | Expression, ...]]:
        """Where `text` keeps the parts of outputs' URIs once they are known."""
        return {}

    @cached_property
    def _results(self) -> dict[Any, tuple[Any, ...]]:
        return {}

    def once(self, find: Callable[[Subject], Iterable[T]]) -> tuple[T, ...]:
        """What a function gives for this subject, worked out once however many checks ask."""
        if find not in self._results:
            self._results[find] = tuple(find(self))
        return self._results[find]

    @cached_property
    def branches(self) -> dict[str, dict[str, str]]:
        """By step: the Conditions around it and the branch that it lies in."""
        found: dict[str, dict[str, str]] = {}
        for step in self.steps:  # a parent stands before its children
            outer = found[step.parent.step] if step.parent else {}
            found[step.name] = {**outer, step.parent.step: step.parent.branch} if step.parent else {}
        return found

    def exclusive(self, one: str, other: str) -> str | None:
        """The Condition that lets only one of two steps run, or None."""
        others = self.branches[other]
        differing = (name for name, branch in self.branches[one].items() if others.get(name, branch) != branch)
        return next(differing, None)

    @cached_property
    def _upstream(self) -> dict[str, set[str]]:
        found: dict[str, set[str]] = {}
        for edge in self.edges:
            found.setdefault(edge.downstream, set()).add(edge.upstream)
        return found

    def is_before(self, upstream: str, step: str) -> bool:
        """Whether one step has ended before another one starts."""
        return upstream in self._upstream.get(step, ()) or upstream in self._all_upstream(step)

    def _all_upstream(self, step: str) -> set[str]:
        found: set[str] = set()
        left = [step]
        while left:
            new = self._upstream.get(left.pop(), set()) - found
            found |= new
            left += new
        return found

    def loop_of(self, step: Step) -> Step | None:
        """The ForEach around a step."""
        while step.parent is not None:
            step = self.definition.step(step.parent.step)
            if step.type == "ForEach":
                return step
        return None


def inside(step: Step) -> str:
    """The place of a step's Arguments."""
    return f"{step.where}.Arguments"


def _argument_spots(step: Step) -> Iterator[Spot]:
    nested = NESTED_KEYS.get(step.type, ())
    own = {key: value for key, value in step.arguments.items() if key not in nested}
    operation = OPERATIONS.get(step.type)
    shape = request_shape("sagemaker", operation[0]) if operation else None
    return spots(shape, own, inside(step))


def _expressions(step: Step | None, found: Iterator[Spot] | tuple[Spot, ...]) -> Iterator[Placed]:
    for where, shape, value in found:
        if is_expression(value):
            yield Placed(step, where, parse_expression(value, where=where), shape)
