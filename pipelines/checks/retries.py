"""Checks of retry policies (CONTRACT.md 1.9); their limits are `definition.retries`."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.checks.finding import Found, found
from pipelines.checks.subject import Subject
from pipelines.definition import RetryPolicy, Step, retries
from pipelines.nearest import nearest

EXCEPTIONS: Final = (
    "Step.SERVICE_FAULT",
    "Step.THROTTLING",
    "SageMaker.JOB_INTERNAL_ERROR",
    "SageMaker.CAPACITY_ERROR",
    "SageMaker.RESOURCE_LIMIT",
    "Emr.RESOURCE_LIMIT",
)
_WITHOUT: Final = frozenset({"Condition", "Fail", "Lambda", "Callback", "Lineage", "Cleanup"})
_STEP_ONLY: Final = frozenset({"Model", "RegisterModel"})


def limits(subject: Subject) -> Iterator[Found]:
    return (found(step, problem) for step in subject.steps for problem in retries.limits(step))


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
        for where, policy in retries.placed_policies(step):
            yield step, where, policy
