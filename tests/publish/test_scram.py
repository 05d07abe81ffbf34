"""Whoever takes a PostgreSQL's port while it is down is given no password, whichever connection of ours asks."""

from __future__ import annotations

import json
import socket
import struct
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from ingest.ledger import LedgerError
from ingest.ledger.opening import open_engine
from ingest.postgres import connection_options
from ingest.settings import Settings
from publish.serving import ServingError
from publish.serving.sessions import connect, refusal

SECRET = "lösen"
_IN_CLEAR = struct.pack("!II", 8, 3)
_BY_MD5 = struct.pack("!II", 12, 5) + b"salt"


class _Impostor:
    """Listens where a PostgreSQL should, asks everybody for the password, and holds what was sent."""

    def __init__(self, asked: bytes) -> None:
        self.asked, self.received = asked, list[bytes]()
        self.listening = socket.create_server(("127.0.0.1", 0))
        self.port = self.listening.getsockname()[1]
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self) -> None:
        while True:
            try:
                client, _ = self.listening.accept()
            except OSError:
                return
            with client:
                while (code := client.recv(300)[4:8]) in (struct.pack("!I", 80877103), struct.pack("!I", 80877104)):
                    client.send(b"N")  # no encryption
                assert code == struct.pack("!I", 196608)
                client.send(b"R" + self.asked)
                self.received.append(client.recv(300))

    def end(self) -> None:
        self.listening.shutdown(socket.SHUT_RDWR)
        self.thread.join()
        self.listening.close()


@pytest.fixture(params=[_IN_CLEAR, _BY_MD5], ids=["in clear", "md5"])
def impostor(request: pytest.FixtureRequest) -> Iterator[_Impostor]:
    made = _Impostor(request.param)
    yield made
    made.end()
    assert made.received and not any(made.received), "a password was sent"


@pytest.fixture(params=[True, False], ids=["our password", "pgpass"])
def password(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str | None:
    """The owner's password as it is given to us; or libpq finds it itself."""
    if request.param:
        return SECRET
    found = tmp_path / "pgpass"
    found.write_text(f"*:*:*:*:{SECRET}\n", encoding="utf-8")
    found.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(found))
    return None


def test_who_holds_the_ledger_s_port_gets_no_password_and_is_reported(
    impostor: _Impostor, password: str | None
) -> None:
    given = "" if password is None else f":{password}"
    engine = open_engine(f"postgresql://owner{given}@127.0.0.1:{impostor.port}/ledger")
    with pytest.raises(LedgerError, match="does not ask for the password by SCRAM, so it is not sent") as reported:
        engine.connect()
    assert SECRET not in str(reported.value) and f"127.0.0.1:{impostor.port}/ledger" in str(reported.value)


def test_who_holds_the_port_of_the_database_for_bi_gets_no_password(
    impostor: _Impostor, password: str | None, tmp_path: Path
) -> None:
    logins = {} if password is None else {"owner": password}
    (tmp_path / "logins.json").write_text(json.dumps(logins), encoding="utf-8")
    url = f"postgresql://followup_owner@127.0.0.1:{impostor.port}/followup"
    fake = Settings.model_validate({"publish_postgres": url, "publish_logins": tmp_path / "logins.json"})
    with pytest.raises(ServingError, match=r"can't be reached: .*authentication method requirement"):
        connect(fake, logins)
    assert "authentication method requirement" in str(refusal(fake, "followup_reader", SECRET))


def test_an_address_that_says_how_to_authenticate_goes_before() -> None:
    assert "require_auth" not in connection_options({"require_auth": "password"}, has_password=True)
    assert connection_options((), has_password=True)["require_auth"] == "scram-sha-256"
