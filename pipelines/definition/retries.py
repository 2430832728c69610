"""The rules of retry policies (CONTRACT.md 1.9): a step in, what its policies break out."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from pipelines.definition.model import RetryPolicy, Step
from pipelines.errors import Problem

MOST: Final = {"IntervalSeconds": 43_200, "MaxAttempts": 20, "ExpireAfterMin": 14_400}


def placed_policies(step: Step) -> Iterator[tuple[str, RetryPolicy]]:
    """Each policy of a step, with its place in the document."""
    for index, policy in enumerate(step.retry_policies):
        yield f"{step.where}.RetryPolicies[{index}]", policy


def limits(step: Step) -> Iterator[Problem]:
    """Amounts out of their range, and policies that say twice when to give up."""
    for where, policy in placed_policies(step):
        if policy.max_attempts is not None and policy.expire_after_min is not None:
            what = "a retry policy takes MaxAttempts or ExpireAfterMin, not both"
            yield Problem(where, what, "remove one of them")
        values = (policy.interval_seconds, policy.max_attempts, policy.expire_after_min)
        for (key, most), value in zip(MOST.items(), values, strict=True):
            if value is not None and not 0 <= value <= most:
                mend = most if value > most else 0
                what = f"{key} must be 0 or more and at most {most}; it is {value}"
                yield Problem(f"{where}.{key}", what, f"write {mend}")
        if policy.backoff_rate is not None and policy.backoff_rate < 0:
            what = f"BackoffRate must be 0 or more; it is {policy.backoff_rate:g}"
            yield Problem(f"{where}.BackoffRate", what, "write 2, which doubles the wait each time")
