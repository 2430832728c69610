"""Out of memory and out of disk are told as such, whichever library ran into them.

In: the errors of Python, numpy and the boosting libraries. Out: DataError with the reason and what to change.
"""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager

from processing.errors import ContainerError, DataError, Problem

_MEMORY = ("bad_alloc", "out of memory", "failed to allocate", "cannot allocate")
_DISK = ("no space left", "disk quota exceeded")


@contextmanager
def telling_limits() -> Iterator[None]:
    """Turn an error that a limit of the machine caused into ours; any other passes."""
    try:
        yield
    except ContainerError:
        raise
    except Exception as error:
        problem = limit_problem(error)
        if problem is None:
            raise
        raise DataError([problem]) from error


def limit_problem(error: Exception) -> Problem | None:
    """The limit that an error speaks of; None where it speaks of none."""
    text = str(error).lower()
    if isinstance(error, MemoryError) or any(word in text for word in _MEMORY):
        return Problem("memory", f"out of memory: {_first_line(error)}", "take an instance with more memory")
    full = isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT)
    if full or any(word in text for word in _DISK):
        return Problem("disk", f"the volume is full: {_first_line(error)}", "raise volume_gb of the step")
    return None


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
