"""The files of a build context: what `.dockerignore` leaves out, and which file a COPY puts where.

Takes a folder and the words of a COPY, gives `Copy` values: one per file, symbolic link or empty directory.
Nothing outside the folder is ever named: `..` and links that lead out are refused.
"""

from __future__ import annotations

import os
import posixpath
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from pipelines.dockerignore import read_rules
from pipelines.errors import LocalError
from pipelines.local.runner.dockerfile import Instruction

_ARCHIVES = (".tar", ".tar.gz", ".tgz", ".tar.bz2", ".tbz2", ".tar.xz", ".txz")


@dataclass(frozen=True)
class Copy:
    """One file, symbolic link or empty directory of the context, and its absolute path in the image.

    `program`: executable there, whatever its mode.
    """

    source: Path
    destination: str
    program: bool = False


@dataclass(frozen=True)
class Context:
    """A build context: its folder, and what its .dockerignore leaves out."""

    folder: Path
    ignored: Callable[[str], bool]

    def ignores(self, relative: str) -> bool:
        """Whether .dockerignore leaves the path out; never the folder itself: the pattern * means what is in it."""
        return relative != "." and self.ignored(relative)


def read_context(folder: Path, dockerfile: str = "Dockerfile") -> Context:
    """The folder with its rules. Raises `LocalError` for a malformed one."""
    folder = folder.resolve()
    try:
        return Context(folder, read_rules(folder, dockerfile))
    except ValueError as error:
        raise LocalError(str(error), where=str(folder), fix="write it as Docker does, or leave it out") from error


def copies(
    context: Context, instruction: Instruction, sources: Sequence[str], destination: str, directory: bool
) -> Iterator[Copy]:
    """What COPY (or ADD) puts where.

    `destination` is absolute; `directory` says that files go below it under their own names. A directory's content,
    not the directory itself, is copied, as Docker does.
    """
    matches = [match for source in sources for match in _matches(context, instruction, source)]
    below = directory or len(matches) > 1
    for match in matches:
        real = _inside(context, instruction, match)  # a link named outright is followed, as Docker does
        if real.is_dir():
            yield from _tree(context, instruction, real, destination)
        else:
            yield Copy(real, posixpath.join(destination, match.name) if below else destination)


def _matches(context: Context, instruction: Instruction, source: str) -> list[Path]:
    if re.match(r"\w+://|git@", source):
        raise instruction.refuse(f"{source} is not a local file", "download it into the folder, and COPY the file")
    if ".." in source.split("/"):
        raise instruction.refuse(f"{source!r} leads out of {context.folder}", "move the file into the folder")
    relative = posixpath.normpath(source.lstrip("/") or ".")
    try:
        found = sorted(context.folder.glob(relative)) if re.search(r"[*?\[]", relative) else [context.folder / relative]
    except ValueError as error:
        raise instruction.refuse(f"{source!r} is no pattern: {error}", "write it with * and ?, or name it") from error
    kept = [path for path in found if os.path.lexists(path) and not context.ignores(_relative(context, path))]
    if not kept:
        why = "is left out by .dockerignore" if any(map(os.path.lexists, found)) else f"is not in {context.folder}"
        raise instruction.refuse(f"{source!r} {why}", "correct the name, or add the file to the folder")
    if instruction.keyword == "ADD" and any(path.name.endswith(_ARCHIVES) for path in kept):
        raise instruction.refuse(f"{source!r} would be unpacked", "unpack it in the folder, and COPY the files")
    return kept


def _tree(context: Context, instruction: Instruction, top: Path, destination: str) -> Iterator[Copy]:
    for folder, names, files in os.walk(top):
        here = Path(folder)
        names.sort()
        links = [name for name in names if (here / name).is_symlink()]
        names[:] = [name for name in names if name not in links]
        to = posixpath.normpath(posixpath.join(destination, here.relative_to(top).as_posix()))
        kept = [name for name in sorted(files + links) if not context.ignores(_relative(context, here / name))]
        for name in kept:
            _inside(context, instruction, here / name)
            yield Copy(here / name, posixpath.join(to, name))
        if not names and not kept and not context.ignores(_relative(context, here)):
            yield Copy(here, to)


def _relative(context: Context, path: Path) -> str:
    return path.relative_to(context.folder).as_posix()


def _inside(context: Context, instruction: Instruction, path: Path) -> Path:
    real = path.resolve()
    if not real.is_relative_to(context.folder):
        raise instruction.refuse(
            f"{_relative(context, path)!r} is a link that leads out of {context.folder}",
            "put the file itself into the folder",
        )
    return real
