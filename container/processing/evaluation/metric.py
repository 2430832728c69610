"""A metric as the documents write it: value, standard deviation, interval.

In: numbers. Out: plain data for JSON. The registry's form has the value and the deviation, which is the string "NaN"
below 200 rows (Model Monitor's rule); our own form has null where there is nothing to say, and an interval.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from processing.arrays import Array

FEWEST = 200
"""Model Monitor gives a standard deviation from this many samples up."""
CONFIDENCE = 0.95
_Z = 1.959963984540054

Plain = dict[str, Any]


def registry_metric(value: float, deviation: float | None, rows: int) -> Plain:
    """As the Model Registry reads it."""
    told = deviation is not None and rows >= FEWEST and math.isfinite(deviation)
    return {"value": value, "standard_deviation": deviation if told else "NaN"}


def with_normal(value: float | None, deviation: float | None, low: float = -math.inf, high: float = math.inf) -> Plain:
    """Value, deviation and the interval of a normal estimate, within the bounds of the measure."""
    if value is None or deviation is None:
        return {"value": value, "standard_deviation": None, "interval": None}
    interval = [max(value - _Z * deviation, low), min(value + _Z * deviation, high)]
    return {"value": value, "standard_deviation": deviation, "interval": interval}


def with_draws(value: float, draws: Array, low: float = -math.inf, high: float = math.inf) -> Plain:
    """Value, deviation and the percentile interval of bootstrap draws, moved to the value where their centre is off."""
    if len(draws) < 2:
        return with_normal(value, None)
    tail = (1 - CONFIDENCE) / 2
    shift = value - float(np.median(draws))
    ends = np.quantile(draws, [tail, 1 - tail]) + shift
    interval = [max(float(ends[0]), low), min(float(ends[1]), high)]
    return {"value": value, "standard_deviation": float(np.std(draws, ddof=1)), "interval": interval}
