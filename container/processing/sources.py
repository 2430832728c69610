"""Finds the files of a source and learns what columns they have.

In: a `Source`, the folder of its processing input, and an engine that knows Parquet. Out: `Inventory`: files by
layout, and what is not read of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from processing.columns import Column, ColumnType
from processing.csv_files import read_header, refuse_repeated
from processing.errors import DataError, Problem
from processing.json_files import read_keys
from processing.nearest import suggestion
from processing.recipe.model import Source

Layout = tuple[tuple[str, str], ...]
"""Column names of a file in its order, each with the kind of what is read: see sql/kinds.py."""

ENDINGS: Mapping[str, tuple[str, ...]] = {
    "csv": (".csv", ".csv.gz"),
    "parquet": (".parquet", ".pq"),
    "json": (".json", ".jsonl", ".ndjson", ".json.gz", ".jsonl.gz", ".ndjson.gz"),
}

_HELD: Mapping[ColumnType, tuple[str, ...]] = {
    ColumnType.STRING: ("text", "whole", "flag"),
    ColumnType.INTEGER: ("whole", "number", "text"),
    ColumnType.NUMBER: ("number", "whole", "text"),
    ColumnType.BOOLEAN: ("flag", "text"),
    ColumnType.DATE: ("date", "text"),
    ColumnType.TIMESTAMP: ("time", "date", "text"),
}
"""What a Parquet column may hold for each declared type."""


class ParquetReader(Protocol):
    """The part of an engine that looks into a Parquet file."""

    def layout(self, path: Path) -> tuple[Layout, int]:
        """Names and kinds of the columns, and the number of rows; DataError where it is no whole Parquet file."""
        ...


@dataclass(frozen=True)
class Inventory:
    """The files of one source. Files whose columns differ are read apart, each column found by its name."""

    by_layout: tuple[tuple[Layout, tuple[Path, ...]], ...]
    header_only: tuple[Path, ...]
    not_read: tuple[str, ...]
    names: frozenset[str]

    @property
    def files(self) -> tuple[Path, ...]:
        return tuple(path for _, paths in self.by_layout for path in paths)


def take_inventory(
    source: Source, files: Sequence[Path], wanted: Sequence[Column], parquet: ParquetReader
) -> Inventory:
    """The files of a source by layout; DataError when a wanted column is not in them, or no row."""
    folder = files[0].parent
    layouts: dict[Layout, list[Path]] = {}
    empty = []
    problems: list[Problem] = []
    names: dict[str, None] = {}
    for path in files:
        layout, has_rows = _look(path, source, parquet)
        names |= dict.fromkeys(name for name, _ in layout)
        if source.format == "json":
            layout = tuple((column.name, "text") for column in wanted)  # a key that is missing is a null
        else:
            problems += [*_missing(path, layout, source, wanted), *_unfit(path, layout, source, wanted)]
        layouts.setdefault(layout, []).append(path)
        if not has_rows:
            empty.append(path)
    if source.format == "json" and len(empty) < len(files):
        problems += _missing(folder, tuple((name, "") for name in names), source, wanted)
    if problems:
        raise DataError(problems[:5])
    if len(empty) == len(files):
        what = f"source '{source.name}' has no rows: {len(files)} file(s) hold a header only"
        raise DataError([Problem(str(folder), what, "see what wrote the input; at least one row is needed")])
    not_read = sorted(set(names) - {column.name for column in wanted})
    by_layout = tuple((layout, tuple(paths)) for layout, paths in layouts.items())
    return Inventory(by_layout, tuple(empty), tuple(not_read), frozenset(names))


def find_files(source: Source, folder: Path) -> list[Path]:
    """The files that the globs name, each once, in the order of their names."""
    found = sorted({path for pattern in source.files for path in folder.glob(pattern) if path.is_file()})
    if not found:
        here = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file())[:5]
        patterns = ", ".join(source.files)
        what = f"no file matches '{patterns}' for source '{source.name}'"
        holds = f"the folder holds: {', '.join(here)}" if here else "the folder is empty or missing"
        raise DataError([Problem(str(folder), f"{what}; {holds}", "mend the input's S3 URI, or 'files' of the recipe")])
    endings = ENDINGS[source.format]
    odd = [path for path in found if not path.name.lower().endswith(endings)]
    if odd:
        what = f"a source with 'format: {source.format}' reads {', '.join(endings)}"
        other = next((form for form, ends in ENDINGS.items() if odd[0].name.lower().endswith(ends)), None)
        fix = f"write 'format: {other}'" if other else f"narrow 'files' of the recipe to '*{endings[0]}'"
        raise DataError([Problem(str(odd[0]), what, fix)])
    return found


def _look(path: Path, source: Source, parquet: ParquetReader) -> tuple[Layout, bool]:
    """The columns of a file, and whether it has a row."""
    match source.format:
        case "csv":
            header, has_rows = read_header(path, source.delimiter)
            return tuple((name, "csv") for name in header), has_rows
        case "json":
            keys, has_rows = read_keys(path)
            return tuple((name, "text") for name in keys), has_rows
        case "parquet":
            layout, rows = parquet.layout(path)
            refuse_repeated(path, (name for name, _ in layout))
            return layout, rows > 0
    raise ValueError(f"unknown format {source.format}")


def _missing(path: Path, layout: Layout, source: Source, wanted: Sequence[Column]) -> list[Problem]:
    names = [name for name, _ in layout]
    return [
        Problem(
            str(source.places[column.name]),
            f"'{column.name}' is not a column of {path.name}",
            suggestion(column.name, names),
        )
        for column in wanted
        if column.name not in names
    ]


def _unfit(path: Path, layout: Layout, source: Source, wanted: Sequence[Column]) -> list[Problem]:
    """Columns of a Parquet file that hold what their declared type cannot take."""
    held = dict(layout)
    found = []
    for column in wanted:
        kind = held.get(column.name, "csv")
        if kind != "csv" and kind not in _HELD[column.type]:
            what = f"'{column.name}' is declared {column.type}, but {path.name} holds {kind}"
            found.append(Problem(str(source.places[column.name]), what, "declare what it holds, or rewrite the file"))
    return found
