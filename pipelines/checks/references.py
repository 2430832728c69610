"""Checks of what expressions refer to: names that do not exist, and names out of place (CONTRACT.md 1.5)."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from pipelines.checks.arguments import items, text_at
from pipelines.checks.finding import Found
from pipelines.checks.subject import Placed, Subject, inside
from pipelines.definition import unknown_references
from pipelines.definition.expressions import (
    ExecutionReference,
    ExperimentReference,
    Expression,
    ForEachItemReference,
    IterationOutputReference,
    Join,
    OtherFunction,
    PropertyFileReference,
    StepReference,
)
from pipelines.definition.step_types import CLEANUP, FAIL, FOR_EACH
from pipelines.nearest import nearest

_FUNCTIONS: Final = ("Std:Join", "Std:JsonGet")
_EXPERIMENT: Final = ("ExperimentName", "TrialName")
_PROCESSING_JOBS: Final = frozenset({"Processing", "QualityCheck", "ClarifyCheck"})
_JOBS: Final = {"ProcessingJobName": _PROCESSING_JOBS, "TrainingJobName": frozenset({"Training", "Tuning"})}


def unknown(kind: str) -> Callable[[Subject], Iterator[Found]]:
    """The check of one kind of name: step, parameter, property file, execution variable or reference."""

    def find(subject: Subject) -> Iterator[Found]:
        for missing in unknown_references(subject.definition):
            if missing.kind == kind:
                what = f'there is no {kind} "{missing.name}"'
                fix = f'write "{missing.nearest}"' if missing.nearest else _known(subject, kind)
                yield Found(missing.step, subject.place(missing.where), what, fix)

    return find


def cleaned_steps(subject: Subject) -> Iterator[Found]:
    """A Cleanup step names the steps whose objects it deletes."""
    for step in subject.steps:
        for index, resource in items(step.arguments, "Resources", "S3") if step.type == CLEANUP else ():
            name = text_at(resource, "StepName")
            if name is not None and not subject.definition.has_step(name):
                close = nearest(name, (other.name for other in subject.steps))
                where = f"{inside(step)}.Resources.S3[{index}].StepName"
                fix = f'write "{close}"' if close else _known(subject, "step")
                yield Found(step.name, where, f'there is no step "{name}"', fix)


def unknown_steps(subject: Subject) -> Iterator[Found]:
    yield from unknown("step")(subject)
    yield from cleaned_steps(subject)


def experiment_fields(subject: Subject) -> Iterator[Found]:
    for placed in subject.placed:
        for reference in placed.references:
            if isinstance(reference, ExperimentReference) and reference.field not in _EXPERIMENT:
                close = nearest(reference.field, _EXPERIMENT) or _EXPERIMENT[0]
                what = f'PipelineExperimentConfig has no "{reference.field}"'
                yield Found(_name(placed), placed.where, what, f'write "PipelineExperimentConfig.{close}"')


def unknown_variables(subject: Subject) -> Iterator[Found]:
    yield from unknown("execution variable")(subject)
    yield from unknown("reference")(subject)
    yield from experiment_fields(subject)


def unknown_functions(subject: Subject) -> Iterator[Found]:
    for placed in subject.placed:
        for expression in _nested(placed.expression):
            if isinstance(expression, OtherFunction):
                close = nearest(expression.name, _FUNCTIONS)
                fix = f'write "{close}"' if close else "use Std:Join or Std:JsonGet"
                what = f'there is no function "{expression.name}"'
                yield Found(_name(placed), placed.where, what, fix)


def fail_steps(subject: Subject) -> Iterator[Found]:
    """A Fail step ends the execution: nothing can wait for it or read it."""
    failing = {step.name for step in subject.steps if step.type == FAIL}
    for step in subject.steps:
        for index, dependency in enumerate(step.depends_on):
            if dependency.step in failing:
                what = f'"{step.name}" waits for "{dependency.step}", a Fail step: it ends the execution'
                where = f"{step.where}.DependsOn[{index}]"
                yield Found(step.name, where, what, f'remove "{dependency.step}" from DependsOn')
    for placed in subject.placed:
        for reference in placed.references:
            if isinstance(reference, (StepReference, PropertyFileReference)) and reference.step in failing:
                what = f'{reference} reads "{reference.step}", a Fail step: it has no properties'
                yield Found(_name(placed), placed.where, what, "remove the reference")


def stray_property_files(subject: Subject) -> Iterator[Found]:
    """A property file has a value only inside Std:JsonGet; there the parser has its place."""
    for placed in subject.placed:
        for expression in _nested(placed.expression):
            if isinstance(expression, PropertyFileReference):
                what = f"{expression} is a file, not a value: it may stand only inside Std:JsonGet"
                fix = f'write {{"Std:JsonGet": {{"PropertyFile": {{"Get": "{expression}"}}, "Path": "…"}}}}'
                yield Found(_name(placed), placed.where, what, fix)


def job_names(subject: Subject) -> Iterator[Found]:
    """The name of the job that the step itself launches: of use in steps of that kind only."""
    for placed in subject.placed:
        for reference in placed.references:
            types = _JOBS.get(reference.variable) if isinstance(reference, ExecutionReference) else None
            if types is not None and (placed.step is None or placed.step.type not in types):
                what = f"{reference} is the job launched by the step it stands in; this step launches none"
                yield Found(_name(placed), placed.where, what, f"use it in a {' or '.join(sorted(types))} step only")


def loop_scope(subject: Subject) -> Iterator[Found]:
    """CurrentItem has a value in the body of a ForEach, IterationOutput in its Selector (CONTRACT.md 1.8)."""
    for placed in subject.placed:
        for reference in placed.references:
            match reference:
                case ForEachItemReference() if placed.step is None or subject.loop_of(placed.step) is None:
                    what = f"{reference} has a value only in the body of a ForEach step"
                    yield Found(_name(placed), placed.where, what, "move the step into a ForEachBody")
                case IterationOutputReference() if not _in_selector(placed):
                    what = f"{reference} has a value only in the Selector of a ForEach step"
                    fix = f'write "Steps.LoopName.IterationOutputs[0].{str(reference).partition(".")[2]}"'
                    yield Found(_name(placed), placed.where, what, fix)


def _in_selector(placed: Placed) -> bool:
    step = placed.step
    return step is not None and step.type == FOR_EACH and placed.where == f"{inside(step)}.Selector.Field"


def _nested(expression: Expression) -> Iterator[Expression]:
    """An expression and those inside its Joins; a JsonGet keeps its source to itself."""
    yield expression
    if isinstance(expression, Join):
        for value in expression.values:
            yield from _nested(value)


def _name(placed: Placed) -> str | None:
    return placed.step.name if placed.step else None


def _known(subject: Subject, kind: str) -> str:
    match kind:
        case "step":
            return "name one of the steps, or add the step"
        case "parameter" if subject.definition.parameters:
            names = ", ".join(parameter.name for parameter in subject.definition.parameters[:12])
            return f"declare it under Parameters, or use one of {names}"
        case "parameter":
            return "declare it under Parameters"
        case "property file":
            return "declare it under PropertyFiles of the step"
        case "execution variable":
            return "use PipelineExecutionId, PipelineName, PipelineArn or StartDateTime"
        case _:
            return "start it with Parameters., Execution., Steps. or PipelineExperimentConfig."
