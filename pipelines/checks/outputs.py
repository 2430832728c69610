"""Checks of where steps write and read in S3: runs that overwrite one another, reads that race a write (PAINS 9).

Only Processing and Transform steps write where they are told; a training job puts its own name below the path.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final, NamedTuple

from pipelines.checks.arguments import dig, items, text_at
from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject, inside
from pipelines.checks.text import Part, Parts, location, parts, readable
from pipelines.definition import Step
from pipelines.definition.expressions import ExecutionReference, ParameterReference

_OF_ONE_EXECUTION: Final = ("PipelineExecutionId", "PipelineExecutionArn", "StartDateTime", "CurrentDateTime")
_OF_ONE_JOB: Final = ("ProcessingJobName", "TrainingJobName")


class Output(NamedTuple):
    """One place that a step writes to; `name` is the output's, or what stands for it."""

    step: Step
    where: str
    name: str
    parts: Parts

    def __str__(self) -> str:
        return f'output "{self.name}" of "{self.step.name}"'


def written(subject: Subject) -> Iterator[Output]:
    """Every S3 prefix that a step writes to and the definition says."""
    for step in subject.steps:
        match step.type:
            case "Processing":
                for index, item in items(step.arguments, "ProcessingOutputConfig", "Outputs"):
                    where = f"{inside(step)}.ProcessingOutputConfig.Outputs[{index}].S3Output.S3Uri"
                    uri = dig(item, "S3Output", "S3Uri")
                    name = text_at(item, "OutputName") or "?"
                    yield Output(step, where, name, parts(subject, uri))
            case "Transform":
                uri = dig(step.arguments, "TransformOutput", "S3OutputPath")
                where = f"{inside(step)}.TransformOutput.S3OutputPath"
                yield Output(step, where, "S3OutputPath", parts(subject, uri))


def static(subject: Subject) -> Iterator[Found]:
    """A URI that is the same in every execution."""
    for output in subject.once(written):
        if location(output.parts) is not None and all(_is_static(subject, part) for part in output.parts):
            what = f"{output} is {readable(output.parts)} in every execution: the next overwrites this one's"
            fix = 'put {"Get": "Execution.PipelineExecutionId"} into the URI, by Std:Join'
            yield Found(output.step.name, output.where, what, fix)


def _is_static(subject: Subject, part: Part) -> bool:
    """A parameter with a default is the same unless someone overrides it; one without is chosen at every start."""
    if isinstance(part, ParameterReference):
        parameter = subject.definition.parameter(part.name)
        return parameter is not None and parameter.has_default
    if isinstance(part, ExecutionReference):
        return part.variable not in (*_OF_ONE_EXECUTION, *_OF_ONE_JOB)
    return isinstance(part, str)


def loop_outputs(subject: Subject) -> Iterator[Found]:
    """A URI that is the same for every item of a loop."""
    for output in subject.once(written):
        loop = subject.loop_of(output.step)
        if loop is not None and output.parts and not any(_of_one_item(part) for part in output.parts):
            what = f'{output} is the same for every item of "{loop.name}": the runs overwrite one another'
            fix = 'put {"Get": "ForEach.CurrentItem"} or {"Get": "Execution.ProcessingJobName"} into the URI'
            yield Found(output.step.name, output.where, what, fix)


def _of_one_item(part: Part) -> bool:
    """Whether a part differs between the runs of a loop, or may: only literals, parameters, the execution do not."""
    match part:
        case str() | ParameterReference():
            return False
        case ExecutionReference(variable=variable):
            return variable in _OF_ONE_JOB
        case _:
            return True


def shared(subject: Subject) -> Iterator[Found]:
    """Two outputs on one prefix, unless only one of their steps can run."""
    first: dict[str, list[Output]] = {}
    for output in subject.once(written):
        at = location(output.parts)
        if at is None:
            continue
        others = first.setdefault(at, [])
        other = next((one for one in others if not subject.exclusive(one.step.name, output.step.name)), None)
        if other is not None and not _of_each_job(output, other):
            what = f"{output} and {other} are one prefix, {readable(output.parts)}"
            yield Found(output.step.name, output.where, what, "end each URI with the name of its output")
        else:
            others.append(output)


def _of_each_job(output: Output, other: Output) -> bool:
    """Whether two equal URIs of different steps differ by the name of the job that each launches."""
    names = (part.variable for part in output.parts if isinstance(part, ExecutionReference))
    return output.step is not other.step and any(name in _OF_ONE_JOB for name in names)
