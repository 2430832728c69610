"""What a spec names of this machine's files: local inputs, image folders, data of the environment.

Takes a spec and a target; gives their content-addressed URIs and the uploads. Raises `SpecError` for what is not there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.compile.assets import ImageSource, Upload, read_asset
from pipelines.context import Context, read_context
from pipelines.spec import Spec, Target
from pipelines.spec.model import Image, ImageBuild, Input, Processing, Register, Training
from pipelines.spec.source import Problems, ValuePath


@dataclass(frozen=True)
class LocalFiles:
    """Local inputs by the place of the text that names them, images by repository and folder, and all uploads."""

    uris: Mapping[ValuePath, str]
    image_sources: Mapping[ImageBuild, ImageSource]
    uploads: tuple[Upload, ...]

    @property
    def images(self) -> tuple[ImageSource, ...]:
        return tuple(self.image_sources.values())


def read_local_files(spec: Spec, target: Target) -> LocalFiles:
    """Find and hash every local file of the spec."""
    reader = _Reader(spec, target)
    for path, text in _local_inputs(spec):
        reader.asset(path, text)
    for path, image in _images(spec):
        reader.image(path, image)
    for key, local in target.data.items():
        reader.data(key, local)
    reader.problems.raise_any()
    return LocalFiles(reader.uris, reader.image_sources, tuple(dict.fromkeys(reader.uploads)))


class _Reader:
    def __init__(self, spec: Spec, target: Target) -> None:
        self.folder = spec.folder
        self.target = target
        self.problems = Problems(spec.source)
        self.uris: dict[ValuePath, str] = {}
        self.image_sources: dict[ImageBuild, ImageSource] = {}
        self.uploads: list[Upload] = []

    @contextlib.contextmanager
    def refusing(self, path: ValuePath, fix: str) -> Iterator[None]:
        """Turns what is wrong with files into a problem at `path`."""
        try:
            yield
        except OSError as error:
            self.problems.add(path, f"{error.filename}: {error.strerror}" if error.strerror else str(error), fix)
        except ValueError as error:
            self.problems.add(path, str(error), fix)

    def asset(self, path: ValuePath, text: str) -> None:
        bucket, prefix = self.target.bucket, self.target.prefix
        with self.refusing(path, "correct the path; it is relative to the folder of pipeline.yaml"):
            asset = read_asset(self.folder, text)
            self.uris[path] = f"s3://{bucket}/{asset.key(prefix)}"
            self.uploads += asset.uploads(bucket, prefix)

    def image(self, path: ValuePath, build: ImageBuild) -> None:
        if build in self.image_sources:
            return
        with self.refusing(path, "name a folder that holds a Dockerfile"):
            context = read_context(self.folder, build.build)
            if "Dockerfile" not in {file.path for file in context.files}:
                raise ValueError(f"the folder {build.build!r} holds no Dockerfile")
            self.image_sources[build] = ImageSource(build.repository, context)

    def data(self, key: str, local: str) -> None:
        """The environment's own objects: plain keys, so their URIs are what the spec says."""
        path: ValuePath = ("environments", self.target.name, "data", key)
        context: Context | None = None
        with self.refusing(path, "fetch it (for the demo: make data), or correct the path"):
            context = read_context(self.folder, local)
        if context is None:
            return
        if context.root.is_dir() and not key.endswith("/"):
            self.problems.add(path, f"{local!r} is a folder, {key!r} a single object", f"write {key}/", key=True)
        for file in context.files:
            self.uploads.append(Upload(file, self.target.bucket, key + file.path if key.endswith("/") else key))


def _local_inputs(spec: Spec) -> Iterator[tuple[ValuePath, str]]:
    for name, step in spec.pipeline.steps.items():
        body = step.body
        if isinstance(body, Processing | Training):
            for key, value in body.inputs.items():
                text = (value.source if isinstance(value, Input) else value).literal
                if text is not None and not text.startswith("s3://"):
                    yield ("steps", name, step.kind, "inputs", key), text


def _images(spec: Spec) -> Iterator[tuple[ValuePath, ImageBuild]]:
    """Images to build, each once, with the first place that names it."""
    found: list[tuple[ValuePath, Image | None]] = [(("image",), spec.pipeline.image)]
    for name, step in spec.pipeline.steps.items():
        if isinstance(step.body, Processing | Training | Register):
            found.append((("steps", name, step.kind, "image"), step.body.image))
    yield from ((path, image) for path, image in found if isinstance(image, ImageBuild))
