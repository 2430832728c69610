"""Containers whose program serves a port: reached by `connect` alone, never by the machine's own network."""

from __future__ import annotations

import os
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import pytest

from pipelines.errors import LocalError

Job = Any
Jobs = Any
SERVER = """
import socket, sys
server = socket.create_server(("0.0.0.0", int(sys.argv[1])))
print("ready", flush=True)
while True:
    with server.accept()[0] as client:
        client.sendall(client.recv(100) + b" " + sys.argv[2].encode())
"""


@pytest.fixture
def port() -> int:
    """A port that nobody has, nor is given by the system while the test runs."""
    for number in range(10_000 + os.getpid() % 10_000, 32_000):
        with socket.socket() as found, suppress(OSError):
            found.bind(("127.0.0.1", number))
            return number
    pytest.fail("no port is free")


def serve(jobs: Jobs, port: int, word: str) -> Job:
    return jobs("python3", "-c", SERVER, str(port), word, port=port)


def ask(job: Job) -> bytes:
    with job.container.connect() as connection:
        connection.sendall(b"hello")
        return bytes(connection.recv(100))


def test_a_program_is_reached_once_it_listens(either_jobs: Jobs, port: int) -> None:
    job = either_jobs("python3", "-c", f"import time; print('up', flush=True); time.sleep(600); {port}", port=port)
    assert job.waits_for("up")
    with pytest.raises(ConnectionRefusedError, match="nobody answers there"):
        job.container.connect()
    job.container.stop(0)
    assert job.end() in (137, 143)
    with pytest.raises(OSError):
        job.container.connect()


def test_a_question_that_comes_together_with_the_order_is_answered(jobs: Jobs, port: int) -> None:
    waits = "import os, time\nwhile not os.path.exists('/opt/ml/output/go'): time.sleep(0.02)"
    job = jobs("python3", "-c", f"{waits}\n{SERVER}", str(port), "first", port=port)
    with pytest.raises(ConnectionRefusedError, match="nobody answers there"):
        job.container.connect()
    (job.opt_ml / "output/go").touch()
    assert job.waits_for("ready")
    assert ask(job) == b"hello first"


def test_jobs_serve_the_same_port_at_once_and_the_machine_does_not(jobs: Jobs, port: int) -> None:
    first, second = serve(jobs, port, "first"), serve(jobs, port, "second")
    assert first.waits_for("ready")
    assert second.waits_for("ready")
    assert (ask(first), ask(second), ask(first)) == (b"hello first", b"hello second", b"hello first")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))


def test_without_namespaces_one_serves_after_the_other(plain_jobs: Jobs, port: int) -> None:
    first = serve(plain_jobs, port, "first")
    with ThreadPoolExecutor(1) as thread:
        second = thread.submit(serve, plain_jobs, port, "second")
        assert first.waits_for("ready")
        assert ask(first) == b"hello first"
        assert not second.done()
        first.container.stop(0)
        assert second.result(180).waits_for("ready")
        assert ask(second.result()) == b"hello second"


def test_without_namespaces_a_port_that_the_machine_uses_is_refused_with_the_mend(plain_jobs: Jobs) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        number = taken.getsockname()[1]
        with pytest.raises(LocalError) as caught:
            serve(plain_jobs, number, "never")
    assert caught.value.what == f"port {number} of this machine is taken, which the job's program serves"
    assert caught.value.problems[0].fix.startswith("end the program that has it")
