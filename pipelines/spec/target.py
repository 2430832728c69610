"""Where a spec is compiled for: an environment with nothing left open.

Takes a `Pipeline` and an environment's name; gives a `Target`. `local` exists without an entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from pipelines.nearest import suggestion
from pipelines.spec.expressions import EnvironmentValue, Template
from pipelines.spec.model import Environment, Pipeline
from pipelines.spec.parameters import value_fault
from pipelines.spec.source import Problems, Source, ValuePath

LOCAL = "local"
LOCAL_ACCOUNT = "123456789012"  # moto's account, so that ARNs agree whoever answers
_LOCAL_DEFAULTS = {
    "account": LOCAL_ACCOUNT,
    "region": "us-east-1",
    "role": f"arn:aws:iam::{LOCAL_ACCOUNT}:role/pipelines-local",
    "bucket": "pipelines-local",
}


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

    @property
    def is_local(self) -> bool:
        return self.name == LOCAL

    def value(self, reference: EnvironmentValue) -> str:
        """What `${{ env.NAME }}` stands for."""
        return str(getattr(self, reference.name))


def target(pipeline: Pipeline, source: Source, name: str = LOCAL) -> Target:
    """The environment `name`. Raises `SpecError` when it is unknown or something it needs is missing."""
    problems = Problems(source)
    environment = pipeline.environments.get(name)
    if environment is None and name != LOCAL:
        fix = suggestion(name, [LOCAL, *pipeline.environments], what="--env with one of")
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
    where = Target(name=name, prefix=prefix, tags=environment.tags, data=environment.data, **values)
    return replace(where, parameters=_parameters(pipeline, environment, where, problems))


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
        if isinstance(value, Template):
            value = "".join(part if isinstance(part, str) else _text(part, where) for part in value.parts)
        if value is None:
            continue
        fault = value_fault(declared, value)
        if fault:
            problems.add(path, f"{fault[0]} (environment {where.name})", fault[1])
        known[name] = float(value) if declared.type == "Float" else value
    problems.raise_any()
    return known


def _text(reference: Any, where: Target) -> str:
    assert isinstance(reference, EnvironmentValue)  # noqa: S101 -- parameters.py lets no other in
    return where.value(reference)
