"""CSV files: opened whether packed or not, and their headers.

In: a path. Out: text, or the column names and whether a row follows.
"""

from __future__ import annotations

import csv
import gzip
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from processing.errors import DataError, Problem

csv.field_size_limit(16 * 1024 * 1024)


@contextmanager
def open_text(path: Path) -> Iterator[TextIO]:
    """A file as UTF-8 text, unpacked where it is gzipped."""
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
    refuse_repeated(path, header)
    return tuple(header), first is not None


def refuse_repeated(path: Path, names: Iterable[str]) -> None:
    """SQL engines do not tell column names apart by case."""
    seen: set[str] = set()
    for name in names:
        if name.lower() in seen:
            what = f"column '{name}' stands twice in the header"
            raise DataError([Problem(f"{path}:1", what, "rename one of the two")])
        seen.add(name.lower())
