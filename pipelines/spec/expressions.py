"""The expression grammar of pipeline.yaml: `${{ … }}` in texts, and the comparisons of a condition's `if`.

text        a text with any number of `${{ reference }}` in it
reference   parameters.NAME | env.NAME | execution.NAME
            | steps.NAME.outputs.NAME | steps.NAME.model | steps.NAME.reports.NAME[.path.to.a.value]
condition   comparison, joined by `and`, `or`, `not` and parentheses
comparison  operand (== | != | > | >= | < | <=) operand, or operand [not] in [operand, …]
operand     `${{ reference }}`, a number, true, false, or a 'quoted text'
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.spec.scalars import decimal_number, whole_number

EXECUTION_VARIABLES = {
    "id": "PipelineExecutionId",
    "arn": "PipelineExecutionArn",
    "pipeline_name": "PipelineName",
    "pipeline_arn": "PipelineArn",
    "start_time": "StartDateTime",
    "current_time": "CurrentDateTime",
}
ENVIRONMENT_VALUES = ("name", "account", "region", "role", "bucket", "prefix")

_OPEN, _CLOSE = "${{", "}}"
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
_TOKEN = re.compile(
    r"\s*(?:(?P<reference>\$\{\{.*?\}\})|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
    r"|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<operator>==|!=|>=|<=|>|<|\(|\)|\[|\]|,)|(?P<word>[A-Za-z_]+))",
    re.DOTALL,
)
_MAX_DEPTH = 20  # of parentheses and `not`


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


Operand = Reference | str | int | float | bool


@dataclass(frozen=True)
class Comparison:
    operator: str
    left: Operand
    right: Operand


@dataclass(frozen=True)
class In:
    operand: Operand
    values: tuple[Operand, ...]


@dataclass(frozen=True)
class Not:
    condition: Condition


@dataclass(frozen=True)
class AllOf:
    conditions: tuple[Condition, ...]


@dataclass(frozen=True)
class AnyOf:
    conditions: tuple[Condition, ...]


Condition = Comparison | In | Not | AllOf | AnyOf


def parse_template(text: str) -> Template:
    """Parse a text with `${{ … }}` in it. Raises `ExpressionError`."""
    parts: list[str | Reference] = []
    rest = text
    while _OPEN in rest:
        before, _, rest = rest.partition(_OPEN)
        inside, closed, rest = rest.partition(_CLOSE)
        if not closed:
            raise ExpressionError(
                f"{_OPEN} without {_CLOSE}", f"close the expression: {_OPEN}{inside.rstrip()} {_CLOSE}"
            )
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


def parse_condition(text: str) -> Condition:
    """Parse the `if` of a condition step. Raises `ExpressionError`."""
    parser = _ConditionParser(_tokens(text))
    condition = parser.any_of()
    if parser.token:
        raise ExpressionError(f"{parser.token[1]!r} was not expected there", "join comparisons with `and` or `or`")
    return condition


Token = tuple[str, str]


def _tokens(text: str) -> Iterator[Token]:
    position = 0
    text = text.strip()
    while position < len(text):
        match = _TOKEN.match(text, position)
        if not match:
            fix = "compare operands: ${{ reference }}, numbers, true, false or 'quoted texts'"
            raise ExpressionError(f"cannot read {text[position : position + 20]!r}", fix)
        position = match.end()
        kind = str(match.lastgroup)
        yield kind, match[kind]


class _ConditionParser:
    """Recursive descent over a condition's tokens; `not` binds closer than `and`, `and` closer than `or`."""

    def __init__(self, tokens: Iterator[Token]) -> None:
        self.rest = tokens
        self.token: Token | None = next(tokens, None)
        self.depth = 0

    def take(self) -> Token:
        if self.token is None:
            raise ExpressionError("the condition ends too early", "compare two operands: A >= B")
        taken, self.token = self.token, next(self.rest, None)
        return taken

    def takes(self, kind: str, *texts: str) -> bool:
        return self.token is not None and self.token[0] == kind and self.token[1] in texts

    def any_of(self) -> Condition:
        found = [self.all_of()]
        while self.takes("word", "or"):
            self.take()
            found.append(self.all_of())
        return found[0] if len(found) == 1 else AnyOf(tuple(found))

    def all_of(self) -> Condition:
        found = [self.one()]
        while self.takes("word", "and"):
            self.take()
            found.append(self.one())
        return found[0] if len(found) == 1 else AllOf(tuple(found))

    def one(self) -> Condition:
        if self.takes("word", "not"):
            self.deeper()
            return Not(self.one())
        if self.takes("operator", "("):
            self.deeper()
            inner = self.any_of()
            self.expect(")")
            self.depth -= 1
            return inner
        return self.comparison()

    def deeper(self) -> None:
        self.take()
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise ExpressionError("the condition is nested too deeply", "split it into several condition steps")

    def comparison(self) -> Condition:
        left = self.operand()
        kind, text = self.take()
        if (kind, text) == ("word", "in"):
            return In(left, self.values())
        if (kind, text) == ("word", "not") and self.takes("word", "in"):
            self.take()
            return Not(In(left, self.values()))
        if kind != "operator" or text not in ("==", "!=", ">", ">=", "<", "<="):
            raise ExpressionError(f"{text!r} is not a comparison", "use one of == != > >= < <= in, not in")
        right = self.operand()
        if text == "!=":
            return Not(Comparison("==", left, right))
        return Comparison(text, left, right)

    def values(self) -> tuple[Operand, ...]:
        self.expect("[")
        values = [self.operand()]
        while self.takes("operator", ","):
            self.take()
            values.append(self.operand())
        self.expect("]")
        return tuple(values)

    def operand(self) -> Operand:
        kind, text = self.take()
        match kind:
            case "reference":
                return parse_reference(text.removeprefix(_OPEN).removesuffix(_CLOSE).strip())
            case "number":
                return _number(text)
            case "single" | "double":
                return text
            case "word" if text in ("true", "false"):
                return text == "true"
        raise ExpressionError(
            f"{text!r} is not an operand", f"write texts in quotes ('{text}') and references in ${{{{ }}}}"
        )

    def expect(self, text: str) -> None:
        if self.token is None:
            raise ExpressionError(f"a {text!r} is missing at the end", f"add {text!r}")
        kind, found = self.take()
        if (kind, found) != ("operator", text):
            raise ExpressionError(f"expected {text!r}, found {found!r}", f"put a {text!r} there")


def _number(text: str) -> int | float:
    try:
        return decimal_number(text) if any(mark in text for mark in ".eE") else whole_number(text)
    except ValueError as error:
        raise ExpressionError(str(error), "compare with a smaller number") from error


def condition_references(condition: Condition) -> Iterator[Reference]:
    """All references in a condition."""
    match condition:
        case Comparison(left=left, right=right):
            yield from _operand_references(left, right)
        case In(operand=operand, values=values):
            yield from _operand_references(operand, *values)
        case Not(condition=inner):
            yield from condition_references(inner)
        case AllOf(conditions=conditions) | AnyOf(conditions=conditions):
            for part in conditions:
                yield from condition_references(part)


def _operand_references(*operands: Operand) -> Iterator[Reference]:
    yield from (operand for operand in operands if not isinstance(operand, (str, int, float)))
