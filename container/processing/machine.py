"""What the container may take: memory and processors, from its cgroup where there is one, else from the machine.

In: the root of the file system (another one in tests), what a user asks for. Out: bytes, a count, `Limits`.
"""

from __future__ import annotations

import math
import os
import re
from dataclasses import dataclass
from pathlib import Path

from processing.errors import Problem, SettingError

_SIZE = re.compile(r"\d+(\.\d+)?\s*[KMGT]i?B", re.IGNORECASE)
_SHARE = 0.6
"""Of the container's memory. The rest is for what DuckDB does not count: Python, the allocator, the page cache."""
_MEMORY_FILES = ("sys/fs/cgroup/memory.max", "sys/fs/cgroup/memory/memory.limit_in_bytes")


def memory_bytes(root: Path = Path("/")) -> int:
    """The smaller of the cgroup's limit (version 2 or 1) and the machine's memory."""
    limits = [_number(root / name) for name in _MEMORY_FILES]
    return min([limit for limit in limits if limit is not None] + [_machine_memory(root)])


def _machine_memory(root: Path) -> int:
    """MemTotal; four gigabytes where nothing tells."""
    try:
        lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
    except OSError:
        return 4 * 1024**3
    sizes = [int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:")]
    return sizes[0] if sizes else 4 * 1024**3


def processors(root: Path = Path("/")) -> int:
    """Processors this process may run on, or the cgroup's quota, rounded up, where that is less."""
    own = len(os.sched_getaffinity(0))
    try:
        quota, period = (root / "sys/fs/cgroup/cpu.max").read_text(encoding="ascii").split()
    except (OSError, ValueError):
        return own
    return own if quota == "max" else max(1, min(own, math.ceil(int(quota) / int(period))))


def _number(path: Path) -> int | None:
    """The number in a file of the cgroup; None where there is no file or no limit."""
    try:
        text = path.read_text(encoding="ascii").strip()
    except OSError:
        return None
    return int(text) if text.isdigit() else None


@dataclass(frozen=True)
class Limits:
    """What a run may take. Memory None: a share of the container's; threads None: its processors."""

    memory: str | None = None
    threads: int | None = None

    def __post_init__(self) -> None:
        if self.memory is not None and _SIZE.fullmatch(self.memory) is None:
            raise SettingError([Problem("--memory-limit", f"'{self.memory}' is no size", "write '--memory-limit 4GB'")])
        if self.threads is not None and self.threads < 1:
            raise SettingError([Problem("--threads", "at least one thread is needed", "write '--threads 2'")])

    @property
    def memory_size(self) -> str:
        """The limit as DuckDB reads it."""
        return self.memory or f"{int(memory_bytes() * _SHARE / 1024**2)}MiB"
