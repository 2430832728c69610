"""moto, for every AWS service that is not ours: a WSGI application, loaded at the first request that needs it.

moto keeps its state in memory. Requests to SageMaker that change it (the model registry) are kept in a journal and
played again when moto is loaded by the next server, so that what was registered is still there. What moto does not have
it answers with a page or an exception; here that becomes the error that the service's clients understand.
"""

from __future__ import annotations

import io
import json
import logging
import threading
from collections.abc import Iterable
from html import escape
from typing import Any

from werkzeug.test import run_wsgi_app

from pipelines.errors import LocalError
from pipelines.local.database import Database
from pipelines.local.wsgi import Environ, StartResponse, WsgiApplication

_JOURNAL = "journal"
_READS = ("Describe", "List", "Get", "Search", "BatchDescribe", "Query")
_UNKNOWN = "UnknownOperationException"
_log = logging.getLogger(__name__)


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
        try:
            return _run(self._loaded(), environ, start_response)
        except MotoError as error:
            return _refuse(error, environ, start_response)

    def prepare(self) -> None:
        """Load moto in the background: the first request that needs it does not wait for its import."""
        threading.Thread(target=self._loaded, daemon=True).start()

    def sagemaker(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call a SageMaker operation of moto's. Raises `MotoError`, or `LocalError` when the journal is not written."""
        with self._lock:
            application = self._loaded()
            answer = self._send(application, operation, request)
            if not operation.startswith(_READS):
                self._remember(operation, request)
        return answer

    def _remember(self, operation: str, request: dict[str, Any]) -> None:
        with self._database.transaction():
            last = self._database.list(_JOURNAL, limit=1)
            number = last[0]["number"] + 1 if last else 0
            entry = {"number": number, "operation": operation, "request": request}
            self._database.put(_JOURNAL, f"{number:09d}", entry, place=number)

    def _loaded(self) -> WsgiApplication:
        with self._lock:
            if self._application is None:
                from moto.server import DomainDispatcherApplication, create_backend_app  # a second: only when needed

                application = DomainDispatcherApplication(create_backend_app)
                for entry in reversed(self._database.list(_JOURNAL)):
                    self._replay(application, entry)
                self._application = application
            return self._application

    def _replay(self, application: WsgiApplication, entry: dict[str, Any]) -> None:
        """Do again what an earlier server did; an entry that a newer moto refuses does not cost the rest."""
        try:
            self._send(application, entry["operation"], entry["request"])
        except MotoError:
            _log.exception("the journal's %s was not played again", entry["operation"])

    def _send(self, application: WsgiApplication, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        body = json.dumps(request).encode()
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
        status: list[str] = []
        answer = b"".join(_run(application, environ, lambda line, _headers: status.append(line)))
        return _answer(status[0], answer)


def _run(application: WsgiApplication, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """Let moto answer. Raises `MotoError` where it has only a page, a crash or a server error to give."""
    try:
        chunks, status, headers = run_wsgi_app(application, environ, buffered=True)
        body = b"".join(chunks)
    except NotImplementedError as error:
        raise MotoError(_UNKNOWN, f"not part of the local SageMaker: {error or 'this operation'}") from error
    except LocalError:
        raise
    except Exception as error:  # moto's bugs end in a traceback of any kind; clients would retry a 500
        _log.exception("moto: %s %s", environ.get("HTTP_X_AMZ_TARGET"), environ.get("PATH_INFO"))
        raise MotoError("InternalFailure", f"moto failed: {type(error).__name__}: {error}") from error
    is_page = body.lstrip()[:1] == b"<" and ("HTTP_X_AMZ_TARGET" in environ or b"<html" in body[:512].lower())
    if is_page or int(status.split()[0]) >= 500:
        raise MotoError(_UNKNOWN, "not part of the local SageMaker: moto does not have this operation")
    start_response(status, list(headers.items()))
    return [body]


def _refuse(error: MotoError, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
    """A refusal in the protocol of the request: form-encoded ones (IAM, STS …) are answered in XML, others in JSON."""
    if "x-www-form-urlencoded" in environ.get("CONTENT_TYPE", ""):
        kind = "text/xml"
        text = f"<Error><Type>Sender</Type><Code>{error.kind}</Code><Message>{escape(error.message)}</Message></Error>"
        body = f"<ErrorResponse>{text}<RequestId>local</RequestId></ErrorResponse>".encode()
    else:
        kind = "application/x-amz-json-1.1"
        body = json.dumps({"__type": error.kind, "message": error.message}).encode()
    headers = [("Content-Type", kind), ("x-amzn-ErrorType", error.kind), ("Content-Length", str(len(body)))]
    start_response("400 Bad Request", headers)
    return [body]


def _answer(status: str, body: bytes) -> dict[str, Any]:
    try:
        answer = json.loads(body or b"{}")
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise MotoError(_UNKNOWN, "not part of the local SageMaker: moto does not have this operation")
    if not status.startswith("200"):
        message = answer.get("message") or answer.get("Message") or status
        raise MotoError(str(answer.get("__type", "InternalFailure")).rpartition("#")[2], str(message))
    return answer
