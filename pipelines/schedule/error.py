"""A malformed schedule expression, start, end or timezone."""

from __future__ import annotations


class ScheduleError(ValueError):
    """What is wrong, and how to write it; whoever knows the place adds it."""

    def __init__(self, what: str, fix: str) -> None:
        self.what, self.fix = what, fix
        super().__init__(what)
