"""The containers of one job: started together, waited for together, stopped together."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, SimpleQueue
from typing import Protocol

from pipelines.local.runner.process import Container, ContainerRequest


class Runner(Protocol):
    """Runs containers."""

    def overlays(self, folder: Path) -> bool:
        """Whether the request of a container whose /opt/ml lies below `folder` may have files staged."""

    def start(self, request: ContainerRequest) -> Container:
        """Start one. Raises `LocalError` when it cannot be."""


@dataclass(frozen=True)
class Ending:
    """How the containers ended: the exit code of the first that failed and its place among them, or 0 and 0."""

    code: int = 0
    host: int = 0


class Cluster:
    """`stop` may come at any time and from any thread, also before `start`.

    When one has failed, the others have `grace` seconds to end.
    """

    def __init__(self, grace: float) -> None:
        self._grace = grace
        self._lock = threading.Lock()
        self._stopping: float | None = None  # the grace, once a stop was asked for
        self._containers: list[Container] = []
        self._ended: SimpleQueue[Ending] = SimpleQueue()
        self._left = 0
        self._first = Ending()

    def start(self, runner: Runner, requests: Sequence[ContainerRequest]) -> None:
        """Start all; when one cannot be, those before it are ended. Raises `LocalError`."""
        try:
            for request in requests:
                # Not under the lock: it may build an environment, and a stop must not wait for that.
                self._started(runner.start(request))
        except BaseException:
            self.stop(0)
            self.wait(None)
            raise

    def wait(self, seconds: float | None) -> Ending | None:
        """How it ended once all have; None when the time is over. The first that fails ends the others."""
        deadline = None if seconds is None else time.monotonic() + seconds
        while self._left:
            try:
                ending = self._ended.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
            except Empty:
                return None
            self._left -= 1
            if ending.code and not self._first.code:
                self._first = ending
                self.stop(self._grace)
        return self._first

    def stop(self, grace: float) -> None:
        """SIGTERM to every program, SIGKILL after `grace` seconds; returns at once."""
        with self._lock:
            self._stopping = grace
            containers = list(self._containers)
        for container in containers:
            container.stop(grace)

    def _started(self, container: Container) -> None:
        with self._lock:
            number = len(self._containers)
            self._containers.append(container)
            grace = self._stopping
        self._left += 1
        if grace is not None:
            container.stop(grace)

        def watch() -> None:
            self._ended.put(Ending(container.wait() or 0, number))

        threading.Thread(target=watch, name=f"host-{number + 1}", daemon=True).start()
