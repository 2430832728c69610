"""Finds the local SageMaker of a project, starts it in the background when it does not run, stops it."""

from __future__ import annotations

import http.client
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass
from urllib.parse import urlsplit

from pipelines.errors import LocalError
from pipelines.local.home import Home

HEALTH = "/_local/health"
_START_SECONDS = 30.0


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
    except (OSError, ValueError, KeyError):
        return None
    return running if _answers(running.endpoint, home) else None


def ensure(home: Home, region: str) -> Running:
    """The server of a home, started if need be. Raises `LocalError` when it cannot be."""
    running = find(home)
    if running and running.region == region:
        return running
    if running:
        stop(home)
    home.create()
    with home.server_log.open("ab") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "pipelines.local.server", str(home.root), region],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            env=_environment(),
            start_new_session=True,  # Ctrl-C is for the command, not for the server
        )
    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        running = find(home)
        if running:
            return running
        if process.poll() is not None and not _locked_by_another(home):
            break
        time.sleep(0.02)
    fix = f"read {home.server_log}; then try again"
    raise LocalError("the local SageMaker did not start", where=str(home.local), fix=fix)


def stop(home: Home, seconds: float = 60.0) -> bool:
    """Stop the server of a home: its executions are stopped first. False when none runs."""
    running = find(home)
    if not running:
        return False
    with suppress(ProcessLookupError):
        os.kill(running.pid, signal.SIGTERM)
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if not _locked_by_another(home):
            return True
        time.sleep(0.02)
    fix = f"end it yourself: kill -9 {running.pid}"
    raise LocalError("the local SageMaker does not stop", where=running.endpoint, fix=fix)


def _answers(endpoint: str, home: Home) -> bool:
    address = urlsplit(endpoint)
    connection = http.client.HTTPConnection("127.0.0.1", address.port or 0, timeout=5)
    try:
        connection.request("GET", HEALTH)
        answer = json.loads(connection.getresponse().read())
        return bool(answer.get("home") == str(home.root.resolve()))
    except (OSError, ValueError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def _locked_by_another(home: Home) -> bool:
    import fcntl

    with suppress(OSError), home.server_lock.open("a+", encoding="utf-8") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            return True
    return False


def _environment() -> dict[str, str]:
    """The server needs nothing of AWS's variables; what it would make of them is none of its business."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "MOTO_"))}
