"""What the user sees: messages on stderr, results on stdout; rich on a terminal, plain text in a pipe."""

from __future__ import annotations

import json
import os
import sys
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, TextIO

from pipelines.errors import UsageError

if TYPE_CHECKING:
    from rich.console import Console, RenderableType

    from pipelines.errors import Problem

_PATIENCE = 1.0  # seconds without a word
_UNLIMITED = 100_000  # columns; a pipe has no width: nothing is cut or wrapped there


class Terminal:
    """Prints for people or, with `json`, for machines. Whoever stops reading does not stop the command."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self.is_deaf = False  # nobody reads stdout any more
        for stream in (sys.stdout, sys.stderr):
            if hasattr(stream, "reconfigure"):
                stream.reconfigure(errors="backslashreplace")  # what the locale cannot show is no reason to fail

    def console(self, *, error: bool = False) -> Console:
        """rich's console of stdout or stderr; imported when something is drawn."""
        from rich.console import Console

        console = Console(stderr=error, highlight=False)
        return console if console.is_terminal else Console(stderr=error, highlight=False, width=_UNLIMITED)

    def drawn(self, *parts: RenderableType) -> None:
        """A result that rich draws."""
        from rich.text import Text

        console = self.console()
        with console.capture() as capture:
            for part in parts:
                # A table fits the terminal; text is left to the terminal to wrap, so that it can be copied whole.
                console.print(part, soft_wrap=isinstance(part, Text))
        self.result("\n".join(line.rstrip() for line in capture.get().splitlines()))

    def result(self, text: str) -> None:
        """What the command was asked for."""
        self.is_deaf = not _write(sys.stdout, text) or self.is_deaf

    def document(self, value: Any) -> None:
        """What the command was asked for, as one JSON document."""
        self.result(json.dumps(value, indent=2, default=str, allow_nan=False))

    def record(self, value: Any) -> None:
        """One of many results, as JSON on one line."""
        self.result(json.dumps(value, default=str, allow_nan=False))

    def note(self, text: str) -> None:
        """What happens meanwhile."""
        _write(sys.stderr, text)

    @property
    def is_interactive(self) -> bool:
        """Whether somebody is here to be asked."""
        return all(stream is not None and stream.isatty() for stream in (sys.stdin, sys.stderr))

    def confirm(self, question: str) -> bool:
        """Ask for a yes; anything else is none."""
        self.note(f"{question} [y/N]")
        return sys.stdin.readline().strip().lower() in ("y", "yes")

    @contextmanager
    def busy(self, text: str) -> Iterator[None]:
        """Says what takes so long, if it does."""
        timer = threading.Timer(_PATIENCE, self.note, [text])
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()

    def problems(self, problems: Iterable[Problem]) -> None:
        """Mistakes: where, what, and the mend; as JSON on stdout, too, when machines listen."""
        listed = list(problems)
        for problem in listed:
            self.note(f"error: {problem}")
        if self.json:
            self.record({"problems": [{"where": item.where, "what": item.what, "fix": item.fix} for item in listed]})


def _write(stream: TextIO | None, text: str) -> bool:
    """Write a line; False when nobody reads. Raises `UsageError` when it cannot be written."""
    if stream is None or stream.closed:  # `>&-`
        return False
    try:
        print(text, file=stream, flush=True)
    except BrokenPipeError:
        _discard(stream)
        return False
    except OSError as error:
        _discard(stream)
        raise UsageError(
            f"the output cannot be written: {error.strerror}", where=stream.name, fix="write it to another place"
        ) from error
    return True


def _discard(stream: TextIO) -> None:
    """Let go of what is still in the buffer: Python would complain of it again at its end."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, stream.fileno())
    os.close(nowhere)
