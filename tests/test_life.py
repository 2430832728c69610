"""The life of a pipeline, executed as its page says: every command, edit and exit code, upon two local SageMakers."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

PAGE = Path(__file__).parent.parent / "docs" / "life-of-a-pipeline.md"
_PART = re.compile(r"^(?:`([\w./-]+)`:\n\n)?```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ENDPOINT = re.compile(r"http://127\.0\.0\.1:\d+")


class Reader:
    """Somebody who follows the page, line by line."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
        self.environment |= {"PATH": programs, "AWS_EC2_METADATA_DISABLED": "true"}
        self.endpoints: list[str] = []
        self.said = ""

    def follow(self, name: str, kind: str, text: str) -> None:
        match kind:
            case "console":
                for line in filter(str.strip, text.splitlines()):
                    self.type(line)
            case "diff":
                self.edit(text)
            case "text":
                for line in text.splitlines():
                    assert line.strip() in self.said
            case _:
                for place, endpoint in zip(("DEV", "PROD"), self.endpoints, strict=False):
                    text = text.replace(f"= {place}\n", f"= {endpoint}\n")
                (self.folder / name).write_text(text, encoding="utf-8")

    def type(self, line: str) -> None:
        command, _, comment = line.partition("  #")
        expected = re.search(r"exit code (\d)", comment)
        words = shlex.split(command)
        if words[0] == "export":
            self.environment |= dict(word.replace("$PWD", str(self.folder)).split("=", 1) for word in words[1:])
            return
        ran = subprocess.run(
            ["bash", "-c", re.sub(r"\bpipelines (?=[a-z])", "python -m pipelines ", command)],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        said = f"{command}\n{ran.stdout}{ran.stderr}"
        assert ran.returncode == (int(expected[1]) if expected else 0), said
        self.said = said if "plan" in words or "why" in words else self.said
        self.endpoints += _ENDPOINT.findall(ran.stdout)[:1] if "--detach" in words else []

    def edit(self, text: str) -> None:
        lines = text.splitlines()
        old = "".join(f"{line[1:]}\n" for line in lines if line.startswith("-"))
        new = "".join(f"{line[1:]}\n" for line in lines if line.startswith("+"))
        file = self.folder / "pipeline.yaml"
        before = file.read_text(encoding="utf-8")
        assert old in before
        file.write_text(before.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def reader(tmp_path: Path):
    somebody = Reader(tmp_path)
    yield somebody
    for stage in ("dev", "prod"):
        command = [sys.executable, "-m", "pipelines", "local", "--stop", "-f", stage]
        subprocess.run(command, cwd=tmp_path, check=False, capture_output=True)


def test_the_life_of_a_pipeline_is_as_the_page_says(reader: Reader):
    parts = _PART.findall(PAGE.read_text(encoding="utf-8"))
    assert len(parts) > 20
    for name, kind, text in parts:
        reader.follow(name, kind, text)
    assert len(reader.endpoints) == 2
