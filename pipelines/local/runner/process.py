"""Runs a container as a plain process, without Docker.

Takes a `ContainerRequest`, gives a running `Container`. The program runs in an environment built from the image's
requirements, in a private root whose /opt/ml is the request's folder; where namespaces are refused, among the machine's
files, with OPT_ML naming the folder. See docs/decisions/0003-process-runner.md.
"""

from __future__ import annotations

import os
import posixpath
import signal
import socket
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Protocol, cast

from pipelines.errors import LocalError
from pipelines.local.runner.environment import ensure_environment
from pipelines.local.runner.image import Image
from pipelines.local.runner.launchers import Launched, Launchers
from pipelines.local.runner.layer import place
from pipelines.local.runner.log import LogWriter, pump
from pipelines.local.runner.sandbox import (
    Isolation,
    Places,
    installable,
    name_file,
    overlays,
    plain_order,
    private_order,
    probe,
)
from pipelines.local.runner.scratch import remove
from pipelines.local.runner.stage import PATH

_DRAIN = 5.0
"""Seconds to wait for the end of the output when the job has ended; only a process that escaped keeps it open."""


@dataclass(frozen=True)
class ContainerRequest:
    """One container to run: `command` is resolved, `opt_ml` laid out by the caller, `log` appended to.

    `reference` names the image for an engine that has images of its own. `staged` is a folder laid out like `opt_ml`:
    the container finds its files below the folders `staged_at` as if they lay there, and what it changes of them goes
    to `opt_ml`; only for a runner that `overlays`. `host` is the container's name among `hosts`, those of its job,
    which find one another by name; `group` tells the hosts of one job from those of others. A `port` that its program
    serves is reached by `Container.connect` alone: such a container has a network of its own, and nothing else in it.
    """

    image: Image
    command: tuple[str, ...]
    environment: Mapping[str, str]
    opt_ml: Path
    log: Path
    network: bool = True
    reference: str = ""
    staged: Path | None = None
    staged_at: tuple[str, ...] = (".",)
    host: str = "algo-1"
    hosts: tuple[str, ...] = ("algo-1",)
    group: str = ""
    port: int | None = None


class Container(Protocol):
    """A container that has been started."""

    def wait(self, timeout: float | None = None) -> int | None:
        """The exit code (128+n for signal n) once it has ended and its log is whole; None when the timeout passed."""

    def stop(self, grace: float) -> None:
        """SIGTERM to its first process, SIGKILL to all of them after `grace` seconds; returns at once.

        A first process without a handler for SIGTERM may be killed after 2 seconds: it will not end by itself.
        """

    def connect(self) -> socket.socket:
        """A connection to the port that its program serves. Raises `OSError` when nobody answers there (yet)."""


class ProcessRunner:
    """Starts containers; `environments` is the folder of their Python environments."""

    def __init__(self, environments: Path, report: Callable[[str], None], isolation: Isolation | None = None) -> None:
        self._environments = environments
        self._report = report
        self._isolation = isolation
        self._launchers = Launchers()
        self._port = threading.Lock()  # of the machine's ports, where containers have no network of their own

    def overlays(self, folder: Path) -> bool:
        """Whether a request for an `opt_ml` below `folder` may have files `staged`."""
        if self._isolation is None:
            self._isolation = probe(folder)
        return self._isolation.overlay

    def start(self, request: ContainerRequest) -> Container:
        """Build what is missing and start the program. Raises LocalError when the environment cannot be built."""
        isolation = self._isolation or probe()
        image = request.image
        notices = list(image.notices)

        def report(text: str) -> None:
            notices.append(f"pipelines: {text}")
            self._report(text)

        environment = ensure_environment(image.requirements, self._environments, report, image.python)
        ended = self._take(request.port) if request.port and not isolation.private else _nothing
        scratch = Path(tempfile.mkdtemp(prefix=f".{request.opt_ml.name}-", dir=request.opt_ml.parent)).resolve()
        try:
            places = Places(scratch, request.opt_ml.resolve(), environment.resolve())
            places.create()
            place(image, places.files)
            order = _private(request, places, isolation) if isolation.private else _plain(request, places)
            lines = [*notices, *_warning(request, isolation)]
            writer, taken = _writer(request.log, lines), _Place(scratch, request.port or 0, ended)
            container = _Process(self._launchers.take(), order, writer, taken)
        except BaseException:
            remove(scratch)
            ended()
            raise
        self._launchers.prepare()
        return container

    def _take(self, port: int) -> Callable[[], None]:
        """Wait until no other container has the port of the machine; gives what lets go of it. Raises `LocalError`."""
        self._port.acquire()
        try:
            with socket.socket() as probe:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
                probe.bind(("127.0.0.1", port))
        except OSError as error:
            self._port.release()
            fix = "end the program that has it, or run where jobs have a network of their own (Linux)"
            what = f"port {port} of this machine is taken, which the job's program serves"
            raise LocalError(what, fix=fix) from error
        return self._port.release


def _nothing() -> None:
    """Nothing was taken."""


def _private(request: ContainerRequest, places: Places, isolation: Isolation) -> str:
    command = _with_program(request.command, places)
    variables = {"HOME": "/root", "TMPDIR": "/tmp", "LANG": "C.UTF-8", **_variables(request, places)}  # noqa: S108
    shown = list(name_file(places, request.group, request.hosts))
    if isolation.overlay:
        shown += installable(places)
    if request.staged:
        shown += overlays(places, request.staged, request.staged_at)
    return private_order(places, command, variables, request.image.workdir, request.network and not request.port, shown)


def _plain(request: ContainerRequest, places: Places) -> str:
    """The same job among the machine's files: paths of the image that are whole words become paths of the machine."""
    command = tuple(_on_machine(word, places) for word in _with_program(request.command, places))
    variables = {name: _on_machine(value, places) for name, value in _variables(request, places).items()}
    own = {"HOME": str(places.scratch / "home"), "TMPDIR": str(places.tmp), "OPT_ML": str(places.opt_ml)}
    if places.installs:  # beside the environment, which other jobs have as well
        packages = str(places.scratch / "packages")
        own |= {"PIP_TARGET": packages, "PYTHONPATH": ":".join(filter(None, (packages, variables.get("PYTHONPATH"))))}
    workdir = places.files / request.image.workdir.lstrip("/")
    return plain_order(command, {"LANG": "C.UTF-8", **variables, **own}, workdir)


def _variables(request: ContainerRequest, places: Places) -> dict[str, str]:
    """The image's variables with the request's on top, and the environment's programs first on PATH."""
    variables = {**request.image.environment, **request.environment}
    return {**variables, "PATH": f"{places.environment / 'bin'}:{variables.get('PATH', PATH)}"}


def _with_program(command: tuple[str, ...], places: Places) -> tuple[str, ...]:
    """/usr/local/bin/python3 or /opt/venv/bin/gunicorn mean the image's own: here, the one of its environment."""
    program = command[0]
    copied = os.path.lexists(places.files / program.lstrip("/"))
    name = posixpath.basename(program)
    if program.startswith("/") and not copied and (places.environment / "bin" / name).exists():
        return (name, *command[1:])
    return command


def _on_machine(text: str, places: Places) -> str:
    return ":".join(_path_on_machine(part, places) for part in text.split(":"))


def _path_on_machine(part: str, places: Places) -> str:
    if part == "/opt/ml" or part.startswith("/opt/ml/"):
        return str(places.opt_ml) + part.removeprefix("/opt/ml")
    copied = places.files / part.lstrip("/")
    return str(copied) if part.startswith("/") and part.strip("/") and os.path.lexists(copied) else part


def _warning(request: ContainerRequest, isolation: Isolation) -> Iterator[str]:
    if isolation.private:
        return
    network = "" if request.network else " The network is not cut off, though the job asks for it."
    yield (
        f"pipelines: no private /opt/ml here: {isolation.reason}. OPT_ML={request.opt_ml.resolve()} is set instead; "
        f"a program that hard-codes /opt/ml does not find its data.{network} fix: {isolation.fix}"
    )


def _writer(log: Path, notices: Sequence[str]) -> LogWriter:
    writer = LogWriter(log)
    for notice in notices:
        writer.line(notice)
    return writer


@dataclass(frozen=True)
class _Place:
    """What a container takes of the machine: a folder, a port that it serves (0: none), and what lets go of that."""

    scratch: Path
    port: int
    ended: Callable[[], None]


class _Process:
    """A container behind its launcher; two threads pump its output and wait for its end."""

    def __init__(self, launched: Launched, order: str, writer: LogWriter, place: _Place) -> None:
        self._launcher, self._control = launched
        self._output = cast(IO[bytes], self._launcher.stdout)
        self._writer = writer
        self._place = place
        self._asking = threading.Lock()
        self._ended = threading.Event()
        self._code = 0
        self._tell(order)
        threading.Thread(target=self._watch, name=f"container-{self._launcher.pid}", daemon=True).start()

    def wait(self, timeout: float | None = None) -> int | None:
        return self._code if self._ended.wait(timeout) else None

    def stop(self, grace: float) -> None:
        self._tell(f"stop {grace}")

    def connect(self) -> socket.socket:
        with self._asking:
            self._control.sendall(f"connect {self._place.port}\n".encode())
            answer, descriptors, _, _ = socket.recv_fds(self._control, 1, 1)
        if not descriptors:
            raise ConnectionRefusedError("nobody answers there" if answer else "the container has ended")
        return socket.socket(fileno=descriptors[0])

    def _tell(self, line: str) -> None:
        with suppress(OSError):  # it has ended already
            self._control.sendall(line.encode() + b"\n")

    def _watch(self) -> None:
        reader = threading.Thread(target=pump, args=(self._output.fileno(), self._writer), daemon=True)
        reader.start()
        if hasattr(os, "waitid"):
            os.waitid(os.P_PID, self._launcher.pid, os.WEXITED | os.WNOWAIT)
        else:  # macOS
            self._launcher.wait()
        with suppress(OSError):  # what a killed launcher left behind; its number is not free before it is waited for
            os.killpg(self._launcher.pid, signal.SIGKILL)
        code = self._launcher.wait()
        reader.join(_DRAIN)
        if not reader.is_alive():
            self._writer.close()
            self._output.close()
        with self._asking:
            self._control.close()
        remove(self._place.scratch)
        self._place.ended()
        self._code = code if code >= 0 else 128 - code
        self._ended.set()
