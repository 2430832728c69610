"""The reference page of the commands, from the parsers themselves. `python -m pipelines.cli.reference` writes it."""

from __future__ import annotations

import argparse
from pathlib import Path

from pipelines.cli.arguments import build_parsers

FILE = Path(__file__).parent.parent.parent / "docs" / "reference" / "commands.md"
_WIDTH = 100
_EXIT_CODES = """\
| exit code | means |
|---|---|
| 0 | fine |
| 1 | findings, or the execution ended otherwise than Succeeded |
| 2 | a mistake on the command line or in pipeline.yaml |
| 3 | AWS, or the local SageMaker, refused or could not be reached |
| 130, 143 | interrupted (Ctrl-C), or terminated (SIGTERM), before there was a result |

Both end a command alike: `run`, and what else watches an execution of the local SageMaker that it started, stops it and
shows what came of it; an execution on AWS goes on. A second time leaves it at once.
"""


def page() -> str:
    """The page, in Markdown."""
    parser, commands = build_parsers()
    parts = [
        "# Commands\n",
        "<!-- generated: python -m pipelines.cli.reference -->\n",
        "Results go to stdout, messages and progress to stderr. With `--json`, stdout is one JSON document "
        '(`logs`: one a line); an error is `{"problems": [{"where": …, "what": …, "fix": …}]}`.\n',
        _EXIT_CODES,
        _block(parser),
    ]
    parts += [f"## {name}\n\n{_block(command)}" for name, command in commands.items()]
    return "\n".join(parts)


def _block(parser: argparse.ArgumentParser) -> str:
    parser.formatter_class = _Formatter
    return f"```\n{parser.format_help().rstrip()}\n```\n"


class _Formatter(argparse.HelpFormatter):
    """As wide as the page, whatever the terminal."""

    def __init__(self, prog: str) -> None:
        super().__init__(prog, width=_WIDTH)


if __name__ == "__main__":
    FILE.parent.mkdir(parents=True, exist_ok=True)
    FILE.write_text(page(), encoding="utf-8")
