"""Starts one program in a root of its own and watches over it; run by `process.py` as `python -I -S launcher.py`.

Imports nothing but the standard library, because it runs outside the package. On standard input it takes one line of
JSON, the order (`sandbox.order` writes it), then `stop SECONDS` lines; end of file means that the server is gone, and
kills the job. Where it is a socket, a `connect PORT` line is answered with a connection to that port of the job's
network. Standard output and error are the job's. The exit code is the job's; 128+n for signal n; 125 when the
sandbox cannot be built, 126 and 127 when the program cannot be executed or found, as Docker has it.
"""

# pathlib would add to the time that every start costs.
# ruff: noqa: PTH103, PTH110, PTH112, PTH114, PTH115, PTH118, PTH123, PTH208, PTH211
from __future__ import annotations

import ctypes
import json
import os
import select
import signal
import sys
import time
from typing import Any, NoReturn

_LIBC = ctypes.CDLL(None, use_errno=True)
_MS_RDONLY, _MS_NOSUID, _MS_NODEV, _MS_NOEXEC, _MS_BIND, _MS_REC, _MS_PRIVATE = 1, 2, 4, 8, 4096, 16384, 1 << 18
_NEWNS, _NEWIPC, _NEWUSER, _NEWPID, _NEWNET = 0x00020000, 0x08000000, 0x10000000, 0x20000000, 0x40000000
_PR_SET_PDEATHSIG, _PR_CAPBSET_READ, _PR_CAPBSET_DROP, _PR_SET_CHILD_SUBREAPER = 1, 23, 24, 36
_MNT_DETACH = 2
_SYS_PIVOT_ROOT = {"x86_64": 155, "aarch64": 41}
_SYS_MOUNT_SETATTR, _AT_FDCWD, _AT_RECURSIVE, _MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {"fd": "/proc/self/fd", "stdin": "/proc/self/fd/0", "stdout": "/proc/self/fd/1", "stderr": "/proc/self/fd/2"}
# Of Docker's those that do something here: CHOWN, DAC_OVERRIDE, FOWNER, FSETID, KILL, SETGID, SETUID, SETPCAP,
# NET_BIND_SERVICE, NET_RAW, SYS_CHROOT. With SYS_ADMIN a job would make the machine's folders writable again.
_CAPABILITIES = {0, 1, 3, 4, 5, 6, 7, 8, 10, 13, 18}
# Through these a root of the machine could change the machine.
_PROC_READ_ONLY = ("sys", "sysrq-trigger", "irq", "bus")

# How long a program has to begin to listen for SIGTERM; one that never does would only be killed later.
_UNHEARD_SECONDS, _LOOK_SECONDS = 2.0, 0.05


def main() -> NoReturn:
    control = Control()
    order = json.loads(control.first_line())
    wakeup = _catch_signals()
    proc = os.open("/proc" if sys.platform == "linux" else "/", os.O_RDONLY | os.O_CLOEXEC)
    try:
        if order["private"]:
            _enter_namespaces(order["network"])
        elif sys.platform == "linux":
            _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
        child, started = _spawn(order)
    except OSError as error:
        _say(f"the sandbox cannot be built: {error}")
        sys.exit(125)
    # At once: the interpreter's own end would only cost time.
    os._exit(_supervise(child, started, wakeup, control, order["private"], proc))


def _say(text: str) -> None:
    os.write(2, f"pipelines: {text}\n".encode(errors="replace"))


# --- watching over the job ---------------------------------------------------------------------------------------


class Control:
    """The server's lines on standard input."""

    def __init__(self) -> None:
        self.rest = b""

    def first_line(self) -> bytes:
        while b"\n" not in self.rest:
            chunk = os.read(0, 1 << 16)
            if not chunk:
                sys.exit(125)
            self.rest += chunk
        line, _, self.rest = self.rest.partition(b"\n")
        return line

    def read(self) -> list[bytes] | None:
        """The lines that have come; None at the end of file."""
        chunk = os.read(0, 1 << 12)
        self.rest += chunk
        return self.waiting() if chunk else None

    def waiting(self) -> list[bytes]:
        """The lines that are here already: a stop may come together with the order."""
        *lines, self.rest = self.rest.split(b"\n")
        return lines


def _catch_signals() -> int:
    """The descriptor on which each caught signal becomes a byte."""
    reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK) if hasattr(os, "pipe2") else os.pipe()
    os.set_blocking(writer, False)
    os.set_blocking(reader, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD):
        signal.signal(number, lambda *_: None)
    return reader


def _supervise(child: int, started: int, wakeup: int, control: Control, private: bool, proc: int) -> int:
    """Wait for the job; hand on SIGTERM once it is heard, kill the job when the grace is over or the server is gone."""
    poll = select.poll()
    for descriptor in (0, started, wakeup):
        poll.register(descriptor, select.POLLIN)
    running, deadline, unheard = False, _obey(control.waiting()), float("inf")
    terminate = deadline < float("inf")
    while (code := _reap(child)) is None:
        left = min(deadline, unheard) - time.monotonic()
        if left <= 0:
            _say("the job did not end in time after SIGTERM and is killed")
            terminate, deadline, unheard = False, float("inf"), float("inf")
            _kill(child, private)
        wait = min(max(left, 0), _LOOK_SECONDS if terminate and running else float("inf"))
        for descriptor, _ in poll.poll(None if wait == float("inf") else wait * 1000 + 1):
            if descriptor == wakeup:
                caught = os.read(wakeup, 512)
                terminate |= signal.SIGTERM in caught or signal.SIGINT in caught
            elif descriptor == started:
                running = True
                poll.unregister(started)
            else:
                lines = control.read()
                if lines is None:
                    poll.unregister(0)
                    _kill(child, private)
                asked = _obey(lines or [])
                terminate, deadline = terminate or asked < float("inf"), min(deadline, asked)
        if terminate and running and (not private or _listens(child, proc)):
            terminate, unheard = False, float("inf")
            os.kill(child, signal.SIGTERM)
        elif terminate and running:
            unheard = min(unheard, time.monotonic() + _UNHEARD_SECONDS)
    if not private:
        _kill_descendants()
    return code


def _connect(port: int) -> None:
    """Hand the server a connection to a port of the job's network, in which this process is; else say that none is."""
    import socket

    with socket.socket() as connection, socket.socket(fileno=os.dup(0)) as control:
        connection.settimeout(1)
        try:
            connection.connect(("127.0.0.1", port))
            connection.setblocking(True)
            socket.send_fds(control, [b"+"], [connection.fileno()])
        except OSError:
            control.send(b"-")


def _listens(child: int, proc: int) -> bool:
    """Whether the program has a handler for SIGTERM; without one, the first process of a container does not notice.

    `proc` is the machine's /proc: what stands at that path is the job's by now.
    """
    try:
        status = os.open(f"{child}/status", os.O_RDONLY | os.O_CLOEXEC, dir_fd=proc)
        with open(status, encoding="ascii", errors="replace") as file:
            caught = next(line for line in file if line.startswith("SigCgt:"))
    except (OSError, StopIteration):
        return True
    return bool(int(caught.split()[1], 16) >> (signal.SIGTERM - 1) & 1)


def _obey(lines: list[bytes]) -> float:
    """Answer `connect PORT` lines; when the grace of the earliest `stop SECONDS` is over (infinite: none)."""
    deadline = float("inf")
    for line in lines:
        word, value = line.split()
        if word == b"connect":
            _connect(int(value))
        else:
            deadline = min(deadline, time.monotonic() + float(value))
    return deadline


def _reap(child: int) -> int | None:
    """The exit code of the job when it has ended; orphans that came to us are reaped on the way."""
    try:
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == child:
                code = os.waitstatus_to_exitcode(status)
                return code if code >= 0 else 128 - code
            if pid == 0:
                return None
    except ChildProcessError:
        return 125


def _kill(child: int, private: bool) -> None:
    """Kill the job with all it has started: with PID 1 of its namespace everything goes."""
    if not private:
        _kill_descendants(spare_reaping=child)
    os.kill(child, signal.SIGKILL)


def _kill_descendants(spare_reaping: int = 0) -> None:
    """Kill whatever descends from this process, until nothing new appears; `spare_reaping` is left for `_reap`."""
    refused = {spare_reaping}
    while found := _descendants(os.getpid()) - refused:
        for pid in found:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
            except PermissionError:  # it has become another user
                refused.add(pid)
        if spare_reaping:
            return
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _descendants(ancestor: int) -> set[int]:
    """All processes below `ancestor`, from /proc; none where there is no /proc."""
    children: dict[int, list[int]] = {}
    for name in filter(str.isdigit, os.listdir("/proc") if os.path.isdir("/proc") else []):
        try:
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            continue
        children.setdefault(parent, []).append(int(name))
    found: set[int] = set()
    pending = [ancestor]
    while pending:
        below = children.get(pending.pop(), [])
        found.update(below)
        pending += below
    return found


# --- starting the job --------------------------------------------------------------------------------------------


def _spawn(order: dict[str, Any]) -> tuple[int, int]:
    """Fork the job; gives its pid and a descriptor that ends when its program has started."""
    launcher_alive, held = os.pipe()
    started, closed_by_exec = os.pipe()
    child = os.fork()
    if child:
        os.close(closed_by_exec)
        os.close(launcher_alive)
        return child, started
    os.close(held)
    try:
        _die_with_launcher(launcher_alive)
        if order["private"]:
            _change_root(order["root"], order["binds"], order["directories"])
            os.makedirs(order["workdir"], exist_ok=True)
            _drop_capabilities()
        os.chdir(order["workdir"])
        _execute(order)
    except (OSError, ValueError) as error:
        _say(f"the sandbox cannot be built: {error}")
    os._exit(125)


def _die_with_launcher(launcher_alive: int) -> None:
    """Ask the kernel to kill the job when the launcher dies, and make sure that it has not died before."""
    if sys.platform != "linux":
        return
    _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    poll = select.poll()
    poll.register(launcher_alive, 0)
    if poll.poll(0):
        os._exit(125)


def _execute(order: dict[str, Any]) -> None:
    nothing = os.open("/dev/null", os.O_RDONLY)
    os.dup2(nothing, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGCHLD, signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    os.umask(0o022)
    command, environment = order["command"], order["environment"]
    try:
        os.execvpe(command[0], command, environment)  # noqa: S606 - no shell is the point
    except FileNotFoundError:
        path = environment.get("PATH", "")
        _say(f"the program {command[0]!r} (or the interpreter that its first line names) was not found; PATH is {path}")
        os._exit(127)
    except (OSError, ValueError) as error:  # ValueError: what no program can be given, as a word with a NUL in it
        said = error.strerror if isinstance(error, OSError) else error
        _say(f"the program {command[0]!r} cannot be executed: {said}")
        os._exit(126)


# --- namespaces and mounts ---------------------------------------------------------------------------------------


def _checked(result: int, doing: str) -> None:
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(f"{doing}: {os.strerror(number)}")


def _enter_namespaces(network: bool) -> None:
    """Leave the machine's namespaces; in the new ones we are root, and nobody outside."""
    uid, gid = os.getuid(), os.getgid()
    flags = _NEWUSER | _NEWNS | _NEWPID | _NEWIPC | (0 if network else _NEWNET)
    mapper, go = _root_mapper() if uid == 0 else (0, 0)
    _checked(_LIBC.unshare(flags), "unshare")
    if mapper:
        os.write(go, b"go")
        os.close(go)
        if os.waitstatus_to_exitcode(os.waitpid(mapper, 0)[1]) != 0:
            raise OSError("the user ids cannot be mapped")
    else:
        _write("/proc/self/setgroups", "deny")
        _write("/proc/self/uid_map", f"0 {uid} 1")
        _write("/proc/self/gid_map", f"0 {gid} 1")
    if not network:
        _bring_loopback_up()


def _root_mapper() -> tuple[int, int]:
    """A child that stays outside and maps every id of ours to itself, so that root may still become other users."""
    launcher, (wait, go) = os.getpid(), os.pipe()
    child = os.fork()
    if child:
        os.close(wait)
        return child, go
    try:
        os.close(go)
        if not os.read(wait, 2):
            os._exit(1)
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/self/{name}", encoding="ascii") as file:
                ranges = [line.split() for line in file]
            _write(f"/proc/{launcher}/{name}", "".join(f"{first} {first} {count}\n" for first, _, count in ranges))
        os._exit(0)
    except OSError as error:
        _say(f"the user ids cannot be mapped: {error}")
    os._exit(1)


def _write(path: str, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY)
    try:
        os.write(descriptor, text.encode())  # the kernel wants a map in one write
    finally:
        os.close(descriptor)


def _bring_loopback_up() -> None:
    import fcntl
    import socket
    import struct

    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as handle:
        up = struct.pack("16sh14x", b"lo", 0x41)  # IFF_UP | IFF_RUNNING
        fcntl.ioctl(handle, 0x8914, up)  # SIOCSIFFLAGS


def _mount(source: str, target: str, kind: str | None, flags: int, options: str = "") -> None:
    encoded = None if kind is None else kind.encode()
    result = _LIBC.mount(os.fsencode(source), os.fsencode(target), encoded, ctypes.c_ulong(flags), options.encode())
    _checked(result, f"mount {source} at {target}")


def _drop_capabilities() -> None:
    """What the program, and whatever it starts, can never be given again."""
    number = 0
    while _LIBC.prctl(_PR_CAPBSET_READ, number, 0, 0, 0) >= 0:
        if number not in _CAPABILITIES:
            _checked(_LIBC.prctl(_PR_CAPBSET_DROP, number, 0, 0, 0), f"drop capability {number}")
        number += 1


Bind = tuple[str, str, bool, "tuple[str, str] | None"]


def _change_root(root: str, binds: list[Bind], directories: list[str]) -> None:
    """Build the job's root on an empty file system at `root`, out of pieces of the machine's, and move into it."""
    _mount("none", "/", None, _MS_REC | _MS_PRIVATE)
    _mount("tmpfs", root, "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=0755")
    _build(_tree(binds), root, None, writable=True)
    for directory in directories:
        if not os.path.lexists(root + directory):  # a link of the image may stand there
            os.makedirs(root + directory)
    _make_devices(root)
    _make_proc(root)
    os.chdir(root)
    _checked(_LIBC.syscall(_SYS_PIVOT_ROOT[os.uname().machine], b".", b"."), "pivot_root")
    _checked(_LIBC.umount2(b".", _MNT_DETACH), "umount of the old root")
    os.chdir("/")


class Node:
    """A path of the new root: what stands there, if anything is bound to it, and the paths below it."""

    def __init__(self) -> None:
        self.source: str | None = None
        self.writable = False
        self.overlay: tuple[str, str] | None = None
        self.children: dict[str, Node] = {}


def _tree(binds: list[Bind]) -> Node:
    top = Node()
    for source, destination, writable, overlay in binds:
        node = top
        for part in [part for part in destination.split("/") if part]:
            node = node.children.setdefault(part, Node())
        node.source, node.writable, node.overlay = source, writable, overlay
    return top


def _build(node: Node, target: str, host: str | None, writable: bool) -> None:
    """Make `target` show `host` (None: an empty directory) with the node's children on top."""
    if node.source is not None:
        host, writable = node.source, node.writable
    expanded = host is not None and not writable and bool(node.children)
    if host is None or expanded:
        os.makedirs(target, exist_ok=True)
    elif node.overlay:
        _overlay(host, target, *node.overlay)
    elif writable and os.path.islink(host):  # of the image's files; bound, it would show what it names on the machine
        if node.children:
            raise OSError(f"{host} is a link of the image, in the place of a folder of the container's")
        os.symlink(os.readlink(host), target)
    else:
        _bind(host, target, writable)
    if expanded and host is not None and os.path.isdir(host):
        # A read-only directory takes no new mount points: show its entries one by one, beside the children.
        for name in os.listdir(host):
            if name not in node.children:
                _mirror(os.path.join(host, name), os.path.join(target, name))
    for name, child in node.children.items():
        inner = os.path.join(host, name) if expanded and host is not None else None
        below = inner if inner is not None and os.path.lexists(inner) else None
        _build(child, os.path.join(target, name), below, writable=below is None)


def _mirror(host: str, target: str) -> None:
    if os.path.islink(host):
        os.symlink(os.readlink(host), target)
    elif os.path.exists(host):
        _bind(host, target, writable=False)


def _bind(host: str, target: str, writable: bool) -> None:
    if os.path.isdir(host):
        os.makedirs(target, exist_ok=True)
    elif not os.path.lexists(target):
        os.close(os.open(target, os.O_WRONLY | os.O_CREAT, 0o644))
    _mount(host, target, None, _MS_BIND | _MS_REC)
    if not writable:
        _make_read_only(target)


def _overlay(upper: str, target: str, lower: str, work: str) -> None:
    """`upper` with the files of `lower` beneath it: what is changed of them is copied to `upper` first."""
    os.makedirs(target, exist_ok=True)
    # Descriptors stand for the paths, in which a colon or comma would end an option. userxattr: we may be nobody.
    folders = [os.open(path, os.O_PATH | os.O_DIRECTORY) for path in (lower, upper, work)]
    options = "lowerdir=/proc/self/fd/{},upperdir=/proc/self/fd/{},workdir=/proc/self/fd/{},userxattr"
    _mount("overlay", target, "overlay", _MS_NOSUID | _MS_NODEV, options.format(*folders))
    for folder in folders:
        os.close(folder)


def _make_read_only(path: str) -> None:
    attributes = (ctypes.c_uint64 * 4)(_MOUNT_ATTR_RDONLY, 0, 0, 0)
    result = _LIBC.syscall(
        _SYS_MOUNT_SETATTR, _AT_FDCWD, os.fsencode(path), _AT_RECURSIVE, attributes, ctypes.c_size_t(32)
    )
    _checked(result, f"read-only mount of {path} (Linux 5.12 or newer)")


def _make_devices(root: str) -> None:
    """The harmless devices, as in Docker; the disks of the machine are not among them.

    They are the machine's own: read-only, they can be written to, but root cannot take their permissions away.
    """
    os.makedirs(f"{root}/dev/shm")  # noqa: S108 - of the new root
    for name in _DEVICES:
        if os.path.exists(f"/dev/{name}"):
            _bind(f"/dev/{name}", f"{root}/dev/{name}", writable=False)
    for name, link in _LINKS.items():
        os.symlink(link, f"{root}/dev/{name}")
    _mount("tmpfs", f"{root}/dev/shm", "tmpfs", _MS_NOSUID | _MS_NODEV, "mode=1777")  # noqa: S108


def _make_proc(root: str) -> None:
    """A /proc of the new PID namespace; inside containers that forbid it, the outer one."""
    proc = f"{root}/proc"
    os.makedirs(proc)
    try:
        _mount("proc", proc, "proc", _MS_NOSUID | _MS_NODEV | _MS_NOEXEC)
    except OSError:
        _mount("/proc", proc, None, _MS_BIND | _MS_REC)
    _forbid_namespaces(proc)
    for name in _PROC_READ_ONLY:
        if os.path.exists(f"{proc}/{name}"):
            _bind(f"{proc}/{name}", f"{proc}/{name}", writable=False)


def _forbid_namespaces(proc: str) -> None:
    """No user namespace in the job's: in one, it would have every capability again. Docker refuses them as well."""
    switch = f"{proc}/sys/user/max_user_namespaces"
    if os.access(switch, os.W_OK):  # else a /proc that is read-only; what is mounted here is locked all the same
        _write(switch, "0")


if __name__ == "__main__":
    main()
