"""One stage of a Dockerfile, built up instruction by instruction.

Takes a `Stage` and an `Instruction`, gives the next `Stage`; nothing is changed in place. What cannot be done without
Docker (RUN) leaves no trace, but for the requirements file that a `pip install -r` names.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from pipelines.local.runner.context import Context, Copy, copies
from pipelines.local.runner.dockerfile import Instruction, expand, words

PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
# Folders of any base image: a file copied to one of them goes below it, also without a slash at the end.
_TOP = ("bin", "etc", "home", "lib", "mnt", "opt", "root", "sbin", "srv", "tmp", "usr", "var")
_DEEPER = ("usr/bin", "usr/lib", "usr/local", "usr/local/bin", "usr/local/lib", "usr/sbin", "usr/share", "usr/src")
_USUAL = frozenset({"/", *(f"/{name}" for name in (*_TOP, *_DEEPER, "var/lib", "var/tmp"))})
_WITHOUT_EFFECT = {"LABEL", "EXPOSE", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "USER", "MAINTAINER", "ONBUILD"}
_PYTHON_IMAGE = re.compile(r"(?:^|/)python:(3\.\d+)")


@dataclass(frozen=True)
class Stage:
    """What the instructions of a stage amount to so far."""

    name: str = ""
    arguments: Mapping[str, str] = field(default_factory=dict)
    environment: Mapping[str, str] = field(default_factory=dict)
    workdir: str = "/"
    shell: tuple[str, ...] = ("/bin/sh", "-c")
    entrypoint: tuple[str, ...] = ()
    cmd: tuple[str, ...] = ()
    own_cmd: bool = False
    copies: tuple[Copy, ...] = ()
    folders: frozenset[str] = _USUAL
    requirements: tuple[Path, ...] = ()
    python: str | None = None

    def variables(self) -> Mapping[str, str]:
        """What $NAME may name: ENV wins over ARG, and PATH has a value in every base image."""
        return {"PATH": PATH, **self.arguments, **self.environment}


@dataclass(frozen=True)
class Build:
    """What an instruction may look at: the files, the global ARGs and the earlier stages."""

    context: Context
    arguments: Mapping[str, str]
    stages: tuple[Stage, ...] = ()

    def stage(self, name: str) -> Stage | None:
        """An earlier stage, by name or number."""
        named = {stage.name.lower(): stage for stage in self.stages if stage.name}
        numbered = {str(number): stage for number, stage in enumerate(self.stages)}
        return {**numbered, **named}.get(name.lower())


def begin(build: Build, instruction: Instruction) -> Stage:
    """FROM image [AS name]: a stage that starts from an earlier one, or from an image of which little is known."""
    parts = words(instruction.text, build.arguments)
    if not parts or not parts[0]:
        raise instruction.refuse(f"{instruction.text!r} names no image", "give the ARG a default: ARG NAME=value")
    named = len(parts) == 3 and parts[1].upper() == "AS"
    if len(parts) != 1 and not named:
        raise instruction.refuse(f"{instruction.text!r} is not IMAGE [AS NAME]", "write FROM IMAGE AS NAME")
    python = _PYTHON_IMAGE.search(parts[0])
    stage = build.stage(parts[0]) or Stage(python=python[1] if python else None)
    return replace(stage, name=parts[2] if named else "", arguments={}, own_cmd=False)


def advance(build: Build, stage: Stage, instruction: Instruction) -> Stage:
    """The stage after one more instruction. Raises LocalError for what cannot be read."""
    if instruction.keyword in _WITHOUT_EFFECT:
        return stage
    step = _STEPS.get(instruction.keyword)
    if step is None:
        known = ", ".join(sorted({"FROM", *_STEPS, *_WITHOUT_EFFECT}))
        raise instruction.refuse("this instruction is not known", f"use one of {known}")
    return step(build, stage, instruction)


def declare(instruction: Instruction, known: Mapping[str, str], defaults: Mapping[str, str]) -> dict[str, str]:
    """ARG NAME[=default]…: the ARGs with these added; one without a value takes the global one."""
    declared: dict[str, str] = {}
    for word in words(instruction.text, known):
        name, equals, value = word.partition("=")
        if equals or name in defaults:
            declared[name] = value if equals else defaults[name]
    return declared


def _arg(build: Build, stage: Stage, instruction: Instruction) -> Stage:
    declared = declare(instruction, stage.variables(), build.arguments)
    return replace(stage, arguments={**stage.arguments, **declared})


def _env(_: Build, stage: Stage, instruction: Instruction) -> Stage:
    variables = stage.variables()
    first, *others = instruction.text.split(maxsplit=1) or [""]
    if "=" in first:
        pairs = [word.partition("=") for word in words(instruction.text, variables)]
        wrong = next((name for name, equals, value in pairs if not equals), None)
        if wrong is not None:
            raise instruction.refuse(f"{wrong!r} has no value", f'write {wrong}=value, or quote: NAME="a b"')
        added = {name: value for name, equals, value in pairs if equals}
    elif others:
        added = {first: expand(others[0], variables)}  # the old form: ENV NAME all the rest
    else:
        raise instruction.refuse(f"{first!r} has no value", f"write ENV {first or 'NAME'}=value")
    return replace(stage, environment={**stage.environment, **added})


def _workdir(_: Build, stage: Stage, instruction: Instruction) -> Stage:
    workdir = posixpath.normpath(posixpath.join(stage.workdir, expand(instruction.text, stage.variables())))
    return replace(stage, workdir=workdir, folders=stage.folders | _lineage(workdir))


def _copy(build: Build, stage: Stage, instruction: Instruction) -> Stage:
    exec_form = instruction.json_form()
    variables = stage.variables()
    texts = words(instruction.text, variables) if exec_form is None else [expand(word, variables) for word in exec_form]
    if len(texts) < 2:
        raise instruction.refuse("a source or the destination is missing", "write COPY SOURCE… DESTINATION")
    *sources, to = texts
    destination = posixpath.normpath(posixpath.join(stage.workdir, to))
    directory = to.endswith(("/", "/.")) or to == "." or len(sources) > 1 or destination in stage.folders
    origin = instruction.flag("from")
    if origin is None:
        found = tuple(copies(build.context, instruction, sources, destination, directory))
        return _with_copies(stage, found, destination)
    earlier = build.stage(expand(origin, variables))
    if earlier is None:
        return stage  # another image: nothing of it is here
    found = tuple(copy for source in sources for copy in _from_stage(earlier, source, destination, directory))
    return _with_copies(replace(stage, requirements=stage.requirements + earlier.requirements), found, destination)


def _from_stage(earlier: Stage, source: str, destination: str, directory: bool) -> list[Copy]:
    """What of an earlier stage's path came from the context; what a RUN made there is not known."""
    path = posixpath.normpath(posixpath.join("/", source))
    found = []
    for copy in earlier.copies:
        if copy.destination == path:
            to = posixpath.join(destination, posixpath.basename(path)) if directory else destination
            found.append(Copy(copy.source, to))
        elif copy.destination.startswith(path.rstrip("/") + "/"):
            found.append(Copy(copy.source, posixpath.join(destination, posixpath.relpath(copy.destination, path))))
    return found


def _with_copies(stage: Stage, found: tuple[Copy, ...], destination: str) -> Stage:
    files = {copy.destination for copy in found if not copy.source.is_dir()}
    made = {folder for copy in found for folder in _lineage(posixpath.dirname(copy.destination))}
    folders = stage.folders | made | (_lineage(destination) if destination not in files else frozenset())
    return replace(stage, copies=stage.copies + found, folders=folders)


def _lineage(folder: str) -> frozenset[str]:
    """A folder and all above it."""
    parts = [part for part in folder.split("/") if part]
    return frozenset("/" + "/".join(parts[:end]) for end in range(len(parts) + 1))


def _entrypoint(_: Build, stage: Stage, instruction: Instruction) -> Stage:
    # Docker forgets the CMD of the base image here, and keeps the stage's own.
    return replace(stage, entrypoint=_program(stage, instruction), cmd=stage.cmd if stage.own_cmd else ())


def _cmd(_: Build, stage: Stage, instruction: Instruction) -> Stage:
    return replace(stage, cmd=_program(stage, instruction), own_cmd=True)


def _program(stage: Stage, instruction: Instruction) -> tuple[str, ...]:
    exec_form = instruction.json_form()
    if exec_form is not None:
        return exec_form
    return (*stage.shell, instruction.text) if instruction.text else ()


def _shell(_: Build, stage: Stage, instruction: Instruction) -> Stage:
    shell = instruction.json_form()
    if not shell:
        raise instruction.refuse("it needs a JSON array", 'write SHELL ["/bin/bash", "-c"]')
    return replace(stage, shell=shell)


def _run(build: Build, stage: Stage, instruction: Instruction) -> Stage:
    exec_form = instruction.json_form()
    text = instruction.text if exec_form is None else " ".join(exec_form)
    named = [_requirements(build, stage, instruction, name) for name in _requirement_names(text)]
    return replace(stage, requirements=stage.requirements + tuple(named))


def _requirement_names(text: str) -> list[str]:
    """The files that `pip install -r FILE` names, of all commands in a RUN."""
    names = []
    for command in re.split(r"&&|\|\||[;|\n]", text):
        parts = command.split()
        if "install" not in parts or not any(re.fullmatch(r"(.*/)?pip[\d.]*", part) for part in parts):
            continue
        for part, after in zip(parts, [*parts[1:], ""], strict=True):
            match = re.fullmatch(r"(?:--requirements?=|-r)(.+)", part)
            if part in ("-r", "--requirement", "--requirements") and after:
                names.append(after)
            elif match:
                names.append(match[1])
    return [name.strip("'\"") for name in names]


def _requirements(build: Build, stage: Stage, instruction: Instruction, name: str) -> Path:
    """The file of the context that stands under this name when RUN is executed."""
    path = posixpath.normpath(posixpath.join(stage.workdir, expand(name, stage.variables())))
    for copy in reversed(stage.copies):
        if copy.destination == path:
            return copy.source
    for source, target in _mounted(stage, instruction):
        if path == target or path.startswith(target.rstrip("/") + "/"):
            file = build.context.folder / source.lstrip("/") / posixpath.relpath(path, target)
            if file.resolve().is_relative_to(build.context.folder) and file.is_file():
                return file.resolve()
    raise instruction.refuse(f"it installs from {name!r}, which no COPY puts at {path}", f"COPY {name} before this RUN")


def _mounted(stage: Stage, instruction: Instruction) -> list[tuple[str, str]]:
    """Source and target of each `RUN --mount=type=bind` of the context."""
    found = []
    for name, value in instruction.flags:
        options = dict(part.partition("=")[::2] for part in value.split(",")) if name == "mount" else {}
        if options.get("type", "bind") == "bind" and "from" not in options and options:
            target = options.get("target") or options.get("dst") or options.get("destination") or "."
            source = options.get("source") or options.get("src") or "."
            found.append((source, posixpath.normpath(posixpath.join(stage.workdir, target))))
    return found


_STEPS: Mapping[str, Callable[[Build, Stage, Instruction], Stage]] = {
    "ARG": _arg,
    "ENV": _env,
    "WORKDIR": _workdir,
    "COPY": _copy,
    "ADD": _copy,
    "ENTRYPOINT": _entrypoint,
    "CMD": _cmd,
    "SHELL": _shell,
    "RUN": _run,
}
