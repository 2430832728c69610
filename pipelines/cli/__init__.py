"""The command line: the only place that prints, reads the process's environment, or exits.

`main(arguments)` gives the exit code: 0 fine; 1 findings, or the execution failed; 2 usage or spec error; 3 AWS refused
or could not be reached; 130 interrupted (Ctrl-C), 143 terminated (SIGTERM).
"""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

from pipelines.errors import PipelinesError

INTERRUPTED, TERMINATED = 130, 143


class _Terminated(KeyboardInterrupt):
    """SIGTERM, as CI and service managers send it: commands end as they do upon Ctrl-C."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code. `--help` and `--version` exit by themselves, as argparse has it."""
    with _ending_on_sigterm():
        return _run(sys.argv[1:] if arguments is None else arguments)


def _run(words: Sequence[str]) -> int:
    from pipelines.cli.arguments import parse_arguments
    from pipelines.cli.terminal import Terminal

    terminal = Terminal(json="--json" in words)
    given = None
    try:
        given = parse_arguments(words)
        from pipelines.cli.commands import COMMANDS

        return COMMANDS[given.command](given, terminal)
    except PipelinesError as error:
        from pipelines.cli.suggested import completed

        terminal.problems(completed(problem, given) for problem in error.problems)
        # plan's 2 says that there are changes: a mistake must not.
        return 1 if "--detailed-exitcode" in words else error.exit_code
    except _Terminated:
        terminal.note("terminated")
        return TERMINATED
    except KeyboardInterrupt:
        terminal.note("interrupted")
        return INTERRUPTED


@contextmanager
def _ending_on_sigterm() -> Iterator[None]:
    """SIGTERM raises in the command; where somebody else has decided what it does, or in a thread, nothing changes."""

    def end(_signal: int, _frame: object) -> None:
        raise _Terminated

    if threading.current_thread() is not threading.main_thread() or signal.getsignal(signal.SIGTERM) != signal.SIG_DFL:
        yield
        return
    signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
