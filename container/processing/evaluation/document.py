"""evaluation.json: the Model Registry's layout for the task, and our additions under the key `details`.

In: scored rows, the model, a champion's rows. Out: the document. NaN and infinity are refused when the text is made
(jsontext.py); the string "NaN" stands for a deviation of too few rows, as documented for the registry.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from processing.evaluation import binary, multiclass, regression
from processing.evaluation.comparison import MEASURES, compare
from processing.evaluation.metric import CONFIDENCE, Plain
from processing.evaluation.scored import Scored
from processing.evaluation.slices import slices
from processing.task import Task
from processing.training.modelfile import Trained

MOST_COLUMNS = 100
"""Columns whose importance and drift are listed, the first by each."""


def evaluation_document(trained: Trained, scored: Scored, champion: Scored | None, folder: Path) -> Plain:
    """The whole document."""
    key, measures, found = _measured(trained, scored, folder)
    about = {
        "task": str(scored.task),
        "main_metric": MEASURES[scored.task][0],
        "confidence": CONFIDENCE,
        "model": {
            "algorithm": trained.algorithm,
            "rounds": trained.model.rounds,
            "features_sha256": trained.schema.digest,
        },
    }
    rest: dict[str, Any] = {
        "slices": slices(scored, folder, trained.threshold),
        "importance": importance(trained),
        "drift": {"columns": scored.columns.drift()[:MOST_COLUMNS], "scores": scored.scores.drift()},
    }
    if champion is not None:
        rest["champion"] = compare(scored, champion, folder)
    return {key: measures, "details": about | found | rest}


def _measured(trained: Trained, scored: Scored, folder: Path) -> tuple[str, Plain, Plain]:
    """The registry's key, its measures, and the further ones."""
    file = scored.file
    match scored.task:
        case Task.BINARY:
            ranking = binary.rank_or_refuse(file, folder, trained.threshold, scored.where)
            return (
                "binary_classification_metrics",
                binary.registry(ranking),
                binary.details(ranking, trained.threshold),
            )
        case Task.MULTICLASS:
            tally = multiclass.tally(file, scored.classes)
            rankings = multiclass.one_vs_rest(file, scored.classes, folder)
            return (
                "multiclass_classification_metrics",
                multiclass.registry(tally, scored.classes),
                multiclass.details(tally, rankings, scored.classes),
            )
        case Task.REGRESSION:
            regression.refuse_constant(file, scored.where)
            sums = regression.sums(file)
            return "regression_metrics", regression.registry(sums, file.rows), regression.details(sums, file, folder)


def importance(trained: Trained) -> Sequence[Plain]:
    """By how much the splits on each column lowered the loss, as a share of all; the greatest first."""
    gains = trained.model.gains(trained.schema.columns)
    total = sum(gains.values()) or 1.0
    found = [
        {"column": name, "feature": trained.schema.features[name], "share": gain / total}
        for name, gain in gains.items()
    ]
    return sorted(found, key=lambda item: -item["share"])[:MOST_COLUMNS]  # type: ignore[operator]
