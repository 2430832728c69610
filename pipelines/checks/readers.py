"""Checks of what steps read from S3 by URI rather than by reference: a read that races its write, a lost slash."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, Final, NamedTuple

from pipelines.checks.arguments import dig, items
from pipelines.checks.finding import Found
from pipelines.checks.outputs import Output, written
from pipelines.checks.subject import Placed, Subject, inside
from pipelines.checks.text import destination, location, parts, parts_of
from pipelines.definition import Step
from pipelines.definition.expressions import Expression, Join, JsonGet, Literal, PropertyFileReference, StepReference

_METRICS: Final = ("ModelMetrics", "DriftCheckBaselines")


class _Read(NamedTuple):
    """One S3 URI that a step reads, as text; `prefix`: everything below it as well."""

    step: Step
    where: str
    at: str
    prefix: bool


def unordered(subject: Subject) -> Iterator[Found]:
    """A step that reads what another step writes, with nothing that makes one wait for the other."""
    outputs = [(at, output) for output in subject.once(written) if (at := location(output.parts)) is not None]
    by_location = dict(reversed(outputs))
    by_outer = {outer: output for at, output in reversed(outputs) for outer in _outer(at)}
    for read in subject.once(_reads):
        output = _writer(read, by_location, by_outer)
        if output is not None and _races(subject, read.step, output.step):
            what = (
                f'"{read.step.name}" reads what "{output.step.name}" writes (output "{output.name}"), '
                "and nothing makes it wait"
            )
            fix = f'read it by reference, or add "{output.step.name}" to DependsOn of "{read.step.name}"'
            yield Found(read.step.name, read.where, what, fix)


def _writer(read: _Read, exact: dict[str, Output], outer: dict[str, Output]) -> Output | None:
    """The output where a step reads, around that place or, for a prefix, below it."""
    around = (exact[place] for place in (read.at, *_outer(read.at)) if place in exact)
    return next(around, outer.get(read.at) if read.prefix else None)


def _outer(at: str) -> Iterator[str]:
    """The prefixes around a location, the nearest first, down to the bucket."""
    while at.count("/") > 2:
        at = at.rpartition("/")[0]
        yield at


def _races(subject: Subject, reader: Step, writer: Step) -> bool:
    if reader is writer or subject.exclusive(reader.name, writer.name):
        return False
    return not subject.is_before(writer.name, reader.name) and not subject.is_before(reader.name, writer.name)


def missing_slashes(subject: Subject) -> Iterator[Found]:
    """An output's URI and a name in it, joined without the slash between."""
    found = [
        item
        for placed in subject.placed
        for join in _joins(placed.expression)
        for item in _unslashed(subject, placed, join)
    ]
    yield from found
    places = {item.where for item in found}
    files = _report_places(subject)
    for read in subject.once(_reads):
        if read.at in files and read.where not in places:
            output, name = files[read.at]
            what = f'the URI runs output "{output.name}" of "{output.step.name}" and its file "{name}" into one word'
            yield Found(read.step.name, read.where, what, f'put a slash before "{name}"')


def _unslashed(subject: Subject, placed: Placed, join: Join) -> Iterator[Found]:
    for before, after in pairwise(join.values):
        if not isinstance(before, StepReference) or not isinstance(after, Literal) or placed.step is None:
            continue
        text = f"{join.on}{after.value}"
        if text[:1].isalnum() and _ends_open(subject, before):
            what = f'{before} and "{after.value}" are joined without a slash between them'
            fix = f'join them with "On": "/", or begin with "/{after.value}"'
            yield Found(placed.step.name, placed.where, what, fix)


def _ends_open(subject: Subject, reference: StepReference) -> bool:
    """Whether a reference is an output's URI that is known not to end with a slash."""
    if not subject.definition.has_step(reference.step):
        return False
    found = parts(subject, destination(subject, reference.step, reference.path))
    return bool(found) and isinstance(found[-1], str) and not found[-1].endswith("/")


def _report_places(subject: Subject) -> dict[str, tuple[Output, str]]:
    """Where a property file would lie if the slash before its name were lost."""
    found: dict[str, tuple[Output, str]] = {}
    for output in subject.once(written):
        at = location(output.parts)
        for file in output.step.property_files if at is not None else ():
            if file.output_name == output.name:
                found[f"{at}{file.file_path}"] = output, file.file_path
    return found


def _joins(expression: Expression) -> Iterator[Join]:
    match expression:
        case Join(values=values):
            yield expression
            for value in values:
                yield from _joins(value)
        case JsonGet(source=source):
            yield from _joins(source)
        case _:
            return


def _reads(subject: Subject) -> Iterator[_Read]:
    """Everything that is read by a URI which the definition says."""
    for step in subject.steps:
        for where, value, prefix in _sources(subject, step):
            at = location(parts(subject, value))
            if at is not None:
                yield _Read(step, where, at, prefix)
    for placed in subject.placed:
        for uri in _documents(placed.expression):
            at = location(parts_of(subject, uri))
            if at is not None and placed.step is not None:
                yield _Read(placed.step, placed.where, at, False)


def _sources(subject: Subject, step: Step) -> Iterator[tuple[str, Any, bool]]:
    """Place and value of every S3 URI that a step's own arguments read, and whether it is a prefix."""
    match step.type:
        case "Processing":
            for index, item in items(step.arguments, "ProcessingInputs"):
                where = f"{inside(step)}.ProcessingInputs[{index}].S3Input.S3Uri"
                yield where, dig(item, "S3Input", "S3Uri"), True
        case "Training":
            for index, item in items(step.arguments, "InputDataConfig"):
                where = f"{inside(step)}.InputDataConfig[{index}].DataSource.S3DataSource.S3Uri"
                yield where, dig(item, "DataSource", "S3DataSource", "S3Uri"), True
        case "Transform":
            keys = ("TransformInput", "DataSource", "S3DataSource", "S3Uri")
            yield f"{inside(step)}.{'.'.join(keys)}", dig(step.arguments, *keys), True
        case "Model" | "RegisterModel":
            roots = tuple(f"{inside(step)}.{key}." for key in _METRICS)
            for path, _, value in subject.arguments[step.name]:
                if path.endswith(".ModelDataUrl") or (path.startswith(roots) and path.endswith(".S3Uri")):
                    yield path, value, False


def _documents(expression: Expression) -> Iterator[Expression]:
    """The URIs of the documents that an expression reads by Std:JsonGet."""
    match expression:
        case JsonGet(source=source) if not isinstance(source, PropertyFileReference):
            yield source
        case Join(values=values):
            for value in values:
                yield from _documents(value)
