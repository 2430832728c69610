"""What a spec names of this machine's files: local inputs, image folders, data of the environment.

Takes a spec and a target; gives their content-addressed URIs and the uploads. Raises `SpecError` for what is not there.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath

from pipelines.compile.assets import ImageSource, Upload, read_asset
from pipelines.context import Context, read_context
from pipelines.errors import Problem, SpecError
from pipelines.spec import Spec, Target
from pipelines.spec.model import Image, ImageBuild, Input, Processing, Register, Training
from pipelines.spec.source import ValuePath


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
    uris = {path: reader.asset(path, text) for path, text in _local_inputs(spec, reader)}
    images = {image: reader.image(path, image) for path, image in _images(spec)}
    reader.data()
    if reader.problems:
        raise SpecError(reader.problems)
    return LocalFiles(
        {path: uri for path, uri in uris.items() if uri},
        {build: image for build, image in images.items() if image},
        tuple(dict.fromkeys(reader.uploads)),
    )


class _Reader:
    def __init__(self, spec: Spec, target: Target) -> None:
        self.spec = spec
        self.target = target
        self.problems: list[Problem] = []
        self.uploads: list[Upload] = []

    def refuse(self, path: ValuePath, what: str, fix: str) -> None:
        self.problems.append(Problem(self.spec.source.where(path), what, fix))

    def asset(self, path: ValuePath, text: str) -> str:
        try:
            asset = read_asset(self.spec.folder, text)
        except (OSError, ValueError) as error:
            self.refuse(path, str(error), "correct the path; it is relative to the folder of pipeline.yaml")
            return ""
        self.uploads += asset.uploads(self.target.bucket, self.target.prefix)
        return f"s3://{self.target.bucket}/{asset.key(self.target.prefix)}"

    def image(self, path: ValuePath, build: ImageBuild) -> ImageSource | None:
        context = self.context(path, build.build, "name a folder that holds a Dockerfile")
        if context is None:
            return None
        if "Dockerfile" not in {file.path for file in context.files}:
            self.refuse(path, f"the folder {build.build!r} holds no Dockerfile", "add one, or name another folder")
            return None
        return ImageSource(build.repository, context)

    def data(self) -> None:
        """The environment's own objects: plain keys, so their URIs are what the spec says."""
        for key, local in self.target.data.items():
            path: ValuePath = ("environments", self.target.name, "data", key)
            fix = "fetch it (for the demo: make data), or correct the path"
            context = self.context(path, local, fix)
            for file in context.files if context else ():
                object_key = f"{key}{file.path}" if key.endswith("/") else key
                self.uploads.append(Upload(file, self.target.bucket, object_key))

    def context(self, path: ValuePath, relative: str, fix: str) -> Context | None:
        try:
            return read_context(self.spec.folder, relative)
        except (OSError, ValueError) as error:
            self.refuse(path, str(error), fix)
            return None


def _local_inputs(spec: Spec, reader: _Reader) -> Iterator[tuple[ValuePath, str]]:
    """Inputs that are local files; what is neither one, nor an S3 URI, nor a reference is a problem."""
    for name, step in spec.pipeline.steps.items():
        body = step.body
        if not isinstance(body, Processing | Training):
            continue
        for key, value in body.inputs.items():
            path: ValuePath = ("steps", name, step.kind, "inputs", key)
            template = value.source if isinstance(value, Input) else value
            text = template.literal
            if text is None or text.startswith("s3://"):
                continue
            if text.startswith(("./", "../")) and ".." not in PurePosixPath(text).parts[1:]:
                yield path, text
            else:
                fix = f"write ./{text.lstrip('./')} for a local file, s3://… for an S3 URI, or ${{{{ a reference }}}}"
                reader.refuse(path, f"{text!r} is no S3 URI, local file or reference", fix)


def _images(spec: Spec) -> Iterator[tuple[ValuePath, ImageBuild]]:
    found: list[tuple[ValuePath, Image | None]] = [(("image",), spec.pipeline.image)]
    for name, step in spec.pipeline.steps.items():
        body = step.body
        if isinstance(body, Processing | Training | Register):
            found.append((("steps", name, step.kind, "image"), body.image))
            if body.image is None and spec.pipeline.image is None:
                what = f"step {name!r} has no image, nor has the pipeline"
                fix = "add `image: { build: container, repository: NAME }` at the top, or an image's URI"
                raise SpecError([Problem(spec.source.where(("steps", name)), what, fix)])
    yield from ((path, image) for path, image in found if isinstance(image, ImageBuild))
