"""Copying a ledger whole into an empty one: from the SQLite file of one machine to a PostgreSQL that several share."""

from __future__ import annotations

import sqlalchemy as sa

from ingest.ledger.opening import ChangeRefused
from ingest.ledger.revisions import require_idle
from ingest.ledger.store import Ledger
from ingest.ledger.tables import METADATA, lease

_AT_ONCE = 1000


def copy_ledger(source: Ledger, target: Ledger) -> dict[str, int]:
    """Copy all rows, in one transaction of the target; the source is left as it is, and nobody may write to it.

    Returns:
        Table → rows, of every table with rows.

    Raises:
        ChangeRefused: the target has rows, or some process works with the source. Nothing was copied.
        LedgerError: a database failed. Nothing was copied.
    """
    copied: dict[str, int] = {}
    # the source's transaction takes its lock: nothing is added while it is read
    with source.engine.begin() as reading, target.engine.begin() as writing:
        require_idle(reading)
        for table in METADATA.sorted_tables:
            if writing.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first() is not None:
                raise ChangeRefused(
                    f"the ledger to copy into is not empty ({table.name} has rows): name a new database"
                )
        for table in METADATA.sorted_tables:
            if table is lease:  # of processes of the other ledger
                continue
            for part in reading.execution_options(yield_per=_AT_ONCE).execute(sa.select(table)).partitions(_AT_ONCE):
                writing.execute(table.insert(), [dict(row._mapping) for row in part])
                copied[table.name] = copied.get(table.name, 0) + len(part)
            count_on(writing, table)
    return copied


def count_on(connection: sa.Connection, table: sa.Table) -> None:
    """Let PostgreSQL number the next rows after those that were copied with their numbers."""
    number = table.autoincrement_column
    if connection.dialect.name != "postgresql" or number is None:
        return
    newest = connection.execute(sa.select(sa.func.max(number))).scalar()
    sequence = connection.execute(sa.select(sa.func.pg_get_serial_sequence(table.name, number.name))).scalar()
    if newest is not None and sequence is not None:
        connection.execute(sa.select(sa.func.setval(sequence, newest)))
