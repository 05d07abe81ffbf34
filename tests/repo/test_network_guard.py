"""The guard that keeps tests on this machine works, in this process and in those it starts."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

# An address set aside for documentation: nothing is there, and nothing is sent.
ELSEWHERE = ("192.0.2.1", 9)


@pytest.fixture
def forget() -> object:
    """Remove what the guard noted, which would else fail the test that provoked it."""
    log = Path(os.environ["FOLLOWUP_TEST_NETWORK_LOG"])

    def read_and_forget() -> str:
        text = log.read_text(encoding="utf-8") if log.exists() else ""
        log.unlink(missing_ok=True)
        return text

    return read_and_forget


def test_connection_to_loopback_passes() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname(), timeout=5):
        pass


def test_connection_beyond_loopback_raises_and_is_noted(forget) -> None:
    with socket.socket() as sock, pytest.raises(RuntimeError, match="nothing beyond this machine"):
        sock.connect(ELSEWHERE)
    assert "socket.connect 192.0.2.1" in forget()


def test_datagram_and_name_lookup_beyond_loopback_raise(forget) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as sock, pytest.raises(RuntimeError):
        sock.sendto(b"", ELSEWHERE)
    with pytest.raises(RuntimeError):
        socket.getaddrinfo("name.example", 80)
    assert forget().count("\n") == 2


def test_connection_out_of_a_started_python_is_noted_even_when_swallowed(forget) -> None:
    program = (
        f"import contextlib, socket\nwith contextlib.suppress(Exception):\n    socket.socket().connect({ELSEWHERE})"
    )
    subprocess.run([sys.executable, "-c", program], check=True)
    assert "socket.connect 192.0.2.1" in forget()
