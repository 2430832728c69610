"""Scores a split with a model, batch by batch, and counts on the way what drift and slices need.

In: `Trained`, a split, a folder. Out: `Scored`: the scored rows on disk, slices, counts by the training data's bins.
A score that is not finite is refused: no measure of it would mean anything.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from processing.arrays import Array, Floats
from processing.errors import DataError, ModelError, Problem
from processing.evaluation.drift import BinCounts
from processing.evaluation.scored import KEY, TARGET, Scored, score_names, slice_column
from processing.evaluation.scorefile import ScoreFile
from processing.matrix import Split
from processing.nearest import suggestion
from processing.progress import stage_of
from processing.training.modelfile import Trained

MOST_SLICES = 20
"""Values of a slice column that are told apart, the most frequent ones."""


def score(trained: Trained, split: Split, folder: Path, *, slices: bool = True, keys: bool = False) -> Scored:
    """Score every row of the split."""
    schema = trained.schema
    codings = slice_values(split, schema.slices) if slices else {}
    names = score_names(schema.target.task, schema.classes)
    kinds = {TARGET: "f8", **dict.fromkeys(names, "f8"), **{slice_column(name): "u1" for name in codings}}
    file = ScoreFile(folder, kinds | ({KEY: "u8"} if keys else {}))
    columns, scores = BinCounts(trained.columns), BinCounts(trained.scores)
    sources = dict(codings.values())
    with stage_of("evaluate", f"score {split.folder.name}", lambda: 100 * file.rows / split.rows) as stage:
        for batch in split.batches(sources, keys=keys):
            found = _scores(trained, batch.features, split)
            rows: dict[str, Array] = {TARGET: batch.targets, **dict(zip(names, found, strict=True))}
            rows |= {slice_column(name): batch.codes[source] for name, (source, _) in codings.items()}
            file.append(rows | ({KEY: batch.keys} if keys else {}))
            columns.add({name: batch.features[:, index] for index, name in enumerate(schema.columns)})
            scores.add(dict(zip(trained.scores, found, strict=False)))
            stage.rows = file.rows
    values = {name: values for name, (_, values) in codings.items()}
    return Scored(file, schema.target.task, schema.classes, str(split.folder), values, columns, scores)


def _scores(trained: Trained, features: Array, split: Split) -> list[Floats]:
    found = trained.model.predict(features)
    wrong = int((~np.isfinite(found)).any(axis=tuple(range(1, found.ndim))).sum())
    if wrong:
        what = f"the model gives a score that is no number for {wrong} row(s) of {split.folder.name}"
        raise ModelError([Problem("model", what, "train it again, with a smaller learning_rate or without infinities")])
    return [found] if found.ndim == 1 else [np.ascontiguousarray(found[:, i]) for i in range(found.shape[1])]


def slice_values(split: Split, names: Sequence[str]) -> dict[str, tuple[str, list[str]]]:
    """By slice: the column of the split that holds it, and its most frequent values."""
    found = {}
    for name in names:
        column = next(
            (held for held in (f"slice.{name}", name) if held in (*split.others, *split.schema.columns)), None
        )
        if column is None:
            what = f"the split has no column '{name}', by which the recipe wants slices"
            fix = f"{suggestion(name, split.others)}; or run the features step again"
            raise DataError([Problem(str(split.folder), what, fix)])
        found[name] = (column, split.texts(column, MOST_SLICES))
    return found
