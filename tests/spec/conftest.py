"""Specs as texts, and what the reader says of them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.errors import SpecError
from pipelines.spec import Spec, validated
from pipelines.spec.source import parse_source

Problems = list[tuple[str, str, str]]


@pytest.fixture(scope="session")
def read() -> Callable[[str], Spec]:
    """The text of a pipeline.yaml as a `Spec`."""
    return lambda text: validated(parse_source(text, Path("pipeline.yaml")))


@pytest.fixture(scope="session")
def problems_of(read: Callable[[str], Spec]) -> Callable[[str], Problems]:
    """What is wrong with a text: (line:column, what, fix) of each problem; nothing when it is a spec."""

    def problems(text: str) -> Problems:
        try:
            read(text)
        except SpecError as error:
            return [
                (problem.where.removeprefix("pipeline.yaml:"), problem.what, problem.fix) for problem in error.problems
            ]
        return []

    return problems
