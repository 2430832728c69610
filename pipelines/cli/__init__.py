"""The command line: the only place that prints, reads the process's environment, or exits.

`main(arguments)` gives the exit code: 0 fine; 1 findings, or the execution failed; 2 usage or spec error; 3 AWS refused
or could not be reached; 130 interrupted.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence

from pipelines.errors import PipelinesError

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; gives its exit code. `--help` and `--version` exit by themselves, as argparse has it."""
    from pipelines.cli.arguments import parse_arguments
    from pipelines.cli.terminal import Terminal

    words = sys.argv[1:] if arguments is None else arguments
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
    except KeyboardInterrupt:
        terminal.note("interrupted")
        return INTERRUPTED
