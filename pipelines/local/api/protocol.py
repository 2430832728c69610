"""AWS's JSON 1.1 protocol: one WSGI request → one operation → one JSON answer (CONTRACT.md section 4).

Requests are checked against AWS's own model before an operation sees them; refusals have the service's codes. Nothing
is ever answered with HTML.
"""

from __future__ import annotations

import json
import logging
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, TypeVar

from pipelines.errors import LocalError, PipelinesError
from pipelines.local.wsgi import Environ, StartResponse
from pipelines.service_model import request_faults

Json = dict[str, Any]
Operation = Callable[[Json], Json]
T = TypeVar("T")
MAX_BODY = 8 << 20  # bytes; a definition has at most 1 MiB
_DRAIN = 64 << 20  # a client that still sends does not read its refusal
_PIECE = 1 << 20
_NUMBER = re.compile(r"[0-9]{1,18}")
_TOKEN = re.compile(r"([0-9]{1,18})(?::(.+))?")  # how many items came before, and the last of them
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
            status, answer = error.status, _refusal(error.code, error.message)
        except LocalError as error:
            status, answer = 400, _refusal("InternalFailure", str(error))
        except PipelinesError as error:
            status, answer = 400, _refusal("ValidationException", str(error))
        except Exception as error:  # noqa: BLE001 -- our bug: logged with its traceback, and told
            _log.exception("%s", environ.get("HTTP_X_AMZ_TARGET"))
            # 500 would be retried by every client; the same request would fail the same way.
            status, answer = 400, _refusal("InternalFailure", f"{type(error).__name__}: {error}")
        return respond(start_response, status, answer)

    def answer(self, environ: Environ) -> Json:
        """The answer of the operation that the request names. Raises `ApiError`."""
        name = str(environ.get("HTTP_X_AMZ_TARGET", "")).rpartition(".")[2]
        request = read_request(environ)
        operation = self._operations.get(name)
        if operation is None:
            return self._other(name, request)
        try:
            faults = request_faults(self._service, name, request)
        except RecursionError as error:
            raise _too_deep() from error
        if faults:
            listed = "; ".join(f"{fault.path} {fault.what}" for fault in faults[:10])
            raise invalid(f"{len(faults)} validation error{'s'[: len(faults) > 1]} detected: {listed}")
        return operation(request)


def respond(start_response: StartResponse, status: int, answer: Json) -> Iterable[bytes]:
    """Send a JSON object."""
    body = json.dumps(answer).encode()
    headers = [("Content-Type", "application/x-amz-json-1.1"), ("Content-Length", str(len(body)))]
    start_response(f"{status} {'OK' if status == 200 else 'Refused'}", headers)
    return [body]


def read_body(environ: Environ) -> bytes:
    """A request's body. Raises `ApiError` for one that is too large."""
    chunked = "chunked" in environ.get("HTTP_TRANSFER_ENCODING", "").lower()
    given = str(environ.get("CONTENT_LENGTH") or ("" if chunked else "0"))
    if given and not _NUMBER.fullmatch(given):
        raise ApiError("SerializationException", f"Content-Length {given!r} is not a number")
    length = int(given) if given else MAX_BODY + 1
    if length <= MAX_BODY or not given:
        body: bytes = environ["wsgi.input"].read(length)
        if len(body) <= MAX_BODY:
            return body
    left = min(length, _DRAIN)
    while left > 0 and (piece := environ["wsgi.input"].read(min(left, _PIECE))):
        left -= len(piece)
    raise ApiError("RequestEntityTooLarge", f"the request is too large; {MAX_BODY:,} bytes at most", 413)


def read_request(environ: Environ) -> Json:
    """The JSON object that a request carries. Raises `ApiError`."""
    try:
        request = json.loads(read_body(environ) or b"{}", parse_constant=_refuse_constant)
    except ValueError as error:
        raise ApiError("SerializationException", f"the request is not JSON: {error}") from error
    except RecursionError as error:
        raise _too_deep() from error
    if not isinstance(request, dict):
        raise ApiError("SerializationException", "the request is not a JSON object")
    return request


def page(
    items: Sequence[T], request: Json, key: str, default: int = 100, name: Callable[[T], object] | None = None
) -> Json:
    """One page of a list, with the token of the next. Raises `ApiError` for a token that is not ours.

    With `name`, the next page begins after the item that ended this one, wherever that stands by then.
    """
    start, size = _start(items, request.get("NextToken") or "0", name), int(request.get("MaxResults") or default)
    end = start + size
    answer: Json = {key: list(items[start:end])}
    if end < len(items):
        answer["NextToken"] = f"{end}:{name(items[end - 1])}" if name else str(end)
    return answer


def _start(items: Sequence[T], token: str, name: Callable[[T], object] | None) -> int:
    match = _TOKEN.fullmatch(token)
    if not match:
        raise invalid(f"NextToken {token!r} is not valid")
    if name and match[2]:
        for index, item in enumerate(items):
            if str(name(item)) == match[2]:
                return index + 1
    return int(match[1])


def ordered(items: list[Json], request: Json, keys: Mapping[str, str], default_order: str = "Descending") -> list[Json]:
    """A list as SortBy and SortOrder of the request say; `keys` has the member for each SortBy, the default's first."""
    key = keys[request.get("SortBy") or next(iter(keys))]
    reverse = (request.get("SortOrder") or default_order) == "Descending"
    return sorted(items, key=lambda item: item[key], reverse=reverse)


def within(request: Json, name: str, moment: float) -> bool:
    """Whether a time lies between the request's `<name>After` and `<name>Before`, as far as it gives them."""
    after, before = request.get(f"{name}After"), request.get(f"{name}Before")
    return (after is None or moment >= after) and (before is None or moment <= before)


def given(request: Json, *names: str) -> Json:
    """Those members of a request that it has."""
    return {name: request[name] for name in names if request.get(name) is not None}


def _refusal(code: str, message: str) -> Json:
    return {"__type": code, "message": message}


def _too_deep() -> ApiError:
    return ApiError("SerializationException", "the request is nested too deeply")


def _refuse_constant(text: str) -> Any:
    raise ValueError(f"{text} is not a JSON number")
