"""What is known of a container image from the folder that it is built from, without building it.

`read_image(folder)` reads the folder's Dockerfile and gives an `Image`: program, environment, which file stands where.
`command(image, …)` resolves what a job executes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.errors import LocalError
from pipelines.local.runner.context import Copy, read_context
from pipelines.local.runner.dockerfile import ExpansionError, Instruction, parse
from pipelines.local.runner.stage import Build, Stage, advance, begin, declare

OWN_ENTRYPOINT = ""  # in a command: what the image itself names, which only an engine knows


@dataclass(frozen=True)
class Image:
    """A container image, as far as a plain process can stand in for it.

    `folder` is the build context (None: there is none here), `requirements` the file that its build installs from,
    `python` the version that its base names ("3.11"), `notices` what a job's log says of it. Of an image that is
    `opaque` only a container engine knows more.
    """

    folder: Path | None = None
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    copies: tuple[Copy, ...] = ()
    requirements: Path | None = None
    python: str | None = None
    notices: tuple[str, ...] = ()
    opaque: bool = False


def bare_image() -> Image:
    """An image of which nothing is known: no program, no packages; a job brings its script and its entrypoint."""
    return Image()


def read_image(folder: Path) -> Image:
    """Read the Dockerfile of a build context. Raises LocalError with Dockerfile:line for what cannot be read."""
    file = folder / "Dockerfile"
    if not file.is_file():
        raise LocalError(
            "there is no Dockerfile", where=str(folder), fix=f"write {file}, or name the folder that has one"
        )
    build = _build(file)
    stage = build.stages[-1]
    return Image(
        folder=build.context.folder,
        entrypoint=stage.entrypoint,
        cmd=stage.cmd,
        environment=stage.environment,
        workdir=stage.workdir,
        copies=stage.copies,
        requirements=_requirements(build, file),
        python=stage.python,
    )


def _build(file: Path) -> Build:
    """Every stage of the Dockerfile, in order; there is at least one."""
    build = Build(read_context(file.parent), {})
    for instruction in parse(_text(file), str(file)):
        try:
            build = _after(build, instruction)
        except ExpansionError as error:
            raise instruction.refuse(str(error), "shorten the value, or put it into a file") from error
    if not build.stages:
        raise LocalError("it has no FROM", where=str(file), fix="begin the Dockerfile with FROM IMAGE")
    return build


def _text(file: Path) -> str:
    """The Dockerfile's text. Raises `LocalError` for what is none."""
    try:
        text = file.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        fix = "make it a readable text file in UTF-8"
        raise LocalError(f"the Dockerfile cannot be read: {error}", where=str(file), fix=fix) from error
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise LocalError("it holds a NUL character", where=f"{file}:{line}", fix="leave the character out")
    return text


def _after(build: Build, instruction: Instruction) -> Build:
    """The build after one more instruction."""
    if instruction.keyword == "FROM":
        return replace(build, stages=(*build.stages, begin(build, instruction)))
    if build.stages:
        *earlier, stage = build.stages
        before = replace(build, stages=tuple(earlier))
        return replace(build, stages=(*earlier, advance(before, stage, instruction)))
    if instruction.keyword == "ARG":
        return replace(build, arguments={**build.arguments, **declare(instruction, build.arguments, {})})
    raise instruction.refuse("it stands before FROM", "begin the Dockerfile with FROM IMAGE")


def _requirements(build: Build, file: Path) -> Path | None:
    stage: Stage = build.stages[-1]
    named = tuple(dict.fromkeys(stage.requirements))
    if len(named) > 1:
        names = " and ".join(path.relative_to(build.context.folder).as_posix() for path in named)
        raise LocalError(
            f"the image installs from {names}; one file is read here",
            where=str(file),
            fix="let one requirements file include the others (a line `-r other.txt`), and install that one",
        )
    usual = build.context.folder / "requirements.txt"
    return named[0] if named else (usual if usual.is_file() else None)


def command(image: Image, entrypoint: Sequence[str] | None, arguments: Sequence[str] | None) -> tuple[str, ...]:
    """What a job executes, as SageMaker documents it: the request's entrypoint hides the image's ENTRYPOINT and CMD,
    its arguments replace the image's CMD. Of an opaque image the program is `OWN_ENTRYPOINT`."""
    if image.opaque and not entrypoint:
        return (OWN_ENTRYPOINT, *(arguments or ()))
    if entrypoint:
        resolved = (*entrypoint, *(arguments or ()))
    else:
        resolved = (*image.entrypoint, *(arguments or image.cmd))
    if not resolved:
        raise LocalError(
            "there is nothing to execute: the image has no ENTRYPOINT and no CMD, the request no ContainerEntrypoint",
            where=str(image.folder / "Dockerfile") if image.folder else "",
            fix="name the program in the step's `entrypoint`, or add an ENTRYPOINT to the Dockerfile",
        )
    return resolved
