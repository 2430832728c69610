"""What a `.dockerignore` leaves out. Takes its folder or text; gives a test for paths below the folder.

The rules are Docker's: Go's `filepath.Match` and `**`; a rule matches an entry and all below it; the last rule that
matches decides; `!` takes back in.
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Callable
from pathlib import Path

_TOKEN = re.compile(r"\*\*/?|\*|\?|\[\^?[^\]]+\]|\\.|.", re.DOTALL)
_TRANSLATED = {"**/": "(?:.*/)?", "**": ".*", "*": "[^/]*", "?": "[^/]"}


def read_rules(folder: Path, dockerfile: str = "Dockerfile") -> Callable[[str], bool]:
    """The rules of a build context: `Dockerfile.dockerignore` before `.dockerignore`; without either, none."""
    files = (folder / name for name in (f"{dockerfile}.dockerignore", ".dockerignore"))
    return ignore_rules(next((file.read_text(encoding="utf-8") for file in files if file.is_file()), ""))


def ignore_rules(text: str) -> Callable[[str], bool]:
    """A test for POSIX paths relative to the folder. Raises `ValueError` for a malformed rule."""
    lines = (line.strip() for line in text.splitlines())
    rules = [_rule(line) for line in lines if line and not line.startswith("#")]

    def ignored(path: str) -> bool:
        return next((leaves_out for pattern, leaves_out in reversed(rules) if pattern.fullmatch(path)), False)

    return ignored


def _rule(line: str) -> tuple[re.Pattern[str], bool]:
    """A rule as a pattern over whole paths, and whether it leaves out what matches."""
    rule = posixpath.normpath(line.removeprefix("!").strip().lstrip("/") or ".")
    expression = "".join(_translated(token) for token in _TOKEN.findall(rule)) if rule != "." else "(?!)"
    try:
        return re.compile(f"{expression}(?:/.*)?", re.DOTALL), not line.startswith("!")
    except re.error as error:
        raise ValueError(f"the rule {line!r} of .dockerignore is malformed") from error


def _translated(token: str) -> str:
    if token in _TRANSLATED:
        return _TRANSLATED[token]
    if token.startswith("[") and len(token) > 1:
        return token
    return re.escape(token.removeprefix("\\") or token)
