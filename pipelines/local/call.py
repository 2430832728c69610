"""One call of an AWS service: read from a request, kept as JSON, and made a request again. Pure.

Whoever asked, in whichever of AWS's protocols (JSON with a target, a form with an action, REST paths), a `Call` has the
service, the region, the operation and what it asks for.
"""

from __future__ import annotations

import io
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from html import unescape
from typing import Any, Final
from urllib.parse import parse_qsl, quote, unquote

from pipelines.local.wsgi import Environ, WsgiApplication

Json = dict[str, Any]

FORM: Final = "application/x-www-form-urlencoded"
TARGETS: Final = {
    "SageMaker": "sagemaker",
    "AWSEvents": "events",
    "AmazonSQS": "sqs",
    "Logs_20140328": "logs",
    "AmazonEC2ContainerRegistry_V20150921": "ecr",
}
_PREFIXES: Final = {service: prefix for prefix, service in TARGETS.items()}
_VERSIONS: Final = {"sns": "2010-03-31", "iam": "2010-05-08"}
_SCOPE: Final = re.compile(r"Credential=[^/,\s]*/[0-9]{8}/([a-z0-9-]+)/([a-z0-9-]+)/aws4_request")
# EventBridge Scheduler: the operation is in the method and the path.
_PATHS: Final = (
    (re.compile(r"/schedules/(?P<Name>[^/]+)"), "Schedule"),
    (re.compile(r"/schedule-groups/(?P<Name>[^/]+)"), "ScheduleGroup"),
    (re.compile(r"/tags/(?P<ResourceArn>.+)"), "Resource"),
)
_VERBS: Final = {"POST": "Create", "PUT": "Update", "DELETE": "Delete", "GET": "Get"}


class CallError(Exception):
    """The service refused: the error's type and message."""

    def __init__(self, kind: str, message: str) -> None:
        self.kind, self.message = kind, message
        super().__init__(f"{kind}: {message}")


@dataclass(frozen=True)
class Call:
    """One request of one service; `body` is its text."""

    service: str
    region: str
    operation: str
    method: str = "POST"
    path: str = "/"
    query: str = ""
    target: str = ""
    type: str = ""
    body: str = ""

    def request(self) -> Json:
        """What it asks for: the members of its JSON, of its form, of its path and query."""
        if self.type.startswith(FORM):
            return _values(self.body)
        named = _named_by_path(self.path) if self.service == "scheduler" else {}
        content = json.loads(self.body or "{}")
        given = content if isinstance(content, dict) else {}
        return {**_values(self.query), **given, **named}

    def environ(self) -> Environ:
        """The request, as moto takes it."""
        body = self.body.encode()
        scope = f"local/20260101/{self.region}/{self.service}/aws4_request"
        environ: Environ = {
            "REQUEST_METHOD": self.method,
            "PATH_INFO": unquote(self.path),
            "QUERY_STRING": self.query,
            "SERVER_NAME": "127.0.0.1",
            "SERVER_PORT": "80",
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": f"{_host(self.service)}.{self.region}.amazonaws.com",
            "HTTP_AUTHORIZATION": f"AWS4-HMAC-SHA256 Credential={scope}, SignedHeaders=host, Signature=0",
            "CONTENT_TYPE": self.type,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        return {**environ, "HTTP_X_AMZ_TARGET": self.target} if self.target else environ

    def to_json(self) -> Json:
        """What `Call(**…)` takes."""
        return {key: value for key, value in asdict(self).items() if value}


def send(application: WsgiApplication, call: Call) -> Json:
    """Make a call of an application and give its answer, empty where it is not JSON. Raises `CallError`."""
    status: list[str] = []
    body = b"".join(application(call.environ(), lambda line, _headers: status.append(line)))
    return read_answer(call, status[0], body)


def read_answer(call: Call, status: str, body: bytes) -> Json:
    """What a service answered. Raises `CallError`."""
    if call.type.startswith(FORM):
        return _form_answer(status, body)
    try:
        answer = json.loads(body or b"{}")
    except ValueError:
        answer = None
    if not isinstance(answer, dict):
        raise CallError("InternalFailure", f"{call.operation} was not answered in JSON")
    if not status.startswith("2"):
        message = answer.get("message") or answer.get("Message") or status
        raise CallError(str(answer.get("__type", "InternalFailure")).rpartition("#")[2], str(message))
    return answer


def _form_answer(status: str, body: bytes) -> Json:
    if status.startswith("2"):
        return {}
    found = re.search(rb"<Code>([^<]*)</Code>\s*<Message>([^<]*)</Message>", body)
    if not found:
        raise CallError("InternalFailure", status)
    raise CallError(unescape(found[1].decode()), unescape(found[2].decode()))


def json_call(service: str, region: str, operation: str, request: Mapping[str, Any]) -> Call:
    """A call in the JSON protocol: SageMaker, EventBridge, SQS, CloudWatch Logs."""
    version = "1.0" if service == "sqs" else "1.1"
    target, kind = f"{_PREFIXES[service]}.{operation}", f"application/x-amz-json-{version}"
    return Call(service, region, operation, target=target, type=kind, body=json.dumps(request))


def form_call(service: str, region: str, operation: str, request: Mapping[str, str]) -> Call:
    """A call in the query protocol: SNS, IAM."""
    values = {"Action": operation, "Version": _VERSIONS[service], **request}
    body = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in values.items())
    return Call(service, region, operation, type=FORM, body=body)


def service_of(environ: Environ) -> tuple[str, str]:
    """The service and the region that a request is for, each empty when it does not say."""
    prefix = str(environ.get("HTTP_X_AMZ_TARGET", "")).partition(".")[0]
    scope = _SCOPE.search(str(environ.get("HTTP_AUTHORIZATION", "")))
    region, service = (scope[1], scope[2]) if scope else ("", "")
    return TARGETS.get(prefix, service), region


def read_call(environ: Environ, body: bytes) -> Call | None:
    """The call that a request with this body is, or None when it is none that could be kept."""
    service, region = service_of(environ)
    target, kind = str(environ.get("HTTP_X_AMZ_TARGET", "")), str(environ.get("CONTENT_TYPE", ""))
    method, path = str(environ["REQUEST_METHOD"]), quote(str(environ["PATH_INFO"]), safe="/:")
    try:
        text = body.decode()
        if not kind.startswith(FORM):
            json.loads(text or "{}")
    except ValueError:
        return None
    call = Call(
        service, region or "us-east-1", "", method, path, str(environ.get("QUERY_STRING", "")), target, kind, text
    )
    operation = target.rpartition(".")[2] or _action(call)
    return Call(**{**asdict(call), "operation": operation}) if operation else None


def _values(text: str) -> Json:
    """The values of a form or a query; a list of those that are given more than once."""
    found: dict[str, list[str]] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found.setdefault(name, []).append(value)
    return {name: values if len(values) > 1 else values[0] for name, values in found.items()}


def _action(call: Call) -> str:
    if call.type.startswith(FORM):
        return str(call.request().get("Action", ""))
    if call.service != "scheduler":
        return ""
    for pattern, noun in _PATHS:
        if pattern.fullmatch(call.path):
            verb = _VERBS.get(call.method, "")
            return {"CreateResource": "TagResource", "DeleteResource": "UntagResource"}.get(verb + noun, verb + noun)
    return ""


def _named_by_path(path: str) -> Json:
    for pattern, _ in _PATHS:
        if match := pattern.fullmatch(path):
            return {name: unquote(value) for name, value in match.groupdict().items()}
    return {}


def _host(service: str) -> str:
    return {"sagemaker": "api.sagemaker", "ecr": "api.ecr"}.get(service, service)
