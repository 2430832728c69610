"""Launchers that are started ahead."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from pipelines.local.runner import launchers
from pipelines.local.runner.launchers import Launchers
from tests.local.local_aws import eventually

SERVER = """
from pipelines.local.runner.launchers import Launchers
import time
found = Launchers()
found.prepare()
print(found._ahead[0].process.pid, flush=True)
time.sleep(600)
"""


@pytest.fixture
def ahead():
    found = Launchers()
    yield found
    del found  # which ends what it has started ahead


def test_the_one_that_was_started_ahead_is_taken_and_only_once(ahead):
    ahead.prepare()
    (waiting,) = ahead._ahead
    ahead.prepare()
    assert ahead._ahead == [waiting]
    first, second = ahead.take(), ahead.take()
    assert first is waiting
    assert second.process.pid != first.process.pid
    launchers._discard([first, second])
    assert first.process.returncode == 125  # no order came


def test_one_that_has_died_meanwhile_is_replaced(ahead):
    ahead.prepare()
    dead = ahead._ahead[0].process
    dead.kill()
    os.waitid(os.P_PID, dead.pid, os.WEXITED | os.WNOWAIT)
    taken = ahead.take()
    assert taken.process.poll() is None
    launchers._discard([taken])


def test_a_machine_without_room_for_another_process_fails_where_one_is_needed(ahead, monkeypatch):
    def refuse(*_words, **_more):
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(launchers.subprocess, "Popen", refuse)
    ahead.prepare()
    with pytest.raises(BlockingIOError):
        ahead.take()


def test_nothing_is_left_of_a_server_that_is_gone():
    ahead = Launchers()
    ahead.prepare()
    process = ahead._ahead[0].process
    del ahead
    assert process.returncode == 125


def test_nothing_is_left_of_a_server_that_was_killed():
    with subprocess.Popen([sys.executable, "-c", SERVER], stdout=subprocess.PIPE, text=True) as server:
        pid = int(server.stdout.readline())
        server.send_signal(signal.SIGKILL)
    eventually(lambda: not _is_there(pid), "the end of the launcher")


def _is_there(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
