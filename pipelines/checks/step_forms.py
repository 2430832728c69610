"""Checks of steps that are no request of SageMaker's: Lambda, Callback, Fail, EMR, check steps (CONTRACT.md 1.3)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipelines.checks.arguments import dig, items, text_at
from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject, inside
from pipelines.checks.text import parts
from pipelines.definition.expressions import ExecutionReference, is_expression
from pipelines.definition.step_types import ENDPOINT_CONFIG

MAX_OUTPUTS: Final = 50
MAX_MESSAGE: Final = 3072
_NEEDED: Final = {
    "Lambda": ("FunctionArn",),
    "Callback": ("SqsQueueUrl",),
    "QualityCheck": ("CheckType",),
    "ClarifyCheck": ("CheckType",),
}
_CHECKS: Final = {
    "QualityCheck": ("DATA_QUALITY", "MODEL_QUALITY"),
    "ClarifyCheck": ("DATA_BIAS", "MODEL_BIAS", "MODEL_EXPLAINABILITY"),
}


def keys(subject: Subject) -> Iterator[Found]:
    """What a type of step must say beside its Arguments."""
    for step in subject.steps:
        for key in _NEEDED.get(step.type, ()):
            if step.raw.get(key) is None:
                yield Found(step.name, f"{step.where}.{key}", f"a {step.type} step needs {key}", f'add "{key}"')
        kind = step.raw.get("CheckType")
        known = _CHECKS.get(step.type, ())
        if known and kind is not None and kind not in known:
            what = f"CheckType of a {step.type} step must be one of {', '.join(known)}"
            yield Found(step.name, f"{step.where}.CheckType", what, f'write "{known[0]}"')


def inputs(subject: Subject) -> Iterator[Found]:
    """A Lambda or Callback takes one value per name; EMR needs its jar."""
    for step in subject.steps:
        if step.type in {"Lambda", "Callback"}:
            for key, value in step.arguments.items():
                if isinstance(value, (dict, list)) and not is_expression(value):
                    where = f"{inside(step)}.{key}"
                    what = f"{key!r:.100} is {'a list' if isinstance(value, list) else 'an object'}"
                    yield Found(step.name, where, f"{what}; an input is a single value", "write it as JSON text")
        elif step.type == "EMR" and dig(step.arguments, "StepConfig", "HadoopJarStep", "Jar") is None:
            where = f"{inside(step)}.StepConfig.HadoopJarStep.Jar"
            yield Found(step.name, where, "an EMR step needs the jar to run", 'add "Jar": "command-runner.jar"')


def output_parameters(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        declared = step.raw.get("OutputParameters")
        if isinstance(declared, list) and len(declared) > MAX_OUTPUTS:
            what = f"{len(declared)} OutputParameters; at most {MAX_OUTPUTS} are allowed"
            fix = f"keep {MAX_OUTPUTS}, or return one as JSON text"
            yield Found(step.name, f"{step.where}.OutputParameters", what, fix)
        seen: set[str] = set()
        for index, item in items(declared):
            name = text_at(item, "OutputName") or ""
            if name in seen:
                where = f"{step.where}.OutputParameters[{index}].OutputName"
                yield Found(step.name, where, f'two outputs are named "{name}"', "rename one of them")
            seen.add(name)


def fail_messages(subject: Subject) -> Iterator[Found]:
    for step in subject.steps:
        message = step.arguments.get("ErrorMessage") if step.type == "Fail" else None
        where = f"{inside(step)}.ErrorMessage"
        if message is not None and not isinstance(message, str) and not is_expression(message):
            yield Found(step.name, where, "ErrorMessage must be text or an expression", 'write "ErrorMessage": "…"')
        elif isinstance(message, str) and len(message) > MAX_MESSAGE:
            what = f"ErrorMessage has {len(message)} characters; {MAX_MESSAGE} are kept"
            yield Found(step.name, where, what, f"shorten it to {MAX_MESSAGE} characters")


def fixed_names(subject: Subject) -> Iterator[Found]:
    """An endpoint configuration is created, never updated: a second execution meets the first one's."""
    for step in subject.steps:
        if step.type != ENDPOINT_CONFIG:
            continue
        name = step.arguments.get("EndpointConfigName")
        if isinstance(name, str) or _is_fixed(subject, name):
            what = "EndpointConfigName is the same in every execution: the second one finds it taken"
            fix = 'put {"Get": "Execution.PipelineExecutionId"} into the name, by Std:Join'
            yield Found(step.name, f"{inside(step)}.EndpointConfigName", what, fix)


def _is_fixed(subject: Subject, name: Any) -> bool:
    found = parts(subject, name)
    return bool(found) and all(
        isinstance(part, str) or (isinstance(part, ExecutionReference) and part.variable == "PipelineName")
        for part in found
    )
