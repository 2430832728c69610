"""Finds the values that are not of their column's declared type: file, line, column. Runs when SQL has counted some."""

from __future__ import annotations

import csv
import gzip
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import date, datetime
from itertools import zip_longest
from pathlib import Path

from processing.columns import Column, ColumnType
from processing.csv_files import open_text
from processing.errors import Problem
from processing.recipe.model import Source
from processing.sources import Inventory
from processing.sql.kinds import DATE_FORM, FLAGS, NUMBER_FORM, TIMESTAMP_FORM

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


def is_number(text: str) -> bool:
    return re.fullmatch(NUMBER_FORM, text, re.ASCII) is not None


def is_flag(text: str) -> bool:
    return text.lower() in FLAGS["true"] + FLAGS["false"]


_CHECKS: Mapping[ColumnType, tuple[Callable[[str], bool], str]] = {
    ColumnType.INTEGER: (is_integer, "a whole number in plain digits"),
    ColumnType.NUMBER: (is_number, "a number"),
    ColumnType.BOOLEAN: (is_flag, "true or false"),
    ColumnType.DATE: (is_date, "a date such as 2013-01-31"),
    ColumnType.TIMESTAMP: (is_timestamp, "a timestamp such as 2013-01-31 05:00:00, in UTC or without a zone"),
}


def find_misfits(source: Source, inventory: Inventory, wanted: Sequence[Column]) -> list[Problem]:
    """The first few values that do not fit, in the files' order."""
    found: list[Problem] = []
    for path in inventory.files:
        for problem in _in_file(path, source, wanted):
            found.append(problem)
            if len(found) == _SHOWN:
                return found
    return found


def _in_file(path: Path, source: Source, wanted: Sequence[Column]) -> Iterator[Problem]:
    checks = [(column, *_CHECKS[column.type]) for column in wanted if column.type in _CHECKS]
    records = {"csv": _csv_records, "json": _json_records}.get(source.format)
    if records is None:  # a Parquet file has no lines: the column and the file have to do
        names = ", ".join(column.name for column, _, _ in checks)
        what = f"a value of {names} is not of its declared type"
        yield Problem(str(path), what, "declare what the file holds, or rewrite it")
        return
    broken = _not_utf8(path)
    if broken is not None:
        yield broken
        return
    for line, texts in records(path, source):
        if None in texts.values() and source.format == "csv":
            yield Problem(f"{path}:{line}", "the record has fewer or more fields than the header", "mend the file")
        for column, check, kind in checks:
            text = texts.get(column.name)
            if text is not None and text not in source.null and not check(text):
                yield _problem(path, line, column, text, kind)


def _not_utf8(path: Path) -> Problem | None:
    """Only Spark comes here with such a file: DuckDB's reader rejects the record."""
    with gzip.open(path, "rb") if path.name.lower().endswith(".gz") else path.open("rb") as raw:
        lines = enumerate(raw, 1)
        number = next((n for n, line in lines if line.decode("utf-8", errors="ignore").encode() != line), None)
    if number is None:
        return None
    return Problem(f"{path}:{number}", "the file is not UTF-8", "write it as UTF-8")


def _csv_records(path: Path, source: Source) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    with open_text(path) as stream:
        records = csv.reader(stream, delimiter=source.delimiter)
        header = next(records)
        for record in records:
            if record:  # a blank line is no record
                held = record if len(record) <= len(header) else [*record[: len(header) - 1], None]
                yield records.line_num, dict(zip_longest(header, held))


def _json_records(path: Path, _source: Source) -> Iterator[tuple[int, Mapping[str, str | None]]]:
    with open_text(path) as stream:
        for number, line in enumerate(stream, 1):
            record = json.loads(line, parse_float=str, parse_int=str) if line.strip() else {}
            yield number, {name: _plain(value) for name, value in record.items()}


def _plain(value: object) -> str | None:
    """A JSON value as the text that the engine reads."""
    return value if value is None or isinstance(value, str) else json.dumps(value)


def _problem(path: Path, line: int, column: Column, text: str, kind: str) -> Problem:
    what = f"column '{column.name}': '{text[:80]}' is not {kind}"
    fix = f"mend the file; or declare '{column.name}: string', or add '{text[:80]}' to 'null_text' of '{column.source}'"
    return Problem(f"{path}:{line}", what, fix)
