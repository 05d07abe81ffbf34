"""Makes the databases of the installation and the users that own them: Airflow's, the ledger's, the published one.

Safe to repeat: a user gets the password of the environment, and what is there stays. Runs as the server's superuser,
whose password no other service has. Passwords come from the environment and a file, and are no process's arguments.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from publish.serving.roles import set_bounds


def superuser(database: str = "postgres") -> psycopg.Connection[Any]:
    """A connection as the superuser; each statement is a transaction."""
    return psycopg.connect(
        host=os.environ["POSTGRES_HOST"],
        port=os.environ["POSTGRES_PORT"],
        user="postgres",
        password=os.environ["POSTGRES_PASSWORD"],
        dbname=database,
        require_auth="scram-sha-256",
        connect_timeout=15,
        autocommit=True,
    )


def make(connection: psycopg.Connection[Any], user: str, password: str, database: str, rights: str = "") -> None:
    """Make a user and its database where they are missing, set its password, and let nobody else in.

    Args:
        connection: the superuser's.
        user, password: who owns the database.
        database: its name.
        rights: of a new user, as PostgreSQL says them.
    """
    named = sql.Identifier(user)
    if connection.execute("select from pg_roles where rolname = %s", [user]).rowcount == 0:
        connection.execute(sql.SQL("create role {} login {}").format(named, sql.SQL(rights)))
    # the server gets what it stores: a password in a statement could be read in its log
    verifier = connection.pgconn.encrypt_password(password.encode(), user.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(named, sql.Literal(verifier)))
    if connection.execute("select from pg_database where datname = %s", [database]).rowcount == 0:
        connection.execute(sql.SQL("create database {} owner {}").format(sql.Identifier(database), named))
    connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(database)))


def main() -> None:
    """Make all of them; the published one where FOLLOWUP_PUBLISH_POSTGRES names this server."""
    with superuser() as connection:
        make(connection, "airflow", os.environ["AIRFLOW_DATABASE_PASSWORD"], "airflow")
        make(connection, "followup_ledger", os.environ["FOLLOWUP_LEDGER_PASSWORD"], "followup_ledger")
        published = urlsplit(os.environ.get("FOLLOWUP_PUBLISH_POSTGRES", ""))
        is_here = (published.hostname, str(published.port or 5432)) == (
            os.environ["POSTGRES_HOST"], os.environ["POSTGRES_PORT"]
        )  # fmt: skip
        if is_here:
            logins = json.loads(Path(os.environ["FOLLOWUP_PUBLISH_LOGINS"]).read_text(encoding="utf-8"))
            database = published.path.strip("/")
            make(connection, str(published.username), logins["owner"], database, "createrole")
        for name in ("postgres", "template1"):
            connection.execute(sql.SQL("revoke all on database {} from public").format(sql.Identifier(name)))
    if is_here:
        with superuser(database) as connection:
            set_bounds(connection)


if __name__ == "__main__":
    main()
