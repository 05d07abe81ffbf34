"""Sessions and passwords of the database that BI reads: log in, set a password, end a role's sessions.

The passwords are in the installation's file of logins, by role. What a role may do is in `publish.serving.roles`.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable
from pathlib import Path

import psycopg
import psycopg.conninfo
from psycopg import sql

from ingest.postgres import connection_options
from ingest.settings import Settings
from publish.serving.release_file import ServingError

READER = "followup_reader"
ANALYST = "followup_analyst"
OWNER = "owner"
_TRIES, _STRUGGLES, _LOCK_SECONDS, _LOGIN_SECONDS = 8, 200, 1, 15
_END_MILLISECONDS = 2000
"""How long a session that is ended may take to be gone."""
_IN_THE_WAY = (
    psycopg.errors.InternalError_,
    psycopg.errors.DuplicateObject,
    psycopg.errors.UniqueViolation,
    psycopg.errors.LockNotAvailable,
    psycopg.errors.DeadlockDetected,
)
"""How PostgreSQL says that another session changes the same role."""

Connection = psycopg.Connection[tuple[object, ...]]


def load_logins(path: Path | None) -> dict[str, str]:
    """The passwords by role, from the installation's file.

    Raises:
        ServingError: the file can't be read, is not JSON of names and passwords, or others than its owner may read it.
    """
    if path is None:
        return {}
    try:
        if path.stat().st_mode & 0o077 and path.is_file():
            raise ServingError(f"{path} can be read by others: chmod 600 {path}")
        found = json.loads(path.read_text(encoding="utf-8") or "{}")
    except (OSError, ValueError) as error:
        raise ServingError(f"FOLLOWUP_PUBLISH_LOGINS: {path} can't be read as JSON ({type(error).__name__})") from None
    if not isinstance(found, dict) or not all(isinstance(value, str) and value for value in found.values()):
        raise ServingError(f"FOLLOWUP_PUBLISH_LOGINS: {path} must be an object of role names and passwords")
    if unknown := found.keys() - {OWNER, READER, ANALYST}:
        raise ServingError(
            f"FOLLOWUP_PUBLISH_LOGINS: {path} names roles that there aren't: {', '.join(sorted(unknown))}"
        )
    return found


def connect(settings: Settings, logins: dict[str, str]) -> Connection:
    """A connection as the database's owner, each statement its own transaction until one is begun.

    Raises:
        ServingError: the URL is missing, carries a password, or the server does not let us in.
    """
    url = settings.publish_postgres.get_secret_value() if settings.publish_postgres else ""
    try:
        given = psycopg.conninfo.conninfo_to_dict(url)
    except psycopg.Error:
        raise ServingError("FOLLOWUP_PUBLISH_POSTGRES is no PostgreSQL address") from None
    if given.get("password"):
        raise ServingError("FOLLOWUP_PUBLISH_POSTGRES has a password in it: put it into the file of logins, as owner")
    password = logins.get(OWNER)
    added = connection_options(given, has_password=bool(password))
    try:
        return psycopg.connect(
            psycopg.conninfo.make_conninfo(url, password=password, application_name="followup publish", **added),
            autocommit=True,
        )
    except psycopg.Error as error:
        said = " ".join(str(error).split())
        raise ServingError(
            f"the database for BI can't be reached: {said}; check FOLLOWUP_PUBLISH_POSTGRES, the file of logins and "
            "that the server runs, then run this again"
        ) from None


def lost(error: psycopg.Error, settings: Settings) -> ServingError:
    """What to say of a database that refused or broke off in the middle: where it is, its words, what to do."""
    given = psycopg.conninfo.conninfo_to_dict(
        settings.publish_postgres.get_secret_value() if settings.publish_postgres else ""
    )
    place = f"{given.get('host', 'localhost')}:{given.get('port', 5432)}/{given.get('dbname', '')}"
    said = error.diag.message_primary or " ".join(str(error).split()) or type(error).__name__
    return ServingError(
        f"the database for BI at {place} refused or was lost: {said}; see that the server runs, then run "
        "`followup release serve`"
    )


def set_password(connection: Connection, role: str, password: str) -> None:
    """Give a role a password. Only the verifier leaves this process: no server log ever holds the password."""
    verifier = connection.pgconn.encrypt_password(password.encode(), role.encode(), b"scram-sha-256").decode()
    connection.execute(sql.SQL("alter role {} password {}").format(sql.Identifier(role), sql.Literal(verifier)))


def at_once(connection: Connection, work: Callable[[], None], role: str | None = None) -> None:
    """Do work in one transaction, again when another process (a serving, the guard) does the same at this moment.

    With `role`, sessions of it that have changed something, which only its own settings and password can be, are ended
    before each further try: one that changes them in a loop, or in a transaction that it leaves open, holds up nobody.
    """
    for left in reversed(range(_TRIES if role is None else _STRUGGLES)):
        try:
            with connection.transaction():
                connection.execute(f"set local lock_timeout = '{_LOCK_SECONDS}s'")
                work()
            return
        except _IN_THE_WAY:
            if not left:
                raise
            if role is not None:
                end_sessions(connection, role, "backend_xid is not null")
            time.sleep(random.uniform(0.05, 0.3) if role is None else random.uniform(0, 0.02))


def end_sessions(connection: Connection, role: str, condition: str) -> list[str]:
    """End a role's sessions that meet a condition; gives process, address and program of each that has ended.

    Waits for each to end: one that is not gone yet still takes a place, and a login after it is refused.
    """
    # Materialized: PostgreSQL might else call the function before it has looked whose session it is.
    rows = connection.execute(
        "with met as materialized (select pid, coalesce(host(client_addr), 'local') as address, "
        "coalesce(nullif(application_name, ''), '-') as program from pg_stat_activity "
        f"where usename = %s and pid <> pg_backend_pid() and ({condition})) "
        f"select pid, address, program, pg_terminate_backend(pid, {_END_MILLISECONDS}) from met order by pid",
        [role],
    ).fetchall()
    return [f"process {pid} from {address} ({program})" for pid, address, program, is_ended in rows if is_ended]


def refusal(settings: Settings, role: str, password: str) -> str | None:
    """Why the server does not let a role in; None when it does."""
    url = settings.publish_postgres.get_secret_value() if settings.publish_postgres else ""
    added = connection_options({*psycopg.conninfo.conninfo_to_dict(url), "connect_timeout"}, has_password=True)
    try:
        psycopg.connect(
            psycopg.conninfo.make_conninfo(
                url, user=role, password=password, application_name="followup guard", **added
            ),
            connect_timeout=_LOGIN_SECONDS,
        ).close()
    except psycopg.OperationalError as error:
        return str(error).strip().splitlines()[-1]
    return None


def ensure_password(connection: Connection, settings: Settings, role: str, password: str) -> bool:
    """Make a password that does not let a role in the one that does, and end the sessions that had another; whether it
    had to be set."""
    if refusal(settings, role, password) is None:
        return False
    at_once(connection, lambda: set_password(connection, role, password), role)
    # An open session could change it again; who has no password then gets no new one.
    end_sessions(connection, role, "true")
    at_once(connection, lambda: set_password(connection, role, password), role)
    return True


def shut_out(connection: Connection, role: str) -> None:
    """Let nobody log in as a role, and end its sessions."""

    def forbid() -> None:
        connection.execute(sql.SQL("alter role {} nologin").format(sql.Identifier(role)))

    at_once(connection, forbid, role)
    end_sessions(connection, role, "true")
