"""The servers that the killed processes talk to: a PostgreSQL that releases are served to, and a mail server."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from mail_server import MailServer, mail_server

from followup.local.postgres_server import DATABASE, PostgresServer, RunningServer

_BEFORE = "before"
_FAST = ("-c fsync=off", "-c synchronous_commit=off", "-c full_page_writes=off")


class Served:
    """The database of readers, which can be set back."""

    def __init__(self, server: PostgresServer, running: RunningServer) -> None:
        """It runs already."""
        self.server, self.running = server, running

    def remember(self) -> None:
        """What the database holds now is what `set_back` brings."""
        self._copy(DATABASE, _BEFORE)

    def set_back(self) -> None:
        """Hold what it held then."""
        self._copy(_BEFORE, DATABASE)

    def _copy(self, source: str, target: str) -> None:
        with self.server.superuser() as connection:
            connection.execute("select pg_terminate_backend(pid) from pg_stat_activity where datname = %s", [source])
            connection.execute(f"drop database if exists {target} with (force)")
            connection.execute(f"create database {target} template {source} owner followup_owner")
        if target == DATABASE:
            self.server.start()  # what only a superuser forbids the readers, in the new database too

    def figures(self) -> dict[str, list[str]]:
        """The rows that readers see, without the release's number and time; empty without a release."""
        password = json.loads(self.running.logins_file.read_text(encoding="utf-8"))["owner"]
        with psycopg.connect(self.running.owner_url, password=password) as connection:
            names = connection.execute(
                "select table_name from information_schema.tables where table_schema = 'published' "
                "and table_type = 'BASE TABLE' and table_name <> 'about' order by 1"
            ).fetchall()
            return {
                str(name): sorted(
                    str({key: cell for key, cell in row.items() if key not in ("release_id", "released_at")})
                    for (row,) in connection.execute(f'select to_jsonb(t) from published."{name}" as t').fetchall()
                )
                for (name,) in names
            }


class _Servers:
    mail: MailServer
    served: Served


SERVERS = _Servers()


@contextmanager
def running(folder: Path) -> Iterator[None]:
    """Both while the block runs."""
    home = folder / "postgres"
    home.mkdir(mode=0o755)
    server = PostgresServer(home, _FAST)
    try:
        with mail_server() as SERVERS.mail:
            SERVERS.served = Served(server, server.start())
            yield
    finally:
        server.stop()
