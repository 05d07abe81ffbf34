"""A PostgreSQL server for this folder's tests, and an installation that serves to a fresh database of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from releases_drawn import draw_release

from followup.local.postgres_server import DATABASE, OWNER_ROLE, PostgresServer, PostgresServerError, RunningServer
from ingest.settings import ROOT, Settings
from publish.serving import serve

Connect = Callable[..., "psycopg.Connection[Any]"]
STOPS_IT = """
import shutil, sys
from pathlib import Path
from followup.local.postgres_server import PostgresServer

sys.stdin.read()
PostgresServer(Path(sys.argv[1])).stop()
shutil.rmtree(sys.argv[1], ignore_errors=True)
"""
"""Stops the server when the tests end, in whatever way they do."""
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
    with subprocess.Popen(
        [sys.executable, "-c", STOPS_IT, str(home)], stdin=subprocess.PIPE, start_new_session=True, cwd=ROOT
    ) as watch:
        server.start()
        yield server
        assert watch.stdin is not None
        watch.stdin.close()


def fresh(server: PostgresServer) -> RunningServer:
    """The server with an empty database, the owner's role and no readers."""
    with server.superuser() as connection:
        connection.execute(f"drop database if exists {DATABASE} with (force)")
        connection.execute("drop role if exists followup_reader")
        connection.execute("drop role if exists followup_analyst")
    return server.start()


def installation(root: Path, running: RunningServer) -> Settings:
    """An installation that serves to that database."""
    return Settings.model_validate(
        {
            "home": root / "home",
            "keys": root / "keys.json",
            "publish_postgres": running.owner_url,
            "publish_logins": running.logins_file,
            "publish_patience_seconds": 20,
            "published": root / "published",
            "published_readers": "owner",  # pytest's folders are closed to others
            "FOLLOWUP_NOW": "2019-01-02T08:00:00",
        }
    )


def connecting(running: RunningServer, opened: list[psycopg.Connection[Any]]) -> Connect:
    """A function that connects as one of the roles, with its password."""
    logins = json.loads(running.logins_file.read_text(encoding="utf-8"))

    def _connect(role: str = "followup_reader", database: str = DATABASE, **options: Any) -> psycopg.Connection[Any]:
        password = logins["owner" if role == OWNER_ROLE else role]
        connection = psycopg.connect(
            host="127.0.0.1", port=running.port, dbname=database, user=role, password=password, **options
        )
        opened.append(connection)
        return connection

    return _connect


@pytest.fixture
def postgres(server: PostgresServer) -> RunningServer:
    return fresh(server)


@pytest.fixture
def settings(tmp_path: Path, postgres: RunningServer) -> Settings:
    return installation(tmp_path, postgres)


@pytest.fixture
def files_only(tmp_path: Path) -> Settings:
    return Settings.model_validate({"home": tmp_path / "home", "FOLLOWUP_NOW": "2019-01-02T08:00:00"})


@pytest.fixture
def connect(postgres: RunningServer) -> Iterator[Connect]:
    opened: list[psycopg.Connection[Any]] = []
    yield connecting(postgres, opened)
    for connection in opened:
        connection.close()


@pytest.fixture(scope="module")
def attacked(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connect]:
    """A database with a release, and beside it things that are none of the reader's business; for a whole module."""
    running, root = fresh(server), tmp_path_factory.mktemp("attacked")
    serve(draw_release(root / "r.duckdb", 1), installation(root, running))
    with server.superuser(DATABASE) as connection:
        connection.execute("create schema private authorization followup_owner; create table private.person (key text)")
        connection.execute("insert into private.person values ('secret')")
    opened: list[psycopg.Connection[Any]] = []
    yield connecting(running, opened)
    for connection in opened:
        connection.close()


@pytest.fixture(scope="module")
def installed(server: PostgresServer, tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """An installation with a release in the database; for a whole module, whose tests leave it in order."""
    root = tmp_path_factory.mktemp("installed")
    settings = installation(root, fresh(server))
    serve(draw_release(root / "r.duckdb", 1), settings)
    return settings


@pytest.fixture
def connect_installed(installed: Settings, server: PostgresServer) -> Iterator[Connect]:
    """Connects to that installation's database."""
    opened: list[psycopg.Connection[Any]] = []
    yield connecting(server.start(), opened)
    for connection in opened:
        connection.close()


@pytest.fixture
def unnamed(tmp_path: Path) -> Iterator[Settings]:
    """An installation whose server's log does not name who asks; %% is a per cent sign there, and no role."""
    home = Path(tempfile.mkdtemp(prefix="followup-postgres-"))
    home.chmod(0o755)  # the server's user must reach its cluster in it
    server = PostgresServer(home, (*UNSAFE_BUT_FAST, "-c log_line_prefix='%m [%p] %%u '"))
    try:
        yield installation(tmp_path, server.start())
    finally:
        server.stop()
        shutil.rmtree(home, ignore_errors=True)


@pytest.fixture
def postgres_url(server: PostgresServer) -> Iterator[str]:
    """An empty database for a ledger."""
    running = server.start()
    password = json.loads((server.home / "superuser.json").read_text(encoding="utf-8"))["postgres"]
    with server.superuser() as connection:
        connection.execute("drop database if exists ledger with (force)")
        connection.execute("create database ledger")
    yield f"postgresql://postgres:{password}@127.0.0.1:{running.port}/ledger"
    with server.superuser() as connection:
        connection.execute("drop database ledger with (force)")


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'new' / 'ledger.sqlite'}"
    return str(request.getfixturevalue("postgres_url"))
