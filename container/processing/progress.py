"""Progress as lines of JSON on standard output, one each ten seconds: what a CloudWatch filter can read.

    {"step": "features", "stage": "write train", "seconds": 20.1, "percent": 61.3}
    {"step": "features", "stage": "write train", "seconds": 33.0, "percent": 100, "rows": 8000, "rows_per_second": 242}

In: the name of a stage and a function that tells how far it is. Out: lines.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

EVERY = 10.0


class Stage:
    """One stage at work; `rows` is set by who knows them."""

    def __init__(self, step: str, name: str) -> None:
        self._step, self._name = step, name
        self._begun = time.monotonic()
        self.rows: int | None = None

    def line(self, percent: float | None) -> str:
        seconds = time.monotonic() - self._begun
        told: dict[str, object] = {"step": self._step, "stage": self._name, "seconds": round(seconds, 1)}
        if percent is not None and percent >= 0:
            told["percent"] = round(percent, 1)
        if self.rows is not None:
            told |= {"rows": self.rows, "rows_per_second": round(self.rows / max(seconds, 1e-3))}
        return json.dumps(told)


@contextmanager
def stage_of(step: str, name: str, percent: Callable[[], float] | None = None) -> Iterator[Stage]:
    """Tell how a stage gets on while it runs, and its end."""
    stage = Stage(step, name)
    done = threading.Event()

    def tell() -> None:
        while not done.wait(EVERY):
            print(stage.line(percent() if percent is not None else None), flush=True)

    teller = threading.Thread(target=tell, name="progress", daemon=True)
    teller.start()
    try:
        yield stage
    finally:
        done.set()
        teller.join()
    print(stage.line(100.0), flush=True)
