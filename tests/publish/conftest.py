"""A PostgreSQL server for this folder's tests, and an installation that serves to a fresh database of it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from followup.postgres_server import DATABASE, OWNER_ROLE, PostgresServer, PostgresServerError, RunningServer
from ingest.settings import Settings

UNSAFE_BUT_FAST = ("-c fsync=off", "-c synchronous_commit=off", "-c full_page_writes=off", "-c shared_buffers=64MB")


@pytest.fixture(scope="session")
def server() -> Iterator[PostgresServer]:
    home = Path(tempfile.mkdtemp(prefix="followup-postgres-"))
    home.chmod(0o755)  # the server's user must reach its cluster in it
    server = PostgresServer(home, UNSAFE_BUT_FAST)
    try:
        server.binaries()
    except PostgresServerError as error:
        shutil.rmtree(home)
        pytest.skip(str(error))
    try:
        server.start()
        yield server
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def postgres(server: PostgresServer) -> Iterator[RunningServer]:
    """The server with an empty database, the owner's role and no readers."""
    with server.superuser() as connection:
        connection.execute(f"drop database if exists {DATABASE} with (force)")
        connection.execute("drop role if exists followup_reader")
        connection.execute("drop role if exists followup_analyst")
    yield server.start()
    with server.superuser() as connection:
        connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [DATABASE])


@pytest.fixture
def settings(tmp_path: Path, postgres: RunningServer) -> Settings:
    return Settings.model_validate(
        {
            "home": tmp_path / "home",
            "keys": tmp_path / "keys.json",
            "publish_postgres": postgres.owner_url,
            "publish_logins": postgres.logins_file,
            "publish_patience_seconds": 20,
            "FOLLOWUP_NOW": "2019-01-02T08:00:00",
        }
    )


@pytest.fixture
def files_only(tmp_path: Path) -> Settings:
    return Settings.model_validate({"home": tmp_path / "home", "FOLLOWUP_NOW": "2019-01-02T08:00:00"})


Connect = Callable[..., "psycopg.Connection[Any]"]


@pytest.fixture
def connect(postgres: RunningServer) -> Iterator[Connect]:
    """Connect as one of the roles, with its password."""
    logins = json.loads(postgres.logins_file.read_text(encoding="utf-8"))
    opened: list[psycopg.Connection[Any]] = []

    def _connect(role: str = "followup_reader", database: str = DATABASE, **options: Any) -> psycopg.Connection[Any]:
        password = logins["owner" if role == OWNER_ROLE else role]
        connection = psycopg.connect(
            host="127.0.0.1", port=postgres.port, dbname=database, user=role, password=password, **options
        )
        opened.append(connection)
        return connection

    yield _connect
    for connection in opened:
        connection.close()
