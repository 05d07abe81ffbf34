"""Frozen quarters in the ledger: whose figures are frozen, where they are, and which rows about persons went for it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import sqlalchemy as sa

from ingest.ledger.acts import add_act
from ingest.ledger.erasures import empty_write_ahead_log
from ingest.ledger.store import ChangeRefused, Ledger
from ingest.ledger.tables import (
    expiry_report,
    explanation,
    finding,
    freeze,
    frozen_figures,
    lock_exception,
    submission,
)
from ingest.quarters import Quarter


@dataclass(frozen=True)
class FrozenFile:
    """The frozen rows of a model: a Parquet file under home, and its SHA-256, hexadecimal."""

    model: str
    path: str
    file_sha256: str


@dataclass(frozen=True)
class Frozen:
    """Figures that are frozen.

    Attributes:
        through_quarter: the newest quarter, such as `2018Q3`; with it all earlier ones.
        erased_quarter: the newest whose rows about persons are erased.
        files: a file for each model that takes frozen rows, by model.
    """

    through_quarter: str
    erased_quarter: str
    files: tuple[FrozenFile, ...]


@dataclass(frozen=True)
class Reduced:
    """Where a submission's rows are after rows about persons went; both None where its file went whole."""

    submission_id: str
    parquet_path: str | None
    parquet_sha256: str | None


def newest_frozen(ledger: Ledger) -> Frozen | None:
    """The figures that are frozen now; None as long as none are."""
    with ledger.reading() as connection:
        row = connection.execute(sa.select(freeze).order_by(freeze.c.freeze_id.desc()).limit(1)).first()
        if row is None:
            return None
        files = connection.execute(
            sa.select(frozen_figures.c.model, frozen_figures.c.path, frozen_figures.c.file_sha256)
            .where(frozen_figures.c.freeze_id == row.freeze_id)
            .order_by(frozen_figures.c.model)
        )
        return Frozen(
            row.through_quarter,
            row.erased_quarter,
            tuple(FrozenFile(file.model, file.path, file.file_sha256) for file in files),
        )


def is_frozen(connection: sa.Connection, quarter: Quarter | str) -> bool:
    """Whether a quarter's figures are frozen, by a connection that is open."""
    newest = connection.execute(sa.select(sa.func.max(freeze.c.through_quarter))).scalar()
    return newest is not None and str(quarter) <= newest


def require_not_frozen(connection: sa.Connection, quarter: Quarter | str) -> None:
    """Require that a quarter's figures can still change.

    Raises:
        ChangeRefused: they are frozen.
    """
    if is_frozen(connection, quarter):
        raise ChangeRefused(
            f"{quarter} is frozen: its figures can't change any more, since rows about persons that they were made of "
            "are erased, or are next to be"
        )


def record_freeze(
    connection: sa.Connection, frozen: Frozen, reduced: Sequence[Reduced], rows: int, now: datetime
) -> None:
    """Put frozen figures in force, and the submissions' files without the rows that went, in the caller's transaction.

    Findings and explanations of single rows go with the rows of their quarter. Exceptions that are open for a frozen
    quarter are closed.

    Args:
        connection: the transaction in which the build without the rows is recorded too.
        frozen: what is frozen from here on.
        reduced: the submissions whose file of rows is another now, or is gone.
        rows: how many rows went.
        now: UTC, without zone.
    """
    of_erased = sa.select(submission.c.submission_id).where(submission.c.reporting_quarter <= frozen.erased_quarter)
    number: int = connection.execute(
        freeze.insert()
        .values(through_quarter=frozen.through_quarter, erased_quarter=frozen.erased_quarter, frozen_at=now)
        .returning(freeze.c.freeze_id)
    ).scalar_one()
    connection.execute(
        frozen_figures.insert(),
        [
            {"freeze_id": number, "model": file.model, "path": file.path, "file_sha256": file.file_sha256}
            for file in frozen.files
        ],
    )
    for one in reduced:
        connection.execute(
            submission.update()
            .where(submission.c.submission_id == one.submission_id)
            .values(parquet_path=one.parquet_path, parquet_sha256=one.parquet_sha256)
        )
    connection.execute(
        finding.delete().where(finding.c.submission_id.in_(of_erased), finding.c.source_row_number.is_not(None))
    )
    connection.execute(
        explanation.delete().where(explanation.c.submission_id.in_(of_erased), explanation.c.row_key != "*")
    )
    connection.execute(
        lock_exception.update()
        .where(lock_exception.c.closed_at.is_(None), lock_exception.c.reporting_quarter <= frozen.through_quarter)
        .values(closed_at=now)
    )
    add_act(
        connection,
        "quarters.frozen",
        f"to {frozen.through_quarter}; rows about persons to {frozen.erased_quarter} erased: {rows}",
    )


def add_expiry_report(ledger: Ledger, content: str, now: datetime) -> None:
    """Store how much of what was erased: JSON with counts and quarters, nothing personal."""
    with ledger.engine.begin() as connection:
        connection.execute(expiry_report.insert().values(expired_at=now, content=content))
        add_act(connection, "expired.erased", "report stored")
    empty_write_ahead_log(ledger)


def expiry_reports(ledger: Ledger, last: int) -> list[tuple[datetime, str]]:
    """The last so many reports, newest first: when (UTC, without zone), and the JSON."""
    columns = (expiry_report.c.expired_at, expiry_report.c.content)
    with ledger.reading() as connection:
        rows = connection.execute(
            sa.select(*columns).order_by(expiry_report.c.expiry_report_id.desc()).limit(last)
        ).all()
    return [(row.expired_at, row.content) for row in rows]
