"""moto, for every AWS service that is not ours: a WSGI application, loaded at the first request that needs it.

moto keeps its state in memory. Requests to SageMaker that change it (the model registry) are kept in a journal and
played again when moto is loaded by the next server, so that what was registered is still there.
"""

from __future__ import annotations

import io
import json
import threading
from collections.abc import Iterable
from typing import Any

from pipelines.local.database import Database
from pipelines.local.wsgi import Environ, StartResponse, WsgiApplication

_JOURNAL = "journal"
_READS = ("Describe", "List", "Get", "Search", "BatchDescribe")


class MotoError(Exception):
    """moto refused: the error's type and message."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind, self.message = kind, message
        super().__init__(f"{kind}: {message}")


class Moto:
    """moto's server application, with a journal of what changed the model registry."""

    def __init__(self, database: Database, region: str) -> None:
        self._database = database
        self._region = region
        self._lock = threading.RLock()
        self._application: WsgiApplication | None = None

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        return self._loaded()(environ, start_response)

    def prepare(self) -> None:
        """Load moto in the background: the first request that needs it does not wait for its import."""
        threading.Thread(target=self._loaded, daemon=True).start()

    def sagemaker(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call a SageMaker operation of moto's. Raises `MotoError`."""
        with self._lock:
            answer = self._send(operation, request)
            if not operation.startswith(_READS):
                self._remember(operation, request)
        return answer

    def _remember(self, operation: str, request: dict[str, Any]) -> None:
        with self._database.transaction():
            number = len(self._database.list(_JOURNAL))
            entry = {"operation": operation, "request": request}
            self._database.put(_JOURNAL, f"{number:09d}", entry, created=float(number))

    def _loaded(self) -> WsgiApplication:
        with self._lock:
            if self._application is None:
                from moto.server import DomainDispatcherApplication, create_backend_app  # a second: only when needed

                self._application = DomainDispatcherApplication(create_backend_app)
                for entry in reversed(self._database.list(_JOURNAL)):
                    self._send(entry["operation"], entry["request"])
            return self._application

    def _send(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(request).encode()
        status: list[str] = []
        scope = f"local/20260101/{self._region}/sagemaker/aws4_request"
        environ: Environ = {
            "REQUEST_METHOD": "POST",
            "PATH_INFO": "/",
            "QUERY_STRING": "",
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": f"api.sagemaker.{self._region}.amazonaws.com",
            "HTTP_X_AMZ_TARGET": f"SageMaker.{operation}",
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "CONTENT_TYPE": "application/x-amz-json-1.1",
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        answer = b"".join(self._loaded()(environ, lambda line, _headers, _error=None: status.append(line)))
        return _answer(status[0], answer)


def _answer(status: str, body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body or b"{}")
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise MotoError("InternalFailure", "the local SageMaker does not have this operation")
    if not status.startswith("200"):
        message = answer.get("message") or answer.get("Message") or status
        raise MotoError(str(answer.get("__type", "InternalFailure")).rpartition("#")[2], str(message))
    return answer
