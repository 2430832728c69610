"""Paths, the cut of the exit message, and how a failure of the process is told."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from processing.contract import Paths, cut, write_reason

CONTAINER = Path(__file__).parents[2] / "container"


def start(root: Path, *arguments: str, program: str = "") -> subprocess.Popen[str]:
    environment = {**os.environ, "OPT_ML": str(root), "PYTHONPATH": str(CONTAINER)}
    command = [sys.executable, "-c", program] if program else [sys.executable, "-m", "processing", *arguments]
    return subprocess.Popen(command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE)


@given(st.text(alphabet="aé€😀", max_size=60), st.integers(0, 80))
def test_a_cut_is_the_longest_start_that_fits(text: str, limit: int) -> None:
    short = cut(text, limit)
    assert text.startswith(short)
    assert len(short.encode()) <= limit
    assert short == text or len(text[: len(short) + 1].encode()) > limit


def test_the_reason_file_holds_at_most_one_kilobyte_of_utf8(tmp_path: Path) -> None:
    write_reason(tmp_path / "output" / "message", "x" + "é" * 1000)
    assert (tmp_path / "output" / "message").read_bytes().decode() == "x" + "é" * 511


def test_every_path_derives_from_one_root() -> None:
    assert Paths.from_environment({}).message == Path("/opt/ml/output/message")
    assert Paths.from_environment({"OPT_ML": "/x"}).channel("train") == Path("/x/input/data/train")


@pytest.mark.parametrize(
    ("arguments", "file", "message"),
    [
        ([], "message", "arguments: the following arguments are required: step"),
        (["featuers"], "message", "invalid choice: 'featuers'"),
        (["train", "--fast"], "message", "unrecognized arguments: --fast"),
    ],
)
def test_wrong_arguments_reach_the_exit_message(tmp_path: Path, arguments: list[str], file: str, message: str) -> None:
    process = start(tmp_path, *arguments)
    _, errors = process.communicate(timeout=300)
    told = (tmp_path / "output" / file).read_text()
    assert process.returncode == 2
    assert message in told
    assert "\n  fix: usage: python3 -m processing" in told
    assert told in errors


UNEXPECTED = """
import sys
from pathlib import Path
import processing.__main__ as program
from processing.contract import Paths
def broken(*_given):
    raise RuntimeError("no such luck")
program.run = broken
sys.exit(program.main(["train"], Paths(Path(sys.argv[1] if len(sys.argv) > 1 else __import__("os").environ["OPT_ML"]))))
"""


def test_an_unexpected_error_is_told_with_type_and_message_and_traceback(tmp_path: Path) -> None:
    process = start(tmp_path, program=UNEXPECTED)
    _, errors = process.communicate(timeout=300)
    told = (tmp_path / "output" / "failure").read_text()
    assert process.returncode == 1
    assert told.startswith("unexpected RuntimeError at ")
    assert "no such luck" in told
    assert "Traceback" in errors


SLOW = """
import os
import time
from pathlib import Path
import processing.__main__ as program
program.stop_promptly(Path(os.environ["OPT_ML"]) / "output" / "message")
print("ready", flush=True)
time.sleep(600)  # stands for an engine at work: it lets other threads run, but no signal handler
"""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_signal_ends_the_process_inside_a_long_call(tmp_path: Path, number: signal.Signals) -> None:
    process = start(tmp_path, program=SLOW)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    process.send_signal(number)
    _, errors = process.communicate(timeout=300)
    assert process.returncode == 143
    assert f"stopped by {number.name}" in errors
    assert (tmp_path / "output" / "message").read_text() == f"Stopped by {number.name} before the step was done."
