"""A model container's web server: waited for at /ping, asked at /invocations (SageMaker's inference contract).

Takes what connects to the server, gives its answers. An answer that shows a passing trouble (5xx, no answer in time) is
asked for again; one that refuses the request is not.
"""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from typing import Any, Final

PORT: Final = 8080
_PING_SECONDS: Final = 2.0  # the service's own patience with one answer
_SUGGESTION_SECONDS: Final = 30.0  # what is not answered in time is not asked for again
_PAUSE: Final = 0.05
_SHOWN: Final = 300  # characters of an answer in a reason


class ServingError(Exception):
    """The server does not serve; the text says why."""


@dataclass(frozen=True)
class Answer:
    """A response: status, content type, body."""

    status: int
    type: str
    body: bytes

    @property
    def text(self) -> str:
        return self.body[:_SHOWN].decode("utf-8", errors="replace").strip()


@dataclass(frozen=True)
class ModelServer:
    """A server behind `connect`; `given_up` says why to stop waiting for it, as when its program has ended."""

    connect: Callable[[], socket.socket]
    given_up: Callable[[], str]
    start_seconds: float = 480.0
    timeout: float = 600.0
    retries: int = 3

    def wait(self) -> None:
        """Return when /ping is answered with 200. Raises `ServingError`."""
        deadline = time.monotonic() + self.start_seconds
        said = "it does not listen on port 8080"
        while True:
            try:
                answer = self._ask("GET", "/ping", b"", {}, _PING_SECONDS)
                if answer.status == 200:
                    return
                said = f"GET /ping was answered with {answer.status} {answer.text}".rstrip()
            except (OSError, HTTPException) as error:
                said = said if isinstance(error, ConnectionRefusedError) else f"GET /ping: {error}"
            reason = self.given_up()
            if reason or time.monotonic() > deadline:
                raise ServingError(reason or f"the server was not ready within {self.start_seconds:g} s: {said}")
            time.sleep(_PAUSE)

    def parameters(self) -> Mapping[str, Any]:
        """What /execution-parameters suggests; empty where it is not served, as it need not be."""
        try:
            answer = self._ask("GET", "/execution-parameters", b"", {}, _SUGGESTION_SECONDS)
            found = json.loads(answer.body) if answer.status == 200 else {}
        except (OSError, HTTPException, ValueError):
            return {}
        return found if isinstance(found, dict) else {}

    def invoke(self, body: bytes, content_type: str, accept: str) -> Answer:
        """The answer to one request. Raises `ServingError`."""
        headers = {"Content-Type": content_type, **({"Accept": accept} if accept else {})}
        said = ""
        for _ in range(self.retries + 1):
            try:
                answer = self._ask("POST", "/invocations", body, headers, self.timeout)
            except (OSError, HTTPException) as error:
                said = f"POST /invocations: {error or type(error).__name__}"
            else:
                if answer.status == 200:
                    return answer
                said = f"POST /invocations was answered with {answer.status}: {answer.text}"
                if answer.status < 500:
                    break
            reason = self.given_up()
            if reason:
                raise ServingError(reason)
        raise ServingError(said)

    def _ask(self, method: str, path: str, body: bytes, headers: Mapping[str, str], seconds: float) -> Answer:
        connection = HTTPConnection("localhost", PORT)
        connection.sock = self.connect()
        try:
            # As http.client does itself: the body would wait for an acknowledgement of the headers.
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connection.sock.settimeout(seconds)
            connection.request(method, path, body or None, {**headers, "Connection": "close"})
            response = connection.getresponse()
            return Answer(response.status, response.getheader("Content-Type", ""), response.read())
        finally:
            connection.close()
