"""The reference page says what the registry says, and the registry is in order."""

from __future__ import annotations

import re
from pathlib import Path

from pipelines.checks import CHECKS
from pipelines.checks.reference import main, page

PAGE = Path(__file__).parents[2] / "docs/reference/checks.md"


def test_the_page_is_generated_from_the_registry() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run python -m pipelines.checks.reference"


def test_the_page_goes_where_it_is_told(tmp_path: Path) -> None:
    target = tmp_path / "new/checks.md"
    main([str(target)])
    assert target.read_text(encoding="utf-8") == page()


def test_every_check_is_on_the_page_with_its_meaning_and_source() -> None:
    for check in CHECKS:
        severity = "**error**" if check.severity == "error" else "warning"
        assert f"| `{check.id}` | {severity} | {check.meaning} | {check.source} |" in page()


def test_ids_are_kebab_case_and_stand_once() -> None:
    ids = [check.id for check in CHECKS]
    assert len(set(ids)) == len(ids)
    assert all(re.fullmatch(r"[a-z]+(-[a-z]+)*", name) for name in ids)


def test_meanings_are_one_line() -> None:
    assert all(check.meaning and check.source and "\n" not in check.meaning for check in CHECKS)
