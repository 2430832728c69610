"""What a `.dockerignore` leaves out. Takes its folder or text; gives a test for paths below the folder.

The rules are Docker's: Go's `filepath.Match` and `**`; a rule matches an entry and all below it; the last rule that
matches decides; `!` takes back in. What a path costs grows with its length and the rules', whatever they say: the
places of a path that a rule has come to are the bits of a number, and no way is tried twice.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path

_TOKEN = re.compile(r"\*\*/?|\*|\?|\[\^?[^\]]+\]|\\.|[^*?\[\\]+|.", re.DOTALL)
Step = Callable[[int, str], int]
"""Places in a path (bit n: before its character n) → the places that one token of a rule leads to from them."""


def read_rules(folder: Path, dockerfile: str = "Dockerfile") -> Callable[[str], bool]:
    """The rules of a build context: `Dockerfile.dockerignore` before `.dockerignore`; without either, none."""
    files = (folder / name for name in (f"{dockerfile}.dockerignore", ".dockerignore"))
    return ignore_rules(next((file.read_text(encoding="utf-8") for file in files if file.is_file()), ""))


def ignore_rules(text: str) -> Callable[[str], bool]:
    """A test for POSIX paths relative to the folder. Raises `ValueError` for a malformed rule."""
    lines = (line.strip() for line in text.splitlines())
    rules = [_rule(line) for line in lines if line and not line.startswith("#")]

    def ignored(path: str) -> bool:
        return next((leaves_out for steps, leaves_out in reversed(rules) if _matches(steps, path)), False)

    return ignored


def _rule(line: str) -> tuple[Sequence[Step] | None, bool]:
    """The steps of a rule (None: it matches nothing), and whether it leaves out what matches."""
    rule = posixpath.normpath(line.removeprefix("!").strip().lstrip("/") or ".")
    try:
        steps = [_step(token) for token in _TOKEN.findall(rule)] if rule != "." else None
    except re.error as error:
        raise ValueError(f"the rule {line!r} of .dockerignore is malformed") from error
    return steps, not line.startswith("!")


def _matches(steps: Sequence[Step] | None, path: str) -> bool:
    """Whether the steps lead through the whole path, or to a slash in it."""
    places = 1 if steps is not None else 0
    for step in steps or ():
        places = step(places, path)
        if not places:
            return False
    return bool(places >> len(path) & 1 or places & _slashes(path))


def _step(token: str) -> Step:
    """What a token does: a wildcard, or plain characters. Raises `re.error` for a malformed class of characters."""
    match token:
        case "**":
            return _from_lowest
        case "**/":
            return lambda places, path: places | _from_lowest(places, path) & _slashes(path) << 1
        case "*":
            return _through_names
        case "?":
            return lambda places, path: (places & _names(path)) << 1
    if len(token) > 1 and token.startswith("["):
        fits = re.compile(token, re.DOTALL).fullmatch
        return lambda places, path: (places & sum(1 << at for at, one in enumerate(path) if fits(one))) << 1
    literal = token.removeprefix("\\") or token
    return lambda places, path: (places & _found(path, literal)) << len(literal)


def _found(path: str, text: str) -> int:
    """The places where a text begins."""
    places, at = 0, path.find(text)
    while at >= 0:
        places |= 1 << at
        at = path.find(text, at + 1)
    return places


@lru_cache(maxsize=256)
def _slashes(path: str) -> int:
    return _found(path, "/")


def _names(path: str) -> int:
    """The places of all characters but slashes."""
    return (1 << len(path)) - 1 ^ _slashes(path)


def _from_lowest(places: int, path: str) -> int:
    """The lowest of the places and all after it."""
    return (1 << len(path) + 1) - (places & -places)


def _through_names(places: int, path: str) -> int:
    """The places, and those after them up to the next slash."""
    names = _names(path)
    while (further := places | (places & names) << 1) != places:
        places = further
    return places
