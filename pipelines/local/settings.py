"""What the user says of the local SageMaker: which runner, and what stands in for images, functions and steps.

`of_spec` takes it from `environments: local:` of a pipeline.yaml; `write` puts it into the home's settings.json, where
the server finds it with `read`, anew for each job: a change needs no restart. A folder without a pipeline.yaml may have
a settings.json written by hand. Paths are absolute in the file, so that it means the same whoever reads it.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any, Literal, TypeVar

from pipelines.errors import LocalError, SpecError
from pipelines.local.home import Home, write_atomically
from pipelines.spec import LOCAL, Spec
from pipelines.spec.environment import Environment
from pipelines.spec.local import DockerOptions, LocalImage, LocalKeys, check_images
from pipelines.spec.reader import read_as
from pipelines.spec.source import Problems, ValuePath, parse_source

Runner = Literal["process", "docker"]
Item = TypeVar("Item")


@dataclass(frozen=True)
class ImageSettings:
    """What runs for an image: a build context, or a Python environment with an entrypoint and variables."""

    build: Path | None = None
    requirements: Path | None = None
    python: str | None = None
    entrypoint: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Function:
    """What runs for a Lambda function: a function of a Python file."""

    file: Path
    handler: str


@dataclass(frozen=True)
class Settings:
    """The settings of one home. Keys of `images` and `functions` may be patterns (`*`, `?`)."""

    runner: Runner = "process"
    docker: DockerOptions = field(default_factory=DockerOptions)
    images: Mapping[str, ImageSettings] = field(default_factory=dict)
    functions: Mapping[str, Function] = field(default_factory=dict)
    stubs: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def image(self, uri: str) -> ImageSettings | None:
        """What is said of an image's URI."""
        return _matching(self.images, uri)

    def function(self, arn: str) -> Function | None:
        """What is said of a Lambda function's ARN."""
        return _matching(self.functions, arn)

    def stub(self, step: str) -> Mapping[str, Any] | None:
        """The properties that a step which is not executed ends with."""
        return self.stubs.get(step)


def _matching(items: Mapping[str, Item], name: str) -> Item | None:
    """The item of that very name, else of the first pattern that matches it."""
    found = (item for pattern, item in items.items() if fnmatchcase(name, pattern.replace("[", "[[]")))
    return items[name] if name in items else next(found, None)


def of_spec(spec: Spec) -> Settings:
    """What a pipeline.yaml says. Raises `SpecError` for files that are not there."""
    keys = spec.pipeline.environments.get(LOCAL) or Environment()
    problems = Problems(spec.source)
    settings = _Resolver(problems, ("environments", LOCAL), spec.folder.resolve()).settings(keys)
    problems.raise_any()
    return settings


def read(home: Home) -> Settings:
    """The settings of a home; without a file, the defaults. Raises `LocalError` that names what is wrong with it."""
    try:
        text = home.settings.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        return Settings()
    except (OSError, UnicodeDecodeError) as error:
        fix = "make it a readable UTF-8 text file, or remove it"
        raise LocalError(f"the settings cannot be read: {error}", where=str(home.settings), fix=fix) from error
    try:
        source = parse_source(text.replace("\t", " "), home.settings)  # JSON is YAML, but for tabs
        keys, problems = read_as(LocalKeys, source), Problems(source)
        check_images(keys.images, ("images",), problems)
        settings = _Resolver(problems, (), None).settings(keys)
        problems.raise_any()
    except SpecError as error:
        problem = error.problems[0]
        raise LocalError(f"the settings: {problem.what}", where=problem.where, fix=problem.fix) from error
    return settings


def write(home: Home, settings: Settings) -> None:
    """Keep the settings for the jobs to come. Raises `LocalError`."""
    images = {uri: _filled(vars(image)) for uri, image in settings.images.items()}
    functions = {arn: f"{function.file}:{function.handler}" for arn, function in settings.functions.items()}
    document = {
        "runner": settings.runner,
        "docker": vars(settings.docker),
        "images": images,
        "functions": functions,
        "stubs": settings.stubs,
    }
    text = json.dumps(document, indent=1, ensure_ascii=False, default=str) + "\n"
    home.create()
    write_atomically(home, home.settings, text)


def _filled(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value}


@dataclass(frozen=True)
class _Resolver:
    """Makes paths absolute: those of a pipeline.yaml are relative to its folder, and have to be there."""

    problems: Problems
    place: ValuePath
    folder: Path | None

    def settings(self, keys: LocalKeys | Environment) -> Settings:
        return Settings(
            runner=keys.runner or "process",
            docker=keys.docker,
            images={uri: self.image((*self.place, "images", uri), image) for uri, image in keys.images.items()},
            functions={
                arn: self.function((*self.place, "functions", arn), text) for arn, text in keys.functions.items()
            },
            stubs=keys.stubs,
        )

    def image(self, place: ValuePath, image: LocalImage) -> ImageSettings:
        build = self.path((*place, "build"), image.build)
        if build and self.folder and not (build / "Dockerfile").is_file():
            fix = "name the folder that has one, or write `requirements:` instead of `build:`"
            self.problems.add((*place, "build"), f"there is no Dockerfile in {image.build}", fix)
        requirements = self.path((*place, "requirements"), image.requirements)
        self.check_file((*place, "requirements"), requirements)
        return ImageSettings(build, requirements, image.python, image.entrypoint, image.environment)

    def function(self, place: ValuePath, text: str) -> Function:
        file, _, handler = text.rpartition(":")
        path = self.path(place, file)
        assert path is not None  # noqa: S101 -- the type's pattern lets no empty text in
        self.check_file(place, path)
        return Function(path, handler)

    def path(self, place: ValuePath, text: str | None) -> Path | None:
        if text is None:
            return None
        if self.folder is None and not Path(text).is_absolute():
            self.problems.add(place, f"{text!r} is not an absolute path", "write the whole path, from / on")
        return Path(os.path.normpath((self.folder or Path("/")) / text))

    def check_file(self, place: ValuePath, file: Path | None) -> None:
        if file and self.folder and not file.is_file():
            self.problems.add(place, f"there is no file {file}", "correct the path; it is relative to this file")
