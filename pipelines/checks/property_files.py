"""Checks of property files: declared where they may be, on an output that exists (CONTRACT.md 1.5)."""

from __future__ import annotations

from collections.abc import Iterator

from pipelines.checks.arguments import dig, items, text_at
from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject
from pipelines.definition import Step
from pipelines.definition.step_types import KNOWN_TYPES, PROCESSING
from pipelines.nearest import nearest


def outputs(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        known = output_names(step)
        if known is None or step.type != PROCESSING:
            continue
        for index, file in enumerate(step.property_files):
            if file.output_name not in known:
                close = nearest(file.output_name, known)
                listed = f"use one of {', '.join(known)}" if known else "add that output"
                what = (
                    f'"{step.name}" has no output "{file.output_name}", where the property file "{file.name}" is to be'
                )
                where = f"{step.where}.PropertyFiles[{index}].OutputName"
                yield Found(step.name, where, what, f'write "{close}"' if close else listed)


def step_types(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        if step.property_files and step.type != PROCESSING and step.type in KNOWN_TYPES:
            what = f"a {step.type} step has no property files; only a Processing step has"
            fix = 'remove PropertyFiles; read other documents by {"Std:JsonGet": {"S3Uri": …}}'
            yield Found(step.name, f"{step.where}.PropertyFiles", what, fix)


def names(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        seen: set[str] = set()
        for index, file in enumerate(step.property_files):
            if file.name in seen:
                what = f'"{step.name}" has two property files named "{file.name}"'
                yield Found(step.name, f"{step.where}.PropertyFiles[{index}]", what, "rename one of them")
            seen.add(file.name)


def output_names(step: Step) -> tuple[str, ...] | None:
    """The names of a Processing step's outputs; None when one of them is not literal."""
    return _names(step, "OutputName", "ProcessingOutputConfig", "Outputs")


def input_names(step: Step) -> tuple[str, ...] | None:
    return _names(step, "InputName", "ProcessingInputs")


def metric_names(step: Step) -> tuple[str, ...] | None:
    """The metrics that a Training step defines; None when it defines none, as a built-in algorithm has its own."""
    return _names(step, "Name", "AlgorithmSpecification", "MetricDefinitions") or None


def _names(step: Step, key: str, *keys: str) -> tuple[str, ...] | None:
    holder = dig(step.arguments, *keys)
    if holder is not None and not isinstance(holder, list):
        return None
    found = [text_at(item, key) for _, item in items(holder)]
    if None in found or len(found) != len(holder or ()):
        return None
    return tuple(name for name in found if name is not None)
