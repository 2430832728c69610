"""AWS's JSON 1.1 protocol: one WSGI request → one operation → one JSON answer (CONTRACT.md section 4).

Requests are checked against AWS's own model before an operation sees them; refusals have the service's codes. Nothing
is ever answered with HTML.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from pipelines.errors import PipelinesError
from pipelines.local.wsgi import Environ, StartResponse
from pipelines.service_model import request_faults

Json = dict[str, Any]
Operation = Callable[[Json], Json]
MAX_BODY = 8 << 20  # bytes; a definition has at most 1 MiB
_log = logging.getLogger(__name__)


class ApiError(Exception):
    """A refusal: AWS's error code and a message."""

    def __init__(self, code: str, message: str, status: int = 400) -> None:
        self.code, self.message, self.status = code, message, status
        super().__init__(f"{code}: {message}")


def not_found(message: str) -> ApiError:
    return ApiError("ResourceNotFound", message)


def invalid(message: str) -> ApiError:
    return ApiError("ValidationException", message)


class JsonApi:
    """The operations of one service that are ours; `other` answers the rest."""

    def __init__(self, service: str, operations: Mapping[str, Operation], other: Callable[[str, Json], Json]) -> None:
        self._service = service
        self._operations = operations
        self._other = other

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        status, answer = 200, {}
        try:
            answer = self.answer(environ)
        except ApiError as error:
            status, answer = error.status, {"__type": error.code, "message": error.message}
        except PipelinesError as error:
            status, answer = 400, {"__type": "ValidationException", "message": str(error)}
        except Exception as error:  # noqa: BLE001 -- logged with its traceback, and told
            _log.exception("%s", environ.get("HTTP_X_AMZ_TARGET"))
            # 500 would be retried by every client; the same request would fail the same way.
            status, answer = 400, {"__type": "InternalFailure", "message": f"{type(error).__name__}: {error}"}
        body = json.dumps(answer).encode()
        headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
        start_response(f"{status} {'OK' if status == 200 else 'Error'}", headers)
        return [body]

    def answer(self, environ: Environ) -> Json:
        """The answer of the operation that the request names. Raises `ApiError`."""
        name = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        request = _body(environ)
        operation = self._operations.get(name)
        if operation is None:
            return self._other(name, request)
        faults = request_faults(self._service, name, request)
        if faults:
            listed = "; ".join(f"{fault.path} {fault.what}" for fault in faults[:10])
            raise invalid(f"{len(faults)} validation error{'s'[: len(faults) > 1]} detected: {listed}")
        return operation(request)


def _body(environ: Environ) -> Json:
    length = int(environ.get("CONTENT_LENGTH") or 0)
    if length > MAX_BODY:
        raise ApiError("RequestEntityTooLarge", f"the request has {length:,} bytes; {MAX_BODY:,} at most", 413)
    try:
        request = json.loads(environ["wsgi.input"].read(length) or b"{}")
    except ValueError as error:
        raise ApiError("SerializationException", f"the request is not JSON: {error}") from error
    if not isinstance(request, dict):
        raise ApiError("SerializationException", "the request is not a JSON object")
    return request


def page(items: list[Any], request: Json, key: str, default: int = 100) -> Json:
    """One page of a list, with the token of the next. Raises `ApiError` for a token that is not ours."""
    token = request.get("NextToken") or "0"
    if not token.isdigit():
        raise invalid(f"NextToken {token!r} is not valid")
    start, size = int(token), int(request.get("MaxResults") or default)
    answer: Json = {key: items[start : start + size]}
    if start + size < len(items):
        answer["NextToken"] = str(start + size)
    return answer


def ordered(items: list[Json], request: Json, default_key: str, default_order: str = "Descending") -> list[Json]:
    """A list as SortBy and SortOrder of the request say."""
    key = request.get("SortBy") or default_key
    reverse = (request.get("SortOrder") or default_order) == "Descending"
    return sorted(items, key=lambda item: str(item.get(key)) if key == "Name" else item.get(key, 0), reverse=reverse)
