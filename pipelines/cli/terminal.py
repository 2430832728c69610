"""What the user sees: messages on stderr, results on stdout; rich on a terminal, plain text in a pipe."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console

    from pipelines.errors import Problem


class Terminal:
    """Prints for people or, with `json`, for machines."""

    def __init__(self, *, json: bool = False) -> None:
        self.json = json
        self._consoles: dict[bool, Console] = {}

    def console(self, *, error: bool = False) -> Console:
        """rich's console of stdout or stderr; imported when something is drawn."""
        if error not in self._consoles:
            from rich.console import Console

            console = Console(stderr=error, highlight=False)
            # A pipe has no width: nothing is cut or wrapped there.
            self._consoles[error] = (
                console if console.is_terminal else Console(stderr=error, highlight=False, width=400)
            )
        return self._consoles[error]

    def result(self, text: str) -> None:
        """What the command was asked for."""
        print(text, flush=True)

    def data(self, value: Any) -> None:
        """What the command was asked for, as JSON."""
        print(json.dumps(value, indent=2, default=str), flush=True)

    def note(self, text: str) -> None:
        """What happens meanwhile."""
        print(text, file=sys.stderr, flush=True)

    def problems(self, problems: Iterable[Problem]) -> None:
        """Mistakes: where, what, and the mend; as JSON on stdout when machines listen."""
        listed = list(problems)
        if self.json:
            self.data({"problems": [{"where": item.where, "what": item.what, "fix": item.fix} for item in listed]})
        for problem in listed:
            self.note(f"error: {problem}")
