"""Ports of this machine: which are free, and whose processes listen on one (Linux: /proc/net/tcp)."""

from __future__ import annotations

import contextlib
import os
import socket
from pathlib import Path

_LISTENS = "0A"


def listener_uids(port: int) -> set[int]:
    """User ids of the processes that listen on a TCP port of this machine, at any of its addresses."""
    found = set()
    for table in (Path("/proc/net/tcp"), Path("/proc/net/tcp6")):
        lines = table.read_text(encoding="ascii").splitlines()[1:] if table.exists() else []
        for fields in map(str.split, lines):
            if fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(int(fields[7]))
    return found


def only_this_user_listens(port: int) -> bool:
    """Whether somebody listens on a port, and nobody but this process's user."""
    return listener_uids(port) == {os.geteuid()}


def free_port(*ports: int) -> int | None:
    """The first of these ports that nothing listens on at 127.0.0.1, None when there is none; 0 stands for any."""
    for port in ports:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            return int(probe.getsockname()[1])
    return None
