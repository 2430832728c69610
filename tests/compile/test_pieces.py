"""Pieces of compilation that need no SDK."""

from __future__ import annotations

from datetime import timedelta

import pytest

from pipelines.compile.pipeline import build_order
from pipelines.compile.steps import iso_duration, with_defaults
from pipelines.definition import parse_duration
from pipelines.spec.expressions import parse_template
from pipelines.spec.model import BUILT_IN, Duration, JobDefaults, Processing


@pytest.mark.parametrize(
    ("seconds", "text"), [(60, "PT1M"), (3600, "PT60M"), (86400, "P1D"), (30 * 86400, "P30D"), (129600, "PT2160M")]
)
def test_cache_durations(seconds, text):
    assert iso_duration(Duration(seconds, "")) == text
    assert parse_duration(text) == timedelta(seconds=seconds)


def test_what_a_job_says_comes_before_defaults_and_false_is_said():
    body = Processing(cache=False, environment={"A": 1}, instance_count=2)
    defaults = JobDefaults(cache=Duration(60, "1m"), instance_count=3, volume_gb=50, environment={"A": 2, "B": 2})
    job = with_defaults(body, defaults, BUILT_IN)
    assert job.cache is False
    assert (job.instance_count, job.volume_gb) == (2, 50)
    assert job.environment == {"A": 1, "B": 2}
    assert job.instance_type == parse_template("ml.m5.xlarge")


def test_steps_are_built_after_what_they_use_and_after_their_branches(project):
    spec = project(
        spec="name: demo\nimage: i\nsteps:\n"
        "  Gate: {condition: {if: '${{ steps.Last.reports.m.x }} > 1', then: [Branch]}}\n"
        "  Last: {processing: {inputs: {m: '${{ steps.Train.model }}'}, outputs: [o], reports: {m: o/m.json}}}\n"
        "  Branch: {register: {model: '${{ steps.Train.model }}', group: g}}\n"
        "  Train: {training: {}}\n"
    )
    order = build_order(spec.pipeline)
    assert sorted(order) == ["Branch", "Gate", "Last", "Train"]
    assert order[0] == "Train"
    assert order[-1] == "Gate"
