"""Servers that answer, but so slowly that a district would be held for ever: given up in bounded time."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import paramiko
import pytest
from drop_attacks import in_time
from drop_servers import SSHD, SftpPlace, Sshd
from files import DISTRICT, Installation, base_row, csv_bytes

from ingest.districts import DropLocation, load_drop_locations
from ingest.locations import sources
from ingest.locations.sources import DropLocationUnreachable, Source

NAME = f"{DISTRICT}_arenden_2018Q3.csv"
GOOD = csv_bytes("arenden", [base_row("arenden")])
ANSWER_SECONDS, DRIP_SECONDS = 0.6, 0.2
"""Before each answer, and between two bytes: always within the time that a single answer has."""


@pytest.fixture(autouse=True)
def _little_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "_PATIENCE", 1)
    monkeypatch.setattr(sources, "_STEP_SECONDS", 0.2)


class Slow:
    """Stands between us and a server. From a moment on each of the server's answers is late."""

    def __init__(self, server_port: int) -> None:
        self.server_port, self.is_slow = server_port, False
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port: int = self.listening.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                client = self.listening.accept()[0]
                server = socket.create_connection(("127.0.0.1", self.server_port))
                for pair in ((client, server), (server, client)):
                    threading.Thread(target=self._carry, args=(*pair, pair[0] is server), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, is_answer: bool) -> None:
        with suppress(OSError), source, target:
            while data := source.recv(65536):
                if is_answer and self.is_slow:
                    time.sleep(ANSWER_SECONDS)
                target.sendall(data)


@pytest.fixture
def sftp(tmp_path: Path) -> Iterator[SftpPlace]:
    if not Path(SSHD).exists():
        pytest.skip("no OpenSSH server on this machine: apt-get install openssh-server")
    server = Sshd(tmp_path / "s")
    yield SftpPlace(server, tmp_path / "drop")
    server.stop()


@pytest.mark.server
@pytest.mark.parametrize("step", ["listing", "reading"])
def test_sftp_server_whose_every_answer_is_late_is_given_up(
    step: str, sftp: SftpPlace, installation: Installation
) -> None:
    sftp.put(NAME, GOOD)
    between = Slow(sftp.server.port)
    known = sftp.server.known_hosts
    known.write_text(known.read_text().replace(f":{sftp.server.port} ", f":{between.port} "))
    url = str(sftp.entry["url"]).replace(f":{sftp.server.port}/", f":{between.port}/")
    settings = sftp.settings(installation.settings, DISTRICT, url=url, timeout_seconds=2)
    with Source(DISTRICT, load_drop_locations(settings)[DISTRICT]) as source:
        (file,) = source.waiting()
        between.is_slow = True
        steps = {
            "listing": source.waiting,
            "reading": lambda: source.read(file, 1_000_000),
        }
        with pytest.raises(DropLocationUnreachable, match=r"not done within [12] s"):
            in_time(steps[step])
        with pytest.raises(DropLocationUnreachable):
            in_time(source.listed)
    between.listening.close()


def test_sftp_server_that_never_starts_the_session_is_given_up(tmp_path: Path, installation: Installation) -> None:
    """It lets us in and opens the channel; the request for SFTP is never answered. paramiko waits without an end."""
    Sshd._keygen(tmp_path / "host")
    host = paramiko.Ed25519Key(filename=str(tmp_path / "host"))

    class Silent(paramiko.ServerInterface):
        def check_auth_password(self, username: str, password: str) -> int:
            return paramiko.AUTH_SUCCESSFUL

        def check_channel_request(self, kind: str, chanid: int) -> int:
            return paramiko.OPEN_SUCCEEDED

        def check_channel_subsystem_request(self, channel: paramiko.Channel, name: str) -> bool:
            time.sleep(60)
            return False

    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        (tmp_path / "known").write_text(f"[127.0.0.1]:{port} {host.get_name()} {host.get_base64()}\n")

        def serve() -> None:
            transport = paramiko.Transport(server.accept()[0])
            transport.add_server_key(host)
            transport.start_server(server=Silent())

        threading.Thread(target=serve, daemon=True).start()
        location = DropLocation.model_validate(
            {
                "url": f"sftp://u@127.0.0.1:{port}/x",
                "password": "p",
                "known_hosts": tmp_path / "known",
                "timeout_seconds": 2,
            }
        )
        with pytest.raises(DropLocationUnreachable, match="not done within 2 s"):
            in_time(lambda: Source(DISTRICT, location))


def test_s3_server_that_drips_is_given_up() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with suppress(OSError):
                while True:
                    threading.Thread(target=drip, args=(server.accept()[0],), daemon=True).start()

        def drip(client: socket.socket) -> None:
            with suppress(OSError), client:
                client.recv(65536)
                client.sendall(b"HTTP/1.1 200 OK\r\nContent-Type: application/xml\r\nContent-Length: 9000\r\n\r\n")
                for _ in range(9000):
                    time.sleep(DRIP_SECONDS)
                    client.sendall(b" ")

        threading.Thread(target=serve, daemon=True).start()
        location = DropLocation.model_validate(
            {
                "url": "s3://b/x",
                "endpoint_url": f"http://127.0.0.1:{server.getsockname()[1]}",
                "access_key": "A",
                "secret_key": "S",
                "region": "us-east-1",
                "timeout_seconds": 2,
            }
        )
        with (
            Source(DISTRICT, location) as source,
            pytest.raises(DropLocationUnreachable, match="not done within 2 s"),
        ):
            in_time(source.listed)
