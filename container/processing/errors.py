"""The errors a user can mend; anything else is a bug of ours and is reported with its traceback.

ContainerError            where, what, fix; one or several problems
├── RecipeError           the recipe cannot be read, or asks for what is not there
├── DataError             the input data cannot be used
├── SettingError          a wrong argument or hyperparameter
└── ModelError            the model archive or its files cannot be used
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is (file:line:column, folder or setting), what is wrong, the edit that mends it."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        return f"{place}{self.what}\n  fix: {self.fix}"


class ContainerError(Exception):
    """A mistake that the user can mend."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__("\n".join(str(problem) for problem in self.problems))


class RecipeError(ContainerError):
    """The recipe cannot be read, or asks for what is not there."""


class DataError(ContainerError):
    """The input data cannot be used."""


class SettingError(ContainerError):
    """A wrong argument or hyperparameter."""


class ModelError(ContainerError):
    """The model archive or its files cannot be used."""
