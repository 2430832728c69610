"""Is a failed step retried, and when? (CONTRACT.md 1.9) Step, exception and past retries in; the next retry out.

Step.SERVICE_FAULT and Step.THROTTLING are retried in steps of every type (5 times, after 1, 2, 4 … seconds); the first
policy of the step that names an exception decides alone over it. Where the service's behaviour is not documented:

- MaxAttempts and ExpireAfterMin count for each policy on its own: MaxAttempts its retries (so one job more in all),
  ExpireAfterMin from the first failure it had to handle; a retry later than that is not made.
- RetryPolicies of a type that does not support them, or naming an exception that the type does not, have no effect.
- A wait is never longer than ExpireAfterMin can be, ten days.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Final

from pipelines.definition import step_types as types
from pipelines.definition.model import RetryPolicy, Step
from pipelines.local.machine.state import Retry

SERVICE_FAULT: Final = "Step.SERVICE_FAULT"
THROTTLING: Final = "Step.THROTTLING"
JOB_INTERNAL_ERROR: Final = "SageMaker.JOB_INTERNAL_ERROR"
CAPACITY_ERROR: Final = "SageMaker.CAPACITY_ERROR"
RESOURCE_LIMIT: Final = "SageMaker.RESOURCE_LIMIT"
EXCEPTIONS: Final = frozenset({SERVICE_FAULT, THROTTLING, JOB_INTERNAL_ERROR, CAPACITY_ERROR, RESOURCE_LIMIT})

_OF_STEPS: Final = frozenset({SERVICE_FAULT, THROTTLING})
_OF_TUNING: Final = EXCEPTIONS - {JOB_INTERNAL_ERROR}
# Which exceptions the policies of a step type may name.
_SUPPORTED: Final[Mapping[str, frozenset[str]]] = {
    types.PROCESSING: EXCEPTIONS,
    types.TRAINING: EXCEPTIONS,
    types.TRANSFORM: EXCEPTIONS,
    types.TUNING: _OF_TUNING,
    types.AUTO_ML: _OF_TUNING,
    types.MODEL: _OF_STEPS,
    types.REGISTER_MODEL: _OF_STEPS,
    types.EMR_SERVERLESS: EXCEPTIONS,
    types.ENDPOINT_CONFIG: EXCEPTIONS,
    types.JOB: EXCEPTIONS,
}

DEFAULT_ATTEMPTS: Final = 5
DEFAULT_INTERVAL: Final = 1.0
DEFAULT_BACKOFF: Final = 2.0
_LONGEST_WAIT: Final = timedelta(minutes=14400)
_DEFAULT_POLICY: Final = -1


def next_retry(
    step: Step, exception: str | None, past: tuple[Retry, ...], at: datetime
) -> tuple[tuple[Retry, ...], datetime] | None:
    """The step's retries with the next one counted, and its time; None when the failure is final.

    ValueError for an exception that does not exist.
    """
    if exception is not None and exception not in EXCEPTIONS:
        raise ValueError(f'"{exception}" is none of the exceptions {", ".join(sorted(EXCEPTIONS))}')
    found = _policy(step, exception)
    if found is None:
        return None
    index, policy = found
    before = next((retry for retry in past if retry.policy == index), Retry(index, 0, at))
    until = at + _delay(policy, before.count)
    if not _allows(policy, before, until):
        return None
    others = tuple(retry for retry in past if retry.policy != index)
    return (*others, Retry(index, before.count + 1, before.since)), until


def _policy(step: Step, exception: str | None) -> tuple[int, RetryPolicy] | None:
    if exception is None:
        return None
    if exception in _SUPPORTED.get(step.type, frozenset()):
        for index, policy in enumerate(step.retry_policies):
            if exception in policy.exception_types:
                return index, policy
    return (_DEFAULT_POLICY, RetryPolicy(())) if exception in _OF_STEPS else None


def _allows(policy: RetryPolicy, before: Retry, until: datetime) -> bool:
    if policy.expire_after_min is not None:
        window = timedelta(minutes=policy.expire_after_min)
        return policy.expire_after_min > 0 and until <= before.since + window
    attempts = DEFAULT_ATTEMPTS if policy.max_attempts is None else policy.max_attempts
    return before.count < attempts


def _delay(policy: RetryPolicy, count: int) -> timedelta:
    """Interval × backoff^(n-1) before the n-th retry."""
    interval = DEFAULT_INTERVAL if policy.interval_seconds is None else policy.interval_seconds
    rate = DEFAULT_BACKOFF if policy.backoff_rate is None else policy.backoff_rate
    try:
        return min(timedelta(seconds=interval * rate**count), _LONGEST_WAIT)
    except OverflowError:
        return _LONGEST_WAIT
