"""Finds the local SageMaker of a project, starts it in the background when it does not run, stops it."""

from __future__ import annotations

import fcntl
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipelines.errors import LocalError
from pipelines.local.home import Home

HEALTH = "/_local/health"
_START_SECONDS = 90.0  # the one before may take its time to stop
_ANSWER_SECONDS = 30.0  # a busy machine is no reason to take a server for gone


@dataclass(frozen=True)
class Running:
    """A server that answered."""

    endpoint: str
    pid: int
    region: str


def find(home: Home) -> Running | None:
    """The server of a home, if it answers."""
    try:
        details = json.loads(home.server.read_text(encoding="utf-8"))
        running = Running(str(details["endpoint"]), int(details["pid"]), str(details["region"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return running if _answers(running, home) else None


def ensure(home: Home, region: str) -> Running:
    """The server of a home, started if need be. Raises `LocalError` when it cannot be."""
    running = find(home)
    if running and running.region == region:
        return running
    home.create()
    with _alone(home):
        running = find(home)  # another command may have started it meanwhile
        if running and running.region == region:
            return running
        if running:
            stop(home)
        return _started(home, region)


def stop(home: Home, seconds: float = 60.0) -> bool:
    """Stop the server of a home: its executions are stopped first. False when none runs."""
    running = find(home)
    if not running:
        return False
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _is_served(home):
            return True
        time.sleep(0.02)
    fix = f"end it yourself: kill -9 {running.pid}"
    raise LocalError("the local SageMaker does not stop", where=running.endpoint, fix=fix)


def _started(home: Home, region: str) -> Running:
    try:
        log = home.server_log.open("ab")
    except OSError as error:
        raise home.refusal(error) from error
    with log:
        process = subprocess.Popen(
            # -P: a folder called `pipelines` in the current one is the user's, not we.
            [sys.executable, "-P", "-m", "pipelines.local.server", str(home.root), region],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the command, not for the server
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        running = find(home)
        if running and running.region == region:
            if running.pid != process.pid:  # one that was only slow to answer
                process.terminate()
                process.wait()
            process.returncode = 0  # it goes on without us: not to be waited for
            return running
        time.sleep(0.02)
    said = _last_line(home)
    fix = f"read {home.server_log}; then try again"
    raise LocalError(f"the local SageMaker did not start{said}", where=str(home.local), fix=fix)


def _last_line(home: Home) -> str:
    with suppress(OSError):
        lines = home.server_log.read_text(encoding="utf-8", errors="replace").splitlines()
        return f": {lines[-1]}" if lines else ""
    return ""


@contextmanager
def _alone(home: Home) -> Iterator[None]:
    """Only one command at a time starts a server; the others wait and then find it."""
    try:
        lock = home.start_lock.open("a+", encoding="utf-8")
    except OSError as error:
        raise home.refusal(error) from error
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _answers(running: Running, home: Home) -> bool:
    """Whether the server of this home is there; its port may be another program's by now."""
    address = urlsplit(running.endpoint)
    connection = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=_ANSWER_SECONDS)
    try:
        connection.request("GET", HEALTH)
        answer = json.loads(connection.getresponse().read())
        return bool(answer == {"home": str(home.root.resolve()), "pid": running.pid})
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _is_served(home: Home) -> bool:
    with suppress(OSError), home.server_lock.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _environment() -> dict[str, str]:
    """The server needs nothing of AWS's variables; what it would make of them is none of its business."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
