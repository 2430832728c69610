"""What `Steps.S.<path>` leads to (CONTRACT.md 1.6): a subject and a reference in, a Property or a NoProperty out.

The path is followed through the response of the Describe operation, whose named lists the service keys by name, or
through the few properties that a type of step has without such an operation.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Final

from pipelines.checks.arguments import dig, items, text_at
from pipelines.checks.property_files import input_names, metric_names, output_names
from pipelines.checks.subject import Subject
from pipelines.definition import Path, Step, render_path
from pipelines.nearest import nearest
from pipelines.service_model import response_shape

_DESCRIBE: Final = {
    "Processing": "DescribeProcessingJob",
    "Training": "DescribeTrainingJob",
    "Tuning": "DescribeHyperParameterTuningJob",
    "Transform": "DescribeTransformJob",
    "AutoML": "DescribeAutoMLJob",
    "Model": "DescribeModel",
    "RegisterModel": "DescribeModelPackage",
    "EndpointConfig": "DescribeEndpointConfig",
    "Endpoint": "DescribeEndpoint",
    "InferenceComponent": "DescribeInferenceComponent",
    "Job": "DescribeJob",
}
_BASELINES: Final = ("CalculatedBaselineConstraints", "BaselineUsedForDriftCheckConstraints")
_STATISTICS: Final = ("CalculatedBaselineStatistics", "BaselineUsedForDriftCheckStatistics")
_CLOSED: Final[dict[str, tuple[str, ...]]] = {
    "Condition": ("Outcome",),
    "QualityCheck": (*_BASELINES, *_STATISTICS),
    "ClarifyCheck": _BASELINES,
    "Fail": (),
    "Cleanup": (),
}
_OPEN: Final = {"Lineage": ("ActionArns", "ArtifactArns", "ContextArns", "Associations")}
_COUNTS: Final = ("InputItemCount", "TotalStepCount", "SucceededStepCount", "FailedStepCount", "StoppedStepCount")
_LOOP: Final = ("Status", *_COUNTS, "IterationOutputs", "Selected")
_REPORTS: Final = ("ModelInsightsJsonReportPath", "ExplainabilityJsonReportPath")
# Lists that the service keys by name; which names there are stands in the step's own Arguments.
_NAMED: Final[dict[tuple[str, Path], tuple[str, Callable[[Step], tuple[str, ...] | None]]]] = {
    ("Processing", ("ProcessingInputs",)): ("input", input_names),
    ("Processing", ("ProcessingOutputConfig", "Outputs")): ("output", output_names),
    ("Training", ("FinalMetricDataList",)): ("metric", metric_names),
}
_TYPES: Final = {
    "string": "String",
    "integer": "Integer",
    "long": "Integer",
    "float": "Float",
    "double": "Float",
    "boolean": "Boolean",
    "structure": "object",
    "map": "object",
    "list": "list",
}


@dataclass(frozen=True)
class Property:
    """`type` is a parameter's type, object or list; None when unknown. `positional`: a named list read by position."""

    type: str | None = None
    positional: bool = False


@dataclass(frozen=True)
class NoProperty:
    what: str
    fix: str


Followed = Property | NoProperty
_UNKNOWN: Final = Property()


def follow(subject: Subject, step: Step, path: Path) -> Followed:
    """Where a path from a step leads."""
    if not path:
        return NoProperty(f'"{step.name}" is a whole step, not a value', "name one of its properties")
    if step.type in _DESCRIBE:
        return _described(step, path)
    if step.type in _CLOSED:
        return _closed(step, path)
    match step.type:
        case "Lambda" | "Callback":
            return _output_parameter(step, path)
        case "ForEach":
            return _loop(subject, step, path)
        case "EMR":
            return Property("String") if path == ("ClusterId",) else _descend(step, _emr_step(), path, ())
        case "Lineage" if path[0] not in _OPEN["Lineage"]:
            return _missing(step, str(path[0]), _OPEN["Lineage"])
        case _:
            return _UNKNOWN


def _described(step: Step, path: Path) -> Followed:
    match step.type, path:
        case "Tuning", ("TrainingJobSummaries", *_):
            shape = response_shape("sagemaker", "ListTrainingJobsForHyperParameterTuningJob")
        case "AutoML", ("BestCandidateProperties", *rest):
            return (
                Property("String")
                if len(rest) == 1 and rest[0] in _REPORTS
                else _missing(step, render_path(path), _REPORTS)
            )
        case "Job", ("JobConfigDocument", _, *_):
            return _UNKNOWN
        case _:
            shape = response_shape("sagemaker", _DESCRIBE[step.type])
    return _descend(step, shape, path, ())


def _emr_step() -> Any:
    return response_shape("emr", "DescribeStep").members["Step"]


def _descend(step: Step, shape: Any, path: Path, before: Path) -> Followed:
    """One segment after another; the shape that the last one leads to gives the type."""
    positional = False
    for segment in path:
        named = _NAMED.get((step.type, before))
        match shape.type_name, segment:
            case "structure", str():
                if segment not in shape.members:
                    return _missing(step, segment, shape.members, before)
                inner = shape.members[segment]
            case "map", str():
                if before == ("Environment",) and segment not in _environment(step, segment):
                    return _missing(step, segment, _environment(step, segment), before)
                inner = shape.value
            case "list", str() if named is not None:
                kind, names_of = named
                names = names_of(step)
                if names is not None and segment not in names:
                    return _unnamed(step, kind, segment, names)
                inner = shape.member
            case "list", int():
                positional = positional or named is not None
                inner = shape.member
            case _:
                return _not_below(step, shape, segment, before)
        shape, before = inner, (*before, segment)
    return Property(_TYPES.get(shape.type_name), positional)


def _environment(step: Step, asked: str) -> tuple[str, ...]:
    """The variables that the step sets; the one asked for when the step does not say which it sets."""
    environment = dig(step.arguments, "Environment")
    if environment is None:
        return ()
    return tuple(environment) if isinstance(environment, dict) else (asked,)


def _closed(step: Step, path: Path) -> Followed:
    known = _CLOSED[step.type]
    if path[0] in known and len(path) == 1:
        return _UNKNOWN if step.type == "Condition" else Property("String")
    return _missing(step, render_path(path), known)


def _output_parameter(step: Step, path: Path) -> Followed:
    declared = {
        name: text_at(item, "OutputType")
        for _, item in items(step.raw.get("OutputParameters"))
        if (name := text_at(item, "OutputName"))
    }
    if path[0] != "OutputParameters" or len(path) < 2:
        return _missing(step, str(path[0]), ("OutputParameters['name']",))
    if path[1] not in declared:
        return _missing(step, str(path[1]), declared, path[:1])
    if len(path) > 2:
        name = f"OutputParameters['{path[1]}']"
        what = f'{name} of "{step.name}" is one value: nothing lies below it'
        return NoProperty(what, f'end the reference at "Steps.{step.name}.{name}", or declare another output')
    kind = declared[str(path[1])]
    return Property(kind if kind in {"String", "Integer", "Float", "Boolean"} else None)


def _loop(subject: Subject, step: Step, path: Path) -> Followed:
    match path:
        case ("Status",):
            return Property("String")
        case (str() as count,) if count in _COUNTS:
            return Property("Integer")
        case ("Selected", _, *_) if dig(step.arguments, "Selector") is not None:
            return _UNKNOWN
        case ("Selected", *_):
            fix = "give the loop a Selector, or read IterationOutputs[0]"
            return NoProperty(f'"{step.name}" selects nothing: it has no Selector', fix)
        case ("IterationOutputs", int(), str() as name, *rest):
            child = next((child for child in step.body if child.name == name), None)
            if child is None:
                return _missing(step, name, [child.name for child in step.body], path[:2])
            return follow(subject, child, tuple(rest))
        case ("IterationOutputs", *_):
            what = f"{render_path(path)} lacks the position of the iteration or the step in it"
            return NoProperty(what, f'write "Steps.{step.name}.IterationOutputs[0].StepName.Property"')
        case _:
            return _missing(step, render_path(path), _LOOP)


def _missing(step: Step, name: str, known: Iterable[str], before: Path = ()) -> NoProperty:
    names = list(known)
    close = nearest(name, names)
    listed = (
        f"use one of {', '.join(names[:12])}{', …' if len(names) > 12 else ''}" if names else "remove the reference"
    )
    holder = f'{render_path(before)} of "{step.name}"' if before else f'"{step.name}", a {step.type} step,'
    return NoProperty(f'{holder} has no "{name}"', f'write "{close}"' if close else listed)


def _unnamed(step: Step, kind: str, name: str, known: tuple[str, ...]) -> NoProperty:
    close = nearest(name, known)
    listed = f"use one of {', '.join(known)}" if known else f"add the {kind} to the step"
    return NoProperty(f'"{step.name}" has no {kind} "{name}"', f"write ['{close}']" if close else listed)


def _not_below(step: Step, shape: Any, segment: str | int, before: Path) -> NoProperty:
    here = f'{render_path(before) or "the response"} of "{step.name}"'
    match shape.type_name:
        case "list":
            return NoProperty(f'{here} is a list: "{segment}" is no position', "write [0]")
        case "structure" | "map":
            return NoProperty(f"{here} is an object: [{segment}] is no key", "name one of its members")
        case _:
            return NoProperty(f"{here} is a single value: nothing lies below it", f"end at {render_path(before)}")
