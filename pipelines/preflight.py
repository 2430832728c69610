"""What an execution would miss: inputs that are empty, said before it starts rather than minutes into a job.

Takes a definition, the values of its parameters and a gateway; gives notes. Only what is known beforehand is looked at:
a URI that another step makes, or that carries the execution's id, is not. Who may not look is told nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from typing import Any, Protocol

from pipelines.definition import Definition, parse_expression
from pipelines.definition import step_types as types
from pipelines.definition.expressions import Expression, Join, Literal, ParameterReference
from pipelines.errors import AwsError, DefinitionError


class Objects(Protocol):
    """What is asked of S3; the gateway answers it."""

    def keys(self, bucket: str, prefix: str) -> Iterator[str]: ...


def empty_inputs(definition: Definition, parameters: Mapping[str, Any], objects: Objects) -> Iterator[str]:
    """A note for each input under whose URI nothing lies; `parameters` as `resolve_parameters` gives them."""
    made = [_known(uri, parameters) for uri in _outputs(definition)]
    seen: set[str] = set()
    for step, name, value in _inputs(definition):
        uri = _known(value, parameters)
        if not uri or uri in seen or any(item and uri.startswith(item) for item in made):
            continue
        seen.add(uri)
        if not _has_objects(uri, objects):
            yield f"input {name} of step {step} is empty: nothing lies under {uri}"


def _has_objects(uri: str, objects: Objects) -> bool:
    scheme, _, path = uri.partition("://")
    bucket, _, prefix = path.partition("/")
    if scheme != "s3" or not bucket:
        return True  # not ours to judge: a check says it
    try:
        return next(iter(objects.keys(bucket, prefix)), None) is not None
    except AwsError as error:
        return error.code != "NoSuchBucket"


def _inputs(definition: Definition) -> Iterator[tuple[str, str, Any]]:
    """Step, name and URI of each S3 input."""
    for step in definition.all_steps():
        given = step.arguments
        with suppress(AttributeError, TypeError):  # a definition from elsewhere: a check says what is wrong with it
            for item in given.get("ProcessingInputs") or [] if step.type == types.PROCESSING else []:
                yield step.name, item.get("InputName", ""), (item.get("S3Input") or {}).get("S3Uri", "")
            for item in given.get("InputDataConfig") or [] if step.type == types.TRAINING else []:
                source = (item.get("DataSource") or {}).get("S3DataSource") or {}
                yield step.name, item.get("ChannelName", ""), source.get("S3Uri", "")


def _outputs(definition: Definition) -> Iterator[Any]:
    for step in definition.all_steps():
        with suppress(AttributeError, TypeError):
            for item in (step.arguments.get("ProcessingOutputConfig") or {}).get("Outputs") or []:
                yield (item.get("S3Output") or {}).get("S3Uri", "")
            for key in ("OutputDataConfig", "TransformOutput"):
                yield (step.arguments.get(key) or {}).get("S3OutputPath", "")


def _known(value: Any, parameters: Mapping[str, Any]) -> str | None:
    with suppress(DefinitionError):
        return _text(parse_expression(value), parameters)
    return None


def _text(expression: Expression, parameters: Mapping[str, Any]) -> str | None:
    """The text of an expression of parameters and literals alone; None of any other."""
    match expression:
        case Literal(value=str(value)):
            return value
        case ParameterReference(name=name):
            given = parameters.get(name)
            return given if isinstance(given, str) else None
        case Join(on=on, values=values):
            parts = [_text(value, parameters) for value in values]
            return None if None in parts else on.join(part for part in parts if part is not None)
        case _:
            return None
