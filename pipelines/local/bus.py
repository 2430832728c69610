"""EventBridge's default bus: events of SageMaker's in, messages to the targets of the rules that match them out.

The rules and their targets are moto's; moto delivers what clients put, and to some targets only, so what happens here
is delivered here, on a thread of its own and in order. A delivery that fails is logged, and sent to the target's
dead-letter queue; nothing that runs is disturbed by it.
"""

from __future__ import annotations

import json
import logging
import re
import threading
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from queue import SimpleQueue
from typing import Any, Final

from pipelines.local.call import CallError, json_call
from pipelines.local.events import Event, StatusChange, events_of, job_event
from pipelines.local.jobs.job import ENDED
from pipelines.local.moto import Moto, matches, transformed
from pipelines.local.targets import Targets, kind_of, refused, whole

Json = dict[str, Any]

_PATIENCE: Final = 10.0  # seconds for what is still to be delivered when the server ends
_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Rule:
    """An enabled rule of the bus, with its targets as PutTargets had them."""

    name: str
    arn: str
    pattern: str
    targets: tuple[Json, ...]


class EventBus:
    """Delivers events; `observe` and `job_changed` return at once."""

    def __init__(self, moto: Moto, targets: Targets, account: str, now: Callable[[], datetime]) -> None:
        self._moto = moto
        self._targets = targets
        self._account = account
        self._now = now
        self._queue: SimpleQueue[Callable[[], Iterator[Event]] | None] = SimpleQueue()
        self._jobs: dict[str, tuple[str, str]] = {}
        self._rules: list[Rule] = []
        self._stale = True
        self._thread = threading.Thread(target=self._work, name="events", daemon=True)
        moto.listen(self._changed)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Deliver what is still to be delivered."""
        self._queue.put(None)
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def observe(self, change: StatusChange) -> None:
        """An execution has changed, and perhaps steps of it."""
        if self._moto.has("events"):
            self._queue.put(lambda: events_of(change))

    def job_changed(self, kind: str, record: Json) -> None:
        """A job's record has changed; of its states each is told once."""
        arn, state = record[f"{kind}JobArn"], (record[f"{kind}JobStatus"], record.get("SecondaryStatus", ""))
        if self._jobs.get(arn) == state or not self._moto.has("events"):
            return
        self._jobs[arn] = state
        if state[0] in ENDED:
            del self._jobs[arn]
        at = self._now()
        self._queue.put(lambda: iter([job_event(kind, record, at)]))

    def _changed(self, service: str) -> None:
        if service == "events":
            self._stale = True

    def _work(self) -> None:
        while (events := self._queue.get()) is not None:
            try:
                for event in events():
                    self._deliver(event)
            except Exception:  # noqa: BLE001 -- logged with its traceback; the next event is not this one's affair
                _log.exception("an event was not delivered")

    def _deliver(self, event: Event) -> None:
        if self._stale:
            self._stale = False  # before it is read: what changes meanwhile is read again
            self._rules = list(self._read())
        message = event.message(str(uuid.uuid4()), self._account, self._moto.region)
        for rule in self._rules:
            if _is_for(rule, message):
                for target in rule.targets:
                    self._send(rule, target, message)

    def _read(self) -> Iterator[Rule]:
        for item in self._pages("ListRules", {}, "Rules"):
            if item.get("State", "ENABLED") == "ENABLED" and item.get("EventPattern"):
                targets = tuple(self._pages("ListTargetsByRule", {"Rule": item["Name"]}, "Targets"))
                yield Rule(item["Name"], item["Arn"], item["EventPattern"], targets)

    def _pages(self, operation: str, request: Json, key: str) -> Iterator[Json]:
        token: Json = {}
        while True:
            answer = self._moto.call(json_call("events", self._moto.region, operation, {**request, **token}))
            yield from answer[key]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _send(self, rule: Rule, target: Json, message: Json) -> None:
        try:
            self._send_to(target, message)
        except CallError as error:
            _log.warning("rule %s: target %s was not told: %s", rule.name, target["Arn"], error)
            self._bury(rule, target, message, error)

    def _send_to(self, target: Json, message: Json) -> None:
        arn, text = target["Arn"], whole(said(target, message))
        match kind_of(arn):
            case "sqs":
                self._targets.queue(arn, text, group=(target.get("SqsParameters") or {}).get("MessageGroupId", ""))
            case "sns":
                self._targets.topic(arn, text)
            case "logs":
                self._targets.log(arn, text)
            case "sagemaker":
                self._targets.pipeline(arn, target.get("SageMakerPipelineParameters") or {}, f"{message['id']} {arn}")
            case _:
                raise refused(arn)

    def _bury(self, rule: Rule, target: Json, message: Json, error: CallError) -> None:
        queue = (target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            return
        why = {"ERROR_CODE": error.kind, "ERROR_MESSAGE": error.message}
        where = {"RULE_ARN": rule.arn, "TARGET_ARN": target["Arn"]}
        try:
            self._targets.queue(queue, json.dumps(message), attributes={**where, **why})
        except CallError as failure:
            _log.warning("rule %s: dead-letter queue %s was not told: %s", rule.name, queue, failure)


def said(target: Json, message: Json) -> Any:
    """What a target is told of an event: all of it, a part of it, or what its rule says instead."""
    if "Input" in target:
        return target["Input"]
    if "InputPath" in target:
        return _part(message, target["InputPath"])
    if "InputTransformer" in target:
        return transformed(target["InputTransformer"], message)
    return message


def _part(message: Json, path: str) -> Any:
    value: Any = message
    for name in re.findall(r"[^.$\[\]'\"]+", path):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _is_for(rule: Rule, message: Json) -> bool:
    try:
        return matches(rule.pattern, message)
    except CallError as error:
        _log.warning("rule %s: its pattern was not understood: %s", rule.name, error)
        return False
