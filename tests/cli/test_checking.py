"""validate and graph."""

from __future__ import annotations

import json


def test_validate_says_that_all_is_fine(project, pipelines):
    done = pipelines("validate")
    assert done.code == 0, done.out
    assert done.out.startswith("pipeline.yaml: fine (5 steps, digest ")
    facts = json.loads(pipelines("validate", "--json").out)
    assert facts["findings"] == []
    assert facts["digest"].startswith(done.out.split()[-1].rstrip(")"))
    assert project.is_untouched


def test_graph_names_every_step_as_text_and_as_mermaid(project, pipelines):
    for form in ("text", "mermaid"):
        done = pipelines("graph", "--format", form)
        assert done.code == 0
        for step in ("Features", "Evaluate", "Gate", "Register", "Reject"):
            assert step in done.out
    assert pipelines("graph").out == pipelines("graph", "--format", "text").out
    assert project.is_untouched
