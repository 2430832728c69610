"""The documentation cannot drift: its links lead somewhere, its commands exist, its tutorial runs."""

from __future__ import annotations

import re
import shlex
import subprocess
from pathlib import Path

import pytest

from pipelines.cli import main
from pipelines.cli.arguments import parse_arguments

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
_BLOCK = re.compile(r"^( *)```(\w*)\n(.*?)^\1```", re.MULTILINE | re.DOTALL)
_LINK = re.compile(r"\]\((?!https?://|#)([^)#]+)")


def console_commands(page: Path) -> list[str]:
    """The lines of a page's console blocks, without comments."""
    blocks = (text for _, kind, text in _BLOCK.findall(page.read_text(encoding="utf-8")) if kind == "console")
    lines = (line.partition("  #")[0].strip() for block in blocks for line in block.splitlines())
    return [line for line in lines if line]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_of_a_page_leads_to_a_file(page: Path) -> None:
    prose = re.sub(r"`[^`\n]*`", "", page.read_text(encoding="utf-8"))
    missing = [link for link in _LINK.findall(prose) if not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_command_of_a_page_exists(page: Path) -> None:
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))
    for command in console_commands(page):
        program, *words = shlex.split(command)
        if program == "make":
            assert set(words) <= targets, command
        elif Path(program).name == "pipelines":
            parse_arguments(words)


def test_readme_names_only_make_to_set_up() -> None:
    first = console_commands(ROOT / "README.md")[:2]
    assert first == ["make run", "make test"]


def test_ci_runs_both_commands_of_the_readme() -> None:
    script = (ROOT / ".ci" / "run").read_text(encoding="utf-8")
    assert "make run" in script
    assert "make test" in script
    assert "make check" in script


def test_no_page_or_source_names_a_package_registry_or_this_machine() -> None:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True, text=True).stdout
    forbidden = re.compile("py" + r"pi\.org|python" + r"hosted|/wor" + "k/|/ro" + r"ot/\.pyenv")
    found = []
    for name in filter(None, listed.split("\0")):
        text = (ROOT / name).read_text(encoding="utf-8", errors="ignore")
        found += [f"{name}: {match.group()}" for match in forbidden.finditer(text)]
    assert not found


def test_the_tutorial_runs_as_written(tutorial: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tutorial)
    commands = [command for command in console_commands(ROOT / "docs" / "tutorial.md") if "pipelines" in command]
    codes = [main(shlex.split(command)[1:]) for command in commands]
    main(["local", "--stop"])
    assert dict(zip(commands, codes, strict=True)) == {
        "pipelines validate": 0,
        "pipelines graph": 0,
        "pipelines run": 0,
        "pipelines run -p AtLeast=5": 1,
    }
