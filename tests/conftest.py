"""What tests of several folders share."""

from __future__ import annotations

import re
from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def tutorial_files() -> dict[str, str]:
    """The files of the tutorial: a block after a line that ends with its name and a colon."""
    text = (Path(__file__).parent.parent / "docs" / "tutorial.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^`([\w./]+)`:\n\n```\w+\n(.*?)^```", text, re.MULTILINE | re.DOTALL))


@pytest.fixture
def tutorial(tutorial_files: dict[str, str], tmp_path: Path) -> Path:
    """The tutorial's project."""
    for name, content in tutorial_files.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content, encoding="utf-8")
    return tmp_path
