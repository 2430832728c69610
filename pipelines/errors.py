"""The errors a user can mend; anything else is a bug of ours and keeps its traceback.

PipelinesError            where, what, fix; exit code 2
├── UsageError            a wrong argument, parameter or name on the command line
├── SpecError             pipeline.yaml (or a recipe beside it) cannot be read; carries every problem found
├── DefinitionError       a definition JSON that SageMaker would refuse to parse
├── CompileError          the SDK refuses what the spec says
├── LocalError            the local SageMaker cannot start or serve; exit code 3
└── AwsError              AWS (or the local endpoint) refused or could not be reached; exit code 3
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


class Mend(str):
    """A mend that ends with a command of ours, in words of its own: `Mend("see which there are", "executions")`.

    Whoever knows what the user typed completes it (`cli/suggested.py`): with FILE, names, and the environment, unless
    the words name one.
    """

    __slots__ = ("text", "words")
    text: str
    words: str

    def __new__(cls, text: str, words: str) -> Mend:
        made = super().__new__(cls, f"{text}: pipelines {words}" if text else f"pipelines {words}")
        made.text, made.words = text, words
        return made

    def __reduce__(self) -> tuple[type[Mend], tuple[str, str]]:  # for copies
        return Mend, (self.text, self.words)


@dataclass(frozen=True)
class Problem:
    """One mistake: where it is (file:line:column, step or ARN), what is wrong, the edit or command that mends it."""

    where: str
    what: str
    fix: str

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        mend = f"\n  fix: {self.fix}" if self.fix else ""
        return f"{place}{self.what}{mend}"


class PipelinesError(Exception):
    """A mistake that the user can mend."""

    exit_code = 2

    def __init__(self, what: str, *, where: str = "", fix: str = "") -> None:
        self.problems: tuple[Problem, ...] = (Problem(where, what, fix),)
        super().__init__(str(self.problems[0]))

    @property
    def what(self) -> str:
        return self.problems[0].what


class UsageError(PipelinesError):
    """A wrong argument, parameter or name on the command line."""


class SpecError(PipelinesError):
    """pipeline.yaml cannot be read; carries every problem found, in the file's order."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        Exception.__init__(self, "\n".join(str(problem) for problem in self.problems))


class DefinitionError(PipelinesError):
    """A definition JSON that SageMaker would refuse to parse."""


class CompileError(PipelinesError):
    """The SDK refuses what the spec says."""


class LocalError(PipelinesError):
    """The local SageMaker cannot start or serve."""

    exit_code = 3


class AwsError(PipelinesError):
    """AWS, or the local endpoint in its place, refused or could not be reached; `code` is AWS's error code."""

    exit_code = 3

    def __init__(self, what: str, *, where: str = "", fix: str = "", code: str = "") -> None:
        super().__init__(what, where=where, fix=fix)
        self.code = code
