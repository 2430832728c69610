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
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, redirect_stderr
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import IO, Any

from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from pipelines.errors import LocalError, Mend
from pipelines.local import peer
from pipelines.local.api.protocol import respond
from pipelines.local.application import LocalSageMaker
from pipelines.local.home import Home, write_atomically
from pipelines.local.steps.faults import Faults
from pipelines.local.wsgi import Environ, StartResponse

IDLE_SECONDS = 15 * 60.0
_REFUSE_SECONDS = 1.0  # someone may hold the lock for a moment, to see whether it is held
_TURN_SECONDS = 90.0  # the server before may still be stopping its jobs
_log = logging.getLogger("pipelines.local")


class _Handler(WSGIRequestHandler):
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Requests are not logged: clients poll."""

    def send_error(self, code: int, message: str | None = None, explain: str | None = None) -> None:
        """What is not even HTTP is answered in JSON, too."""
        body = json.dumps({"__type": "BadRequest", "message": message or explain or "not HTTP"}).encode()
        self.send_response(code, message)
        for name, value in (("Content-Type", "application/json"), ("Content-Length", str(len(body)))):
            self.send_header(name, value)
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)


class Server:
    """One server of one home; at most one runs, whoever starts it.

    Raises `LocalError`: another runs (and has not ended within `patience` seconds), the port is taken, or the folder
    cannot be written.
    """

    def __init__(
        self,
        home: Home,
        region: str,
        port: int = 0,
        patience: float = _REFUSE_SECONDS,
        faults: Faults | None = None,
    ) -> None:
        self.home = home
        self._asked = threading.Event()
        self._last = time.monotonic()
        with ExitStack() as opened:
            self._lock = opened.enter_context(_locked(home, patience))
            self._local = LocalSageMaker(home, region, lambda: datetime.now(UTC), _log.info, faults)
            opened.callback(self._local.close)
            self._http = _bind(self._application, port)
            opened.callback(self._http.server_close)
            self._knows_users = peer.is_asked_here(self._http.server_port)
            if not self._knows_users:
                _log.warning("this machine does not say whose a connection is: every user of it is answered")
            details = {"endpoint": self.endpoint, "pid": os.getpid(), "region": region}
            write_atomically(home, home.server, json.dumps(details))
            opened.pop_all()

    @property
    def endpoint(self) -> str:
        return f"http://127.0.0.1:{self._http.server_port}"

    @property
    def local(self) -> LocalSageMaker:
        return self._local

    def serve(self, idle_seconds: float | None = None) -> None:
        """Serve until `shutdown`, or until nothing ran and nobody asked for `idle_seconds`."""
        threading.Thread(target=self._watch, args=(idle_seconds,), daemon=True).start()
        try:
            self._http.serve_forever(poll_interval=0.1)
        finally:
            self.close()

    def shutdown(self) -> None:
        """Ask `serve` to end: what runs is stopped first, and who watches it is answered until it has."""
        self._asked.set()

    def close(self) -> None:
        """Stop what runs and let others start a server."""
        self.home.server.unlink(missing_ok=True)
        self._http.server_close()
        self._local.close()
        self._lock.close()

    def _application(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        if self._knows_users and not peer.is_ours(int(environ["REMOTE_PORT"]), self._http.server_port):
            message = "the local SageMaker answers the user who started it: start your own with `pipelines local`"
            return respond(start_response, 403, {"__type": "AccessDeniedException", "message": message})
        self._last = time.monotonic()
        return self._local.application(environ, start_response)

    def _watch(self, idle_seconds: float | None) -> None:
        while not self._asked.wait(min(1.0, idle_seconds / 4) if idle_seconds else None):
            if self._local.busy:
                self._last = time.monotonic()
            elif idle_seconds and time.monotonic() - self._last >= idle_seconds:
                break
        self.home.server.unlink(missing_ok=True)
        try:
            self._local.stop()
        finally:
            self._http.shutdown()


def _bind(application: Callable[..., Any], port: int) -> BaseWSGIServer:
    said = StringIO()
    try:
        if not 0 <= port <= 65535:  # else the system would take another one
            raise OverflowError("ports are 0 to 65535")
        with redirect_stderr(said):
            return make_server("127.0.0.1", port, application, threaded=True, request_handler=_Handler)
    except (OSError, OverflowError, SystemExit) as error:
        fix = "choose another with --port, or leave it out"
        reason = (said.getvalue().splitlines() or [str(error)])[0]
        raise LocalError(f"port {port} cannot be used: {reason}", where=f"127.0.0.1:{port}", fix=fix) from error


def _locked(home: Home, patience: float) -> IO[str]:
    """The lock that says who serves a home. Raises `LocalError` when another server does, and goes on doing so."""
    home.create()
    try:
        lock = home.server_lock.open("a+", encoding="utf-8")
    except OSError as error:
        raise home.refusal(error) from error
    deadline = time.monotonic() + patience
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return lock
        except OSError as error:
            if time.monotonic() > deadline:
                lock.close()
                fix = Mend("use it, or stop it", "local --stop")
                raise LocalError("a local SageMaker runs already", where=str(home.local), fix=fix) from error
        time.sleep(0.02)


@contextmanager
def stopping_on_signals(server: Server) -> Iterator[None]:
    """SIGTERM and SIGINT end `serve`: running executions are stopped, then the process ends."""

    def stop(_signal: int, _frame: object) -> None:
        server.shutdown()

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
        server = Server(Home(Path(root)), region, patience=_TURN_SECONDS)
    except LocalError as error:
        sys.exit(str(error))
    with stopping_on_signals(server):
        server.serve(IDLE_SECONDS)


if __name__ == "__main__":
    main(sys.argv[1:])
