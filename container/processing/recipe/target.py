"""The target: a comparison (`arr_delay > 15`, and nothing of SQL) or a column, and the task that follows from it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace

from processing.columns import ColumnType
from processing.recipe.fields import Fields
from processing.recipe.model import Target
from processing.recipe.scope import UNKNOWN, Scope
from processing.recipe.sections import TargetSection
from processing.task import Task

_FORM = re.compile(
    r"""\s* (?P<column> [^\s<>=!]+ ) \s* (?P<operator> >=|<=|==|!=|>|<|= ) \s*
    (?: (?P<number> [-+]?\d+(\.\d+)?([eE][-+]?\d+)? ) | (?P<flag> true|false )
      | '(?P<single> [^']* )' | "(?P<double> [^"]* )" ) \s*""",
    re.VERBOSE,
)
_EXAMPLE = "write a column, one of > >= < <= == != and a number or quoted text: 'arr_delay > 15'"
_TASKS: Mapping[ColumnType, tuple[Task, ...]] = {
    ColumnType.BOOLEAN: (Task.BINARY,),
    ColumnType.STRING: (Task.MULTICLASS,),
    ColumnType.INTEGER: (Task.MULTICLASS, Task.REGRESSION),
    ColumnType.NUMBER: (Task.REGRESSION,),
}
"""What a column of each type can be learned as, without a comparison."""


def read_target(section: TargetSection, task: Task | None, fields: Fields, scope: Scope) -> Target:
    """The target; `task` is the one that the recipe names."""
    text = section.column
    found = _FORM.fullmatch(text)
    if found is not None and not scope.find(text):
        target = _comparison(found, text, fields, scope)
        if task not in (None, Task.BINARY):
            fields.refuse("column", f"a comparison is binary, not {task}", "name the column alone, or remove 'task'")
    else:
        target = _column(text, task, fields, scope)
    if section.classes and target.column is not UNKNOWN and target.task is not Task.MULTICLASS:
        fields.refuse("classes", f"the task is {target.task}; only multiclass has classes", "remove 'classes'")
    if len(section.classes) == 1:
        fields.refuse("classes", "one class leaves nothing to tell apart", "name two classes or more")
    return replace(target, classes=section.classes, drop_unseen=section.unseen == "drop")


def _column(text: str, task: Task | None, fields: Fields, scope: Scope) -> Target:
    """The target is the column itself."""
    if not scope.find(text) and len(text.split()) != 1:
        if text:
            fields.refuse("column", f"'{text}' is no column and no comparison", _EXAMPLE)
        return Target(Task.BINARY, UNKNOWN, text)
    column = scope.resolve(text, fields, "column")
    tasks = _TASKS.get(column.type, ())
    if column is UNKNOWN:
        return Target(Task.BINARY, UNKNOWN, text)
    if task is None and len(tasks) == 1:
        return Target(tasks[0], column, text)
    if task is None and tasks:
        what = f"is '{column}', declared integer, a class or a number?"
        fields.refuse("column", what, "add 'task: multiclass' or 'task: regression' to the recipe")
    elif task not in tasks:
        what = (
            f"'{column}' is declared {column.type}: no task learns that"
            if task is None
            else (f"'{column}' is declared {column.type}: no target of the task '{task}'")
        )
        fields.refuse("column", what, _mend(task))
    return Target(task or Task.BINARY, column, text)


def _mend(task: Task | None) -> str:
    match task:
        case Task.MULTICLASS:
            return "declare it 'string' or 'integer' if that is what the file holds, or remove 'task'"
        case Task.REGRESSION:
            return "declare it 'number' if that is what the file holds, or remove 'task'"
    return _EXAMPLE


def _comparison(found: re.Match[str], text: str, fields: Fields, scope: Scope) -> Target:
    column = scope.resolve(found["column"], fields, "column")
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
            "column", f"'{target.column}' is declared {target.column.type}; '{target.text}' does not fit", _EXAMPLE
        )
    elif wanted is not float and target.operator not in ("=", "<>"):
        fields.refuse(
            "column", f"{target.column.type} values are not ordered: '{target.text}'", "compare with == or !="
        )
