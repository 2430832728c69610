"""A job's metrics: what MetricDefinitions find in the lines of its log; the last value of each counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

Json = dict[str, Any]

# What the algorithm of AWS's XGBoost image defines of itself; its log has lines of `train-rmse:1.5`, after a tab.
_XGBOOST: Final = "/sagemaker-xgboost:"
_ERRORS: Final = ("error", "logloss", "mae", "mape", "merror", "mlogloss", "mphe", "rmse", "rmsle")
_ITS_METRICS: Final = (*_ERRORS, "auc", "aucpr", "map", "ndcg")


class MetricError(Exception):
    """A definition that cannot be used; the text says why."""


def definitions(algorithm: Json, values: Json) -> list[Json]:
    """The MetricDefinitions of an AlgorithmSpecification, or those of the algorithm that its image is known to have."""
    given: list[Json] = algorithm.get("MetricDefinitions") or []
    if given or _XGBOOST not in str(algorithm.get("TrainingImage")) or "sagemaker_program" in values:
        return given
    names = [(channel, metric) for channel in ("train", "validation") for metric in _ITS_METRICS]
    return [{"Name": f"{channel}:{metric}", "Regex": rf"\s{channel}-{metric}:(\S+)"} for channel, metric in names]


def compiled(definitions: Sequence[Json]) -> dict[str, re.Pattern[str]]:
    """The pattern of each metric, by name. Raises `MetricError`."""
    found = {}
    for definition in definitions:
        name = definition["Name"]
        try:
            found[name] = re.compile(definition["Regex"])
        except re.error as error:
            raise MetricError(f"the Regex of metric {name} is none: {error}") from error
        if found[name].groups < 1:
            raise MetricError(f"the Regex of metric {name} has no group for the value: write ({definition['Regex']})")
    return found


def final_metrics(logs: Iterable[Path], patterns: dict[str, re.Pattern[str]]) -> dict[str, float]:
    """The last value of each metric that the logs hold; a line is `TIME TEXT`."""
    found: dict[str, float] = {}
    for log in logs:
        if not log.is_file():
            continue
        with log.open(encoding="utf-8", errors="replace") as lines:
            for line in lines:
                text = line.partition(" ")[2]
                for name, pattern in patterns.items():
                    for match in pattern.finditer(text):
                        value = _number(match[1])
                        if value is not None:
                            found[name] = value
    return found


def _number(text: str | None) -> float | None:
    try:
        return float(text or "")
    except ValueError:
        return None
