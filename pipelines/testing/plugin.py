"""The pytest plugin: the fixture `local_sagemaker`. pytest finds it by the package's entry point."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pipelines.testing.sagemaker import SageMaker


@pytest.fixture
def local_sagemaker(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[SageMaker]:
    """A local SageMaker of this test alone: boto3, the SDK and what the test starts speak to it, not to AWS."""
    from pipelines.testing.sagemaker import serving  # a run without this fixture pays nothing

    with serving(tmp_path / ".pipelines") as sagemaker:
        for name, value in sagemaker.environment.items():
            monkeypatch.setenv(name, value)
        monkeypatch.delenv("AWS_PROFILE", raising=False)
        yield sagemaker
