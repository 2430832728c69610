"""EventBridge Scheduler: the schedules that moto keeps are fired when they are due.

`Scheduler.turn` does what is due now and says when to look again; `run` waits until then, or until a schedule changes.
Clock and waiting come from outside. A time that passed more than a minute ago is not made up: neither what was due
while no server ran, nor what was due while the machine slept.
"""

from __future__ import annotations

import logging
import threading
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, Protocol
from urllib.parse import urlencode

from pipelines.local.call import Call, CallError
from pipelines.local.firing import LATE, Firing, LocalSchedule, read_schedule
from pipelines.local.moto import Moto
from pipelines.local.targets import Targets

Json = dict[str, Any]

_GLANCE: Final = 60.0  # seconds; a thread's own clock stands still while the machine sleeps
_PATIENCE: Final = 5.0
_log = logging.getLogger(__name__)


class Alarm(Protocol):
    """What the scheduler waits with."""

    def wait(self, until: datetime | None) -> None:
        """Return at a time (None: never), or when it rings."""

    def ring(self) -> None:
        """Let the one who waits go on, or who waits next."""


class ClockAlarm:
    """Waits by the clock on the wall."""

    def __init__(self, now: Callable[[], datetime]) -> None:
        self._now = now
        self._rung = threading.Event()

    def wait(self, until: datetime | None) -> None:
        while until is None or until > self._now():
            seconds = None if until is None else min(max((until - self._now()).total_seconds(), 0.0), _GLANCE)
            if self._rung.wait(seconds):
                break
        self._rung.clear()

    def ring(self) -> None:
        self._rung.set()


class Scheduler:
    """Fires the schedules of one region."""

    def __init__(self, moto: Moto, targets: Targets, now: Callable[[], datetime], alarm: Alarm) -> None:
        self._moto = moto
        self._targets = targets
        self._now = now
        self._alarm = alarm
        self._since = now()
        self._schedules: list[LocalSchedule] = []
        self._stale = True
        self._again: list[Firing] = []
        self._closing = False
        self._thread = threading.Thread(target=self._run, name="scheduler", daemon=True)
        moto.listen(self._changed)

    def start(self) -> None:
        self._thread.start()

    def close(self) -> None:
        """Fire nothing more."""
        self._closing = True
        self._alarm.ring()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE)

    def turn(self) -> datetime | None:
        """Fire what is due; gives the time of what is due next, or None."""
        now = self._now()
        self._refresh()
        due = [*(firing for firing in self._again if firing.due <= now), *self._due(now)]
        self._again = [firing for firing in self._again if firing.due > now]
        self._since = now
        for firing in sorted(due, key=lambda found: found.due):
            try:
                self._fire(firing, now)
            except Exception:  # noqa: BLE001 -- logged with its traceback; the other schedules are not this one's affair
                _log.exception("schedule %s", firing.schedule.name)
        following = [schedule.next(now) for schedule in self._schedules]
        return min([*filter(None, following), *(firing.due for firing in self._again)], default=None)

    def _run(self) -> None:
        while not self._closing:
            until = None
            try:
                until = self.turn()
            except Exception:  # noqa: BLE001 -- logged with its traceback; schedules must go on firing
                _log.exception("the scheduler")
                until = self._now() + timedelta(seconds=_GLANCE)
            self._alarm.wait(until)

    def _changed(self, service: str) -> None:
        if service == "scheduler":
            self._stale = True
            self._alarm.ring()

    def _refresh(self) -> None:
        if self._stale and self._moto.has("scheduler"):
            self._stale = False  # before it is read: what changes meanwhile is read again
            try:
                self._schedules = list(self._read())
            except Exception:
                self._stale = True
                raise

    def _due(self, now: datetime) -> Iterator[Firing]:
        for schedule in self._schedules:
            times = list(schedule.due(self._since, now))
            missed = [time for time in times if now - time > LATE]
            if missed:
                _log.warning("schedule %s: %d times passed meanwhile; they are not made up", schedule.name, len(missed))
            yield from (Firing(schedule, time, time, str(uuid.uuid4())) for time in times[len(missed) :])

    def _fire(self, firing: Firing, now: datetime) -> None:
        schedule = firing.schedule
        try:
            self._targets.start(self._moto.region, firing.request(), f"{schedule.arn} {firing.time.isoformat()}")
            _log.info("schedule %s fired for %s", schedule.name, firing.time.isoformat())
        except CallError as error:
            again = firing.again(error, now)
            if isinstance(again, Firing):
                _log.warning("schedule %s: %s; again at %s", schedule.name, error, again.due.isoformat())
                self._again.append(again)
                return
            _log.warning("schedule %s started nothing: %s", schedule.name, error)
            self._bury(firing, error, again)
        if schedule.delete_after and schedule.next(firing.time) is None:
            self._delete(schedule)

    def _bury(self, firing: Firing, error: CallError, exhausted: str) -> None:
        queue = (firing.schedule.target.get("DeadLetterConfig") or {}).get("Arn")
        if not queue:
            return
        body, attributes = firing.letter(error, exhausted)
        try:
            self._targets.queue(queue, body, attributes=attributes)
        except CallError as failure:
            _log.warning("schedule %s: dead-letter queue %s was not told: %s", firing.schedule.name, queue, failure)

    def _delete(self, schedule: LocalSchedule) -> None:
        try:
            self._call("DeleteSchedule", "DELETE", f"/schedules/{schedule.name}", groupName=schedule.group)
        except CallError as error:
            _log.warning("schedule %s was not deleted: %s", schedule.name, error)

    def _read(self) -> Iterator[LocalSchedule]:
        for item in self._listed():
            try:
                answer = self._call("GetSchedule", "GET", f"/schedules/{item['Name']}", groupName=item["GroupName"])
                schedule = read_schedule(answer)
            except (CallError, LookupError, TypeError, ValueError) as error:
                _log.warning("schedule %s does not fire: %s", item["Name"], error)
                continue
            if schedule:
                yield schedule

    def _listed(self) -> Iterator[Json]:
        token: dict[str, str] = {}
        while True:
            answer = self._call("ListSchedules", "GET", "/schedules", **token)
            yield from answer["Schedules"]
            if not answer.get("NextToken"):
                return
            token = {"NextToken": answer["NextToken"]}

    def _call(self, operation: str, method: str, path: str, **query: str) -> Json:
        return self._moto.call(Call("scheduler", self._moto.region, operation, method, path, urlencode(query)))
