"""Callback steps: a token is sent to the step's queue, and the step waits until somebody sends it back.

A step that waits holds no thread. Its token is kept, so that one that was used or whose step is over is told from one
that never was; the waiting itself ends with the server, as executions do. A stop ends the step at once: the queue gets
the second message that the service would send, but nobody is waited for.
"""

from __future__ import annotations

import json
import logging
import secrets
import string
import threading
from collections.abc import Mapping
from concurrent.futures import Executor
from dataclasses import dataclass, field
from typing import Any

from pipelines.local.database import Database
from pipelines.local.machine.events import Launch
from pipelines.local.moto import Moto, MotoError
from pipelines.local.steps.outputs import declared, listed, refuse_unknown, typed
from pipelines.local.steps.step import Json, StepKind, Tell

_KIND = "callback"
_LETTERS = string.ascii_letters + string.digits
_log = logging.getLogger(__name__)


class UnknownTokenError(Exception):
    """No step ever had this token."""


class UsedTokenError(Exception):
    """The step of this token does not wait any more."""


def forget_callbacks(database: Database, pipeline_name: str) -> None:
    """Forget the tokens of a pipeline that is deleted."""
    database.delete_children(_KIND, pipeline_name)


@dataclass(frozen=True)
class _Waiting:
    launch: Launch
    tell: Tell
    token: str

    @property
    def queue(self) -> str:
        return str(self.launch.settings.get("SqsQueueUrl") or "")

    def metadata(self, outputs: Mapping[str, Any] | None = None) -> Json:
        found: Json = {"CallbackToken": self.token, "SqsQueueUrl": self.queue}
        return {"Callback": found | ({"OutputParameters": listed(outputs)} if outputs else {})}


@dataclass(frozen=True)
class Callback(StepKind):
    """All callback steps that wait."""

    moto: Moto
    database: Database
    workers: Executor
    _waiting: dict[str, _Waiting] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def prepare(self) -> None:
        self.moto.prepare()

    def run(self, launch: Launch, tell: Tell) -> None:
        token = "".join(secrets.choice(_LETTERS) for _ in range(10))
        waiting = _Waiting(launch, tell, token)
        kept = {"execution": tell.context.execution_arn, "step": launch.step}
        self.database.put(_KIND, token, kept, parent=tell.context.pipeline_name)
        with self._lock:
            self._waiting[token] = waiting
        tell.started(waiting.metadata(), lambda: self._stop(waiting))
        with self._lock:
            wanted = token in self._waiting
        if wanted:
            self._send(waiting, "Executing")

    def execution(self, token: str) -> str:
        """The ARN of the execution that a token is of. Raises `UnknownTokenError`."""
        kept = self.database.get(_KIND, token)
        if kept is None:
            raise UnknownTokenError(token)
        return str(kept["execution"])

    def succeed(self, token: str, values: Mapping[str, str]) -> None:
        """End a step well. Raises `UsedTokenError`, or `OutputError` for values that it does not declare."""
        waiting = self._find(token)
        types = declared(waiting.launch)
        refuse_unknown(types, values)
        outputs = typed(types, values)
        self._take(token)
        waiting.tell.succeeded({"OutputParameters": outputs}, waiting.metadata(outputs))

    def fail(self, token: str, reason: str) -> None:
        """End a step badly. Raises `UsedTokenError`."""
        waiting = self._take(token)
        waiting.tell.failed(reason or "the callback failed without a reason", waiting.metadata())

    def _find(self, token: str) -> _Waiting:
        with self._lock:
            waiting = self._waiting.get(token)
        if waiting is None:
            raise UsedTokenError(token)
        return waiting

    def _take(self, token: str) -> _Waiting:
        """Only one ends a step."""
        with self._lock:
            waiting = self._waiting.pop(token, None)
        if waiting is None:
            raise UsedTokenError(token)
        return waiting

    def _stop(self, waiting: _Waiting) -> None:
        # Not on the caller's thread: it holds the execution's lock, and moto may still have to be loaded.
        self.workers.submit(self._stopped, waiting)

    def _stopped(self, waiting: _Waiting) -> None:
        try:
            self._take(waiting.token)
        except UsedTokenError:
            return
        waiting.tell.stopped(waiting.metadata())
        self._send(waiting, "Stopping")

    def _send(self, waiting: _Waiting, status: str) -> None:
        """Send the message; where there is no such queue the step waits all the same: its Metadata has the token."""
        body = {
            "token": waiting.token,
            "pipelineExecutionArn": waiting.tell.context.execution_arn,
            "stepName": waiting.launch.step,
            "status": status,
            "arguments": waiting.launch.arguments,
        }
        try:
            self.moto.send_message(waiting.queue, json.dumps(body))
        except MotoError as error:
            _log.warning("step %s waits, but %r took no message: %s", waiting.launch.step, waiting.queue, error)
