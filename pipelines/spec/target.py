"""Where a spec is compiled for: an environment with nothing left open.

Takes a `Pipeline` and an environment's name; gives a `Target`. `local` exists without an entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pipelines.errors import Problem, SpecError
from pipelines.nearest import suggestion
from pipelines.spec.expressions import EnvironmentValue, Template
from pipelines.spec.model import Environment, Pipeline
from pipelines.spec.source import Source

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
    """An environment: every value known."""

    name: str
    account: str
    region: str
    role: str
    bucket: str
    prefix: str
    tags: Mapping[str, str]
    parameters: Mapping[str, Any]
    data: Mapping[str, str]

    @property
    def is_local(self) -> bool:
        return self.name == LOCAL

    def text(self, template: Template) -> str:
        """A template in which only `env` is referred to, as text."""
        parts = (part if isinstance(part, str) else self._value(part) for part in template.parts)
        return "".join(parts)

    def _value(self, reference: Any) -> str:
        if not isinstance(reference, EnvironmentValue):
            raise TypeError(f"not known before an execution: {reference}")
        return str(getattr(self, reference.name))


def target(pipeline: Pipeline, source: Source, name: str = LOCAL) -> Target:
    """The environment `name`. Raises `SpecError` when it is unknown or something it needs is missing."""
    environment = pipeline.environments.get(name)
    if environment is None and name != LOCAL:
        fix = suggestion(name, [LOCAL, *pipeline.environments], what="--env with one of")
        raise SpecError([Problem(source.where(("environments",)), f"there is no environment {name!r}", fix)])
    environment = environment or Environment()
    values = {key: getattr(environment, key) for key in _LOCAL_DEFAULTS}
    if name == LOCAL:
        values = {key: value or _LOCAL_DEFAULTS[key] for key, value in values.items()}
    missing = [key for key, value in values.items() if value is None]
    if missing:
        where = source.where_key(("environments", name))
        raise SpecError(
            [Problem(where, f"{key!r} is missing", f"add `{key}:` to environment {name}") for key in missing]
        )
    return Target(
        name=name,
        prefix=(environment.prefix or pipeline.name).strip("/"),
        tags=environment.tags,
        parameters=environment.parameters,
        data=environment.data,
        **values,
    )
