"""Folders that a job has written into: walked and removed whatever it did to them. No depth ends the interpreter."""

from __future__ import annotations

import os
import shutil
import uuid
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path


def walk(folder: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Each folder from `folder` on, with its folders and its other entries, sorted; links are not followed.

    Raises `OSError` for a folder that cannot be read, or whose path is longer than the system takes.
    """
    pending = [str(folder)]
    while pending:
        parent = pending.pop()
        with os.scandir(parent) as entries:
            found = sorted((entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries)
        folders = [name for name, is_folder in found if is_folder]
        yield parent, folders, [name for name, is_folder in found if not is_folder]
        pending += [f"{parent}/{name}" for name in reversed(folders)]


def remove(folder: Path) -> None:
    """Remove a folder of a job's, also when the job took the write permission from a directory of its own."""
    if folder.is_symlink() or not folder.is_dir():
        return
    with suppress(OSError):
        _remove_readily(folder)
        return
    _remove_stubborn(folder)


def _remove_readily(folder: Path) -> None:
    """What nearly every job leaves. Raises `OSError` where that will not do."""
    emptied = []
    for parent, _, others in walk(folder):
        for name in others:
            Path(parent, name).unlink()
        emptied.append(parent)
    for parent in reversed(emptied):
        Path(parent).rmdir()


def _remove_stubborn(folder: Path) -> None:
    """Each folder in it is moved to its top first: below that, a path may be longer than the system takes."""
    pending = [folder]
    while pending:
        parent = pending.pop()
        with suppress(OSError):
            parent.chmod(0o700)
            with os.scandir(parent) as entries:
                found = list(entries)
            for entry in found:
                with suppress(OSError):
                    if entry.is_dir(follow_symlinks=False):
                        pending.append(_moved(entry.path, folder / uuid.uuid4().hex))
                    else:
                        Path(entry.path).unlink()
            if parent != folder:
                parent.rmdir()
    with suppress(RecursionError):  # of another user's folders, which could not be moved
        shutil.rmtree(folder, ignore_errors=True)


def _moved(path: str, to: Path) -> Path:
    Path(path).chmod(0o700)
    return Path(path).rename(to)
