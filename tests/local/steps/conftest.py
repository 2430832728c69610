"""What the user says of the local SageMaker, for one test."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from pipelines.local.settings import Settings, write
from tests.local.local_aws import LocalAws


@pytest.fixture
def configure(aws: LocalAws) -> Iterator[Callable[..., None]]:
    """Sets the settings of the home; they are the defaults again after the test."""
    yield lambda **settings: write(aws.home, Settings(**settings))
    write(aws.home, Settings())


@pytest.fixture
def other(aws: LocalAws) -> Callable[..., dict[str, Any]]:
    """A step of any type: its name, its type, its Arguments and the keys beside them."""
    return lambda name, kind, arguments=None, **more: {"Name": name, "Type": kind, "Arguments": arguments or {}, **more}
