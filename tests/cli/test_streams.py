"""Signals, pipes and terminals: the real command, as a process of its own."""

from __future__ import annotations

import fcntl
import json
import os
import pty
import re
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.local.local_aws import eventually

_DEADLINE = 180.0  # seconds; generous, for a loaded machine
_HIDE, _SHOW = "\x1b[?25l", "\x1b[?25h"  # the cursor


@dataclass
class Screen:
    """A command on a terminal of its own."""

    pid: int
    terminal: int
    text: str = ""
    before: list = field(default_factory=list)

    def read(self, until: Callable[[str], bool] = lambda _text: False) -> str:
        """Read on until the text satisfies, or the command has ended."""
        deadline = time.monotonic() + _DEADLINE
        while not until(self.text):
            assert time.monotonic() < deadline, self.text
            if not select.select([self.terminal], [], [], 0.2)[0]:
                continue
            try:
                self.text += os.read(self.terminal, 65536).decode()
            except OSError:  # the other side is closed
                break
        return self.text

    def press_ctrl_c(self) -> None:
        os.write(self.terminal, b"\x03")

    def end(self) -> int:
        """Wait for the end; gives the exit code."""
        self.read()
        _, status = os.waitpid(self.pid, 0)
        os.close(self.terminal)
        return os.waitstatus_to_exitcode(status)


@pytest.fixture
def screen(deployed):
    """Starts the command on a terminal of so many columns."""

    def start(*words: str, columns: int = 80, rows: int = 24, **environment: str) -> Screen:
        command = [sys.executable, "-m", "pipelines", *words]
        variables = {**os.environ, "TERM": "xterm-256color", **environment}
        for name in ("NO_COLOR", "FORCE_COLOR", "COLUMNS", "LINES"):
            if name not in environment:
                variables.pop(name, None)
        pid, terminal = pty.fork()
        if pid == 0:
            fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
            os.execve(command[0], command, variables)  # noqa: S606 -- the child of pty.fork
        return Screen(pid, terminal, before=termios.tcgetattr(terminal))

    return start


def _plain(text: str) -> list[str]:
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", text).replace("\r", "").split("\n")


def test_ctrl_c_stops_the_running_steps_and_the_execution(deployed, screen, pipelines):
    run = screen("run", "-p", "Seconds=600")
    run.read(lambda text: "Executing" in text)
    after = termios.tcgetattr(run.terminal)
    run.press_ctrl_c()
    assert run.end() == 1
    assert after == run.before
    assert "stopping the execution" in run.text
    arn = re.search(r"execution (arn:\S+)", run.text.replace("\r\n", ""))[1]
    assert run.text.rindex(_SHOW) > run.text.rindex(_HIDE)
    ident = re.search(r"execution/(\w{12})", arn)[1]
    facts = json.loads(pipelines("status", "--execution", ident, "--json").out)
    assert facts["status"] == "Stopped"
    assert {step["name"]: step["status"] for step in facts["steps"]} == {"Features": "Stopped"}
    assert any(re.fullmatch(r"Features +Stopped +\d+\.\ds", line) for line in _plain(run.text))


def test_second_ctrl_c_leaves_at_once(deployed, screen, pipelines):
    run = screen("run", "-p", "Seconds=600", "-p", "Fail=deaf")
    run.read(lambda text: "Executing" in text)
    started = re.search(r"execution arn:\S+execution/(\w{12})", run.text.replace("\r\n", ""))[1]
    eventually(lambda: "line" in pipelines("logs", "Features", "--execution", started).out, "its deafness")
    run.press_ctrl_c()
    run.read(lambda text: "Stopping" in text)
    run.press_ctrl_c()
    assert run.end() == 130
    assert run.text.rindex(_SHOW) > run.text.rindex(_HIDE)
    assert "interrupted" in run.text
    assert f"pipelines stop --execution {started}" in run.text.replace("\r\n", "")
    assert json.loads(pipelines("status", "--execution", started, "--json").out)["status"] == "Stopping"


def test_ctrl_c_leaves_an_execution_that_is_only_watched(deployed, screen, pipelines):
    arn = pipelines("start", "-p", "Seconds=600").out.strip()
    ident = arn.rpartition("/")[2]
    watching = screen("status", "--watch", "--execution", ident)
    watching.read(lambda text: "Executing" in text)
    watching.press_ctrl_c()
    assert watching.end() == 130
    assert f"the execution goes on; stop it: pipelines stop --execution {ident}" in "".join(_plain(watching.text))
    assert json.loads(pipelines("status", "--execution", ident, "--json").out)["status"] == "Executing"
    assert pipelines("stop", "--execution", ident).code == 0


@pytest.fixture
def ended(deployed, pipelines) -> str:
    """The id of an execution that failed, with a reason longer than any terminal is wide."""
    words = " ".join(f"word{number}" for number in range(35))
    return json.loads(pipelines("run", "--json", "-p", f"Fail={words}").out)["arn"].rpartition("/")[2]


def test_table_fits_a_narrow_terminal_and_loses_nothing(ended, screen):
    shown = screen("status", "--execution", ended, columns=60)
    assert shown.end() == 1
    lines = _plain(shown.text)
    table = lines[: lines.index("")]
    assert len(table) > 10
    assert max(map(len, table)) <= 60
    for number in range(35):
        assert any(f"word{number}" in re.split(r"[ ,]+", line) for line in table)


def test_live_table_keeps_to_the_height_of_the_terminal(deployed, screen):
    run = screen("run", rows=6)
    assert run.end() == 0
    live = run.text[: run.text.rindex(_SHOW)]
    assert "… 3 more" in live
    assert max(frame.count("\n") for frame in live.split("\x1b[2K")) < 6


def test_colours_on_a_terminal_only_and_not_where_they_are_unwanted(deployed, ended, screen):
    coloured = re.compile(r"\x1b\[(?:\d+;)*3\d")
    words = ("status", "--execution", ended)
    for environment, wanted in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False)):
        shown = screen(*words, **environment)
        assert shown.end() == 1
        assert bool(coloured.search(shown.text)) is wanted, environment
    piped = deployed.command("run")
    assert "\x1b" not in piped.out + piped.err


def test_progress_into_a_pipe_is_plain_lines_even_where_colours_are_forced(deployed):
    done = deployed.command("run", FORCE_COLOR="1")
    assert done.code == 0
    assert _HIDE not in done.err
    assert re.search(r"^Features: Succeeded after ", done.err, re.MULTILINE)


def test_terminal_that_cannot_move_its_cursor_gets_lines(screen):
    run = screen("run", TERM="dumb")
    assert run.end() == 0
    assert "\x1b" not in run.text
    assert "Features: Succeeded after" in run.text


@pytest.fixture
def unread():
    """The writing end of a pipe whose reader has gone."""
    reader, writer = os.pipe()
    os.close(reader)
    yield writer
    os.close(writer)


def test_reader_that_has_gone_changes_neither_exit_code_nor_stderr(deployed, ended, unread):
    for words, code in ((["compile"], 0), (["status", "--execution", ended, "--json"], 1), (["logs"], 0)):
        process = deployed.popen(*words, stdout=unread)
        _, err = process.communicate(timeout=_DEADLINE)
        assert process.returncode == code, err
        assert "Traceback" not in err
        assert "BrokenPipe" not in err


def test_run_goes_on_when_nobody_reads(deployed, unread):
    process = deployed.popen("run", "-p", "MinMean=9", stdout=unread, stderr=unread)
    assert process.wait(timeout=_DEADLINE) == 1


@pytest.mark.parametrize(("closed", "code"), [(">&-", 1), ("2>&-", 1), (">&- 2>&-", 1)])
def test_closed_streams_are_no_error(deployed, ended, closed, code):
    command = [sys.executable, "-m", "pipelines", "status", "--execution", ended, "--json"]
    done = subprocess.run(
        ["sh", "-c", f'exec "$@" {closed}', "sh", *command], capture_output=True, text=True, timeout=_DEADLINE
    )
    assert done.returncode == code
    assert done.stderr == ""
    assert done.stdout == "" if closed.startswith(">") else json.loads(done.stdout)["status"] == "Failed"


def test_full_disk_is_named(deployed):
    with Path("/dev/full").open("w") as full:
        process = deployed.popen("compile", stdout=full)
        _, err = process.communicate(timeout=_DEADLINE)
    assert process.returncode == 2
    assert (
        err
        == "error: <stdout>: the output cannot be written: No space left on device\n  fix: write it to another place\n"
    )


def test_locale_without_arrows_is_no_error(deployed):
    done = deployed.command("run", PYTHONIOENCODING="ascii", PYTHONUTF8="0")
    assert done.code == 0
    assert "Gate: true \\u2192 Register" in done.out


def test_run_whose_server_is_killed_says_where_to_look(tmp_path, make_project):
    project = make_project(tmp_path / "project")
    assert project.command("deploy").code == 0
    process = project.popen("run", "-p", "Seconds=600")
    ident = re.search(r"execution/(\w+)", next(line for line in process.stderr if line.startswith("execution ")))[1]
    assert "Features: Executing\n" in iter(process.stderr.readline, "")
    os.kill(json.loads(project.home.server.read_text())["pid"], signal.SIGKILL)
    out, err = process.communicate(timeout=_DEADLINE)
    assert (process.returncode, out) == (3, "")
    assert f"see how it ended: pipelines status --execution {ident}\n" in err
    assert "fix: repeat the command: it starts the local SageMaker again" in err
    status = project.command("status", "--execution", ident)
    assert status.code == 1
    assert "interrupted: the local SageMaker was ended while it ran" in status.out
