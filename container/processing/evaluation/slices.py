"""The measures of parts of the test split, by the values of the columns that the recipe names.

In: scored rows with a code for each slice. Out: for each column its values with their measures, the largest first.
Every row is in one value of each column: those beyond the most frequent values, and the missing, are one part.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from processing.arrays import Array, Floats
from processing.evaluation import binary, multiclass, regression
from processing.evaluation.metric import Plain
from processing.evaluation.ranking import rank
from processing.evaluation.scored import TARGET, Scored, slice_column
from processing.task import Task

REST = "(other or missing)"


def slices(scored: Scored, folder: Path, threshold: float) -> Plain:
    """By column, by value."""
    found: Plain = {}
    for name, values in scored.slices.items():
        parts = [(value, code) for code, value in enumerate(values, start=1)] + [(REST, 0)]
        lines = [{"value": value, **_measured(scored, folder, threshold, name, code)} for value, code in parts]
        found[name] = [line for line in lines if line["rows"]]
    return found


def _measured(scored: Scored, folder: Path, threshold: float, name: str, code: int) -> Plain:
    match scored.task:
        case Task.BINARY:
            return binary.summary(rank(_rows(scored, name, code), folder, threshold))
        case Task.MULTICLASS:
            return multiclass.summary(multiclass.tally(scored.file, scored.classes, (name, code)))
        case Task.REGRESSION:
            return regression.summary(regression.sums(scored.file, (name, code)))


def _rows(scored: Scored, name: str, code: int) -> Iterator[tuple[Floats, Array]]:
    for targets, scores, codes in scored.file.read([TARGET, "score", slice_column(name)]):
        kept = codes == code
        yield scores[kept], targets[kept] == 1
