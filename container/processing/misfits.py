"""Finds the text that is not of its column's declared type: file, line, column. Only runs when SQL has counted some."""

from __future__ import annotations

import csv
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from pathlib import Path

from processing.columns import Column, ColumnType
from processing.errors import Problem
from processing.recipe.model import Source
from processing.sources import open_text
from processing.sql.stage import DATE_FORM, TIMESTAMP_FORM

_SHOWN = 3


def is_integer(text: str) -> bool:
    """Digits as the engines print them: no point, no leading zero, no plus; 64 bits."""
    return re.fullmatch(r"0|-?[1-9]\d*", text, re.ASCII) is not None and -(2**63) <= int(text) < 2**63


def is_date(text: str) -> bool:
    return re.fullmatch(DATE_FORM, text, re.ASCII) is not None and _reads(date.fromisoformat, text)


def is_timestamp(text: str) -> bool:
    return re.fullmatch(TIMESTAMP_FORM, text, re.ASCII) is not None and _reads(datetime.fromisoformat, text)


def _reads(parse: Callable[[str], object], text: str) -> bool:
    try:
        parse(text)
    except ValueError:
        return False
    return True


_CHECKS: Mapping[ColumnType, tuple[Callable[[str], bool], str]] = {
    ColumnType.INTEGER: (is_integer, "a whole number in plain digits"),
    ColumnType.DATE: (is_date, "a date such as 2013-01-31"),
    ColumnType.TIMESTAMP: (is_timestamp, "a timestamp such as 2013-01-31 05:00:00, in UTC or without a zone"),
}


def find_misfits(source: Source, files: Sequence[Path], wanted: Sequence[Column]) -> list[Problem]:
    """The first few texts that do not fit, in the files' order."""
    found: list[Problem] = []
    for path in files:
        for problem in _in_file(path, source, wanted):
            found.append(problem)
            if len(found) == _SHOWN:
                return found
    return found


def _in_file(path: Path, source: Source, wanted: Sequence[Column]) -> Iterator[Problem]:
    with open_text(path) as stream:
        records = csv.reader(stream, delimiter=source.delimiter)
        header = next(records)
        checks = [(header.index(c.name), c, *_CHECKS[c.type]) for c in wanted if c.type in _CHECKS]
        for record in records:
            for index, column, check, kind in checks:
                text = record[index]
                if text not in source.null and not check(text):
                    yield _problem(path, records.line_num, column, text, kind)


def _problem(path: Path, line: int, column: Column, text: str, kind: str) -> Problem:
    what = f"column '{column.name}': '{text[:80]}' is not {kind}"
    fix = f"mend the file; or declare '{column.name}: string', or add '{text[:80]}' to 'null_text' of '{column.source}'"
    return Problem(f"{path}:{line}", what, fix)
