"""Expressions as text, as far as the definition says it: an expression in; its literal parts and what stands between.

Two texts with the same parts are the same text in every execution, whatever the values between turn out to be. The
S3 URI of another step's output is put in the place of the reference to it.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from pipelines.checks.arguments import dig, items, text_at
from pipelines.checks.subject import Subject
from pipelines.definition import Path
from pipelines.definition.expressions import (
    Expression,
    Join,
    Literal,
    ParameterReference,
    StepReference,
    is_expression,
    parse_expression,
)

# Literal text, or an expression whose value only an execution knows.
Part = str | Expression
Parts = tuple[Part, ...]

_MAX_DEPTH: Final = 12
_MAX_PARTS: Final = 100
_MARK: Final = "\0"


def parts(subject: Subject, value: Any, depth: int = 0) -> Parts:
    """The parts of a JSON value that is a scalar or an expression; empty for anything else."""
    if is_expression(value):
        return _joined(_parts(subject, parse_expression(value), depth))
    return (value,) if isinstance(value, str) else ()


def parts_of(subject: Subject, expression: Expression) -> Parts:
    """The parts of an expression."""
    return _joined(_parts(subject, expression, 0))


def constant(subject: Subject, expression: Expression) -> str | None:
    """The text of an expression when every parameter keeps its default; None when that is not known."""
    found = []
    for part in parts_of(subject, expression):
        if isinstance(part, ParameterReference):
            parameter = subject.definition.parameter(part.name)
            if parameter is None or not parameter.has_default:
                return None
            found.append(_text(parameter.default))
        elif isinstance(part, str):
            found.append(part)
        else:
            return None
    return "".join(found)


def location(found: Parts) -> str | None:
    """One text for equal S3 URIs, without the closing slash; None for what does not begin with s3://."""
    text = "".join(part if isinstance(part, str) else f"{_MARK}{part}{_MARK}" for part in found)
    return text.rstrip("/") if text.startswith("s3://") else None


def readable(found: Parts) -> str:
    """The parts as a user may read them: s3://bucket/<Execution.PipelineExecutionId>/train."""
    return "".join(part if isinstance(part, str) else f"<{part}>" for part in found)[:300]


def _parts(subject: Subject, expression: Expression, depth: int) -> Iterator[Part]:
    match expression:
        case Literal(value=value):
            yield _text(value)
        case Join(on=on, values=values):
            for index, item in enumerate(values):
                if index:
                    yield on
                yield from _parts(subject, item, depth)
        case StepReference() if subject.definition.has_step(expression.step):
            yield from _output_parts(subject, expression, depth) or (expression,)
        case _:
            yield expression


def _output_parts(subject: Subject, reference: StepReference, depth: int) -> Parts:
    """The parts of another output's URI, worked out once; empty when they are not known or too many."""
    key = reference.step, reference.path
    if key not in subject.texts and depth < _MAX_DEPTH:
        subject.texts[key] = ()  # what a URI made of itself finds
        found = parts(subject, destination(subject, *key), depth + 1)
        subject.texts[key] = found if len(found) <= _MAX_PARTS else ()
    return subject.texts.get(key, ())


def destination(subject: Subject, name: str, path: Path) -> Any:
    """What stands in a step's Arguments for the S3 URI of one of its outputs; None for any other property."""
    step = subject.definition.step(name)
    match step.type, path:
        case "Processing", ("ProcessingOutputConfig", "Outputs", str() as output, "S3Output", "S3Uri"):
            outputs = items(step.arguments, "ProcessingOutputConfig", "Outputs")
            found = (item for _, item in outputs if text_at(item, "OutputName") == output)
            return dig(next(found, None), "S3Output", "S3Uri")
        case "Transform", ("TransformOutput", "S3OutputPath"):
            return dig(step.arguments, "TransformOutput", "S3OutputPath")
        case _:
            return None


def _joined(found: Iterator[Part]) -> Parts:
    """Neighbouring literal parts as one."""
    joined: list[Part] = []
    for part in found:
        if isinstance(part, str) and joined and isinstance(joined[-1], str):
            joined[-1] += part
        elif part != "":
            joined.append(part)
    return tuple(joined)


def _text(value: Any) -> str:
    """A scalar as Std:Join writes it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else repr(value)
