"""The repository's own pipeline.yaml, compiled as it stands, has no finding."""

from __future__ import annotations

import shutil
from pathlib import Path

from pipelines.checks import check
from pipelines.compile import compile_spec
from pipelines.spec import load

ROOT = Path(__file__).parents[2]


def test_the_reference_pipeline_has_no_finding(tmp_path: Path) -> None:
    shutil.copy(ROOT / "pipeline.yaml", tmp_path)
    (tmp_path / "container/recipes").mkdir(parents=True)
    shutil.copy(ROOT / "container/recipes/flights.yaml", tmp_path / "container/recipes")
    (tmp_path / "container/Dockerfile").write_text("FROM scratch\n", encoding="utf-8")
    (tmp_path / "data/raw").mkdir(parents=True)
    (tmp_path / "data/raw/flights.csv").write_text("a\n1\n", encoding="utf-8")
    spec = load(tmp_path / "pipeline.yaml")
    assert check(compile_spec(spec).definition, pipeline_name=spec.pipeline.name) == ()
