"""Expressions → values, against what is known while an execution runs (CONTRACT.md 1.5, 1.6).

A JSON value and a Scope in; the same value with every expression replaced by a scalar out. ResolutionError says what
is missing and fails the consuming step; DocumentNeededError names a document to read before trying again.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pipelines.definition.expressions import (
    ExecutionReference,
    ExperimentReference,
    Expression,
    ForEachItemReference,
    IterationOutputReference,
    Join,
    JsonGet,
    Literal,
    OtherFunction,
    ParameterReference,
    PropertyFileReference,
    StepReference,
    is_expression,
    parse_expression,
)
from pipelines.definition.paths import render_path
from pipelines.definition.step_types import CLARIFY_CHECK, FOR_EACH, PROCESSING, QUALITY_CHECK, TRAINING
from pipelines.local.machine.flow import Flow
from pipelines.local.machine.lookup import LookupFailedError, describe, property_at, value_at
from pipelines.local.machine.loops import loop_property
from pipelines.local.machine.names import child_name, job_name
from pipelines.local.machine.state import Document, ExecutionContext, Iteration, StepState
from pipelines.nearest import nearest

Scalar = str | int | float | bool


class ResolutionError(Exception):
    """An expression has no value; the message is the failure reason of the step that uses it."""


class DocumentNeededError(Exception):
    """A JsonGet needs the document at `uri`, which has not been read yet."""

    def __init__(self, uri: str) -> None:
        super().__init__(uri)
        self.uri = uri


@dataclass(frozen=True)
class Scope:
    """All that a step's expressions may refer to at one moment; `iteration` is set in a child of a ForEach."""

    flow: Flow
    context: ExecutionContext
    steps: Mapping[str, StepState]
    consumer: str
    now: datetime
    attempt: int = 1
    documents: Mapping[str, Document] | None = None
    iteration: Iteration | None = None


def resolve(value: Any, scope: Scope) -> Any:
    """`value` with every expression in it replaced by its value; nothing is changed in place."""
    if is_expression(value):
        return resolve_scalar(value, scope)
    if isinstance(value, dict):
        return {key: resolve(inner, scope) for key, inner in value.items()}
    if isinstance(value, list):
        return [resolve(inner, scope) for inner in value]
    return value


def resolve_scalar(value: Any, scope: Scope) -> Scalar:
    """The value of one expression or literal, with its type; null, lists and objects are refused."""
    expression = parse_expression(value, where=f'step "{scope.consumer}"')
    return _scalar(_evaluate(expression, scope), expression)


def to_text(value: Scalar) -> str:
    """A scalar as Join writes it: booleans in lower case, numbers in their shortest form (1.0 stays "1.0")."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)


def timestamp(moment: datetime) -> str:
    """A time as text: UTC, milliseconds, as in 2024-05-01T12:34:56.789Z. The service's own format is not documented."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _evaluate(expression: Expression, scope: Scope) -> Any:
    match expression:
        case Literal(value=value):
            return value
        case ParameterReference(name=name):
            return _parameter(name, scope)
        case ExecutionReference(variable=variable):
            return _execution_variable(variable, scope)
        case ExperimentReference(field=field):
            return _experiment(field, scope)
        case StepReference():
            return _step_property(expression, scope)
        case ForEachItemReference():
            return _item(expression, scope)
        case Join(on=on, values=values):
            return on.join(to_text(_scalar(_evaluate(value, scope), value)) for value in values)
        case JsonGet():
            return _json_get(expression, scope)
        case IterationOutputReference():
            raise ResolutionError(f"{expression} may stand only in the Selector of a ForEach")
        case PropertyFileReference():
            raise ResolutionError(f"{expression} may stand only inside Std:JsonGet")
        case _:
            raise ResolutionError(f"not executed locally: {_name(expression)}")


def _scalar(value: Any, expression: Expression) -> Scalar:
    if value is None or isinstance(value, (dict, list)):
        members = f" with {', '.join(sorted(value)[:10])}" if isinstance(value, dict) and value else ""
        raise ResolutionError(f"{_name(expression)} is {describe(value)}{members}, where a single value is needed")
    if not isinstance(value, (str, int, float)):
        raise TypeError(f"{_name(expression)} holds a {type(value).__name__}, which is not JSON")
    return value


def _name(expression: Expression) -> str:
    match expression:
        case Literal():
            return "the literal"
        case Join():
            return "Std:Join"
        case JsonGet(path=path):
            return f"Std:JsonGet {render_path(path)}"
        case OtherFunction(name=name):
            return name
        case _:
            return str(expression)


def _parameter(name: str, scope: Scope) -> Any:
    if name not in scope.context.parameters:
        raise ResolutionError(f"Parameters.{name} is not defined{_hint(nearest(name, scope.context.parameters))}")
    return scope.context.parameters[name]


def _execution_variable(variable: str, scope: Scope) -> str:
    context = scope.context
    match variable:
        case "PipelineName":
            return context.pipeline_name
        case "PipelineArn":
            return context.pipeline_arn
        case "PipelineExecutionId":
            return context.execution_id
        case "PipelineExecutionArn":
            return context.execution_arn
        case "StartDateTime":
            return timestamp(context.start_time)
        case "CurrentDateTime":
            return timestamp(scope.now)
        case "ProcessingJobName" | "TrainingJobName":
            return _own_job_name(variable, scope)
        case _:
            raise ResolutionError(f"Execution.{variable} is not an execution variable")


def _own_job_name(variable: str, scope: Scope) -> str:
    # The check steps launch a processing job too.
    kinds = (PROCESSING, QUALITY_CHECK, CLARIFY_CHECK) if variable == "ProcessingJobName" else (TRAINING,)
    if scope.flow.step(scope.consumer).type not in kinds:
        raise ResolutionError(
            f'Execution.{variable} has a value only in a {kinds[0]} step, and "{scope.consumer}" is none'
        )
    return job_name(scope.context.execution_id, scope.consumer, scope.attempt)


def _experiment(field: str, scope: Scope) -> Any:
    config = scope.flow.definition.document.get("PipelineExperimentConfig")
    if not isinstance(config, dict) or field not in config:
        raise ResolutionError(f"PipelineExperimentConfig.{field} is undefined: the definition does not set it")
    return _evaluate(parse_expression(config[field]), scope)


def _item(reference: ForEachItemReference, scope: Scope) -> Any:
    """The item of a child: whole, as text unless it is a scalar, or a value in it when it is a JSON object."""
    if scope.iteration is None:
        raise ResolutionError(f"{reference} has a value only in the body of a ForEach")
    item = scope.iteration.item
    if not reference.path:
        return scope.iteration.text if isinstance(item, (dict, list)) else item
    try:
        return value_at(json.loads(item) if isinstance(item, str) else item, reference.path)
    except LookupFailedError as error:
        raise ResolutionError(f"{reference} is undefined: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ResolutionError(f"{reference} is undefined: the item is {describe(item)}, which is not JSON") from error


def _step_property(reference: StepReference, scope: Scope) -> Any:
    name = _present(reference.step, str(reference), scope)
    try:
        if scope.flow.step(name).type == FOR_EACH:
            return loop_property(name, reference.path, scope.steps)
        return property_at(scope.steps[name].properties, reference.path)
    except LookupFailedError as error:
        raise ResolutionError(f"{reference} is undefined: {error}") from error


def _present(step: str, reference: str, scope: Scope) -> str:
    """The name under which a step that is referred to has run: in a loop, a sibling is the one of the same item."""
    if not scope.flow.definition.has_step(step):
        close = nearest(step, (other.name for other in scope.flow.definition.all_steps()))
        raise ResolutionError(f'{reference} is undefined: there is no step "{step}"{_hint(close)}')
    name = step
    if scope.iteration is not None and step in scope.flow.bodies.get(scope.iteration.parent, ()):
        name = child_name(step, scope.iteration.index)
    state = scope.steps.get(name)
    if state is None or not state.listed:
        raise ResolutionError(f'{reference} is undefined: step "{name}" has not run')
    return name


def _json_get(expression: JsonGet, scope: Scope) -> Any:
    uri = _document_uri(expression, scope)
    found = (scope.documents or {}).get(uri)
    if found is None:
        raise DocumentNeededError(uri)
    if found.text is None:
        raise ResolutionError(f"{_name(expression)}: cannot read {uri}: {found.error or 'no such object'}")
    try:
        return value_at(json.loads(found.text, parse_constant=_refuse), expression.path)
    except LookupFailedError as error:
        raise ResolutionError(f"{_name(expression)} is undefined in {uri}: {error}") from error
    except (ValueError, RecursionError) as error:
        raise ResolutionError(f"{_name(expression)}: {uri} is not valid JSON: {error}") from error


def _document_uri(expression: JsonGet, scope: Scope) -> str:
    source = expression.source
    if not isinstance(source, PropertyFileReference):
        return to_text(_scalar(_evaluate(source, scope), source))
    name = _present(source.step, str(source), scope)
    step = scope.flow.step(name)
    file = step.property_file(source.name)
    if file is None:
        close = nearest(source.name, (known.name for known in step.property_files))
        raise ResolutionError(f'{source} is undefined: step "{step.name}" has no such property file{_hint(close)}')
    try:
        uri = property_at(
            scope.steps[name].properties, ("ProcessingOutputConfig", "Outputs", file.output_name, "S3Output", "S3Uri")
        )
    except LookupFailedError as error:
        raise ResolutionError(f"{source} is undefined: {error}") from error
    return f"{str(uri).removesuffix('/')}/{file.file_path}"


def _refuse(constant: str) -> Any:
    raise ValueError(f"{constant} is not a JSON number")


def _hint(close: str | None) -> str:
    return f'; the nearest is "{close}"' if close else ""
