"""The expression grammar of pipeline.yaml: `${{ … }}` in texts; `conditions.py` has the comparisons of an `if`.

text        a text with any number of `${{ reference }}` in it
reference   parameters.NAME | env.NAME | execution.NAME
            | steps.NAME.outputs.NAME | steps.NAME.model | steps.NAME.reports.NAME[.path.to.a.value]
condition   comparison, joined by `and`, `or`, `not` and parentheses
comparison  operand (== | != | > | >= | < | <=) operand, or operand [not] in [operand, …]
operand     `${{ reference }}`, a number, true, false, or a 'quoted text'
"""

from __future__ import annotations

import re
from dataclasses import dataclass

EXECUTION_VARIABLES = {
    "id": "PipelineExecutionId",
    "arn": "PipelineExecutionArn",
    "pipeline_name": "PipelineName",
    "pipeline_arn": "PipelineArn",
    "start_time": "StartDateTime",
    "current_time": "CurrentDateTime",
}
ENVIRONMENT_VALUES = ("name", "account", "region", "role", "bucket", "prefix")

OPEN, CLOSE = "${{", "}}"
_NAME = r"[A-Za-z0-9_-]+"
_PART = rf"(?:\.{_NAME}|\[[0-9]+\]|\['[^']*'\])"
_REFERENCE = re.compile(rf"{_NAME}{_PART}*")
_SEGMENT = re.compile(rf"\.?({_NAME})|\[([0-9]+)\]|\['([^']*)'\]")
# What `parse_template` accepts, as one regular expression for the JSON Schema.
REFERENCE_PATTERN = (
    rf"(?:parameters{_PART}|env\.(?:{'|'.join(ENVIRONMENT_VALUES)})|execution\.(?:{'|'.join(EXECUTION_VARIABLES)})"
    rf"|steps{_PART}\.(?:outputs{_PART}|model|reports{_PART}+))"
)
TEMPLATE_PATTERN = rf"(?:(?!\$\{{\{{)[\s\S]|\$\{{\{{\s*{REFERENCE_PATTERN}\s*\}}\}})*"


class ExpressionError(ValueError):
    """A malformed expression: what is wrong, and how to write it."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(what)


@dataclass(frozen=True)
class Parameter:
    """`parameters.NAME`"""

    name: str


@dataclass(frozen=True)
class EnvironmentValue:
    """`env.NAME`: known when the spec is compiled for an environment."""

    name: str


@dataclass(frozen=True)
class ExecutionValue:
    """`execution.NAME`, by the name that SageMaker gives it (CONTRACT.md section 1.5)."""

    variable: str


@dataclass(frozen=True)
class Output:
    """`steps.NAME.outputs.NAME`: the S3 URI of a processing step's output."""

    step: str
    output: str


@dataclass(frozen=True)
class Model:
    """`steps.NAME.model`: the S3 URI of a training step's model.tar.gz."""

    step: str


@dataclass(frozen=True)
class Report:
    """`steps.NAME.reports.NAME`: the S3 URI of a report or, with a path, a value in it."""

    step: str
    report: str
    path: str = ""


Reference = Parameter | EnvironmentValue | ExecutionValue | Output | Model | Report


@dataclass(frozen=True)
class Template:
    """A text of a spec: literal pieces and references, in order."""

    parts: tuple[str | Reference, ...]

    @property
    def literal(self) -> str | None:
        """The text itself when there is no reference in it."""
        return "".join(str(part) for part in self.parts) if not self.references else None

    @property
    def references(self) -> tuple[Reference, ...]:
        return tuple(part for part in self.parts if not isinstance(part, str))

    @property
    def only(self) -> Reference | None:
        """The reference when the text is nothing but one."""
        return self.parts[0] if len(self.parts) == 1 and not isinstance(self.parts[0], str) else None


def parse_template(text: str) -> Template:
    """Parse a text with `${{ … }}` in it. Raises `ExpressionError`."""
    parts: list[str | Reference] = []
    rest = text
    while OPEN in rest:
        before, _, rest = rest.partition(OPEN)
        inside, closed, rest = rest.partition(CLOSE)
        if not closed:
            raise ExpressionError(f"{OPEN} without {CLOSE}", f"close the expression: {OPEN}{inside.rstrip()} {CLOSE}")
        if before:
            parts.append(before)
        parts.append(parse_reference(inside.strip()))
    if rest:
        parts.append(rest)
    return Template(tuple(parts))


def parse_reference(text: str) -> Reference:
    """Parse what stands between `${{` and `}}`. Raises `ExpressionError`."""
    if not _REFERENCE.fullmatch(text):
        fix = "write one reference, such as parameters.NAME or steps.NAME.outputs.NAME"
        raise ExpressionError(f"{text!r} is not a reference", fix)
    root, *segments = ("".join(groups) for groups in _SEGMENT.findall(text))
    match root, segments:
        case "parameters", [name]:
            return Parameter(name)
        case "env", [name] if name in ENVIRONMENT_VALUES:
            return EnvironmentValue(name)
        case "execution", [name] if name in EXECUTION_VARIABLES:
            return ExecutionValue(EXECUTION_VARIABLES[name])
        case "steps", [step, "outputs", output]:
            return Output(step, output)
        case "steps", [step, "model"]:
            return Model(step)
        case "steps", [step, "reports", report, *path]:
            return Report(step, report, _json_path(text, len(path)))
    raise ExpressionError(f"{text!r} is not a known reference", _reference_fix(root))


def _json_path(text: str, count: int) -> str:
    """The last `count` segments of a reference as they were written (JsonGet takes dots, [i] and ['k'])."""
    matches = list(_SEGMENT.finditer(text))
    return text[matches[-count].start() :].removeprefix(".") if count else ""


def _reference_fix(root: str) -> str:
    match root:
        case "env":
            return f"use env. with one of: {', '.join(ENVIRONMENT_VALUES)}"
        case "execution":
            return f"use execution. with one of: {', '.join(EXECUTION_VARIABLES)}"
        case "steps":
            return "use steps.NAME.outputs.NAME, steps.NAME.model or steps.NAME.reports.NAME[.path]"
        case "parameters":
            return "use parameters.NAME"
    return "references begin with parameters, env, execution or steps"
