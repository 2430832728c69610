"""The `if` of a condition step: comparisons of references and literals (the grammar is in `expressions.py`).

Takes a text; gives a `Condition`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from pipelines.spec.expressions import CLOSE, OPEN, ExpressionError, Reference, parse_reference
from pipelines.spec.scalars import decimal_number, whole_number

_TOKEN = re.compile(
    r"\s*(?:(?P<reference>\$\{\{.*?\}\})|(?P<number>-?[0-9]+(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?)"
    r"|'(?P<single>[^']*)'|\"(?P<double>[^\"]*)\"|(?P<operator>==|!=|>=|<=|>|<|\(|\)|\[|\]|,)|(?P<word>[A-Za-z_]+))",
    re.DOTALL,
)
_MAX_DEPTH = 20  # of parentheses and `not`


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
                return parse_reference(text.removeprefix(OPEN).removesuffix(CLOSE).strip())
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
