"""Projects of a few files, and what compilation needs of them before the SDK."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from pipelines.compile.local_files import LocalFiles, read_local_files
from pipelines.errors import SpecError
from pipelines.spec import Spec, load

Project = Callable[..., Spec]

SPEC = """name: demo
image: { build: image, repository: demo }
steps:
  First:
    processing:
      inputs: { recipe: ./recipe.yaml, rules: ./rules }
  Second:
    processing: {}
environments:
  local: { data: { raw/: data } }
  other:
    account: "111111111111"
    region: eu-central-1
    role: arn:aws:iam::111111111111:role/pipelines
    bucket: team-other
    prefix: team
"""
FILES = {
    "image/Dockerfile": "FROM scratch\n",
    "recipe.yaml": "a: 1\n",
    "rules/a.txt": "a",
    "rules/deep/b.txt": "b",
    "data/x.csv": "x\n1\n",
}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """Writes a project and loads it: `project(files, spec=…, at=…)`; a file that is None is left out."""

    def write(files: dict[str, str | None] | None = None, *, spec: str = SPEC, at: str = "project") -> Spec:
        for path, text in {**FILES, **(files or {}), "pipeline.yaml": spec}.items():
            file = tmp_path / at / path
            file.parent.mkdir(parents=True, exist_ok=True)
            if text is None:
                file.unlink(missing_ok=True)
            else:
                file.write_text(text, encoding="utf-8")
        return load(tmp_path / at / "pipeline.yaml")

    return write


@pytest.fixture
def local_files() -> Callable[..., LocalFiles]:
    return lambda spec, environment="local": read_local_files(spec, spec.target(environment))


@pytest.fixture
def problems_of() -> Callable[[Spec], list[tuple[str, str, str]]]:
    """(line:column, what, fix) of everything that is wrong with the local files of a spec."""

    def problems(spec: Spec) -> list[tuple[str, str, str]]:
        with pytest.raises(SpecError) as caught:
            read_local_files(spec, spec.target())
        file = f"{spec.source.file}:"
        return [(found.where.removeprefix(file), found.what, found.fix) for found in caught.value.problems]

    return problems
