"""A job's metrics: what MetricDefinitions find in the lines of its log; the last value of each counts."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

Json = dict[str, Any]


class MetricError(Exception):
    """A definition that cannot be used; the text says why."""


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
