"""Ports for the servers that tests start."""

from __future__ import annotations

import contextlib
import os
import random
import socket

PORTS_OF_A_WORKER = 400
_given: set[int] = set()


def free_port() -> int:
    """A port that nothing listens on that this process has not given out, and that no other worker of pytest gives out.

    They are below those from which the system chooses, which may give the same one to two who ask before they listen.
    """
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = 12_000 + worker % 40 * PORTS_OF_A_WORKER
    left = sorted(set(range(first, first + PORTS_OF_A_WORKER)) - _given)
    random.shuffle(left)
    for port in left:
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(("127.0.0.1", port))
            _given.add(port)
            return port
    raise AssertionError("no free port")
