"""Spec and environment → the definition JSON, and what must be in place before it is used.

Compilation is pure: the same files give the same bytes, on any machine, in any folder, with the network cut. Local
files become content-addressed URIs here; putting them there is the deployment's work. What was compiled once is kept
under the hash of all that went in, so that a second command does not pay for the SDK's import.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from pipelines.compile.assets import ImageSource, Upload
from pipelines.compile.cache import cache_key, cached
from pipelines.compile.local_files import LocalFiles, read_local_files
from pipelines.definition import Definition, parse
from pipelines.spec import LOCAL, Spec, Target

__all__ = ["Compiled", "ImageSource", "Upload", "compile_spec"]


@dataclass(frozen=True)
class Compiled:
    """A definition for one environment, with the uploads and images that it refers to."""

    definition: Definition
    target: Target
    uploads: tuple[Upload, ...]
    images: tuple[ImageSource, ...]


def compile_spec(spec: Spec, environment: str | Target = LOCAL, *, cache: Path | None = None) -> Compiled:
    """Compile `spec` for an environment, by name or as a target; `cache` is the folder of what was compiled before.

    Raises `SpecError` (an input, an image or data that is not there) and `CompileError` (refused by the SDK).
    """
    target = spec.target(environment) if isinstance(environment, str) else environment
    local_files = read_local_files(spec, target)
    key = cache_key(spec, target, local_files) if cache else ""
    text = cached(cache, key, lambda: _compile(spec, target, local_files))
    return Compiled(parse(text), target, local_files.uploads, local_files.images)


def _compile(spec: Spec, target: Target, local_files: LocalFiles) -> str:
    from pipelines.compile.pipeline import definition_text  # seconds: only when it must be compiled

    return definition_text(spec, target, local_files)
