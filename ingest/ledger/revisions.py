"""Revisions of the ledger's tables: bringing them up to this version, and back to an earlier one.

A SQLite ledger, and one without tables, is brought up to date by whoever opens it. A PostgreSQL may be other machines'
too, some of which may still run the version before: it is changed by a command of its own (`followup ledger upgrade`).
"""

from __future__ import annotations

from collections.abc import Iterator, Set
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from ingest.ledger.leases import is_dead, now_by
from ingest.ledger.opening import ChangeRefused, LedgerError, shown_location
from ingest.ledger.tables import act, lease

MIGRATION_SECONDS = 120
"""How long an opening waits for another process that brings the tables up to date."""
_MIGRATION_LOCK = 0x666F6C6C6F777570
"""The advisory lock of PostgreSQL that a migration holds: `followup` in ASCII."""
_NEWER = "the ledger was written by a newer version of followup: update this one"


@dataclass(frozen=True)
class Revision:
    """A revision of the tables: its number as `0013`, what it brought, and whether the ledger has it."""

    number: str
    what: str
    is_in_use: bool


def migrate(engine: sa.Engine) -> None:
    """What an opening does: bring the tables up to date where that is this process's to do.

    Of several processes that open an old ledger at once, one does it; the others wait.

    Raises:
        LedgerError: the ledger was written by a newer version; or it is a PostgreSQL of an earlier revision.
    """
    with engine.connect().execution_options(reading=True) as connection:
        current = current_revision(connection)
    head = _scripts().get_current_head()
    if current == head:
        return
    if current is not None:
        _require_known(current)
        if engine.dialect.name == "postgresql":
            raise LedgerError(
                f"the ledger at {shown_location(engine.url)} is of revision {current}, and this version needs {head}: "
                "stop what else uses it, back it up, and run `followup ledger upgrade` once"
            )
    with changing(engine) as connection:
        current = current_revision(connection)
        if current != head:  # another process may have done it meanwhile
            if current is not None:
                _require_known(current)
            command.upgrade(_config(connection), "head")


def revisions(engine: sa.Engine) -> list[Revision]:
    """All revisions that this version knows, oldest first.

    Raises:
        LedgerError: the ledger was written by a newer version.
    """
    with engine.connect().execution_options(reading=True) as connection:
        current = current_revision(connection)
    if current is not None:
        _require_known(current)
    known = [(script.revision, script.doc) for script in _scripts().walk_revisions()][::-1]
    numbers = [number for number, _ in known]
    in_use = set(numbers[: numbers.index(current) + 1]) if current is not None else set()
    return [Revision(number, what, number in in_use) for number, what in known]


def upgrade(engine: sa.Engine) -> tuple[str | None, str]:
    """Bring the tables up to this version; all of it or nothing.

    Returns:
        The revision before (None: there were no tables), and the one now.

    Raises:
        ChangeRefused: some process works with the ledger.
        LedgerError: the ledger was written by a newer version.
    """
    with changing(engine) as connection:
        before = current_revision(connection)
        if before is not None:
            _require_known(before)
            require_idle(connection)
        command.upgrade(_config(connection), "head")
        return before, str(current_revision(connection))


def downgrade(engine: sa.Engine, to: str, losing: Set[str] = frozenset()) -> list[str]:
    """Bring the tables back to an earlier revision, for a version of followup that knows no later one.

    All else stays as it is. What an earlier version has no place for goes, and is named first: nothing is changed
    unless all of it is in `losing`.

    Args:
        engine: the ledger's.
        to: a revision, `0012`.
        losing: tables (`api_token`) and columns (`submission.open_query_count`) with values that may go.

    Returns:
        Tables and columns with values that have gone.

    Raises:
        ChangeRefused: there is no such earlier revision; something would go that is not in `losing`; the audit log
            would go; some process works with the ledger. Nothing was changed.
        LedgerError: the ledger was written by a newer version.
    """
    if to not in [one.number for one in revisions(engine) if one.is_in_use][:-1]:
        raise ChangeRefused(f"{to} is no earlier revision of this ledger: `followup ledger show` lists them")
    with changing(engine) as connection:
        require_idle(connection)
        before = _filled(connection)
        command.downgrade(_config(connection), to)
        after = _there(connection)
        gone = sorted(name for name in before if name not in after and name.partition(".")[0] in after | {name})
        if act.name in gone:
            raise ChangeRefused(f"revision {to} has no audit log, and the log is never removed; nothing was changed")
        if unnamed := [name for name in gone if name not in losing]:
            named = " ".join(f"--lose {name}" for name in unnamed)
            raise ChangeRefused(
                f"revision {to} has no place for what is in {', '.join(unnamed)}: to let it go, repeat this with "
                f"{named}; or restore the backup from before the upgrade. Nothing was changed"
            )
    return gone


def bring_to(connection: sa.Connection, revision: str) -> None:
    """Bring the tables to a revision, in the caller's transaction of `changing`.

    Args:
        connection: of that transaction.
        revision: `head` is the newest.

    Raises:
        LedgerError: it is one of a newer version.
    """
    _require_known(revision)
    command.upgrade(_config(connection), revision)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config(None))


def _config(connection: sa.Connection | None) -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    return config


def current_revision(connection: sa.Connection) -> str | None:
    """The revision of a ledger's tables; None where there are none."""
    return MigrationContext.configure(connection).get_current_revision()


def _require_known(revision: str) -> None:
    try:
        _scripts().get_revision(revision)
    except CommandError:
        raise LedgerError(_NEWER) from None


@contextmanager
def changing(engine: sa.Engine) -> Iterator[sa.Connection]:
    """The transaction of a migration: one at a time, and nothing of it counts when it fails.

    SQLite changes a table by making it anew, which removes every row that refers to its rows unless foreign keys are
    off. They can be switched only outside a transaction, and are checked at its end.
    """
    is_sqlite = engine.dialect.name == "sqlite"
    with engine.connect() as held:
        if is_sqlite:
            held.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")  # type: ignore[union-attr]
        try:
            with held.begin():  # on SQLite this takes the lock
                if not is_sqlite:
                    held.exec_driver_sql(f"set local lock_timeout = '{MIGRATION_SECONDS}s'")
                    held.exec_driver_sql(f"select pg_advisory_xact_lock({_MIGRATION_LOCK})")
                yield held
                if is_sqlite and (broken := held.exec_driver_sql("PRAGMA foreign_key_check").first()):
                    raise LedgerError(f"the ledger's table {broken[0]} refers to rows that are not there: restore it")
        finally:
            if is_sqlite:
                held.connection.driver_connection.execute("PRAGMA foreign_keys=ON")  # type: ignore[union-attr]


def require_idle(connection: sa.Connection) -> None:
    """Require that no process works with the ledger.

    Raises:
        ChangeRefused: one holds a lease.
    """
    if not sa.inspect(connection).has_table(lease.name):
        return
    now = now_by(connection)
    for row in connection.execute(sa.select(lease)):
        if row.expires_at > now and not is_dead(row.holder):
            raise ChangeRefused(
                f"the ledger is in use ({row.name} on {row.holder.partition('@')[0]}): stop Airflow and the portal on "
                "all machines, and run this again"
            )


def _there(connection: sa.Connection) -> set[str]:
    """Tables, and columns as `table.column`."""
    inspector = sa.inspect(connection)
    tables = inspector.get_table_names()
    return {*tables, *(f"{table}.{column['name']}" for table in tables for column in inspector.get_columns(table))}


def _filled(connection: sa.Connection) -> list[str]:
    """Tables with rows, and their columns with values other than what the column has by default."""
    found = []
    inspector = sa.inspect(connection)
    for table in inspector.get_table_names():
        rows = sa.table(table)
        if connection.execute(sa.select(sa.literal(1)).select_from(rows).limit(1)).first() is None:
            continue
        found.append(table)
        for column in inspector.get_columns(table):
            values: sa.ColumnClause[Any] = sa.column(column["name"])
            given = sa.text(column["default"]) if column["default"] is not None else sa.null()
            other = sa.select(sa.literal(1)).select_from(rows).where(values.is_distinct_from(given)).limit(1)
            if connection.execute(other).first() is not None:
                found.append(f"{table}.{column['name']}")
    return found
