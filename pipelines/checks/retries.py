"""Checks of retry policies (CONTRACT.md 1.9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.checks.finding import Found
from pipelines.checks.subject import Subject
from pipelines.definition import RetryPolicy, Step
from pipelines.nearest import nearest

EXCEPTIONS: Final = (
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
    "Emr.RESOURCE_LIMIT",
)
_MOST: Final = {"IntervalSeconds": 43_200, "MaxAttempts": 20, "ExpireAfterMin": 14_400}
_WITHOUT: Final = frozenset({"Condition", "Fail", "Lambda", "Callback", "Lineage", "Cleanup"})
_STEP_ONLY: Final = frozenset({"Model", "RegisterModel"})


def limits(subject: Subject) -> Iterator[Found]:
    for step, where, policy in _policies(subject):
        if policy.max_attempts is not None and policy.expire_after_min is not None:
            what = "a retry policy takes MaxAttempts or ExpireAfterMin, not both"
            yield Found(step.name, where, what, "remove one of them")
        values = (policy.interval_seconds, policy.max_attempts, policy.expire_after_min)
        for (key, most), value in zip(_MOST.items(), values, strict=True):
            if value is not None and not 0 <= value <= most:
                yield Found(
                    step.name, f"{where}.{key}", f"{key} must be at most {most}; it is {value}", f"write {most}"
                )


def exceptions(subject: Subject) -> Iterator[Found]:
    for step, where, policy in _policies(subject):
        for index, name in enumerate(policy.exception_types):
            if name not in EXCEPTIONS:
                close = nearest(name, EXCEPTIONS)
                fix = f'write "{close}"' if close else f"use one of {', '.join(EXCEPTIONS)}"
                place = f"{where}.ExceptionType[{index}]"
                yield Found(step.name, place, f"{name!r:.100} is no type of exception", fix)


def unsupported(subject: Subject) -> Iterator[Found]:
    for step, where, policy in _policies(subject):
        jobs = [name for name in policy.exception_types if name.startswith("SageMaker.")]
        if step.type in _WITHOUT:
            yield Found(step.name, where, f"a {step.type} step has no retry policies", "remove RetryPolicies")
        elif step.type in _STEP_ONLY and jobs:
            what = f"a {step.type} step runs no job that could end in {', '.join(jobs)}"
            yield Found(step.name, where, what, "keep Step.SERVICE_FAULT and Step.THROTTLING only")


def _policies(subject: Subject) -> Iterator[tuple[Step, str, RetryPolicy]]:
    for step in subject.steps:
        for index, policy in enumerate(step.retry_policies):
            yield step, f"{step.where}.RetryPolicies[{index}]", policy
