"""The types of what `environments: local:` says beside what every environment says, and of `settings.json`, by which it
reaches the local SageMaker."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Literal

from pipelines.spec.limits import NOT_EMPTY, VARIABLE_NAME, Between, Doc, Pattern
from pipelines.spec.source import Problems, ValuePath

LOCAL = "local"


def option(environment: str) -> str:
    """What names an environment on a command line, after a space: `--env NAME`, and nothing for the local one."""
    return "" if environment == LOCAL else f" --env {environment}"


@dataclass(frozen=True)
class LocalImage:
    """What the local SageMaker runs for an image that is not built here: a build context, or a Python environment."""

    build: Annotated[str | None, NOT_EMPTY, Doc("The folder that it is built from, with its Dockerfile.")] = None
    requirements: Annotated[
        str | None, NOT_EMPTY, Doc("The requirements file of its Python packages; none if left out.")
    ] = None
    python: Annotated[
        str | None, Pattern(r"3\.[0-9]{1,2}", "a version such as 3.11, in quotes"), Doc("Its Python, if it is here.")
    ] = None
    entrypoint: Annotated[
        tuple[str, ...], Between(1, 100), Doc("The program and its first arguments, where a step names none.")
    ] = ()
    environment: Annotated[Mapping[Annotated[str, VARIABLE_NAME], str], Doc("Its variables.")] = field(
        default_factory=dict
    )


@dataclass(frozen=True)
class DockerOptions:
    """More words for the engine's commands, such as --network, host."""

    build: Annotated[tuple[str, ...], Doc("For `docker build`: --build-arg, --secret …")] = ()
    run: Annotated[tuple[str, ...], Doc("For `docker run`: --gpus, --shm-size …")] = ()


Runner = Annotated[
    Literal["process", "docker"] | None,
    Doc("`local` only: jobs run as plain processes (`process`, if left out) or in the real image (`docker`)."),
]
Docker = Annotated[DockerOptions, Doc("`local` only: options of the engine's commands, for the runner `docker`.")]
Images = Annotated[
    Mapping[Annotated[str, NOT_EMPTY], LocalImage],
    Doc("`local` only: what runs for an image that is not built here, by its URI or a pattern of it (`*`, `?`)."),
]
Functions = Annotated[
    Mapping[
        Annotated[str, NOT_EMPTY],
        Annotated[str, Pattern(r".+\.py:[A-Za-z_]\w*", "a Python file and a function of it, ./notify.py:handler")],
    ],
    Doc("`local` only: what runs for a Lambda function, by its ARN or a pattern of it: FILE.py:FUNCTION."),
]
Stubs = Annotated[
    Mapping[Annotated[str, NOT_EMPTY], Mapping[str, Any]],
    Doc("`local` only: the properties that a step, by name, ends with where its kind is not executed locally."),
]


@dataclass(frozen=True)
class LocalKeys:
    """settings.json: the same keys; every path is absolute."""

    runner: Runner = None
    docker: Docker = field(default_factory=DockerOptions)
    images: Images = field(default_factory=dict)
    functions: Functions = field(default_factory=dict)
    stubs: Stubs = field(default_factory=dict)


KEYS = tuple(LocalKeys.__dataclass_fields__)


def check_images(images: Mapping[str, LocalImage], path: ValuePath, problems: Problems) -> None:
    """Note the images that say two things at once: a Dockerfile names what it is made of."""
    for name, image in images.items():
        for key in ("requirements", "python", "entrypoint", "environment"):
            if image.build is not None and getattr(image, key):
                what = f"{key!r} means nothing beside 'build', whose Dockerfile says it"
                problems.add((*path, name, key), what, "remove one of the two", key=True)
