"""How the portal listens: a real server on a free port, asked byte by byte."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import uvicorn
from browsing import ORIGIN, Place
from starlette.responses import PlainTextResponse

from portal import serving
from portal.serving import server_options
from portal.settings import PortalSettings

HOST = "Host: portal.test\r\n"
ANSWERS = PlainTextResponse("ok")
WHOLE = f"GET / HTTP/1.1\r\n{HOST}\r\n".encode()


@contextmanager
def listening(app: Any = ANSWERS, **own: Any) -> Iterator[int]:
    """The port of a server; without an application it answers 200 to all that it understands."""
    config = uvicorn.Config(app, **server_options(PortalSettings(port=0, **own)), lifespan="off")
    server = uvicorn.Server(config)
    thread = threading.Thread(target=lambda: asyncio.run(server.serve()))
    thread.start()
    while not server.started:
        time.sleep(0.01)
    try:
        yield server.servers[0].sockets[0].getsockname()[1]
    finally:
        server.should_exit = server.force_exit = True
        thread.join()


@pytest.fixture
def port() -> Iterator[int]:
    with listening() as found:
        yield found


def connected(port: int) -> socket.socket:
    return socket.create_connection(("127.0.0.1", port), timeout=10)


def answer_to(port: int, sent: bytes) -> bytes:
    """The first bytes that come back; none where the server closes without a word."""
    with connected(port) as connection:
        try:
            connection.sendall(sent)
            return connection.recv(12)
        except ConnectionError:
            return b""


@pytest.mark.parametrize(
    "sent",
    [
        f"GET / HTTP/1.1\r\n{HOST}Host: elsewhere.test\r\n\r\n",
        f"GET / HTTP/1.1\r\n{HOST}Content-Length: 6\r\nContent-Length: 0\r\n\r\n",
        f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding : chunked\r\n\r\n0\r\n\r\n",
        f"POST / HTTP/1.1\r\n{HOST}Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n",
        f"POST / HTTP/1.1\r\n{HOST}Content-Length: -1\r\n\r\n",
        f"GET / HTTP/1.1\r\n{HOST}X: {'a' * 600_000}\r\n\r\n",
        f"GET /{'a' * 600_000} HTTP/1.1\r\n{HOST}\r\n",
        f"GET / HTTP/1.1\r\n{HOST}" + "".join(f"X-{at}: {'a' * 9_000}\r\n" for at in range(100)) + "\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "\x16\x03\x01\x02\x00 not http",
    ],
)
def test_request_that_reads_in_two_ways_or_has_no_end_is_refused(port: int, sent: str) -> None:
    given = answer_to(port, sent.encode())
    assert not given or given.split()[1] in (b"400", b"431"), given


@pytest.mark.parametrize("path", ["/logga-in", "/api/v1/status", "/static/portal.css"])
def test_a_body_with_two_lengths_begins_no_second_request(place: Place, path: str) -> None:
    host = f"Host: {ORIGIN.removeprefix('http://')}\r\n"
    lengths = "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
    inner = f"GET /siffror HTTP/1.1\r\n{host}\r\n"
    with listening(place.app) as port, connected(port) as connection:
        connection.sendall(f"POST {path} HTTP/1.1\r\n{host}{lengths}\r\n0\r\n\r\n{inner}".encode())
        given = b"".join(iter(lambda: connection.recv(4096), b""))
    assert given.startswith(b"HTTP/1.1 400")
    assert given.count(b"HTTP/1.1 ") == 1


@pytest.mark.parametrize("begins", [b"", b"GET / HTTP/1.1\r\nX: ", WHOLE, WHOLE + b"GET / HTTP/1.1\r\n"])
def test_connection_that_asks_nothing_is_closed(port: int, begins: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "HEADERS_SECONDS", 0.3)
    with connected(port) as connection:
        connection.sendall(begins)
        ended = False
        for _ in range(100):  # a byte now and then does not hold it open
            try:
                connection.settimeout(0.1)
                ended = not connection.recv(4096)
            except TimeoutError:
                pass
            except ConnectionError:
                ended = True
            if ended:
                break
            try:
                connection.sendall(b"a")
            except ConnectionError:
                ended = True
                break
    assert ended


def test_one_address_can_not_have_all_connections(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_OF_AN_ADDRESS", 5)
    with listening() as port:
        silent = [connected(port) for _ in range(5)]
        for one in silent:
            one.sendall(b"G")
        assert answer_to(port, WHOLE) == b""
        silent.pop().close()
        time.sleep(0.1)
        assert answer_to(port, WHOLE) == b"HTTP/1.1 200"
        for one in silent:
            one.close()


def test_a_proxy_has_the_connections_of_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "MOST_OF_AN_ADDRESS", 2)
    with listening(proxies="127.0.0.1") as port:
        silent = [connected(port) for _ in range(5)]
        assert answer_to(port, WHOLE) == b"HTTP/1.1 200"
        for one in silent:
            one.close()
