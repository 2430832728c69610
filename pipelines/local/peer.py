"""Whose program is at the other end of a connection to 127.0.0.1: the kernel is asked (Linux, by sock_diag(7)).

Takes the two ports, gives a user id. Any user of a machine can connect to its loopback; the server answers its own
user's programs and root's.
"""

from __future__ import annotations

import os
import socket
import struct

_SOCK_DIAG, _BY_FAMILY, _REQUEST, _ERROR = 4, 20, 1, 2
_HEADER = struct.Struct("=IHHII")  # of a netlink message: length, type, flags, sequence, port
_ASKED = struct.Struct("=BBBBI")  # family, protocol, extensions, padding, states
_PORTS = struct.Struct("!HH16s16s")  # both ports and both addresses, as the peer's socket has them
_ANY = struct.pack("=I", 0) + b"\xff" * 8  # interface, and no cookie
_ANSWER = struct.Struct("=BBBB48xIIIII")  # family, state, timer, retransmits; expires, queues, user, inode
_LOOPBACK = socket.inet_aton("127.0.0.1") + bytes(12)


def user_of(port: int, server_port: int) -> int | None:
    """The user whose program holds this port of a connection to `server_port`; None when nobody does any more.

    Raises `OSError` where the kernel cannot be asked.
    """
    if not hasattr(socket, "AF_NETLINK"):
        raise OSError("only Linux says whose a connection is")
    question = _ASKED.pack(socket.AF_INET, socket.IPPROTO_TCP, 0, 0, 0xFFFFFFFF)
    question += _PORTS.pack(port, server_port, _LOOPBACK, _LOOPBACK) + _ANY
    with socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, _SOCK_DIAG) as kernel:
        kernel.send(_HEADER.pack(_HEADER.size + len(question), _BY_FAMILY, _REQUEST, 0, 0) + question)
        answer = kernel.recv(1 << 13)
    if _HEADER.unpack_from(answer)[1] == _ERROR:
        return None
    *_, user, inode = _ANSWER.unpack_from(answer, _HEADER.size)
    return int(user) if inode else None  # a closed socket that still sends has no owner, and reads as root's


def is_asked_here(server_port: int) -> bool:
    """Whether the kernel tells of connections to a port that listens: of one that is made for the purpose."""
    try:
        with socket.create_connection(("127.0.0.1", server_port), timeout=5) as trial:
            return user_of(trial.getsockname()[1], server_port) == os.geteuid()
    except OSError:
        return False


def is_ours(port: int, server_port: int) -> bool:
    """Whether a request comes from this process's user, or from root, who may do all that we may. Raises `OSError`."""
    return user_of(port, server_port) in (os.geteuid(), 0)
