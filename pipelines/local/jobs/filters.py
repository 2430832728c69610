"""DataProcessing of a batch transform: InputFilter, JoinSource and OutputFilter on CSV and JSON records. Pure.

Of JSONPath it knows members, positions, slices and lists of either ($.a['b'][0][1:][0,2]): what picks parts of one
record. Everything else is refused when the job begins.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

_PART: Final = re.compile(r"\.(?P<name>[A-Za-z_][\w-]*)|\[(?P<inner>[^\[\]]+)\]")
_NAME: Final = re.compile(r"""\s*(?:'([^']*)'|"([^"]*)")\s*""")
_NUMBER: Final = re.compile(r"\s*(-?\d+)\s*")
_SLICE: Final = re.compile(r"\s*(-?\d*)\s*:\s*(-?\d*)\s*")
OUTPUT, INPUT = "SageMakerOutput", "SageMakerInput"

Selector = str | int | slice | tuple[str, ...] | tuple[int, ...]


class FilterError(Exception):
    """A filter that is not known, or that a record does not fit; the text says why."""


@dataclass(frozen=True)
class Path:
    """A filter's JSONPath; no selectors: the whole record."""

    text: str
    selectors: tuple[Selector, ...] = ()

    def of(self, record: Any) -> Any:
        """The part of a record that it picks. Raises `FilterError`."""
        for selector in self.selectors:
            try:
                record = _picked(record, selector)
            except (KeyError, IndexError, TypeError) as error:
                raise FilterError(f"{self.text} picks nothing of a record: {type(error).__name__} {error}") from error
        return record


def parse_path(text: str | None) -> Path:
    """A filter's path. Raises `FilterError` for one that is not known here."""
    if not text:
        return Path("$")
    selectors: list[Selector] = []
    place = 1
    while place < len(text):
        part = _PART.match(text, place)
        selector = (part["name"] or _selector(part["inner"])) if part else None
        if part is None or selector is None:
            break
        selectors.append(selector)
        place = part.end()
    if not text.startswith("$") or place < len(text):
        raise FilterError(
            f"the filter {text!r} is not executed locally; fix: write members, positions and slices, as $.a[0] or $[1:]"
        )
    return Path(text, tuple(selectors))


def _selector(inner: str) -> Selector | None:
    parts = inner.split(",")
    names = [_NAME.fullmatch(part) for part in parts]
    numbers = [_NUMBER.fullmatch(part) for part in parts]
    if all(names):
        found = tuple(match[1] if match[1] is not None else match[2] for match in names if match)
        return found if len(found) > 1 else found[0]
    if all(numbers):
        places = tuple(int(match[1]) for match in numbers if match)
        return places if len(places) > 1 else places[0]
    cut = _SLICE.fullmatch(inner)
    return slice(*(int(end) if end else None for end in cut.groups())) if cut else None


def _picked(record: Any, selector: Selector) -> Any:
    if isinstance(selector, tuple):
        if isinstance(record, Mapping):
            return {name: record[name] for name in selector}
        return [record[place] for place in selector]
    if isinstance(record, str):
        raise TypeError("of a text")
    return record[selector]


@dataclass(frozen=True)
class Format:
    """How records are written: CSV, or JSON."""

    csv: bool

    def read(self, text: bytes) -> Any:
        """One record. Raises `FilterError`."""
        try:
            if self.csv:
                return next(csv.reader([text.decode("utf-8")]), [])
            return json.loads(text)
        except (ValueError, csv.Error) as error:
            raise FilterError(f"a record is no {'CSV' if self.csv else 'JSON'}: {error}") from error

    def write(self, record: Any) -> bytes:
        """One record, without a line end."""
        if not self.csv:
            return json.dumps(record, ensure_ascii=False).encode()
        columns = record if isinstance(record, Sequence) and not isinstance(record, str) else [record]
        written = io.StringIO()
        csv.writer(written, lineterminator="").writerow(columns)
        return written.getvalue().encode()


def format_of(content_type: str) -> Format:
    """The format that a content type names. Raises `FilterError` for others than CSV and JSON."""
    kind = content_type.partition(";")[0].strip().lower()
    if kind == "text/csv":
        return Format(csv=True)
    if kind in ("application/json", "application/jsonlines", "application/x-jsonlines"):
        return Format(csv=False)
    raise FilterError(f"DataProcessing of {content_type or 'data without a ContentType'} is not executed locally")


def joined(record: Any, answer: Any, formats: tuple[Format, Format]) -> Any:
    """A record and its answer as one: columns beside columns, or the answer as a member of the record."""
    given, got = formats
    if given.csv:
        columns = answer if got.csv or isinstance(answer, list) else [answer]
        if any(isinstance(column, dict | list) for column in columns):
            raise FilterError("an answer that is a JSON object cannot be joined with CSV")
        return [*record, *columns]
    value = answer[0] if got.csv and len(answer) == 1 else answer
    return {**record, OUTPUT: value} if isinstance(record, dict) else {INPUT: record, OUTPUT: value}


@dataclass(frozen=True)
class DataProcessing:
    """What is sent of a payload's records, and what is kept of the answers."""

    input: Path
    output: Path
    join: bool
    given: Format
    accept: str

    def body(self, records: Sequence[bytes]) -> bytes:
        """The request for these records. Raises `FilterError`."""
        lines = (self.given.write(self.input.of(self.given.read(record))) for record in records)
        return b"".join(line + b"\n" for line in lines)

    def kept(self, records: Sequence[bytes], answer: bytes, content_type: str) -> bytes:
        """What goes into the output for these records. Raises `FilterError`."""
        got = format_of(self.accept or content_type)
        answers = [line for line in answer.splitlines() if line.strip()] if len(records) > 1 or got.csv else [answer]
        if self.join and len(answers) != len(records):
            raise FilterError(
                f"{len(records)} records were answered with {len(answers)}, so they cannot be joined; "
                "fix: answer one line for each record, or set BatchStrategy SingleRecord"
            )
        values: list[Any] = [got.read(line) for line in answers]
        if self.join:
            pairs = zip(records, values, strict=True)
            values = [joined(self.given.read(record), value, (self.given, got)) for record, value in pairs]
        written = self.given if self.join else got
        return b"".join(written.write(self.output.of(value)) + b"\n" for value in values)


def data_processing(request: Mapping[str, Any]) -> DataProcessing | None:
    """The DataProcessing of a CreateTransformJob request; None for one that leaves records as they are.

    Raises `FilterError` for what is not executed locally.
    """
    asked = request.get("DataProcessing") or {}
    paths, join = (parse_path(asked.get("InputFilter")), parse_path(asked.get("OutputFilter"))), asked.get("JoinSource")
    if not any(path.selectors for path in paths) and join in (None, "None"):
        return None
    given = format_of(request["TransformInput"].get("ContentType", ""))
    return DataProcessing(*paths, join == "Input", given, request["TransformOutput"].get("Accept", ""))
