"""Names of jobs and of the children of a ForEach.

A job is `pipelines-<executionId>-<stepName, shortened>-<10 characters>` (CONTRACT.md 1.9). The last part
is a digest of execution, step and attempt in place of the service's random one: a machine without randomness can then
name the job before it exists, as `Execution.ProcessingJobName` requires.
"""

from __future__ import annotations

import base64
import hashlib
from typing import Final

_MAX_LENGTH: Final = 63
_TAIL: Final = 10


def child_name(body_step: str, index: int) -> str:
    """The name of a ForEach's child (CONTRACT.md 1.8)."""
    return f"{body_step}-{index}"


def job_name(execution_id: str, step: str, attempt: int = 1) -> str:
    """A legal job name (at most 63 letters, digits and hyphens), the same for the same attempt."""
    key = f"{execution_id}/{step}/{attempt}".encode()
    tail = base64.b32encode(hashlib.sha256(key).digest()).decode("ascii")[:_TAIL]
    head = f"pipelines-{execution_id}"
    room = _MAX_LENGTH - len(head) - _TAIL - 2
    middle = step.replace("_", "-")[: max(room, 0)].strip("-")
    return "-".join(part for part in (head, middle, tail) if part)
