"""Forbids connections beyond this machine, in every Python process that has this folder on its path.

`tests/conftest.py` installs it in the test process and puts the folder on PYTHONPATH, so that Airflow, dbt and every
other Python that a test starts is held to it too. A violation raises in the process that tried, and is written to the
file that FOLLOWUP_TEST_NETWORK_LOG names, so that the test fails even if something swallowed the exception.
"""

from __future__ import annotations

import ipaddress
import os
import socket
import sys
from typing import Any

LOG_VARIABLE = "FOLLOWUP_TEST_NETWORK_LOG"
LOCAL_NAMES = {"", "localhost", "localhost.localdomain", "ip6-localhost", "0.0.0.0", "::"}


class ConnectionBeyondLoopback(RuntimeError):
    """Something tried to reach another machine."""


def is_local(host: object) -> bool:
    """Whether a host name or address means this machine's loopback (or, as a name, this machine itself)."""
    if host is None:
        return True
    text = host.decode("ascii", "replace") if isinstance(host, bytes) else str(host)
    text = text.lower().split("%")[0]
    if text in LOCAL_NAMES or text == socket.gethostname().lower():
        return True
    try:
        return ipaddress.ip_address(text).is_loopback
    except ValueError:
        return False


def _is_literal_address(host: object) -> bool:
    try:
        ipaddress.ip_address(str(host))
    except ValueError:
        return False
    return True


def _watch(event: str, args: tuple[Any, ...]) -> None:
    if event in ("socket.connect", "socket.sendto", "socket.sendmsg"):
        sock, address = args[0], args[1]
        if sock.family not in (socket.AF_INET, socket.AF_INET6) or not address:
            return
        target = address[0]
    elif event == "socket.getaddrinfo":
        target = args[0]
        if _is_literal_address(target):  # nothing is asked of anyone
            return
    elif event == "socket.gethostbyname":
        target = args[0]
    else:
        return
    if is_local(target):
        return
    log = os.environ.get(LOG_VARIABLE)
    if log:
        descriptor = os.open(log, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        os.write(descriptor, f"{event} {target}\n".encode())
        os.close(descriptor)
    raise ConnectionBeyondLoopback(f"{event} to {target}: tests reach nothing beyond this machine")


if os.environ.get(LOG_VARIABLE):
    sys.addaudithook(_watch)
