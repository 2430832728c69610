"""The expressions of a definition (CONTRACT.md 1.5): JSON values in, frozen typed values out.

`{"Get": …}` gives one of the references, `{"Std:Join": …}` a Join, `{"Std:JsonGet": …}` a JsonGet, a scalar a Literal.
An object is an expression when one of those is its only key. A `Get` with an unknown root or an unknown `Std:`
function stays readable (OtherReference, OtherFunction), for definitions newer than this code; a known form that is
written wrongly is a DefinitionError.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, Final

from pipelines.definition.paths import Path, parse_path, render_path
from pipelines.errors import DefinitionError

EXECUTION_VARIABLES: Final = (
    "StartDateTime",
    "CurrentDateTime",
    "PipelineName",
    "PipelineArn",
    "PipelineExecutionId",
    "PipelineExecutionArn",
    "TrainingJobName",
    "ProcessingJobName",
)


@dataclass(frozen=True)
class Literal:
    value: str | int | float | bool | None

    def __eq__(self, other: object) -> bool:
        # True == 1 == 1.0 in Python, but not in a definition.
        return isinstance(other, Literal) and type(self.value) is type(other.value) and self.value == other.value

    def __hash__(self) -> int:
        return hash((type(self.value), self.value))


@dataclass(frozen=True)
class ParameterReference:
    name: str

    def __str__(self) -> str:
        return f"Parameters.{self.name}"


@dataclass(frozen=True)
class ExecutionReference:
    variable: str

    def __str__(self) -> str:
        return f"Execution.{self.variable}"


@dataclass(frozen=True)
class ExperimentReference:
    """`PipelineExperimentConfig.ExperimentName` or `.TrialName`."""

    field: str

    def __str__(self) -> str:
        return f"PipelineExperimentConfig.{self.field}"


@dataclass(frozen=True)
class StepReference:
    """A property of a step: `Steps.S.<path>`; an empty path is the whole step. `text` is how the document wrote it."""

    step: str
    path: Path
    text: str = field(default="", compare=False)

    def __str__(self) -> str:
        return self.text or f"Steps.{self.step}{_after(self.path)}"


@dataclass(frozen=True)
class PropertyFileReference:
    step: str
    name: str

    def __str__(self) -> str:
        return f"Steps.{self.step}.PropertyFiles.{self.name}"


@dataclass(frozen=True)
class ForEachItemReference:
    """`ForEach.CurrentItem`, drilled into by `path`."""

    path: Path

    def __str__(self) -> str:
        return "ForEach.CurrentItem" + _after(self.path)


@dataclass(frozen=True)
class IterationOutputReference:
    """`IterationOutput.<body step>.<member>` in the Selector of a ForEach."""

    step: str
    path: Path

    def __str__(self) -> str:
        return f"IterationOutput.{self.step}" + _after(self.path)


@dataclass(frozen=True)
class OtherReference:
    """A `Get` whose root this code does not know."""

    text: str

    def __str__(self) -> str:
        return self.text


Reference = (
    ParameterReference
    | ExecutionReference
    | ExperimentReference
    | StepReference
    | PropertyFileReference
    | ForEachItemReference
    | IterationOutputReference
    | OtherReference
)


@dataclass(frozen=True)
class Join:
    on: str
    values: tuple[Expression, ...]


@dataclass(frozen=True)
class JsonGet:
    """A value of a JSON document; `source` is the property file, or an expression that gives the document's S3 URI."""

    source: PropertyFileReference | Expression
    path: Path


@dataclass(frozen=True, eq=False)
class OtherFunction:
    """A `Std:` function that this code does not know."""

    name: str
    argument: Any


Expression = Literal | Reference | Join | JsonGet | OtherFunction


def is_expression(value: Any) -> bool:
    """Whether a JSON value is an expression other than a plain scalar."""
    if not isinstance(value, dict) or len(value) != 1:
        return False
    (key,) = value
    return bool(key == "Get" or key.startswith("Std:"))


def parse_expression(value: Any, *, where: str = "expression") -> Expression:
    """The typed expression of a JSON value; DefinitionError for a malformed one, and for a list or plain object."""
    if value is None or isinstance(value, (str, int, float)):
        return Literal(value)
    if not is_expression(value):
        raise DefinitionError(
            f"expected a scalar or an expression, found {_kind(value)}",
            where=where,
            fix='write a string, number or boolean, or one of {"Get": …}, {"Std:Join": …}, {"Std:JsonGet": …}',
        )
    ((key, argument),) = value.items()
    place = f"{where}.{key}"
    match key:
        case "Get":
            return _parse_get(argument, place)
        case "Std:Join":
            return _parse_join(argument, place)
        case "Std:JsonGet":
            return _parse_json_get(argument, place)
        case _:
            return OtherFunction(key, argument)


def references(value: Any) -> Iterator[Reference]:
    """Every reference anywhere in a JSON value, in document order."""
    for _, reference in located_references(value):
        yield reference


def located_references(value: Any, where: str = "") -> Iterator[tuple[str, Reference]]:
    """Every reference anywhere in a JSON value with the path to its expression, in document order."""
    for place, expression in located_expressions(value, where):
        for reference in references_of(expression):
            yield place, reference


def located_expressions(value: Any, where: str = "") -> Iterator[tuple[str, Expression]]:
    """Every expression in a JSON value (outermost ones, no literals) with its path, in document order."""
    if is_expression(value):
        yield where, parse_expression(value, where=where)
    elif isinstance(value, dict):
        for key, inner in value.items():
            yield from located_expressions(inner, f"{where}.{key}" if where else key)
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from located_expressions(inner, f"{where}[{index}]")


def references_of(expression: Expression) -> Iterator[Reference]:
    """The references in one expression, in document order."""
    match expression:
        case Literal():
            return
        case Join(values=values):
            for value in values:
                yield from references_of(value)
        case JsonGet(source=source):
            yield from references_of(source)
        case OtherFunction(argument=argument):
            yield from references(argument)
        case _:
            yield expression


def _parse_get(text: Any, where: str) -> Reference:
    if not isinstance(text, str) or not text:
        raise DefinitionError(
            f"Get needs the text of a reference, found {_kind(text)}",
            where=where,
            fix='write {"Get": "Parameters.Name"}',
        )
    root, dot, rest = text.partition(".")
    parse = _ROOTS.get(root)
    if parse is None:
        return OtherReference(text)
    if not dot or not rest:
        raise DefinitionError(f'"{text}" names nothing after "{root}"', where=where, fix=_EXAMPLES[root])
    return parse(rest, where)


def _parse_step(rest: str, where: str) -> Reference:
    step, path = _head_and_path(rest, where)
    if len(path) >= 2 and path[0] == "PropertyFiles":
        after = rest[len(step) + 1 :].removeprefix("PropertyFiles.")
        return PropertyFileReference(step, after if len(path) > 2 else str(path[1]))
    return StepReference(step, path, f"Steps.{rest}")


def _parse_iteration(rest: str, where: str) -> Reference:
    return IterationOutputReference(*_head_and_path(rest, where))


def _parse_for_each(rest: str, where: str) -> Reference:
    head, path = _head_and_path(rest, where)
    return ForEachItemReference(path) if head == "CurrentItem" else OtherReference(f"ForEach.{rest}")


def _head_and_path(text: str, where: str) -> tuple[str, Path]:
    head, *path = parse_path(text, where=where)
    return str(head), tuple(path)


def _parse_join(argument: Any, where: str) -> Join:
    if not isinstance(argument, dict) or not isinstance(argument.get("On"), str):
        raise DefinitionError("Std:Join needs On, a string", where=where, fix=_JOIN_EXAMPLE)
    values = argument.get("Values")
    if not isinstance(values, list):
        raise DefinitionError("Std:Join needs Values, a list", where=where, fix=_JOIN_EXAMPLE)
    parsed = (parse_expression(value, where=f"{where}.Values[{index}]") for index, value in enumerate(values))
    return Join(argument["On"], tuple(parsed))


def _parse_json_get(argument: Any, where: str) -> JsonGet:
    if not isinstance(argument, dict) or not isinstance(argument.get("Path"), str):
        raise DefinitionError("Std:JsonGet needs Path, a string", where=where, fix=_JSON_GET_EXAMPLE)
    path = parse_path(argument["Path"], where=f"{where}.Path")
    if ("PropertyFile" in argument) == ("S3Uri" in argument):
        raise DefinitionError("Std:JsonGet needs either PropertyFile or S3Uri", where=where, fix=_JSON_GET_EXAMPLE)
    if "S3Uri" in argument:
        return JsonGet(parse_expression(argument["S3Uri"], where=f"{where}.S3Uri"), path)
    source = parse_expression(argument["PropertyFile"], where=f"{where}.PropertyFile")
    if not isinstance(source, PropertyFileReference):
        raise DefinitionError(
            "PropertyFile does not refer to a property file", where=f"{where}.PropertyFile", fix=_JSON_GET_EXAMPLE
        )
    return JsonGet(source, path)


def _after(path: Path) -> str:
    text = render_path(path)
    return text if not text or text.startswith("[") else f".{text}"


def _kind(value: Any) -> str:
    kinds = {dict: "an object", list: "a list", str: "an empty string", bool: "a boolean", type(None): "null"}
    return kinds.get(type(value), "a number")


_ROOTS: Final[dict[str, Callable[[str, str], Reference]]] = {
    "Parameters": lambda rest, _: ParameterReference(rest),
    "Execution": lambda rest, _: ExecutionReference(rest),
    "PipelineExperimentConfig": lambda rest, _: ExperimentReference(rest),
    "Steps": _parse_step,
    "ForEach": _parse_for_each,
    "IterationOutput": _parse_iteration,
}
_EXAMPLES: Final = {
    "Parameters": 'write {"Get": "Parameters.Name"}',
    "Execution": f'write {{"Get": "Execution.V"}} with V one of {", ".join(EXECUTION_VARIABLES)}',
    "PipelineExperimentConfig": 'write {"Get": "PipelineExperimentConfig.ExperimentName"} or TrialName',
    "Steps": 'write {"Get": "Steps.StepName.Property"}',
    "ForEach": 'write {"Get": "ForEach.CurrentItem"}',
    "IterationOutput": 'write {"Get": "IterationOutput.BodyStep.Member"}',
}
_JOIN_EXAMPLE: Final = 'write {"Std:Join": {"On": "/", "Values": ["s3:/", "bucket", {"Get": "Parameters.Name"}]}}'
_JSON_GET_EXAMPLE: Final = (
    'write {"Std:JsonGet": {"PropertyFile": {"Get": "Steps.StepName.PropertyFiles.FileName"}, "Path": "a.b"}}'
    ' or {"Std:JsonGet": {"S3Uri": {"Std:Join": …}, "Path": "a.b"}}'
)
