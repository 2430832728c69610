"""Hyperparameter ranges → the values that are tried."""

from __future__ import annotations

from itertools import islice
from typing import Any

import pytest

from pipelines.local.jobs.ranges import RangeError, combinations, parse_ranges

Json = dict[str, Any]


def number(name: str, low: Any, high: Any, scaling: str = "Auto") -> Json:
    return {"Name": name, "MinValue": str(low), "MaxValue": str(high), "ScalingType": scaling}


def drawn(given: Json, count: int, strategy: str = "Random", seed: int = 0) -> list[dict[str, str]]:
    return list(islice(combinations(parse_ranges(given), strategy, seed), count))


@pytest.mark.parametrize("scaling", ["Auto", "Linear", "Logarithmic"])
@pytest.mark.parametrize("kind", ["Integer", "Continuous"])
def test_numbers_stay_in_their_range(kind: str, scaling: str) -> None:
    values = [item["x"] for item in drawn({f"{kind}ParameterRanges": [number("x", 2, 9, scaling)]}, 50)]
    parsed = [(int if kind == "Integer" else float)(value) for value in values]
    assert 2 <= min(parsed) < 4 < 7 < max(parsed) <= 9


def test_scaling_draws_more_where_it_counts() -> None:
    def median(low: float, high: float, scaling: str) -> float:
        found = drawn({"ContinuousParameterRanges": [number("x", low, high, scaling)]}, 201)
        return sorted(float(item["x"]) for item in found)[100]

    assert 0.4 < median(0.0001, 1, "Linear") < 0.6
    assert 0.003 < median(0.0001, 1, "Logarithmic") < 0.03
    assert 0.97 < median(0, 0.9999, "ReverseLogarithmic") < 0.997


def test_the_same_seed_draws_the_same_and_another_does_not() -> None:
    choices = {"Name": "c", "Values": ["a", "b"]}
    given = {"ContinuousParameterRanges": [number("x", 0, 1)], "CategoricalParameterRanges": [choices]}
    assert drawn(given, 5, seed=7) == drawn(given, 5, seed=7) != drawn(given, 5, seed=8)


def test_nothing_is_tried_twice_while_there_is_something_else() -> None:
    found = drawn({"IntegerParameterRanges": [number("x", 1, 6)]}, 8)
    assert {item["x"] for item in found[:6]} == {"1", "2", "3", "4", "5", "6"}
    assert len(found) == 8


def test_a_grid_is_every_combination_once() -> None:
    ranges = [{"Name": "a", "Values": ["1", "2"]}, {"Name": "b", "Values": ["x", "y"]}]
    found = drawn({"CategoricalParameterRanges": ranges}, 99, "Grid")
    assert [tuple(item.values()) for item in found] == [("1", "x"), ("1", "y"), ("2", "x"), ("2", "y")]


@pytest.mark.parametrize(
    ("given", "strategy", "said"),
    [
        ({}, "Random", "there is no range to search"),
        ({"AutoParameters": [{"Name": "x", "ValueHint": "1"}]}, "Random", "not executed locally: AutoParameters"),
        ({"IntegerParameterRanges": [number("x", 1, 2)]}, "Grid", "Grid searches categorical ranges only"),
        ({"IntegerParameterRanges": [number("x", 1.5, 2)]}, "Random", "the range of x is no range of integers"),
        ({"ContinuousParameterRanges": [number("x", 2, 1)]}, "Random", "the range of x from 2.0 to 1.0 is empty"),
        ({"ContinuousParameterRanges": [number("x", 0, "inf")]}, "Random", "is empty"),
        ({"ContinuousParameterRanges": [number("x", 0, 1, "Logarithmic")]}, "Random", "it must begin above 0"),
        ({"ContinuousParameterRanges": [number("x", 0, 1, "ReverseLogarithmic")]}, "Random", "up to less than 1"),
        ({"IntegerParameterRanges": [number("x", 1, 2), number("x", 1, 2)]}, "Random", "has two ranges"),
    ],
)
def test_what_cannot_be_searched_is_refused(given: Json, strategy: str, said: str) -> None:
    with pytest.raises(RangeError, match=said):
        combinations(parse_ranges(given), strategy, 0)
