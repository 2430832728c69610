"""JSON lines: one object a line. The keys of the first lines of a file, and the line that is none.

In: a path. Out: names, or the place and reason of the first line that is no object.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from processing.csv_files import open_text, refuse_repeated
from processing.errors import DataError, Problem

SAMPLED = 200
"""Lines looked at for the names of columns; a key that first comes later is read all the same if it is declared."""


def read_keys(path: Path) -> tuple[tuple[str, ...], bool]:
    """The keys of the first lines, in their order, and whether there is a line."""
    keys: dict[str, None] = {}
    some = False
    for number, record in _objects(path, SAMPLED):
        refuse_repeated(Path(f"{path}:{number}"), record)
        keys |= dict.fromkeys(record)
        some = True
    return tuple(keys), some


def find_broken(path: Path) -> Problem | None:
    """The first line that is no JSON object; None when all are."""
    try:
        for _ in _objects(path, None):
            pass
    except DataError as error:
        return error.problems[0]
    return None


def _objects(path: Path, most: int | None) -> Iterator[tuple[int, dict[str, Any]]]:
    """Line number and object of each line; DataError at the first that is none."""
    number = 0
    try:
        with open_text(path) as stream:
            for number, line in enumerate(stream, 1):
                if most is not None and number > most:
                    return
                if not line.strip():
                    continue
                record = json.loads(line)
                if not isinstance(record, dict):
                    raise DataError([_broken(path, number, "the line is no object")])
                yield number, record
    except ValueError as error:  # UnicodeDecodeError is one, too
        raise DataError([_broken(path, number + isinstance(error, UnicodeDecodeError), str(error))]) from error
    except (OSError, EOFError) as error:
        raise DataError([_broken(path, max(number, 1), f"the file cannot be read: {error}")]) from error


def _broken(path: Path, line: int, reason: str) -> Problem:
    return Problem(f"{path}:{line}", f"not a line of JSON: {reason}", "write one JSON object a line, in UTF-8")
