"""Launchers (launcher.py), one of which is always started ahead: a container does not wait for an interpreter."""

from __future__ import annotations

import os
import socket
import subprocess
import threading
import weakref
from contextlib import ExitStack, suppress
from typing import NamedTuple

from pipelines.local.runner.sandbox import launch_command


class Launched(NamedTuple):
    """A launcher, and the socket over which it takes orders: its standard input. It ends when that is closed."""

    process: subprocess.Popen[bytes]
    control: socket.socket


class Launchers:
    """Gives launchers that wait for their order."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._ahead: list[Launched] = []
        weakref.finalize(self, _discard, self._ahead)

    def take(self) -> Launched:
        """The one that was started ahead, if there is one."""
        with self._lock:
            found = self._ahead.pop() if self._ahead else None
        if found and found.process.poll() is not None:
            _discard([found])
            found = None
        return found or _launch()

    def prepare(self) -> None:
        """Start one ahead, unless one is there; where that cannot be, `take` will tell."""
        with self._lock, suppress(OSError):
            if not self._ahead:
                self._ahead.append(_launch())


def _launch() -> Launched:
    ours, theirs = socket.socketpair()
    with ExitStack() as failed, theirs:
        failed.callback(ours.close)
        process = subprocess.Popen(
            launch_command(),
            stdin=theirs.fileno(),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            cwd="/",
            # An interpreter with a shared library may need the path; the job itself does not get it.
            env={name: value for name, value in os.environ.items() if name == "LD_LIBRARY_PATH"},
            start_new_session=True,  # neither Ctrl-C nor a closed terminal reaches the job past the server
        )
        failed.pop_all()
    return Launched(process, ours)


def _discard(launched: list[Launched]) -> None:
    for process, control in launched:
        control.close()
        if process.stdout:
            process.stdout.close()
        process.wait()
    launched.clear()
