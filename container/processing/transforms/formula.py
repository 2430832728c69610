"""The arithmetic of `expression`: text → a typed tree over columns → guarded SQL.

Every value is a number; a comparison is 1 or 0; null makes null, except within min and max. Loosest first:

```
comparison = sum [ ("<" | "<=" | ">" | ">=" | "==" | "!=") sum ]
sum        = product { ("+" | "-") product }
product    = signed { ("*" | "/") signed }
signed     = "-" signed | number | column | function "(" comparison { "," comparison } ")" | "(" comparison ")"
```
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from processing.columns import Column
from processing.nearest import suggestion
from processing.recipe.fields import Fields
from processing.recipe.scope import UNKNOWN, Scope
from processing.sql.dialect import FLOAT_BOUND, Dialect
from processing.transforms.values import NUMBERS, double

LONGEST = 600
DEEPEST = 40
_TOKEN = re.compile(
    r"""\s*(?: (?P<number> (\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)? ) | (?P<name> [^\W\d]\w*(\.[^\W\d]\w*)* )
      | "(?P<quoted> [^"]+ )" | (?P<sign> <=|>=|==|!=|[-+*/(),<>] ) )""",
    re.VERBOSE,
)
_COMPARISONS = {"<": "<", "<=": "<=", ">": ">", ">=": ">=", "==": "=", "!=": "<>"}
_MANY = 99
FUNCTIONS: Mapping[str, tuple[int, int]] = {"abs": (1, 1), "log": (1, 1), "min": (2, _MANY), "max": (2, _MANY)}
"""Fewest and most arguments of each."""


@dataclass(frozen=True)
class Literal:
    value: float

    def sql(self, dialect: Dialect) -> str:
        return dialect.number(self.value)


@dataclass(frozen=True)
class Name:
    column: Column

    def sql(self, dialect: Dialect) -> str:
        return double(self.column, dialect)


@dataclass(frozen=True)
class Negative:
    value: Node

    def sql(self, dialect: Dialect) -> str:
        return f"(- {self.value.sql(dialect)})"


@dataclass(frozen=True)
class Operation:
    sign: str
    left: Node
    right: Node

    def sql(self, dialect: Dialect) -> str:
        left, right = self.left.sql(dialect), self.right.sql(dialect)
        if self.sign == "/":
            # A division by zero is null: infinity on one engine is an error on another.
            return f"({left} / nullif({right}, 0e0))"
        if self.sign in _COMPARISONS:
            return f"CAST(CAST(({left} {_COMPARISONS[self.sign]} {right}) AS INT) AS {dialect.double})"
        return f"({left} {self.sign} {right})"


@dataclass(frozen=True)
class Call:
    function: str
    arguments: tuple[Node, ...]

    def sql(self, dialect: Dialect) -> str:
        values = ", ".join(argument.sql(dialect) for argument in self.arguments)
        match self.function:
            case "abs":
                return f"abs({values})"
            case "log":
                # greatest skips nulls, so that null and all that is not above zero become 0, and then null.
                return f"ln(nullif(greatest({values}, 0e0), 0e0))"
            case "min":
                return f"least({values})"
            case "max":
                return f"greatest({values})"
        raise ValueError(f"unknown function {self.function}")


Node = Literal | Name | Negative | Operation | Call


@dataclass(frozen=True)
class Formula:
    """A parsed formula and the columns it reads, each once, in the order of the text."""

    text: str
    root: Node
    columns: tuple[Column, ...]

    def sql(self, dialect: Dialect) -> str:
        """Its value; null where it is no number that a 32-bit float holds."""
        value, bound = self.root.sql(dialect), dialect.number(FLOAT_BOUND)
        return f"CASE WHEN {value} BETWEEN -{bound} AND {bound} THEN {value} END"


class Malformed(Exception):
    """What is wrong with a formula, and where in its text."""

    def __init__(self, offset: int, what: str, fix: str) -> None:
        super().__init__(what)
        self.offset, self.what, self.fix = offset, what, fix


@dataclass(frozen=True)
class Token:
    kind: str
    text: str
    offset: int


def tokens(text: str) -> list[Token]:
    """The words of a formula; the last is the empty end."""
    found, place = [], 0
    while text[place:].strip():
        match = _TOKEN.match(text, place)
        if match is None or match.lastgroup is None:
            offset = place + len(text[place:]) - len(text[place:].lstrip())
            fix = "a formula holds numbers, columns, + - * / ( ) , < <= > >= == != and functions"
            raise Malformed(offset, f"'{text[offset]}' is no part of a formula", fix)
        kind = next(name for name in ("number", "name", "quoted", "sign") if match[name] is not None)
        found.append(Token(kind, match[kind], match.start(kind)))
        place = match.end()
    return [*found, Token("end", "", len(text))]


@dataclass
class _Parser:
    """Recursive descent; `column` resolves a name."""

    tokens: list[Token]
    column: Callable[[Token], Column]
    place: int = 0
    depth: int = 0
    columns: list[Column] = field(default_factory=list)

    @property
    def next(self) -> Token:
        return self.tokens[self.place]

    def take(self, *signs: str) -> Token | None:
        token = self.next
        if token.kind != "sign" or token.text not in signs:
            return None
        self.place += 1
        return token

    def expect(self, sign: str) -> None:
        if self.take(sign) is None:
            raise self.unexpected(f"'{sign}'")

    def unexpected(self, wanted: str) -> Malformed:
        found = f"'{self.next.text}'" if self.next.text else "its end"
        # In a flow mapping an unquoted formula ends at its first comma.
        quotes = "" if self.next.text else ", or put a formula with a comma in quotes"
        what, fix = f"the formula has {found} where {wanted} belongs", f"write {wanted} there{quotes}"
        return Malformed(self.next.offset, what, fix)

    def whole(self) -> Node:
        root = self.comparison()
        if self.next.kind != "end":
            raise self.unexpected("an operator")
        return root

    def comparison(self) -> Node:
        self.depth += 1
        if self.depth > DEEPEST:
            raise Malformed(self.next.offset, f"the formula is nested deeper than {DEEPEST}", "make two features of it")
        left = self.sum()
        sign = self.take(*_COMPARISONS)
        self.depth -= 1
        return left if sign is None else Operation(sign.text, left, self.sum())

    def sum(self) -> Node:
        left = self.product()
        while sign := self.take("+", "-"):
            left = Operation(sign.text, left, self.product())
        return left

    def product(self) -> Node:
        left = self.signed()
        while sign := self.take("*", "/"):
            left = Operation(sign.text, left, self.signed())
        return left

    def signed(self) -> Node:
        if self.take("-"):
            self.depth += 1
            if self.depth > DEEPEST:
                raise Malformed(self.next.offset, "too many signs in a row", "write one")
            negative = Negative(self.signed())
            self.depth -= 1
            return negative
        if self.take("("):
            inner = self.comparison()
            self.expect(")")
            return inner
        token = self.next
        if token.kind not in ("number", "name", "quoted"):
            raise self.unexpected("a number, a column or a function")
        self.place += 1
        if token.kind == "number":
            return self.literal(token)
        if token.kind == "name" and self.take("("):
            return self.call(token)
        column = self.column(token)
        self.columns.append(column)
        return Name(column)

    def literal(self, token: Token) -> Node:
        value = float(token.text)
        if abs(value) > FLOAT_BOUND:
            raise Malformed(token.offset, f"{token.text} is too large", f"write a number below {FLOAT_BOUND:g}")
        return Literal(value)

    def call(self, token: Token) -> Node:
        if token.text not in FUNCTIONS:
            raise Malformed(token.offset, f"no function '{token.text}'", suggestion(token.text, FUNCTIONS))
        arguments = [self.comparison()]
        while self.take(","):
            arguments.append(self.comparison())
        self.expect(")")
        fewest, most = FUNCTIONS[token.text]
        if not fewest <= len(arguments) <= most:
            count = "one value" if most == 1 else "two values or more"
            example = f"write '{token.text}(x{', y' if most > 1 else ''})'"
            raise Malformed(token.offset, f"{token.text} takes {count}", example)
        return Call(token.text, tuple(arguments))


def parse(text: str, column: Callable[[Token], Column]) -> Formula:
    """The formula in a text; Malformed where it is none."""
    if len(text) > LONGEST:
        raise Malformed(0, f"the formula is longer than {LONGEST} characters", "make two features of it")
    parser = _Parser(tokens(text), column)
    root = parser.whole()
    if not parser.columns:
        raise Malformed(0, "the formula reads no column", "name at least one")
    return Formula(text, root, tuple(dict.fromkeys(parser.columns)))


@dataclass(frozen=True)
class FormulaText:
    """The recipe's option: a formula over its numeric columns."""

    def read(self, fields: Fields, key: str, scope: Scope) -> Formula:
        text = fields.text(key)

        def column(token: Token) -> Column:
            return scope.checked(token.text, fields, key, NUMBERS, token.offset)

        try:
            return parse(text, column) if text else _NONE
        except Malformed as error:
            fields.refuse(key, error.what, error.fix, error.offset)
            return _NONE

    def schema(self) -> dict[str, Any]:
        return {"type": "string", "minLength": 1, "maxLength": LONGEST}

    def words(self) -> str:
        return "formula"


_NONE = Formula("", Name(UNKNOWN), ())
