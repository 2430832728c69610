"""Dockerfile text → instructions, one value per instruction, with its line; and the expansion of words.

Takes text, gives `Instruction`s in the file's order: continuation lines joined, comments dropped, flags parted.
Knows nothing of what an instruction does; `stage.py` does.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from pipelines.errors import LocalError

_DIRECTIVE = re.compile(r"#\s*(\w+)\s*=\s*(\S+)\s*$")
_HEREDOC = re.compile(r"(?<!<)<<-?([\"']?)[A-Za-z_]\w*\1(?=\s|$)")
_FLAG = re.compile(r"--([a-z][a-z-]*)(?:=(\S*))?\s+")
_VARIABLE = re.compile(r"(?P<plain>[A-Za-z_]\w*)|\{(?P<name>[A-Za-z_]\w*)(?::(?P<operator>[-+])(?P<word>[^}]*))?\}")


LONGEST = 1 << 17
"""Bytes that Linux gives a program in one variable or argument; expanding to more characters than that is an error."""


class ExpansionError(ValueError):
    """The values of an instruction's variables are longer than any program could be given."""


@dataclass(frozen=True)
class Instruction:
    """`KEYWORD --flag=value text`, and where it stands ("path:line")."""

    where: str
    keyword: str
    flags: tuple[tuple[str, str], ...]
    text: str

    def flag(self, name: str) -> str | None:
        """The last value of a flag; None when it is absent."""
        return dict(self.flags).get(name)

    def refuse(self, what: str, fix: str) -> LocalError:
        """The error that says what is wrong with this instruction."""
        return LocalError(f"{self.keyword}: {what}", where=self.where, fix=fix)

    def json_form(self) -> tuple[str, ...] | None:
        """The words of the exec form `["a", "b"]`; None for the shell form."""
        if not self.text.startswith("["):
            return None
        try:
            words = json.loads(self.text)
        except ValueError:
            return None  # Docker takes a broken array for the shell form, too
        if isinstance(words, list) and all(isinstance(word, str) for word in words):
            return tuple(words)
        return None


def parse(text: str, path: str) -> tuple[Instruction, ...]:
    """Read a Dockerfile's text; `path` is what messages name. Raises LocalError for a heredoc."""
    return tuple(_instruction(line, f"{path}:{number}") for number, line in _logical_lines(text))


def escape_character(text: str) -> str:
    """The character that continues a line: a backslash, unless `# escape=` at the top says otherwise."""
    for line in _lines(text):
        directive = _DIRECTIVE.match(line.strip())
        if directive is None:
            break
        if directive[1].lower() == "escape":
            return directive[2]
    return "\\"


def _lines(text: str) -> list[str]:
    """The lines as Docker parts them: by line feeds alone."""
    return [line.removesuffix("\r") for line in text.lstrip("\ufeff").split("\n")]


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Each instruction on one line, with the number of the line on which it starts."""
    continued = re.compile(re.escape(escape_character(text)) + r"[ \t]*$")
    start, parts = 0, ""
    for number, line in enumerate(_lines(text), start=1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue  # also between continuation lines, as Docker does
        start = start or number
        if continued.search(line):
            parts += continued.sub("", line)
            continue
        yield start, (parts + line).strip()
        start, parts = 0, ""
    if parts.strip():
        yield start, parts.strip()


def _instruction(line: str, where: str) -> Instruction:
    keyword, rest = (*line.split(maxsplit=1), "")[:2]
    flags = []
    while match := _FLAG.match(rest):
        flags.append((match[1], match[2] if match[2] is not None else "true"))
        rest = rest[match.end() :]
    instruction = Instruction(where, keyword.upper(), tuple(flags), rest)
    if instruction.keyword in {"RUN", "COPY", "ADD"} and _HEREDOC.search(rest):
        raise instruction.refuse(
            "a heredoc (<<) is not read here", "put the text into a file of the folder, and COPY or RUN that file"
        )
    return instruction


def words(text: str, variables: Mapping[str, str]) -> list[str]:
    """Split at blanks outside quotes, expand $NAME, ${NAME}, ${NAME:-word} and ${NAME:+word}, drop the quotes."""
    found: list[str] = []
    word: str | None = None
    for piece, blank in _pieces(text, variables):
        if blank:
            if word is not None:
                found.append(word)
            word = None
        else:
            word = (word or "") + piece
    return found if word is None else [*found, word]


def expand(text: str, variables: Mapping[str, str]) -> str:
    """Like `words`, but blanks stay: the whole text is one word."""
    return "".join(piece for piece, _ in _pieces(text, variables))


def _pieces(text: str, variables: Mapping[str, str]) -> Iterator[tuple[str, bool]]:
    """Pieces of the expanded text; the flag marks a blank that parts two words."""
    quote, at, expanded = "", 0, 0
    while at < len(text):
        character = text[at]
        at += 1
        if quote == "'" and character != "'":
            yield character, False
        elif character in "'\"" and quote in ("", character):
            quote = "" if quote else character
            yield "", False  # so that '' is an empty word
        elif character == "\\" and at < len(text) and (not quote or text[at] in '"$\\'):
            yield text[at], False
            at += 1
        elif character == "$" and (match := _VARIABLE.match(text, at)):
            value = _value(match, variables)
            expanded += len(value)
            if expanded > LONGEST:
                raise ExpansionError(f"its variables amount to more than {LONGEST:,} characters")
            yield value, False
            at = match.end()
        else:
            yield character, not quote and character.isspace()


def _value(match: re.Match[str], variables: Mapping[str, str]) -> str:
    name = match["plain"] or match["name"]
    value = variables.get(name, "")
    if match["operator"] == "-" and not value:
        return expand(match["word"], variables)
    if match["operator"] == "+":
        return expand(match["word"], variables) if value else ""
    return value
