"""The target's comparison: `arr_delay > 15`. A column, an operator and a literal, and nothing of SQL."""

from __future__ import annotations

import re

from processing.columns import ColumnType
from processing.recipe.fields import Fields
from processing.recipe.model import Target
from processing.recipe.scope import UNKNOWN, Scope
from processing.task import Task

_FORM = re.compile(
    r"""\s* (?P<column> [^\s<>=!]+ ) \s* (?P<operator> >=|<=|==|!=|>|<|= ) \s*
    (?: (?P<number> [-+]?\d+(\.\d+)?([eE][-+]?\d+)? ) | (?P<flag> true|false )
      | '(?P<single> [^']* )' | "(?P<double> [^"]* )" ) \s*""",
    re.VERBOSE,
)
_EXAMPLE = "write a column, one of > >= < <= == != and a number or quoted text: 'arr_delay > 15'"


def read_target(fields: Fields, scope: Scope) -> Target:
    """The target of the recipe."""
    text = fields.text("target")
    found = _FORM.fullmatch(text)
    if found is None:
        if text:
            fields.refuse("target", f"'{text}' is not a comparison", _EXAMPLE)
        return Target(Task.BINARY, UNKNOWN, text)
    column = scope.resolve(found["column"], fields, "target")
    operator = {"==": "=", "!=": "<>"}.get(found["operator"], found["operator"])
    target = Target(Task.BINARY, column, text, operator, _literal(found))
    if column is not UNKNOWN:
        _check(target, fields)
    return target


def _literal(found: re.Match[str]) -> bool | float | str:
    if found["number"] is not None:
        return float(found["number"])
    if found["flag"] is not None:
        return found["flag"] == "true"
    return str(found["single"] if found["single"] is not None else found["double"])


def _check(target: Target, fields: Fields) -> None:
    """The literal fits the column's type, and only numbers are ordered."""
    wanted = {
        ColumnType.INTEGER: float,
        ColumnType.NUMBER: float,
        ColumnType.BOOLEAN: bool,
        ColumnType.STRING: str,
    }.get(target.column.type)
    if wanted is None or not isinstance(target.value, wanted):
        fields.refuse(
            "target", f"'{target.column}' is declared {target.column.type}; '{target.text}' does not fit", _EXAMPLE
        )
    elif wanted is not float and target.operator not in ("=", "<>"):
        fields.refuse(
            "target", f"{target.column.type} values are not ordered: '{target.text}'", "compare with == or !="
        )
