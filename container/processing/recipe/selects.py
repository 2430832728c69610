"""What a source's `select` makes of columns that are known only after the target: none comes out under another name.

In: a `Recipe`. Out: the problems found. The select is read word by word, since a recipe is checked where no SQL engine
is. A late column may stand in the list behind the first SELECT, in an item whose output is itself late (the target's
column is) or is not declared; anywhere else it might choose rows or be renamed. What cannot be told apart is refused.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from processing.errors import Problem
from processing.recipe.model import Recipe, Source

_WORD = re.compile(r"""'(?:[^']|'')*' | "(?:[^"]|"")*" | `(?:[^`]|``)*` | \w+ | \S""", re.VERBOSE)
_OBSCURE = re.compile(r"--|/\*|\\|\$")
"""Comments, escapes, dollar quotes: engines differ in where a text ends, so such a statement is not taken apart."""
_BY_PLACE = {"union", "intersect", "pivot", "unpivot", "natural"}
"""With `*`, these match or rename columns without naming them."""

_KEYWORDS = {"all", "and", "any", "as", "between", "by", "else", "except", "exists", "filter", "having", "in", "like"}
_KEYWORDS |= {"intersect", "not", "on", "or", "over", "select", "then", "union", "using", "when", "where"}
"""What may stand between two parentheses and is no name."""


@dataclass(frozen=True)
class _Late:
    """In lower case: the late columns in reach of a select, its declared columns that are not late, its tables."""

    columns: frozenset[str]
    open: frozenset[str]
    tables: frozenset[str]


def leaks(recipe: Recipe, late: frozenset[str]) -> list[Problem]:
    """The selects that hide a late column (`late`, as `source.column`)."""
    found = []
    for source in recipe.sources.values():
        for column in sorted(_hidden(source.select, _reach(recipe, source, late))) if source.select else ():
            what = (
                f"the select of '{source.name}' uses '{column}', known only after the target, "
                "for a column that is not under known_after, or to choose rows"
            )
            fix = f"take '{column}' out, or write '… AS name' in the list behind SELECT, and 'name' under known_after"
            found.append(Problem(str(source.places[""]), what, fix))
    return found


def _reach(recipe: Recipe, source: Source, late: frozenset[str]) -> _Late:
    """The target's column is late in the tables that it is selected from, too."""
    own = recipe.target.column
    mine = {own.name} if own.source == source.name else set()
    tables = {table: recipe.sources[table].columns for table in source.of if table in recipe.sources}
    columns = {name for table, names in tables.items() for name in names if f"{table}.{name}" in late or name in mine}
    open_ = {name for name in source.columns if f"{source.name}.{name}" not in late}
    return _Late(*(frozenset(name.lower() for name in names) for names in (columns, open_, tables)))


def _hidden(select: str, late: _Late) -> set[str]:
    """The late columns that may come out under an open name, or choose rows."""
    if not late.columns:
        return set()
    if _OBSCURE.search(select):
        found = {name for name in late.columns if re.search(rf"(?<!\w){re.escape(name)}(?!\w)", select.lower())}
        return found | set(late.columns & late.open)
    words = [_name(word) for word in _WORD.findall(select)]
    items, rest = _parted(words)
    found = set(late.columns) if _nameless(" ".join(words)) else set(rest) & late.columns
    if "*" in words or not items:
        found |= late.columns & late.open  # passed on under its own name
    rows = _rows(" ".join(rest), late)
    for item in items:
        output, used = _item(item, late, rows)
        if output is None or output in late.open:
            found |= used
    return found


def _name(word: str) -> str:
    """Names without their quotes, in lower case; a text keeps its quotes, so that it is no name."""
    if word[0] in '"`' and len(word) > 1:
        return word[1:-1].replace(word[0] * 2, word[0]).lower()
    return word if word[0] == "'" else word.lower()


def _parted(words: Sequence[str]) -> tuple[list[list[str]], list[str]]:
    """The items behind the first SELECT, and what follows them; no items where the statement starts otherwise."""
    if words[:1] != ["select"]:
        return [], list(words)
    items: list[list[str]] = [[]]
    depth = 0
    for place, word in enumerate(words[1:], start=1):
        depth += (word in "([{") - (word in ")]}")
        if depth == 0 and word == "from":
            return items, list(words[place:])
        if depth == 0 and word == ",":
            items.append([])
        elif place > 1 or word not in ("distinct", "all"):
            items[-1].append(word)
    return items, []


def _item(item: list[str], late: _Late, rows: set[str]) -> tuple[str | None, set[str]]:
    """The name of an item's output (None: not told), and the late columns that it uses."""
    if "*" in item[:3:2] and not {"rename", "replace"} & set(item):
        return "", set()  # columns under their own names, less those that are left out
    used = set(item) & late.columns
    before = ["", *item]
    for previous, word, following in zip(before, item, [*item[1:], ""], strict=False):
        whole_row = word in rows and "." not in (previous, following) and following != "(" and previous != "as"
        if whole_row or (word == "*" and previous in (",", ".")):
            used = set(late.columns)
    if len(item) > 1 and item[-2] == "as":
        return item[-1].strip("'").lower(), used
    plain = len(item) % 2 == 1 and all(word == "." for word in item[1::2])
    return (item[-1] if plain else None), used


def _rows(rest: str, late: _Late) -> set[str]:
    """The tables and the names given to them: as values, they are whole rows."""
    tables = "|".join(map(re.escape, late.tables))
    return set(late.tables) | set(re.findall(rf"(?:\bfrom|\bjoin|,) (?:{tables}) (?:as )?(\w+)", rest))


def _nameless(text: str) -> bool:
    """Whether columns are reached, or named anew, without their names."""
    by_place = " * " in text and bool(_BY_PLACE & set(text.split())) and " by name " not in text
    # `orders AS o (a, b)`, `(…) AS t (a, b)`, `WITH t (a, b) AS`
    listed = [*re.findall(r"\) (?:as )?(\w+) \(", text), *re.findall(r"\b(?:from|join) \w+ (?:as )?(\w+) \(", text)]
    anew = set(listed) - _KEYWORDS or re.search(r"\bwith (?:recursive )?\w+ \(", text)
    whole_row = re.search(r"(?<!count) \( (?:\w+ \. )?\* \)|\bcolumns \(|# \d", text)
    return bool(by_place or anew or whole_row)
