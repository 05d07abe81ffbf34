"""Erasures in the ledger: what it records when originals or a person's rows are erased."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime

import sqlalchemy as sa

from ingest.ledger.acts import add_act
from ingest.ledger.store import Ledger
from ingest.ledger.tables import act, erasure, explanation, finding, submission


def mark_original_erased(ledger: Ledger, original_path: str, now: datetime) -> None:
    """Record for every submission that shares an original that it is erased."""
    with ledger.engine.begin() as connection:
        connection.execute(
            submission.update().where(submission.c.original_path == original_path).values(original_erased_at=now)
        )


def record_rows_removed(
    ledger: Ledger,
    submission_id: str,
    *,
    parquet_path: str,
    parquet_sha256: str,
    row_count: int,
    row_numbers: Collection[int],
    row_keys: Collection[str],
    open_query_count: int,
) -> None:
    """Record a submission's file of rows after some were removed; their findings and explanations are removed too.

    Args:
        ledger: where.
        submission_id: whose.
        parquet_path: of the file without them.
        parquet_sha256: of it.
        row_count: rows that are left.
        row_numbers: source row numbers of the removed rows.
        row_keys: their row keys, whose explanations are removed.
        open_query_count: queries that stay open.
    """
    with ledger.engine.begin() as connection:
        connection.execute(
            submission.update()
            .where(submission.c.submission_id == submission_id)
            .values(
                parquet_path=parquet_path,
                parquet_sha256=parquet_sha256,
                row_count=row_count,
                open_query_count=open_query_count,
            )
        )
        for column, gone in ((finding.c.source_row_number, row_numbers), (explanation.c.row_key, row_keys)):
            table = column.table
            connection.execute(sa.delete(table).where(table.c.submission_id == submission_id, column.in_(list(gone))))


def record_erasure(ledger: Ledger, kind: str, now: datetime, original_count: int, row_count: int) -> None:
    """Note that something was erased: how much, never of whom."""
    with ledger.engine.begin() as connection:
        connection.execute(
            erasure.insert().values(kind=kind, erased_at=now, original_count=original_count, row_count=row_count)
        )
        add_act(connection, "erasure.done", f"{kind}: {original_count} originals, {row_count} rows")
    empty_write_ahead_log(ledger)


def record_person_extract(ledger: Ledger, rows: int, submissions: int) -> None:
    """Note in the log of acts that what is stored of one person was looked up: how much, never of whom."""
    with ledger.engine.begin() as connection:
        add_act(connection, "person.extracted", f"{rows} rows of {submissions} submissions")


def is_erased_since(ledger: Ledger, moment: datetime) -> bool:
    """Whether rows or originals were erased at a moment or later. Both times are the system's, UTC without zone."""
    with ledger.reading() as connection:
        newest: datetime | None = connection.execute(
            sa.select(sa.func.max(act.c.acted_at)).where(act.c.action.in_(("erasure.done", "quarters.frozen")))
        ).scalar_one()
    return newest is not None and newest >= moment


def empty_write_ahead_log(ledger: Ledger) -> None:
    """Empty the log of SQLite's writes: what was deleted is overwritten in the file (secure_delete), but not there."""
    if ledger.engine.dialect.name == "sqlite":
        with ledger.reading() as connection:
            connection.exec_driver_sql("COMMIT")
            connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
