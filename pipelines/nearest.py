"""The known name nearest to one that is not known."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be, or None."""
    by_lower = {candidate.lower(): candidate for candidate in known}
    if name.lower() in by_lower:
        return by_lower[name.lower()]
    found = difflib.get_close_matches(name.lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def suggestion(name: str, known: Iterable[str], *, what: str = "one of", otherwise: str = "") -> str:
    """A mend for an unknown name: the nearest known one, or all of them; `otherwise` is the other way to mend it."""
    names = list(known)
    close = nearest(name, names)
    if close:
        return f"did you mean {close!r}?" + (f" Or {otherwise}" if otherwise else "")
    if names:
        return f"use {what}: {', '.join(names)}" + (f"; or {otherwise}" if otherwise else "")
    return otherwise or "there are none: remove it"
