"""The local SageMaker's process: serves 127.0.0.1 until it is told to stop, or has nothing to do for long.

`python -m pipelines.local.server HOME` is what `daemon.py` starts; `serve` is what `pipelines local` runs in front.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from pipelines.errors import LocalError
from pipelines.local.application import LocalSageMaker, build
from pipelines.local.home import Home
from pipelines.local.wsgi import Environ, StartResponse

IDLE_SECONDS = 15 * 60.0
_log = logging.getLogger("pipelines.local")


class _Handler(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections open: half the time of a small call

    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged: clients poll."""


class Server:
    """One server of one home; at most one runs, whoever starts it."""

    def __init__(self, home: Home, region: str, port: int = 0) -> None:
        self.home = home
        self._lock = _locked(home)
        self._local = build(home, region, lambda: datetime.now(UTC), _log.info)
        self._last = time.monotonic()
        self._http = _bind(self._application, port)
        self._details = {"endpoint": self.endpoint, "pid": os.getpid(), "region": region}
        write_atomically(home.server, json.dumps(self._details))

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def local(self) -> LocalSageMaker:
        return self._local

    def serve(self, idle_seconds: float | None = None) -> None:
        """Serve until `shutdown`, or until nothing ran and nobody asked for `idle_seconds`."""
        if idle_seconds:
            threading.Thread(target=self._watch_idle, args=(idle_seconds,), daemon=True).start()
        try:
            self._http.serve_forever(poll_interval=0.1)
        finally:
            self.close()

    def shutdown(self) -> None:
        """End `serve`, from another thread."""
        self._http.shutdown()

    def close(self) -> None:
        """Stop what runs and let others start a server."""
        self.home.server.unlink(missing_ok=True)
        self._http.server_close()
        self._local.close()
        self._lock.close()

    def _application(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        self._last = time.monotonic()
        return self._local.application(environ, start_response)

    def _watch_idle(self, idle_seconds: float) -> None:
        while time.monotonic() - self._last < idle_seconds or self._local.engine.busy:
            time.sleep(min(1.0, idle_seconds / 4))
        self.shutdown()


def _bind(application: Callable[..., Any], port: int) -> BaseWSGIServer:
    try:
        return make_server("127.0.0.1", port, application, threaded=True, request_handler=_Handler)
    except (OSError, SystemExit) as error:
        fix = "choose another with --port, or leave it out"
        raise LocalError(f"port {port} cannot be used: {error}", where=f"127.0.0.1:{port}", fix=fix) from error


def _locked(home: Home) -> IO[str]:
    """The lock that says who serves a home. Raises `LocalError` when another server does."""
    home.create()
    lock = home.server_lock.open("a+", encoding="utf-8")
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        lock.close()
        fix = "use it, or stop it: pipelines local --stop"
        raise LocalError("a local SageMaker runs already", where=str(home.local), fix=fix) from error
    return lock


def write_atomically(file: Path, text: str) -> None:
    """Write a file so that a reader sees all of it or nothing."""
    aside = file.with_name(f".{file.name}.{os.getpid()}")
    aside.write_text(text, encoding="utf-8")
    aside.replace(file)


@contextmanager
def stopping_on_signals(server: Server) -> Any:
    """SIGTERM and SIGINT end `serve`: running executions are stopped, then the process ends."""

    def stop(_signal: int, _frame: object) -> None:
        threading.Thread(target=server.shutdown, daemon=True).start()

    before = {number: signal.signal(number, stop) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def main(arguments: list[str]) -> None:
    """Serve the home of the first argument in the region of the second, until idle."""
    logging.basicConfig(level=logging.INFO, stream=sys.stderr, format="%(asctime)s %(name)s %(message)s")
    root, region = arguments
    try:
        server = Server(Home(Path(root)), region)
    except LocalError as error:
        sys.exit(str(error))
    with stopping_on_signals(server):
        server.serve(IDLE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
