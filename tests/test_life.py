"""The life of a pipeline, executed as its page says: every command, edit and exit code, upon two local SageMakers.

Its `pipelines` runs in this process, and does not wait as long as AWS wants it: tests/cli shows that it is a program.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipelines.cli import main

PAGE = Path(__file__).parent.parent / "docs" / "life-of-a-pipeline.md"
_PART = re.compile(r"^(?:`([\w./-]+)`:\n\n)?```(\w+)\n(.*?)^```", re.MULTILINE | re.DOTALL)
_ENDPOINT = re.compile(r"http://127\.0\.0\.1:\d+")


class Reader:
    """Somebody who follows the page, line by line."""

    def __init__(self, folder: Path, capture: pytest.CaptureFixture[str]) -> None:
        self.folder = folder
        self.capture = capture
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
            os.environ.update(word.replace("$PWD", str(self.folder)).split("=", 1) for word in words[1:])
            return
        code, out, err = self.run(words) if "pipelines" in words else self.program(command)
        said = f"{command}\n{out}{err}"
        assert code == (int(expected[1]) if expected else 0), said
        self.said = said if "plan" in words or "why" in words else self.said
        self.endpoints += _ENDPOINT.findall(out)[:1] if "--detach" in words else []

    def run(self, words: list[str]) -> tuple[int, str, str]:
        """A command of ours, with the variables that stand before it."""
        place = words.index("pipelines")
        with pytest.MonkeyPatch.context() as patch:
            for word in words[:place]:
                patch.setenv(*word.split("=", 1))
            self.capture.readouterr()
            return main(words[place + 1 :]), *self.capture.readouterr()

    def program(self, command: str) -> tuple[int, str, str]:
        """A command of the shell's."""
        ran = subprocess.run(["bash", "-c", command], stdin=subprocess.DEVNULL, capture_output=True, text=True)
        return ran.returncode, ran.stdout, ran.stderr

    def edit(self, text: str) -> None:
        lines = text.splitlines()
        old = "".join(f"{line[1:]}\n" for line in lines if line.startswith("-"))
        new = "".join(f"{line[1:]}\n" for line in lines if line.startswith("+"))
        file = self.folder / "pipeline.yaml"
        before = file.read_text(encoding="utf-8")
        assert old in before
        file.write_text(before.replace(old, new, 1), encoding="utf-8")


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name in ("AWS_CONFIG_FILE", "AWS_PROFILE"):  # what the page sets does not outlive the test
        monkeypatch.setenv(name, "")
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}:{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    pause = time.sleep
    monkeypatch.setattr(time, "sleep", lambda seconds: pause(min(seconds, 0.1)))
    yield Reader(tmp_path, capsys)
    for stage in ("dev", "prod"):
        main(["local", "--stop", "-f", stage])


def test_the_life_of_a_pipeline_is_as_the_page_says(reader: Reader):
    parts = _PART.findall(PAGE.read_text(encoding="utf-8"))
    assert len(parts) > 20
    for name, kind, text in parts:
        reader.follow(name, kind, text)
    assert len(reader.endpoints) == 2
