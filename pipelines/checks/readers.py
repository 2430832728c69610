"""Checks of what steps read from S3 by URI rather than by reference: a read that races its write, a lost slash."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final, NamedTuple

from pipelines.checks.arguments import dig, items
from pipelines.checks.finding import Found
from pipelines.checks.outputs import Output, written
from pipelines.checks.subject import Placed, Subject, inside
from pipelines.checks.text import destination, location, parts
from pipelines.definition import Step
from pipelines.definition.expressions import Expression, Join, JsonGet, Literal, StepReference

_METRICS: Final = ("ModelMetrics", "DriftCheckBaselines")
# What may follow an output's URI directly and still stand apart from it.
_APART: Final = ("/", "?", "#")


class _Read(NamedTuple):
    """One S3 URI that a step reads; `prefix`: everything below it as well."""

    step: Step
    where: str
    value: Any
    prefix: bool


def unordered(subject: Subject) -> Iterator[Found]:
    """A step that reads what another step writes, with nothing that makes one wait for the other."""
    outputs = [(at, output) for output in written(subject) if (at := location(output.parts)) is not None]
    by_location = dict(reversed(outputs))
    by_outer = {outer: output for at, output in reversed(outputs) for outer in _outer(at)}
    for read in _reads(subject):
        at = location(parts(subject, read.value))
        output = _writer(at, by_location, by_outer, read.prefix) if at is not None else None
        if output is not None and _races(subject, read.step, output.step):
            what = (
                f'"{read.step.name}" reads what "{output.step.name}" writes (output "{output.name}"), '
                "and nothing makes it wait"
            )
            fix = f'read it by reference, or add "{output.step.name}" to DependsOn of "{read.step.name}"'
            yield Found(read.step.name, read.where, what, fix)


def _writer(at: str, exact: dict[str, Output], outer: dict[str, Output], prefix: bool) -> Output | None:
    """The output at a location, around it or, for a prefix, below it."""
    around = (exact[place] for place in (at, *_outer(at)) if place in exact)
    return next(around, outer.get(at) if prefix else None)


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
    for read in _reads(subject):
        at = location(parts(subject, read.value))
        if at in files and read.where not in places:
            output, name = files[at]
            what = f'the URI runs output "{output.name}" of "{output.step.name}" and its file "{name}" into one word'
            yield Found(read.step.name, read.where, what, f'put a slash before "{name}"')


def _unslashed(subject: Subject, placed: Placed, join: Join) -> Iterator[Found]:
    for before, after in zip(join.values, join.values[1:], strict=False):
        if not isinstance(before, StepReference) or not isinstance(after, Literal) or placed.step is None:
            continue
        text = f"{join.on}{after.value}"
        if not _ends_open(subject, before) or not text or text.startswith(_APART) or not text[0].isalnum():
            continue
        what = f'{before} and "{after.value}" are joined without a slash between them'
        yield Found(placed.step.name, placed.where, what, f'join them with "On": "/", or begin with "/{after.value}"')


def _ends_open(subject: Subject, reference: StepReference) -> bool:
    """Whether a reference is an output's URI that is known not to end with a slash."""
    if not subject.definition.has_step(reference.step):
        return False
    found = parts(subject, destination(subject, reference.step, reference.path))
    return bool(found) and isinstance(found[-1], str) and not found[-1].endswith("/")


def _report_places(subject: Subject) -> dict[str, tuple[Output, str]]:
    """Where a property file would lie if the slash before its name were lost."""
    found: dict[str, tuple[Output, str]] = {}
    for output in written(subject):
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
    for step in subject.steps:
        match step.type:
            case "Processing":
                for index, item in items(step.arguments, "ProcessingInputs"):
                    where = f"{inside(step)}.ProcessingInputs[{index}].S3Input.S3Uri"
                    yield _Read(step, where, dig(item, "S3Input", "S3Uri"), True)
            case "Training":
                for index, item in items(step.arguments, "InputDataConfig"):
                    where = f"{inside(step)}.InputDataConfig[{index}].DataSource.S3DataSource.S3Uri"
                    yield _Read(step, where, dig(item, "DataSource", "S3DataSource", "S3Uri"), True)
            case "Transform":
                keys = ("TransformInput", "DataSource", "S3DataSource", "S3Uri")
                yield _Read(step, f"{inside(step)}.{'.'.join(keys)}", dig(step.arguments, *keys), True)
            case "Model" | "RegisterModel":
                yield from _model_reads(subject, step)


def _model_reads(subject: Subject, step: Step) -> Iterator[_Read]:
    roots = tuple(f"{inside(step)}.{key}." for key in _METRICS)
    for spot in subject.arguments[step.name]:
        if spot.path.endswith(".ModelDataUrl") or (spot.path.startswith(roots) and spot.path.endswith(".S3Uri")):
            yield _Read(step, spot.path, spot.value, False)
