"""The scored rows of a split, and what their columns are called.

In: what scoring.py found. Out: `Scored`, which everything that measures reads; nothing here needs an engine or a model.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from processing.evaluation.drift import BinCounts
from processing.evaluation.scorefile import ScoreFile
from processing.task import Task

KEY = "key"
TARGET = "target"


@dataclass(frozen=True)
class Scored:
    """The scored rows of a split. Columns of `file`: target, the scores, `slice <name>`, key when asked for."""

    file: ScoreFile
    task: Task
    classes: tuple[str, ...]
    where: str
    slices: Mapping[str, Sequence[str]]
    """By slice column: the values that codes 1, 2, … stand for; 0 is any other, or none."""
    columns: BinCounts
    scores: BinCounts

    @property
    def score_names(self) -> list[str]:
        return score_names(self.task, self.classes)


def score_names(task: Task, classes: Sequence[str]) -> list[str]:
    """The score columns: one, or one for each class."""
    return [f"score {index}" for index in range(len(classes))] if task is Task.MULTICLASS else ["score"]


def slice_column(name: str) -> str:
    """The column of the scored rows that holds a slice's codes."""
    return f"slice {name}"
