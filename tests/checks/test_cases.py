"""Every check has a definition that triggers it and nothing else, and a valid twin that does not."""

from __future__ import annotations

import pytest

from pipelines.checks import CHECKS, Finding, check
from tests.checks.cases import CASES, Case
from tests.checks.documents import defined

SEVERITY = {item.id: item.severity for item in CHECKS}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_the_broken_definition_gives_exactly_this_finding(case: Case) -> None:
    definition = defined(case.bad)
    (finding,) = check(definition, pipeline_name=case.names[0])
    assert (finding.check, finding.where, finding.fix) == (case.check, case.where, case.fix)
    assert finding.severity == SEVERITY[case.check]
    assert finding.what
    inside_a_step = case.where.startswith("Steps")
    assert (finding.step is not None) == inside_a_step
    assert finding.step is None or definition.has_step(finding.step)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_its_valid_twin_gives_none(case: Case) -> None:
    assert check(defined(case.good), pipeline_name=case.names[1]) == ()


def test_every_check_has_a_case() -> None:
    assert {case.check for case in CASES} == {item.id for item in CHECKS}


def test_a_finding_reads_as_place_severity_what_check_and_fix() -> None:
    finding = Finding("cache-months", "warning", "Prep", "Steps[0].CacheConfig", "P30M is 30 months", "write PT30M")
    assert str(finding) == "Steps[0].CacheConfig: warning: P30M is 30 months [cache-months]\n  fix: write PT30M"
