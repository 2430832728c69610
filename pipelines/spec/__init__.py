"""pipeline.yaml → a frozen, validated `Spec`.

Takes the path of a pipeline.yaml; gives a `Spec` or raises `SpecError` with every problem found.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.spec.meaning import check_meaning
from pipelines.spec.model import Pipeline
from pipelines.spec.reader import read_as
from pipelines.spec.source import Source, read_source
from pipelines.spec.target import LOCAL, Notification, Target, local_target, neutral_target, option, target

__all__ = ["LOCAL", "Notification", "Pipeline", "Source", "Spec", "Target", "load", "local_target", "option"]


@dataclass(frozen=True)
class Spec:
    """A pipeline.yaml that holds together: what it says, and where it says it."""

    pipeline: Pipeline
    source: Source

    @property
    def folder(self) -> Path:
        """The folder that local paths of the spec are relative to."""
        return self.source.file.parent

    def target(self, environment: str = LOCAL) -> Target:
        """The environment of that name, with nothing left open."""
        return target(self.pipeline, self.source, environment)

    def neutral_target(self) -> Target:
        """No environment: what is compiled for it depends on the spec and its files alone."""
        return neutral_target(self.pipeline)


def load(file: Path) -> Spec:
    """Read and validate a pipeline.yaml. Raises `SpecError` with every problem found."""
    return validated(read_source(file))


def validated(source: Source) -> Spec:
    """The `Spec` that a source says. Raises `SpecError` with every problem found."""
    pipeline = read_as(Pipeline, source)
    check_meaning(pipeline, source)
    return Spec(pipeline, source)
