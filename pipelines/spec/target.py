"""Where a spec is compiled for: an environment with nothing left open.

Takes a `Pipeline` and an environment's name; gives a `Target`. `local` exists without an entry. The neutral target is
no environment at all: what is compiled for it has the same digest wherever the spec is deployed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

import pipelines.spec.environment as declared_types
from pipelines.nearest import suggestion
from pipelines.schedule import Schedule, instant, local_time, parse_at, parse_cron, parse_rate, time_zone, write_time
from pipelines.spec.environment import Environment, Experiment
from pipelines.spec.expressions import EnvironmentValue, Template
from pipelines.spec.local import LOCAL as LOCAL
from pipelines.spec.local import option as option
from pipelines.spec.model import Parameter, Pipeline
from pipelines.spec.parameters import value_fault
from pipelines.spec.source import Problems, Source, ValuePath

LOCAL_ACCOUNT = "123456789012"  # moto's account, so that ARNs agree whoever answers
# Values that no environment has, in forms that the SDK takes.
NEUTRAL = "neutral"
_NEUTRAL_ACCOUNT = "000000000000"
_LOCAL_DEFAULTS = {
    "account": LOCAL_ACCOUNT,
    "region": "us-east-1",
    "role": f"arn:aws:iam::{LOCAL_ACCOUNT}:role/pipelines-local",
    "bucket": "pipelines-local",
}


@dataclass(frozen=True)
class Notification:
    """Who (an ARN) is told when an execution reaches one of the states `on`; an empty role is none."""

    name: str
    to: str
    on: tuple[str, ...] = ("Failed",)
    role: str = ""


@dataclass(frozen=True)
class Target:
    """An environment: every value known. `parameters` holds the default of each parameter that has one."""

    name: str
    account: str
    region: str
    role: str
    bucket: str
    prefix: str
    tags: Mapping[str, str] = field(default_factory=dict)
    data: Mapping[str, str] = field(default_factory=dict)
    parameters: Mapping[str, str | int | float | bool] = field(default_factory=dict)
    schedules: Mapping[str, Schedule] = field(default_factory=dict)
    notifications: Mapping[str, Notification] = field(default_factory=dict)
    experiment: Experiment | Literal[False] | None = None

    @property
    def is_local(self) -> bool:
        return self.name == LOCAL

    @property
    def option(self) -> str:
        """What names it on a command line."""
        return option(self.name)

    def value(self, reference: EnvironmentValue) -> str:
        """What `${{ env.NAME }}` stands for."""
        return str(getattr(self, reference.name))


def target(pipeline: Pipeline, source: Source, name: str = LOCAL) -> Target:
    """The environment `name`. Raises `SpecError` when it is unknown or something it needs is missing."""
    problems = Problems(source)
    environment = pipeline.environments.get(name)
    if environment is None and name != LOCAL:
        fix = suggestion(name, dict.fromkeys([LOCAL, *pipeline.environments]), what="--env with one of")
        problems.add(("environments",), f"there is no environment {name!r}", fix)
        problems.raise_any()
    environment = environment or Environment()
    values = {key: getattr(environment, key) for key in _LOCAL_DEFAULTS}
    if name == LOCAL:
        values = {key: value or _LOCAL_DEFAULTS[key] for key, value in values.items()}
    for key, value in values.items():
        if value is None:
            problems.add(("environments", name), f"{key!r} is missing", f"add `{key}:` to environment {name}", key=True)
    problems.raise_any()
    prefix = environment.prefix or pipeline.name
    where = Target(
        name=name,
        prefix=prefix,
        tags=environment.tags,
        data=environment.data,
        notifications={key: _notification(key, item) for key, item in environment.notifications.items()},
        experiment=environment.experiment,
        **values,
    )
    where = replace(where, parameters=_parameters(pipeline, environment, where, problems))
    schedules = {key: _schedule(key, item, pipeline, where, problems) for key, item in environment.schedules.items()}
    problems.raise_any()
    return replace(where, schedules=schedules)


def local_target() -> Target:
    """The local SageMaker as it is where no pipeline.yaml says otherwise."""
    values = _LOCAL_DEFAULTS
    return Target(LOCAL, values["account"], values["region"], values["role"], values["bucket"], prefix="")


def neutral_target(pipeline: Pipeline) -> Target:
    """Placeholders for everything that environments differ in. Only defaults that name no environment are kept."""
    literal = {
        name: float(value) if declared.type == "Float" else value
        for name, declared in pipeline.parameters.items()
        if (value := _literal(declared.default)) is not None
    }
    return Target(
        name=NEUTRAL,
        account=_NEUTRAL_ACCOUNT,
        region="us-east-1",
        role=f"arn:aws:iam::{_NEUTRAL_ACCOUNT}:role/{NEUTRAL}",
        bucket=f"{NEUTRAL}-bucket",
        prefix=f"{NEUTRAL}-prefix",
        parameters=literal,
    )


def _literal(value: Any) -> Any:
    return value.literal if isinstance(value, Template) else value


def _notification(name: str, declared: declared_types.Notification) -> Notification:
    return Notification(name, declared.to, tuple(sorted(declared.on)), declared.role or "")


def _schedule(
    name: str, declared: declared_types.Schedule, pipeline: Pipeline, where: Target, problems: Problems
) -> Schedule:
    path: ValuePath = ("environments", where.name, "schedules", name)
    return Schedule(
        name=name,
        expression=_expression(declared),
        role=declared.role or where.role,
        timezone=declared.timezone,
        window_minutes=declared.window.seconds // 60 if declared.window else 0,
        parameters={
            key: _start_value(pipeline.parameters[key], value, where, problems, (*path, "parameters", key))
            for key, value in sorted(declared.parameters.items())
        },
        dead_letter_queue=declared.dead_letter_queue or "",
        attempts=declared.retry.attempts,
        max_age_seconds=declared.retry.max_age.seconds,
        start=_utc(declared.start, declared.timezone),
        end=_utc(declared.end, declared.timezone),
        enabled=declared.enabled,
    )


def _expression(declared: declared_types.Schedule) -> str:
    """As AWS takes it; `operations.py` let through exactly one."""
    if declared.cron is not None:
        return parse_cron(declared.cron).text
    if declared.rate is not None:
        return parse_rate(declared.rate).text
    return parse_at(declared.at or "").text


def _utc(text: str | None, timezone: str) -> str:
    found = instant(local_time(text), time_zone(timezone)) if text else None
    return write_time(found) if found else ""


def _start_value(declared: Parameter, value: Any, where: Target, problems: Problems, path: ValuePath) -> str:
    """A parameter's value as a start gives it: always a text (CONTRACT.md section 1.4)."""
    known = _known(value, where)
    fault = value_fault(declared, known)
    if fault:
        problems.add(path, f"{fault[0]} (environment {where.name})", fault[1])
    if isinstance(known, bool):
        return str(known).lower()
    return repr(float(known)) if declared.type == "Float" and not fault else str(known)


def _parameters(
    pipeline: Pipeline, environment: Environment, where: Target, problems: Problems
) -> dict[str, str | int | float | bool]:
    """The defaults of parameters, with the environment's values in place of `${{ env.… }}`."""
    known: dict[str, Any] = {}
    for name, declared in pipeline.parameters.items():
        path: ValuePath = ("parameters", name, "default")
        value: Any = declared.default
        if name in environment.parameters:
            path, value = ("environments", where.name, "parameters", name), environment.parameters[name]
        value = _known(value, where)
        if value is None:
            continue
        fault = value_fault(declared, value)
        if fault:
            problems.add(path, f"{fault[0]} (environment {where.name})", fault[1])
        known[name] = float(value) if declared.type == "Float" else value
    problems.raise_any()
    return known


def _known(value: Any, where: Target) -> Any:
    """A value of the spec with the environment's values in place of `${{ env.… }}`."""
    if isinstance(value, Template):
        return "".join(part if isinstance(part, str) else _text(part, where) for part in value.parts)
    return value


def _text(reference: Any, where: Target) -> str:
    assert isinstance(reference, EnvironmentValue)  # noqa: S101 -- parameters.py lets no other in
    return where.value(reference)
