"""The known name closest to an unknown one, for error messages."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like `name`, whatever the case; None when nothing is alike."""
    names = {candidate.lower(): candidate for candidate in sorted(known)}
    found = difflib.get_close_matches(name.lower(), names, n=1, cutoff=0.5)
    return names[found[0]] if found else None


def suggestion(name: str, known: Iterable[str]) -> str:
    """The fix for an unknown name: the nearest known one, or the list of all."""
    names = sorted(known)
    close = nearest(name, names)
    if close is not None:
        return f"did you mean '{close}'?"
    return f"use one of: {', '.join(names)}" if names else "remove it"
