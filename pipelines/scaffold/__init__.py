"""A new pipeline of one's own: a folder in, the files of a definition package out, written beside nothing else's.

The files lie in `files/`, `.template` after their names and `dot-` for a dot before them: so they are no sources of
this package, and packaging leaves none out.
"""

from __future__ import annotations

from pathlib import Path

from pipelines.checks.document import mended_name
from pipelines.errors import UsageError

_FILES = Path(__file__).parent / "files"
_NAME = "my-pipeline"


def package(name: str) -> dict[str, str]:
    """The text of each file, by its path; `name` is the pipeline's."""
    found = sorted(_FILES.rglob("*.template"))
    return {_path(file): file.read_text(encoding="utf-8").replace(_NAME, name) for file in found}


def _path(file: Path) -> str:
    return file.relative_to(_FILES).as_posix().removesuffix(".template").replace("dot-", ".")


def write(folder: Path) -> tuple[str, ...]:
    """Write the package into `folder`, which is made if need be; gives the paths.

    Raises `UsageError`, and writes nothing, when one of its files is there already.
    """
    texts = package(mended_name(folder.resolve().name))
    there = [path for path in texts if (folder / path).is_symlink() or (folder / path).exists()]
    if there:
        fix = "name another folder: pipelines init FOLDER; or move them away"
        raise UsageError(f"these are there already: {', '.join(there)}", where=str(folder), fix=fix)
    try:
        for path, text in texts.items():
            file = folder / path
            file.parent.mkdir(parents=True, exist_ok=True)
            with file.open("x", encoding="utf-8", newline="\n") as stream:
                stream.write(text)
    except OSError as error:
        what = f"it cannot be written: {error.strerror}"
        raise UsageError(
            what, where=str(error.filename or folder), fix="name a folder that you can write to"
        ) from error
    return tuple(texts)
