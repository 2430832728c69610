"""What the types cannot say of schedules, notifications, experiments and the local environment.

Takes a `Pipeline` and where to note problems. Nothing here looks at the clock: a time that is past is no mistake.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from zoneinfo import ZoneInfo

from pipelines.nearest import suggestion
from pipelines.schedule import (
    Expression,
    ScheduleError,
    instant,
    local_time,
    parse_cron,
    parse_rate,
    time_zone,
)
from pipelines.spec.environment import Environment, Notification, Schedule
from pipelines.spec.expressions import EnvironmentValue, ExecutionValue, Template
from pipelines.spec.expressions import Parameter as ParameterReference
from pipelines.spec.links import references
from pipelines.spec.local import KEYS, LOCAL, DockerOptions, check_images
from pipelines.spec.model import Pipeline
from pipelines.spec.parameters import check_value
from pipelines.spec.source import Problems, ValuePath

_PARSERS: Mapping[str, Callable[[str], Expression]] = {"cron": parse_cron, "rate": parse_rate}
MAX_VALUE = 1024  # characters of a parameter's value in a start (CONTRACT.md 4.1)


def check_operations(pipeline: Pipeline, problems: Problems) -> None:
    """Note what is wrong with the environments."""
    checker = _Checker(pipeline, problems)
    for name, environment in pipeline.environments.items():
        path: ValuePath = ("environments", name)
        for key, schedule in environment.schedules.items():
            checker.schedule((*path, "schedules", key), schedule, environment)
        for key, notification in environment.notifications.items():
            checker.notification((*path, "notifications", key), notification)
        checker.experiment((*path, "experiment"), environment)
        checker.local(path, environment)


@contextmanager
def _noting(problems: Problems, path: ValuePath) -> Iterator[None]:
    """Notes what is no expression, timezone or time as a problem of the value at `path`."""
    try:
        yield
    except ScheduleError as error:
        problems.add(path, error.what, error.fix)


class _Checker:
    """Looks at one part after the other, noting problems."""

    def __init__(self, pipeline: Pipeline, problems: Problems) -> None:
        self.pipeline = pipeline
        self.problems = problems
        self.refuse = problems.add

    def schedule(self, path: ValuePath, schedule: Schedule, environment: Environment) -> None:
        given = [key for key in ("cron", "rate", "at") if getattr(schedule, key) is not None]
        if len(given) != 1:
            what = "says no time" if not given else f"says both {' and '.join(given)}"
            self.refuse(path, f"schedule {path[-1]!r} {what}", "give it exactly one of cron, rate, at", key=True)
        for key in given:
            self.expression((*path, key), getattr(schedule, key))
        self.zone(path, schedule)
        if schedule.at is not None:
            for key in ("start", "end"):
                if getattr(schedule, key) is not None:
                    self.refuse((*path, key), f"{key!r} means nothing to a single time", "remove it", key=True)
        if schedule.window and schedule.window.seconds % 60:
            fix = f"write {schedule.window.seconds // 60 + 1}m"
            self.refuse((*path, "window"), "a window is counted in whole minutes", fix)
        self.parameters(path, schedule, environment)

    def expression(self, path: ValuePath, text: str) -> None:
        """A cron or a rate; `at` is read with its timezone."""
        parse = _PARSERS.get(str(path[-1]))
        if parse is not None:
            with _noting(self.problems, path):
                if text.startswith(f"{path[-1]}("):
                    raise ScheduleError(f"{text!r} repeats its key", f"write what stands in the brackets: {text[5:-1]}")
                parse(text)

    def zone(self, path: ValuePath, schedule: Schedule) -> None:
        """The timezone, and the times that are local to it."""
        zone = None
        with _noting(self.problems, (*path, "timezone")):
            zone = time_zone(schedule.timezone)
        if zone is None:
            return
        instants = {key: self.instant((*path, key), getattr(schedule, key), zone) for key in ("at", "start", "end")}
        start, end = instants["start"], instants["end"]
        if start and end and end <= start:
            self.refuse((*path, "end"), "it ends before it starts", "write a later end, or an earlier start")

    def instant(self, path: ValuePath, text: str | None, zone: ZoneInfo) -> datetime | None:
        found = None
        if text is not None:
            with _noting(self.problems, path):
                found = instant(local_time(text), zone)
                if found is None:
                    raise ScheduleError(f"the clock of {zone} skips {text}", "write a time an hour later")
        return found

    def parameters(self, path: ValuePath, schedule: Schedule, environment: Environment) -> None:
        declared = self.pipeline.parameters
        for name, value in schedule.parameters.items():
            place: ValuePath = (*path, "parameters", name)
            if name not in declared:
                fix = suggestion(name, declared, otherwise="declare it under `parameters:`")
                self.refuse(place, f"there is no parameter {name!r}", fix, key=True)
                continue
            check_value(place, declared[name], value, self.problems)
            length = len(value.literal or "") if isinstance(value, Template) else 0
            if length > MAX_VALUE:
                what = f"{length} characters; a start takes {MAX_VALUE}"
                self.refuse(place, what, "put the value into a file, and give the file's URI")
        for name, parameter in declared.items():
            if parameter.default is None and name not in environment.parameters and name not in schedule.parameters:
                what = f"schedule {path[-1]!r} gives no value to {name!r}, which has no default"
                self.refuse(path, what, f"add `parameters: {{ {name}: … }}` here, or give {name!r} a default", key=True)

    def notification(self, path: ValuePath, notification: Notification) -> None:
        for index, status in enumerate(notification.on):
            if status in notification.on[:index]:
                self.refuse((*path, "on", index), f"the state {status!r} stands here twice", "remove one")
        if ":api-destination/" in notification.to and notification.role is None:
            what = "a webhook needs a role that may call it"
            self.refuse(path, what, "add `role:` with events:InvokeApiDestination", key=True)

    def experiment(self, path: ValuePath, environment: Environment) -> None:
        for place, reference in references(environment.experiment, path):
            if isinstance(reference, ParameterReference) and reference.name not in self.pipeline.parameters:
                fix = suggestion(reference.name, self.pipeline.parameters, otherwise="declare it under `parameters:`")
                self.refuse(place, f"there is no parameter {reference.name!r}", fix)
            elif not isinstance(reference, ParameterReference | EnvironmentValue | ExecutionValue):
                what = "an experiment is named before any step runs"
                self.refuse(place, what, "use env., execution. or parameters. references")

    def local(self, path: ValuePath, environment: Environment) -> None:
        """What only the local SageMaker can do anything with."""
        check_images(environment.images, (*path, "images"), self.problems)
        for key in KEYS if path[-1] != LOCAL else ():
            if getattr(environment, key) not in (None, {}, DockerOptions()):
                what = f"{key!r} is for the local SageMaker; this environment is AWS's"
                self.refuse((*path, key), what, f"move it to `environments: {LOCAL}:`", key=True)
