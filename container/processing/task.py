"""The kind of a recipe's target, and what features.json tells training and evaluation about it.

In features.json: `"target": {"task": …, "column": …, "rule": …}`, and `"classes": […]` for multiclass. The feature
tables' column `target` holds 0 or 1 (binary), the index of the row's class in `classes` (multiclass), or the number
itself (regression).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any


class Task(StrEnum):
    """What is learned."""

    BINARY = "binary"
    MULTICLASS = "multiclass"
    REGRESSION = "regression"


@dataclass(frozen=True)
class FittedTarget:
    """The target as the training split settles it. `classes`, in order, for multiclass alone."""

    task: Task = Task.BINARY
    column: str = ""
    rule: str = ""
    classes: tuple[str, ...] = ()

    @property
    def sql_type(self) -> str:
        """The type of the feature tables' column `target`."""
        return "DOUBLE" if self.task is Task.REGRESSION else "INTEGER"

    def document(self) -> Mapping[str, Any]:
        """As features.json holds it."""
        plain: dict[str, Any] = {"task": str(self.task), "column": self.column, "rule": self.rule}
        return plain | ({"classes": list(self.classes)} if self.task is Task.MULTICLASS else {})


def read_target(document: Mapping[str, Any]) -> FittedTarget:
    """The target of a features.json; KeyError, TypeError or ValueError where it is none."""
    classes = tuple(str(name) for name in document.get("classes", ()))
    return FittedTarget(Task(document["task"]), str(document["column"]), str(document["rule"]), classes)
