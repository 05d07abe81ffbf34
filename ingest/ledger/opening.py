"""Opening the ledger's database, and reporting its failures in one sentence.

Every failure of the database, at opening or later, is raised as `LedgerError`: what to look at, never a value of a row.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import time
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ingest.file_permissions import make_folder
from ingest.file_systems import NETWORK_FILE_SYSTEMS, file_system_of
from ingest.postgres import connection_options

BUSY_SECONDS = 30
"""How long a statement waits for another process's lock on a SQLite ledger."""
_OF_THE_CODE = (sa.exc.IntegrityError, sa.exc.DataError, sa.exc.ProgrammingError)
"""Errors that callers handle, or that are faults of ours."""
_OF_THE_DATABASE = {"42501", "42P01", "3F000"}
"""SQLSTATEs among them that say something of the database after all: no right, no table, no schema."""
_SQLITE_CAUSES = {
    sqlite3.SQLITE_BUSY: "is busy: another process holds it; run this again when that has ended",
    sqlite3.SQLITE_LOCKED: "is busy: another process holds it; run this again when that has ended",
    sqlite3.SQLITE_READONLY: "can't be written: check who owns it and its folder, and that the disk is not read-only",
    sqlite3.SQLITE_PERM: "can't be written: check who owns it and its folder, and that the disk is not read-only",
    sqlite3.SQLITE_FULL: "can't be written: the disk is full; make room and run this again",
    sqlite3.SQLITE_IOERR: "can't be read or written: the disk fails or is full; check it and run this again",
    sqlite3.SQLITE_CORRUPT: "is damaged: restore it from the newest backup (docs/runbook.md, Backup and restore)",
    sqlite3.SQLITE_NOTADB: "is damaged: restore it from the newest backup (docs/runbook.md, Backup and restore)",
    sqlite3.SQLITE_CANTOPEN: "can't be opened: check FOLLOWUP_LEDGER_URL, or FOLLOWUP_HOME and its permissions",
}
_POSTGRES_CAUSES = {
    "3F": "has lost its tables: restore it from the newest backup (docs/runbook.md, Backup and restore)",
    "25": "can't be written: that PostgreSQL takes no changes (a standby?); check FOLLOWUP_LEDGER_URL",
    "40": "is busy: PostgreSQL undid the change in favour of another process's; run this again",
    "42501": "can't be used: the user in FOLLOWUP_LEDGER_URL lacks a right; it must own the ledger's tables",
    "42P01": "has lost its tables: restore it from the newest backup (docs/runbook.md, Backup and restore)",
    "53100": "can't be written: the disk of that PostgreSQL is full; make room and run this again",
    "53": "can't be used: PostgreSQL has no memory or connections left; run this again when others have ended",
    "55": "is busy: another process holds it; run this again when that has ended",
    "57014": "is busy: PostgreSQL cancelled the statement; run this again",
    "58": "can't be read or written: PostgreSQL reports a failure of its disk; see the server's log",
    "XX": "is damaged or its PostgreSQL is at fault: see the server's log; restore it if damaged",
}
_NEXT_TO_NOTHING = 1 << 20
"""Bytes free, below which a write that failed without a reason failed for room."""
_NOT_BY_SCRAM = (
    "does not ask for the password by SCRAM, so it is not sent: see that it is your PostgreSQL that listens there, and "
    "that its pg_hba.conf and the role's stored password are of scram-sha-256"
)
_GONE = "is out of reach: PostgreSQL does not answer or was restarted; check that it runs, then run this again"


class LedgerError(Exception):
    """The ledger can't be opened or used, or refused a change; the message says what to do."""


class ChangeRefused(LedgerError):
    """The ledger works, and what was asked for does not fit what it holds; nothing was changed."""


def open_engine(url: str) -> sa.Engine:
    """The database of a ledger; nothing is connected yet.

    Raises:
        LedgerError: the URL is none that we know, or the folder of a SQLite file can't be made. From the engine's
            connections too: whatever fails in the database.
    """
    try:
        parsed = sa.make_url(url)
        if parsed.drivername == "postgresql":
            parsed = parsed.set(drivername="postgresql+psycopg")
        name = parsed.database or ":memory:"
        if parsed.get_backend_name() == "sqlite" and (name == ":memory:" or name.startswith("file:")):
            raise LedgerError("FOLLOWUP_LEDGER_URL names no file: a ledger in memory would be lost with this command")
        arguments: dict[str, Any] = {}
        if parsed.get_backend_name() == "postgresql":
            has_password = bool(parsed.password or parsed.query.get("password"))
            added = connection_options(parsed.query, has_password=has_password)
            arguments = {"pool_pre_ping": True, "connect_args": added}
        # Parameters are rows: an error's text, which may reach a log, never holds them.
        engine = sa.create_engine(parsed, hide_parameters=True, **arguments)
    except (sa.exc.ArgumentError, ImportError, ValueError):
        raise LedgerError("FOLLOWUP_LEDGER_URL is no address of a SQLite or PostgreSQL database") from None
    if engine.dialect.name == "sqlite":
        file = Path(parsed.database or "")
        _require_local_disk(file)
        try:
            make_folder(file.parent)
        except OSError as error:
            raise LedgerError(
                f"the ledger's folder {file.parent} can't be made ({error.strerror}): check "
                "FOLLOWUP_LEDGER_URL, or FOLLOWUP_HOME and its permissions"
            ) from None
        sa.event.listen(engine, "connect", _on_sqlite_connect)
        sa.event.listen(engine, "begin", _begin)
    sa.event.listen(engine, "handle_error", _raise_ledger_error)
    return engine


def _require_local_disk(path: Path) -> None:
    """Refuse a SQLite file on a volume of the network: its locks don't reach the other machines, and it is damaged."""
    kind = file_system_of(path)
    if kind in NETWORK_FILE_SYSTEMS:
        raise LedgerError(
            f"the ledger at {path} is on a volume of the network ({kind}), where a second machine damages a SQLite "
            "file: let FOLLOWUP_LEDGER_URL name a PostgreSQL, or a file on a local disk"
        )


def _on_sqlite_connect(connection: Any, _: Any) -> None:
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute(f"PRAGMA busy_timeout={BUSY_SECONDS * 1000}")
    _set_journal_mode(cursor)
    for pragma in ("foreign_keys=ON", "synchronous=FULL", "secure_delete=ON"):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _set_journal_mode(cursor: sqlite3.Cursor) -> None:
    """Of several processes that open a new file, one makes it a WAL file; the others wait here."""
    give_up_at = time.monotonic() + BUSY_SECONDS
    while True:
        try:
            cursor.execute("PRAGMA journal_mode=WAL")
            return
        except sqlite3.OperationalError as error:
            if (error.sqlite_errorcode & 0xFF) != sqlite3.SQLITE_BUSY or time.monotonic() > give_up_at:
                raise
            time.sleep(0.02)


def _begin(connection: sa.Connection) -> None:
    """Writers take the lock at once, so that a read in the same transaction can't go stale; readers take none."""
    reading = connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN" if reading else "BEGIN IMMEDIATE")


def _raise_ledger_error(context: sa.engine.ExceptionContext) -> None:
    """What SQLAlchemy calls with every error of the database; a ping that fails is answered by connecting anew."""
    error = context.sqlalchemy_exception
    if not isinstance(error, sa.exc.DBAPIError) or context.is_pre_ping or context.engine is None:
        return
    state = getattr(error.orig, "sqlstate", None)
    if isinstance(error, _OF_THE_CODE) and state not in _OF_THE_DATABASE:
        return
    fault = _of_the_file(error.orig, context.engine.url) or _cause(error.orig, state)
    raise LedgerError(f"the ledger at {shown_location(context.engine.url)} {fault}")


def _of_the_file(error: BaseException | None, url: sa.URL) -> str | None:
    """What is wrong with a SQLite file itself, which SQLite does not say; None where nothing is seen."""
    if not isinstance(error, sqlite3.Error) or not url.database:
        return None
    path = Path(url.database)
    if path.is_dir():
        return "is a folder where a file is needed: move the folder away, or mend FOLLOWUP_LEDGER_URL"
    with contextlib.suppress(OSError):
        disk = os.statvfs(path if path.exists() else path.parent)
        if disk.f_flag & os.ST_RDONLY:
            return "is read-only, for its disk is: mount it writable and run this again"
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if disk.f_bavail * disk.f_frsize < _NEXT_TO_NOTHING and code in (sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN):
            return _SQLITE_CAUSES[sqlite3.SQLITE_FULL]  # it could not make a file beside the ledger
        if path.exists() and not os.access(path, os.W_OK):
            return "is read-only for this user: look at owner and mode (`ls -l`), or run this as the service's user"
    return None


def _cause(error: BaseException | None, state: str | None) -> str:
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_ERROR) & 0xFF
        if code in _SQLITE_CAUSES:
            return _SQLITE_CAUSES[code]
        said = getattr(error, "sqlite_errorname", type(error).__name__)
        return f"can't be used (SQLite says {said}): check FOLLOWUP_HOME; restore the ledger if it is damaged"
    for beginning in (state or "", (state or "")[:2]):
        if beginning in _POSTGRES_CAUSES:
            return _POSTGRES_CAUSES[beginning]
    if "authentication method requirement" in str(error):
        return _NOT_BY_SCRAM
    answered = str(error).partition("FATAL")[2].strip(": \n")  # while connecting there is no SQLSTATE, only its words
    if answered or "no password supplied" in str(error):
        said = answered or "no password supplied"
        return f"does not let us in ({said}): check FOLLOWUP_LEDGER_URL, or run this again when PostgreSQL has started"
    return _GONE


def shown_location(url: sa.URL) -> str:
    """Where a ledger is, without user, password or options."""
    if url.get_backend_name() == "sqlite":
        return str(url.database)
    with contextlib.suppress(KeyError, TypeError):
        if url.host is None and url.query["host"]:
            return f"{url.query['host']}/{url.database}"
    return f"{url.host or 'localhost'}:{url.port or 5432}/{url.database}"
