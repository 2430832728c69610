"""Whether the scheduler can start a pipeline by the roles that its schedules name: asked before anything is changed.

Takes roles and a gateway that reads IAM; gives notes. A role that cannot is a `UsageError` with the policy to add.
Whoever may not read IAM is told what was not checked.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, Protocol

from pipelines.errors import AwsError, UsageError
from pipelines.spec import Target

SCHEDULER: Final = "scheduler.amazonaws.com"
START: Final = "sagemaker:StartPipelineExecution"
_UNANSWERED: Final = {
    **dict.fromkeys(("AccessDenied", "AccessDeniedException", "UnauthorizedOperation"), "you may not read IAM"),
    "UnknownOperationException": "what stands in for IAM does not work it out",
}


class Iam(Protocol):
    """What is asked of IAM; the gateway answers it."""

    @property
    def target(self) -> Target: ...

    def role_trust(self, arn: str) -> Mapping[str, Any]: ...

    def denied_actions(self, role: str, actions: list[str], resource: str) -> list[str]: ...


def check_schedule_roles(roles: Iterable[str], pipeline: str, iam: Iam) -> Iterator[str]:
    """Notes on roles that could not be checked. Raises `UsageError` for one that cannot start the pipeline."""
    for role in sorted(set(roles)):
        try:
            _check(role, pipeline, iam)
        except AwsError as error:
            if error.code in _UNANSWERED:
                needed = f"{SCHEDULER} must be able to assume {role}, and that role to {START}"
                yield f"note: not checked, because {_UNANSWERED[error.code]}: {needed}"
            elif error.code == "NoSuchEntity":
                fix = "create it (docs/how-to/iam.md), or correct `role:` of the schedule"
                raise UsageError("the role of a schedule is not there", where=role, fix=fix) from error
            else:
                raise


def _check(role: str, pipeline: str, iam: Iam) -> None:
    if not trusts(iam.role_trust(role), SCHEDULER):
        what = "the scheduler may not assume the role, so the schedule would never start anything"
        raise UsageError(what, where=role, fix=f"add to its trust policy: {json.dumps(trust_statement(SCHEDULER))}")
    arn = _pipeline_arn(role, pipeline, iam.target)
    if iam.denied_actions(role, [START], arn):
        what = "the role may not start the pipeline, so the schedule would never start anything"
        statement = {"Effect": "Allow", "Action": START, "Resource": arn}
        raise UsageError(what, where=role, fix=f"add to its policy: {json.dumps(statement)}")


def trust_statement(service: str) -> dict[str, Any]:
    return {"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}


def trusts(document: Mapping[str, Any], service: str) -> bool:
    """Whether a trust policy lets a service assume the role; conditions are not looked at."""
    return any(
        statement.get("Effect") == "Allow"
        and {"sts:AssumeRole", "sts:*", "*"} & set(_listed(statement.get("Action")))
        and {service, "*"} & set(_listed((statement.get("Principal") or {}).get("Service")))
        for statement in _listed(document.get("Statement"))
        if not isinstance(statement.get("Principal"), str)
    )


def _listed(value: Any) -> list[Any]:
    """IAM writes one thing without its list."""
    return value if isinstance(value, list) else [] if value is None else [value]


def _pipeline_arn(role: str, pipeline: str, target: Target) -> str:
    return f"arn:{role.split(':')[1]}:sagemaker:{target.region}:{target.account}:pipeline/{pipeline.lower()}"
