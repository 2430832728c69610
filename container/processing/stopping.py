"""A stop that waits until the work at hand is saved: between the thread that has the signal and the one that works.

The working thread says that it can save (`saves`), looks now and then whether a stop is wanted, and then tells that all
is saved. While nothing can be saved, a stop is immediate.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import NoReturn

GRACE = 100.0
"""Seconds for saving; the service kills 120 seconds after its SIGTERM."""


class Stop:
    """Whether a stop is wanted, and whether the work was saved."""

    def __init__(self) -> None:
        self._wanted = threading.Event()
        self._saved = threading.Event()
        self._can_save = False
        self._note = ""

    @property
    def wanted(self) -> bool:
        return self._wanted.is_set()

    @contextmanager
    def saves(self) -> Iterator[None]:
        """For as long as the context lasts, the working thread looks at `wanted`."""
        self._can_save = True
        try:
            yield
        finally:
            self._can_save = False

    def want(self) -> str:
        """By the thread that has the signal: waits for the work to be saved, if it can be; tells what was saved."""
        if self._can_save:
            self._wanted.set()
            self._saved.wait(GRACE)
        return self._note

    def saved(self, note: str) -> NoReturn:
        """By the working thread: all is saved, as `note` tells. The thread that has the signal ends the program."""
        self._note = note
        self._saved.set()
        while True:
            time.sleep(GRACE)
