"""moto, for every AWS service that is not ours: a WSGI application, loaded at the first request that needs it.

moto keeps its state in memory. Calls that change what outlives the server (journal.py says which) are kept and carried
out again when moto is loaded by the next one. What moto does not have it answers with a page or an exception; here that
becomes the error that the service's clients understand.
"""

from __future__ import annotations

import io
import json
import logging
import re
import secrets
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from functools import partial
from html import escape
from typing import Any

from werkzeug.test import run_wsgi_app

from pipelines.errors import LocalError
from pipelines.local.api.protocol import read_body
from pipelines.local.call import FORM, Call, CallError, json_call, read_answer, read_call, send, service_of
from pipelines.local.database import Database
from pipelines.local.journal import EFFECTS, Entry, Journal, effect_of
from pipelines.local.wsgi import Environ, StartResponse, WsgiApplication

_ACCOUNT = "123456789012"  # moto's
_QUEUE = re.compile(r"https?://([^/]+)(/\d{12}/[A-Za-z0-9_.-]{1,80})")
_REGION = re.compile(r"\b[a-z]{2}(?:-[a-z]+)+-\d\b")
_UNKNOWN = "UnknownOperationException"
_NOW = partial(datetime.now, UTC)
_log = logging.getLogger(__name__)


MotoError = CallError  # moto refused


class Moto:
    """moto's server application, with a journal of what its clients changed."""

    def __init__(self, database: Database, region: str, now: Callable[[], datetime] = _NOW) -> None:
        self.region = region
        self._now = now
        self._journal = Journal(database, region)
        self._lock = threading.RLock()
        self._application: WsgiApplication | None = None
        self._listeners: list[Callable[[str], None]] = []

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Serve one request."""
        try:
            call = self._read(environ)
            if call is None or effect_of(call) is None:
                return _run(self._loaded(), environ, start_response)
            return self._change(call, environ, start_response)
        except MotoError as error:
            return _refuse(error, environ, start_response)
        except LocalError as error:
            return _refuse(MotoError("InternalFailure", str(error)), environ, start_response)

    def prepare(self) -> None:
        """Load moto in the background: the first request that needs it does not wait for its import."""
        threading.Thread(target=self._loaded, daemon=True).start()

    @property
    def loaded(self) -> bool:
        return self._application is not None

    def has(self, service: str) -> bool:
        """Whether anything of a service is kept; where nothing is, moto need not be loaded to know."""
        return self._journal.has(service)

    def listen(self, listener: Callable[[str], None]) -> None:
        """Tell someone of the name of each service that was changed, after it was."""
        self._listeners.append(listener)

    def sagemaker(self, operation: str, request: dict[str, Any]) -> dict[str, Any]:
        """Call a SageMaker operation of moto's. Raises `MotoError`, or `LocalError` when the journal is not written."""
        return self.call(json_call("sagemaker", self.region, operation, request))

    def send_message(self, queue_url: str, body: str) -> None:
        """Put a message into a queue. Raises `MotoError`, as for a queue that is not there."""
        found = _QUEUE.fullmatch(queue_url)
        if not found:
            raise MotoError("QueueDoesNotExist", f"{queue_url!r} is not a queue's URL")
        named = _REGION.search(found[1])
        region = named[0] if named else self.region
        request = {"QueueUrl": f"https://sqs.{region}.amazonaws.com{found[2]}", "MessageBody": body}
        self.call(json_call("sqs", region, "SendMessage", request))

    def call(self, call: Call) -> dict[str, Any]:
        """Make a call of one's own and give its answer, empty where it is not JSON.

        Raises `MotoError`, or `LocalError` when the journal is not written.
        """
        if effect_of(call) is None:
            return send(partial(_run, self._loaded()), call)
        status: list[str] = []
        body = self._change(call, call.environ(), lambda line, _headers: status.append(line))
        return read_answer(call, status[0], b"".join(body))

    def _read(self, environ: Environ) -> Call | None:
        """The call of a service of which changes are kept; its body can be read again."""
        service, _ = service_of(environ)
        if service not in EFFECTS or environ["REQUEST_METHOD"] == "GET":
            return None
        body = read_body(environ)
        environ["CONTENT_LENGTH"] = str(len(body))
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ["wsgi.input"] = io.BytesIO(body)
        return read_call(environ, body)

    def _change(self, call: Call, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Let moto carry out a call that is kept when it succeeds."""
        from moto.moto_api._internal import mock_random

        started: list[tuple[str, Any]] = []
        with self._lock:
            application = self._loaded()
            entry = Entry(call, secrets.randbits(63), self._now().timestamp())
            mock_random.seed(entry.seed)  # identifiers that moto makes up are made up again
            try:
                body = b"".join(_run(application, environ, lambda *line: started.append(line)))
            finally:
                mock_random.seed()
            changed = started[0][0].startswith("2")
            if changed:
                _date(entry)
                self._journal.remember(entry, body.decode(errors="replace"))
        if changed:
            for listener in self._listeners:
                listener(call.service)
        start_response(*started[0])
        return [body]

    def _loaded(self) -> WsgiApplication:
        with self._lock:
            if self._application is None:
                from moto.moto_api._internal import moto_api_backend
                from moto.server import DomainDispatcherApplication, create_backend_app  # a second: only when needed

                # moto's state is the process's: what a server before this one left there is in that one's journal.
                moto_api_backend.reset()
                application = DomainDispatcherApplication(create_backend_app)
                for entry in self._journal.entries():
                    _replay(application, entry)
                self._application = application
            return self._application


def matches(pattern: str, event: dict[str, Any]) -> bool:
    """Whether a rule's pattern matches an event. Raises `MotoError` for what is no pattern."""
    from moto.events.exceptions import InvalidEventPatternException
    from moto.events.models import EventPattern

    try:
        return bool(EventPattern.load(pattern).matches_event(event))
    except InvalidEventPatternException as error:
        raise MotoError("InvalidEventPatternException", str(error)) from error


def transformed(transformer: dict[str, Any], event: dict[str, Any]) -> Any:
    """What an InputTransformer makes of an event. Raises `MotoError`."""
    from moto.events.utils import EventTemplateParser

    paths, template = transformer.get("InputPathsMap") or {}, transformer["InputTemplate"]
    try:
        return EventTemplateParser.parse(template, paths, {**event, "ingestion-time": event["time"]})
    except Exception as error:  # a template that gives no JSON, a path that is none
        raise MotoError("ValidationException", f"InputTransformer: {error}") from error


def _replay(application: WsgiApplication, entry: Entry) -> None:
    """Do again what an earlier server did; an entry that a newer moto refuses does not cost the rest."""
    from moto.moto_api._internal import mock_random

    mock_random.seed(entry.seed)
    try:
        for call in _again(entry.call):
            send(partial(_run, application), call)
        _date(entry)
    except (MotoError, LookupError) as error:
        _log.exception("the journal's %s was not played again: %s", entry.call.operation, error)
    finally:
        mock_random.seed()


def _again(call: Call) -> list[Call]:
    """moto refuses to create what begins in the past; it may be changed to that."""
    request = call.request()
    if call.operation != "CreateSchedule" or "StartDate" not in request:
        return [call]
    body = json.loads(call.body)
    created = Call(**{**call.to_json(), "body": json.dumps({key: body[key] for key in body if key != "StartDate"})})
    return [created, Call(**{**call.to_json(), "operation": "UpdateSchedule", "method": "PUT"})]


def _date(entry: Entry) -> None:
    """Give a schedule its own times: rates count from its creation, and nothing fires from before its last change."""
    if entry.call.operation not in ("CreateSchedule", "UpdateSchedule"):
        return
    from moto.scheduler.models import scheduler_backends

    request = entry.call.request()
    schedule = scheduler_backends[_ACCOUNT][entry.call.region].get_schedule(request.get("GroupName"), request["Name"])
    schedule.last_modified_date = entry.time
    if entry.call.operation == "CreateSchedule":
        schedule.creation_date = entry.time


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
    if FORM in environ.get("CONTENT_TYPE", ""):
        kind = "text/xml"
        text = f"<Error><Type>Sender</Type><Code>{error.kind}</Code><Message>{escape(error.message)}</Message></Error>"
        body = f"<ErrorResponse>{text}<RequestId>local</RequestId></ErrorResponse>".encode()
    else:
        kind = "application/x-amz-json-1.1"
        body = json.dumps({"__type": error.kind, "message": error.message}).encode()
    headers = [("Content-Type", kind), ("x-amzn-ErrorType", error.kind), ("Content-Length", str(len(body)))]
    start_response("400 Bad Request", headers)
    return [body]
