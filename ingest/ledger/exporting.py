"""Exporting a ledger: its rows as of one moment, of SQLite or PostgreSQL; importing into an empty one of either kind.

An export is a file per table, the same for both kinds of database: compressed lines of JSON, the first with the columns
and how their values are written, then one per row in the order of the primary key. An unchanged table gives the same
bytes again.
"""

from __future__ import annotations

import base64
import gzip
import io
import json
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from ingest.ledger.acts import add_act, system_now
from ingest.ledger.copying import count_on
from ingest.ledger.opening import ChangeRefused, LedgerError, open_engine
from ingest.ledger.revisions import bring_to, changing, current_revision
from ingest.ledger.store import Ledger
from ingest.ledger.tables import METADATA, act, build, portal_user, release, submission

LEFT_OUT = frozenset({"lease", "portal_session"})
"""Tables about what runs and who is signed in: a copy begins without either."""
_SIGNS_OF_USE = (submission, act, build, release, portal_user)
"""Tables that are all empty in a ledger that nobody has used."""
_AT_ONCE = 1000
_TO_JSON: dict[str, Callable[[Any], Any]] = {
    "moment": datetime.isoformat,
    "day": date.isoformat,
    "bytes": lambda value: base64.b64encode(value).decode(),
}
_FROM_JSON: dict[str, Callable[[Any], Any]] = {
    "moment": datetime.fromisoformat,
    "day": date.fromisoformat,
    "bytes": base64.b64decode,
}


@dataclass(frozen=True)
class LedgerExport:
    """A ledger as of one moment.

    Attributes:
        revision: of its tables.
        taken_at: UTC, without zone, by the system's clock.
        tables: name → its file, in an order in which rows can be put in.
    """

    revision: str
    taken_at: datetime
    tables: dict[str, bytes]

    def rows(self, table: str) -> Iterator[dict[str, Any]]:
        """The rows of a table, by column.

        Raises:
            LedgerError: its file is damaged.
        """
        return rows_in(table, self.tables[table])


def export_ledger(ledger: Ledger) -> LedgerExport:
    """All rows of a ledger as of one moment; others go on reading and writing meanwhile."""
    options: dict[str, Any] = {"reading": True}
    if ledger.engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    with ledger.engine.connect().execution_options(**options) as connection, connection.begin():
        revision = current_revision(connection)  # the first statement: from here on nothing else is seen
        taken_at = system_now()
        assert revision is not None  # an open ledger has its tables
        wanted = [table for table in METADATA.sorted_tables if table.name not in LEFT_OUT]
        return LedgerExport(revision, taken_at, {table.name: _file_of(connection, table) for table in wanted})


def rows_in(table: str, content: bytes) -> Iterator[dict[str, Any]]:
    """The rows in a table's file, by column.

    Raises:
        LedgerError: it is damaged.
    """
    try:
        with gzip.open(io.BytesIO(content), "rt", encoding="utf-8") as lines:
            columns = [(str(name), _FROM_JSON.get(kind)) for name, kind in json.loads(next(lines))]
            for line in lines:
                yield {
                    name: value if read is None or value is None else read(value)
                    for (name, read), value in zip(columns, json.loads(line), strict=True)
                }
    except (OSError, EOFError, StopIteration, ValueError, TypeError, zlib.error):
        raise LedgerError(f"the ledger's table {table} is damaged in this backup: take another") from None


def import_ledger(url: str, copied: LedgerExport, subject: str) -> None:
    """Put a copy into an empty ledger, bring its tables up to date, and log the act: one transaction.

    Args:
        url: of the ledger; of either kind, whatever the copy was taken from.
        copied: what to put in.
        subject: of the act `backup.restored`.

    Raises:
        LedgerError: the copy is damaged or by a newer version, or the database fails. Nothing is changed.
        ChangeRefused: the ledger is in use.
    """
    engine = open_engine(url)
    try:
        with changing(engine) as connection:
            if current_revision(connection) is not None:
                _require_unused(connection)
                _drop_tables(connection)
            bring_to(connection, copied.revision)
            found = sa.MetaData()
            found.reflect(connection)
            for name in copied.tables:
                _fill(connection, found.tables[name], copied.rows(name))
            bring_to(connection, "head")
            add_act(connection, "backup.restored", subject)
    finally:
        engine.dispose()


def is_unused(url: str) -> bool:
    """Whether a ledger is missing, or has no rows that say anything was done with it.

    Raises:
        LedgerError: it can't be opened.
    """
    engine = open_engine(url)
    try:
        if engine.dialect.name == "sqlite" and not _exists(engine.url.database):
            return True
        with engine.connect().execution_options(reading=True) as connection:
            return current_revision(connection) is None or not _rows_of_use(connection)
    finally:
        engine.dispose()


def _exists(database: str | None) -> bool:
    return database is not None and Path(database).exists()


def _file_of(connection: sa.Connection, table: sa.Table) -> bytes:
    kinds = [(column.name, _kind(column.type)) for column in table.columns]
    writes = [_TO_JSON.get(kind) for _, kind in kinds]
    out = io.BytesIO()
    with gzip.GzipFile(fileobj=out, mode="wb", compresslevel=6, mtime=0) as packed:
        packed.write(json.dumps(kinds, separators=(",", ":")).encode() + b"\n")
        chosen = sa.select(table).order_by(*table.primary_key.columns)
        for row in connection.execute(chosen, execution_options={"yield_per": _AT_ONCE}):
            values = [
                value if write is None or value is None else write(value)
                for write, value in zip(writes, row, strict=True)
            ]
            packed.write(json.dumps(values, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")
    return out.getvalue()


def _kind(column_type: sa.types.TypeEngine[Any]) -> str:
    for kind, of_kind in (("moment", sa.DateTime), ("day", sa.Date), ("bytes", sa.LargeBinary)):
        if isinstance(column_type, of_kind):
            return kind
    return "plain"


def _rows_of_use(connection: sa.Connection) -> bool:
    there = set(sa.inspect(connection).get_table_names())
    return any(
        connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None
        for table in _SIGNS_OF_USE
        if table.name in there
    )


def _require_unused(connection: sa.Connection) -> None:
    if _rows_of_use(connection):
        raise ChangeRefused("the ledger holds submissions, acts, builds, releases or users: name an empty one")


def _drop_tables(connection: sa.Connection) -> None:
    found = sa.MetaData()
    found.reflect(connection, only=lambda name, _: name in METADATA.tables or name == "alembic_version")
    found.drop_all(connection)


def _fill(connection: sa.Connection, table: sa.Table, rows: Iterator[dict[str, Any]]) -> None:
    """Put rows into an empty table; what PostgreSQL counts by itself goes on after them."""
    waiting: list[dict[str, Any]] = []
    for row in rows:
        waiting.append(row)
        if len(waiting) == _AT_ONCE:
            connection.execute(table.insert(), waiting)
            waiting.clear()
    if waiting:
        connection.execute(table.insert(), waiting)
    count_on(connection, table)
