"""The hyperparameters that a tuning job tries: ranges in, one set of values after the other out. Pure.

Random draws each value by its range's scaling, from a seed: the same seed gives the same values in the same order. Grid
takes every combination of categorical values. Bayesian and Hyperband draw as Random does.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any, Final

Json = dict[str, Any]
LINEAR, LOGARITHMIC, REVERSE = "Linear", "Logarithmic", "ReverseLogarithmic"
GRID: Final = "Grid"
_ATTEMPTS: Final = 100  # at a set of values that was not tried yet


class RangeError(Exception):
    """The ranges cannot be searched; the text says why."""


@dataclass(frozen=True)
class Range:
    """The values of one hyperparameter: `choices`, or numbers from `low` to `high`."""

    name: str
    choices: tuple[str, ...] = ()
    low: float = 0.0
    high: float = 0.0
    whole: bool = False
    scaling: str = LINEAR

    def draw(self, source: random.Random) -> str:
        """One of its values, as text."""
        if self.choices:
            return source.choice(self.choices)
        if self.whole and self.scaling == LINEAR:
            return str(source.randint(int(self.low), int(self.high)))
        value = min(max(self._scaled(source), self.low), self.high)
        return str(round(value)) if self.whole else repr(value)

    def _scaled(self, source: random.Random) -> float:
        match self.scaling:
            case "Logarithmic":
                return math.exp(source.uniform(math.log(self.low), math.log(self.high)))
            case "ReverseLogarithmic":
                return 1 - math.exp(source.uniform(math.log(1 - self.high), math.log(1 - self.low)))
            case _:
                return source.uniform(self.low, self.high)


def parse_ranges(given: Mapping[str, Any]) -> tuple[Range, ...]:
    """The ParameterRanges of a request. Raises `RangeError`."""
    if given.get("AutoParameters"):
        raise RangeError("not executed locally: AutoParameters")
    found = [
        *(_numbers(item, whole=True) for item in given.get("IntegerParameterRanges") or []),
        *(_numbers(item, whole=False) for item in given.get("ContinuousParameterRanges") or []),
        *(Range(item["Name"], tuple(item["Values"])) for item in given.get("CategoricalParameterRanges") or []),
    ]
    names = [item.name for item in found]
    if not found or len(set(names)) < len(names):
        raise RangeError("there is no range to search" if not found else "a hyperparameter has two ranges")
    return tuple(found)


def _numbers(item: Json, *, whole: bool) -> Range:
    name, scaling = item["Name"], item.get("ScalingType") or LINEAR
    try:
        low, high = (int(item[key]) if whole else float(item[key]) for key in ("MinValue", "MaxValue"))
    except ValueError as error:
        raise RangeError(f"the range of {name} is no range of {'integers' if whole else 'numbers'}: {error}") from error
    if not (math.isfinite(low) and math.isfinite(high)) or low > high:
        raise RangeError(f"the range of {name} from {low} to {high} is empty")
    if scaling == LOGARITHMIC and low <= 0:
        raise RangeError(f"the range of {name} is Logarithmic and begins at {low}; it must begin above 0")
    if scaling == REVERSE and (whole or not 0 <= low <= high < 1):
        raise RangeError(f"the range of {name} is ReverseLogarithmic; it must be Continuous, from 0 up to less than 1")
    return Range(name, (), low, high, whole, LINEAR if scaling == "Auto" else scaling)


def combinations(ranges: Sequence[Range], strategy: str, seed: int) -> Iterator[dict[str, str]]:
    """Sets of values to try: all there are of a grid, without end otherwise. Raises `RangeError`."""
    if strategy != GRID:
        return _drawn(ranges, random.Random(seed))  # noqa: S311 -- a search, not a secret
    if not all(item.choices for item in ranges):
        raise RangeError("Grid searches categorical ranges only, here as on the service")
    names = [item.name for item in ranges]
    return (dict(zip(names, values, strict=True)) for values in product(*(item.choices for item in ranges)))


def _drawn(ranges: Sequence[Range], source: random.Random) -> Iterator[dict[str, str]]:
    """Draws, none twice as long as there are others to be found."""
    seen: set[tuple[str, ...]] = set()
    while True:
        for _ in range(_ATTEMPTS):
            values = tuple(item.draw(source) for item in ranges)
            if values not in seen:
                break
        seen.add(values)
        yield {item.name: value for item, value in zip(ranges, values, strict=True)}
