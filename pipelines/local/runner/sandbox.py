"""What a job sees of the machine: the order that `launcher.py` carries out, and whether it can be carried out here.

Takes paths, gives the list of binds of the job's private root: the system's folders read-only, the job's own /opt/ml,
/tmp and image files writable, the Python environment, and nothing else. Mounts nothing itself.
"""

from __future__ import annotations

import functools
import hashlib
import json
import posixpath
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address
from pathlib import Path
from typing import IO, cast

from pipelines.local.runner.scratch import remove

LAUNCHER = Path(__file__).with_name("launcher.py")
# What a base image has, too. Home, data and project folders, /run with its sockets and /var are not shown.
_SYSTEM = ("/bin", "/sbin", "/lib", "/lib32", "/lib64", "/libx32", "/usr", "/etc", "/sys", "/nix/store", "/gnu/store")
_DIRECTORIES = ("/home", "/mnt", "/root", "/run", "/srv", "/var/cache", "/var/lib", "/var/log")
_OF_RUNTIME = ("dev", "proc")  # made anew for each container: what an image has there is never seen
_OF_INTERPRETER = ("bin", "lib", "lib64", "libexec", "include", "share", "ssl")
_LOOPBACK = IPv4Address("127.0.0.0")
_APPARMOR = Path("/proc/sys/kernel/apparmor_restrict_unprivileged_userns")

Bind = tuple[str, str, bool, tuple[str, str] | None]
"""Source on the machine, destination in the root, writable; of an overlay the folder beneath and the work folder."""


@dataclass(frozen=True)
class Isolation:
    """Whether a job gets a private /opt/ml here; else why not, and what would change that.

    `overlay`: whether files can be shown in it that lie elsewhere, and are copied only when they are changed.
    """

    private: bool
    reason: str = ""
    fix: str = ""
    overlay: bool = False


@dataclass(frozen=True)
class Places:
    """Where the pieces of one container lie on the machine.

    `scratch` is the container's own folder, with `files` (the image's files), `tmp` and `root` (a mount point) in it.
    """

    scratch: Path
    opt_ml: Path
    environment: Path

    @property
    def files(self) -> Path:
        return self.scratch / "files"

    @property
    def installs(self) -> bool:
        """Whether a job may install: its environment has pip."""
        return (self.environment / "bin" / "pip").exists()

    @property
    def tmp(self) -> Path:
        return self.scratch / "tmp"

    @property
    def root(self) -> Path:
        return self.scratch / "root"

    def create(self) -> None:
        for folder in (self.files, self.tmp, self.root, self.scratch / "home"):
            folder.mkdir()
        self.tmp.chmod(0o1777)


def private_order(
    places: Places,
    command: tuple[str, ...],
    environment: Mapping[str, str],
    workdir: str,
    network: bool,
    shown: Sequence[Bind] = (),
) -> str:
    """The launcher's order (one line of JSON) for a job in a root of its own; `shown` lies on top of its binds."""
    order = {
        "private": True,
        "command": command,
        "environment": dict(environment),
        "workdir": workdir,
        "network": network,
        "root": str(places.root),
        "binds": [*binds(places), *shown],
        "directories": _DIRECTORIES,
    }
    return json.dumps(order)


def plain_order(command: tuple[str, ...], environment: Mapping[str, str], workdir: Path) -> str:
    """The launcher's order for a job that runs among the machine's files."""
    order = {"private": False, "command": command, "environment": dict(environment), "workdir": str(workdir)}
    return json.dumps(order)


def overlays(places: Places, staged: Path, folders: Sequence[str]) -> Iterator[Bind]:
    """/opt/ml, or folders below it, with the files of `staged` beneath what the job itself writes there."""
    for number, folder in enumerate(folders):
        work = places.scratch / f"work-{number}"
        for path in (work, staged / folder, places.opt_ml / folder):
            path.mkdir(parents=True, exist_ok=True)
        destination = posixpath.normpath(f"/opt/ml/{folder}")
        yield str(places.opt_ml / folder), destination, True, (str((staged / folder).resolve()), str(work))


def installable(places: Places) -> Iterator[Bind]:
    """The environment, if it has pip: what the job installs or removes there is the job's alone, as in a container."""
    if places.installs:
        upper, work = places.scratch / "environment", places.scratch / "work-environment"
        for path in (upper, work):
            path.mkdir()
        yield str(upper), str(places.environment), True, (str(places.environment), str(work))


def name_file(places: Places, group: str, hosts: Sequence[str]) -> Iterator[Bind]:
    """/etc/hosts in which each host of a job has a loopback address of its own; none for a job of one host."""
    if len(hosts) > 1:
        file = places.scratch / "hosts"
        known = Path("/etc/hosts").read_text(encoding="utf-8", errors="replace") if Path("/etc/hosts").is_file() else ""
        lines = (f"{address}\t{host}\n" for host, address in addresses(group, hosts).items())
        file.write_text("".join(lines) + known, encoding="utf-8")
        yield str(file), "/etc/hosts", False, None


def addresses(group: str, hosts: Sequence[str]) -> dict[str, str]:
    """An address of 127.0.0.0/8 for each host; other jobs' hosts have others, as a rule."""
    start = int.from_bytes(hashlib.sha256(group.encode()).digest()[:2], "big") << 8
    return {host: str(_LOOPBACK + max(start + number, 2)) for number, host in enumerate(hosts, start=1)}


def binds(places: Places) -> Iterator[Bind]:
    """Everything the job's root shows; a later bind of the same destination wins."""
    for name in _SYSTEM:
        path = Path(name)
        if path.exists():
            yield name, name, False, None
    yield from _name_service()
    for path in _interpreter(places.environment):
        if not _shown(path):
            yield str(path), str(path), False, None
    for path in sorted(places.files.iterdir()):
        if path.name not in _OF_RUNTIME:
            yield from _of_layer(path, f"/{path.name}")
    for temporary in ("/tmp", "/var/tmp"):  # noqa: S108 - of the job's root
        yield str(places.tmp), temporary, True, None
    yield str(places.opt_ml), "/opt/ml", True, None
    if not _shown(places.environment):
        yield str(places.environment), str(places.environment), False, None


def _shown(path: Path) -> bool:
    return any(path.is_relative_to(name) for name in _SYSTEM)


def _name_service() -> Iterator[Bind]:
    """/etc/resolv.conf is often a link into /run, which is not shown."""
    for name in ("/etc/resolv.conf", "/etc/hosts"):
        real = Path(name).resolve()
        if real.is_file() and not _shown(real):
            yield str(real), str(real), False, None


def _interpreter(environment: Path) -> Iterator[Path]:
    """The paths behind the environment's `bin/python`: each link on the way, and the installation at its end."""
    link = environment / "bin" / "python"
    end = link.resolve().parent.parent
    homes, links = {end}, []
    while link.is_symlink():
        link = link.parent / link.readlink()
        if link.parent.parent.resolve() == end:
            homes.add(link.parent.parent)  # the installation under another name, to which pyvenv.cfg may point
        elif not link.is_relative_to(environment):
            links.append(link)
    yield from links
    for home in sorted(homes):
        yield from (path for name in _OF_INTERPRETER if (path := home / name).is_dir())


def _of_layer(path: Path, destination: str) -> Iterator[Bind]:
    """One of the image's files; a folder that the system has as well is shown with both contents."""
    if path.is_dir() and not path.is_symlink() and _shared(destination):
        for below in sorted(path.iterdir()):
            yield from _of_layer(below, f"{destination}/{below.name}")
    else:
        yield str(path), destination, True, None


def _shared(destination: str) -> bool:
    """Whether other binds lie at or below this path, so that it cannot be covered whole."""
    path = Path(destination)
    if _shown(path):
        return path.is_dir()
    return destination in ("/opt", "/opt/ml", "/var", "/nix", "/gnu", "/tmp", "/var/tmp")  # noqa: S108


@functools.cache
def probe(folder: Path | None = None) -> Isolation:
    """Try the launcher on an empty job, once per process and `folder`, where the files of jobs are to lie."""
    if sys.platform != "linux":
        return Isolation(False, f"a private /opt/ml needs Linux, this is {sys.platform}", "run it on Linux")
    scratch = Path(tempfile.mkdtemp(prefix=".pipelines-probe-", dir=folder)).resolve()
    try:
        return _try(Places(scratch, scratch / "ml", Path(sys.prefix)), scratch / "staged")
    finally:
        remove(scratch)


def _try(places: Places, staged: Path) -> Isolation:
    """First with an overlay; where that fails, which is seldom, without."""
    places.create()
    places.opt_ml.mkdir()
    staged.mkdir()
    (staged / "below").touch()
    script = "test -e /opt/ml/below && echo changed > /opt/ml/below"
    if not _problem(places, script, list(overlays(places, staged, ["."]))) and (places.opt_ml / "below").exists():
        return Isolation(True, overlay=True)
    problem = _problem(places, "test -w /opt/ml", ())
    return _refused(problem) if problem else Isolation(True)


def _problem(places: Places, script: str, shown: Sequence[Bind]) -> str:
    """What the launcher says of a job that cannot be started; empty when it ran."""
    order = private_order(places, ("/bin/sh", "-c", script), {"PATH": "/usr/bin:/bin"}, "/", True, shown)
    with subprocess.Popen(
        launch_command(), stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env={}
    ) as launcher:
        control, errors = cast(IO[str], launcher.stdin), cast(IO[str], launcher.stderr)
        control.write(order + "\n")
        control.flush()  # and left open: its end would kill the job
        output = errors.read()
    if launcher.returncode == 0:
        return ""
    return (output.strip().splitlines() or [f"exit code {launcher.returncode}"])[-1].removeprefix("pipelines: ")


def _refused(said: str) -> Isolation:
    if _APPARMOR.exists() and _APPARMOR.read_text().strip() == "1":
        return Isolation(
            False,
            f"AppArmor restricts user namespaces here ({said})",
            "allow them: sudo sysctl -w kernel.apparmor_restrict_unprivileged_userns=0",
        )
    return Isolation(
        False,
        f"this machine refuses user namespaces ({said})",
        "allow them (sysctl user.max_user_namespaces; in Docker: --privileged), or run as a user that may",
    )


def launch_command() -> list[str]:
    """The launcher's command line: isolated from the caller's Python settings, and quick to start."""
    return [sys.executable, "-I", "-S", str(LAUNCHER)]
