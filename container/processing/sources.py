"""Finds the files of a source and reads their headers.

In: a `Source` and the folder of its processing input. Out: `Inventory`: files by header, and what is not read of them.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from processing.columns import Column
from processing.errors import DataError, Problem
from processing.nearest import suggestion
from processing.recipe.model import Source

csv.field_size_limit(16 * 1024 * 1024)


@dataclass(frozen=True)
class Inventory:
    """The files of one source. Files whose header differs are read apart, each column found by its name."""

    by_header: tuple[tuple[tuple[str, ...], tuple[Path, ...]], ...]
    header_only: tuple[Path, ...]
    not_read: tuple[str, ...]
    names: frozenset[str]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for _, paths in self.by_header for path in paths)


def take_inventory(source: Source, folder: Path, wanted: Sequence[Column]) -> Inventory:
    """The files of a source; DataError when there are none, or when a wanted column is not in them."""
    files = find_files(source, folder)
    headers: dict[tuple[str, ...], list[Path]] = {}
    empty = []
    problems: list[Problem] = []
    for path in files:
        header, has_rows = read_header(path, source.delimiter)
        problems += _missing(path, header, source, wanted)
        headers.setdefault(header, []).append(path)
        if not has_rows:
            empty.append(path)
    if problems:
        raise DataError(problems[:5])
    if len(empty) == len(files):
        what = f"source '{source.name}' has no rows: {len(files)} file(s) hold a header only"
        raise DataError([Problem(str(folder), what, "see what wrote the input; at least one row is needed")])
    names = {name for header in headers for name in header}
    not_read = sorted(names - {column.name for column in wanted})
    by_header = tuple((header, tuple(paths)) for header, paths in headers.items())
    return Inventory(by_header, tuple(empty), tuple(not_read), frozenset(names))


def find_files(source: Source, folder: Path) -> list[Path]:
    """The files that the globs name, each once, in the order of their names."""
    found = sorted({path for pattern in source.files for path in folder.glob(pattern) if path.is_file()})
    if not found:
        here = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())[:5]
        patterns = ", ".join(source.files)
        what = f"no file matches '{patterns}' for source '{source.name}'"
        holds = f"the folder holds: {', '.join(here)}" if here else "the folder is empty or missing"
        raise DataError([Problem(str(folder), f"{what}; {holds}", "mend the input's S3 URI, or 'files' of the recipe")])
    odd = [path for path in found if not path.name.lower().endswith((".csv", ".csv.gz"))]
    if odd:
        fix = "write CSV, or narrow 'files' of the recipe to '*.csv'"
        raise DataError([Problem(str(odd[0]), "only .csv and .csv.gz files are read", fix)])
    return found


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A CSV file as text, unpacked where it is gzipped."""
    if path.name.lower().endswith(".gz"):
        with gzip.open(path, "rt", encoding="utf-8-sig", newline="") as stream:
            yield stream
    else:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            yield stream


def read_header(path: Path, delimiter: str) -> tuple[tuple[str, ...], bool]:
    """The column names of a file, and whether a row follows."""
    try:
        with open_text(path) as stream:
            records = csv.reader(stream, delimiter=delimiter, strict=True)
            header, first = next(records, None), next(records, None)
    except (OSError, EOFError, UnicodeDecodeError, csv.Error) as error:
        what = f"the file cannot be read: {error}"
        raise DataError([Problem(f"{path}:1", what, "write it as CSV in UTF-8, and upload it again")]) from error
    if not header:
        what = "the file is empty: not even a header"
        raise DataError([Problem(f"{path}:1", what, "remove the file, or upload it again")])
    _refuse_repeated(path, header)
    return tuple(header), first is not None


def _refuse_repeated(path: Path, header: Iterable[str]) -> None:
    """SQL engines do not tell column names apart by case."""
    seen: set[str] = set()
    for name in header:
        if name.lower() in seen:
            what = f"column '{name}' stands twice in the header"
            raise DataError([Problem(f"{path}:1", what, "rename one of the two")])
        seen.add(name.lower())


def _missing(path: Path, header: Sequence[str], source: Source, wanted: Sequence[Column]) -> list[Problem]:
    found = []
    for column in wanted:
        if column.name not in header:
            what = f"'{column.name}' is not a column of {path.name}"
            fix = suggestion(column.name, header)
            found.append(Problem(str(source.places[column.name]), what, fix))
    return found
