"""Counts over the ledger's tables, each by one query: what the installation's metrics are made of."""

from __future__ import annotations

from datetime import date, datetime

import sqlalchemy as sa

from ingest.ledger.store import Ledger
from ingest.ledger.tables import mail, release, submission, upload


def submissions_by_state(ledger: Ledger) -> dict[str, int]:
    """How many submissions there are: accepted, refused, withdrawn."""
    return _by_state(ledger, submission.c.state)


def releases_by_state(ledger: Ledger) -> dict[str, int]:
    """How many releases there are: proposed, released, blocked, replaced, rejected."""
    return _by_state(ledger, release.c.state)


def uploads_by_state(ledger: Ledger) -> dict[str, int]:
    """How many files of the portal there are that it has not forgotten."""
    return _by_state(ledger, upload.c.state)


def mails_by_state(ledger: Ledger, since: date) -> dict[str, int]:
    """How many mails of a day and later there are: waiting, claimed, sent, refused, unsure, expired."""
    return _by_state(ledger, mail.c.state, mail.c.mailed_on >= since)


def oldest_unbuilt(ledger: Ledger, built: datetime) -> datetime | None:
    """When the first accepted file came of those that came after a moment; UTC, without zone. None: there is none."""
    is_new = (submission.c.state == "accepted", submission.c.submitted_at > built)
    with ledger.reading() as connection:
        found: datetime | None = connection.scalar(sa.select(sa.func.min(submission.c.submitted_at)).where(*is_new))
    return found


def oldest_upload(ledger: Ledger, *states: str) -> datetime | None:
    """When the file that has waited longest came into one of these states; UTC, without zone. None: there is none."""
    statement = sa.select(sa.func.min(upload.c.changed_at)).where(upload.c.state.in_(states))
    with ledger.reading() as connection:
        found: datetime | None = connection.scalar(statement)
    return found


def blocked_since_release(ledger: Ledger) -> int:
    """How many releases the audit has blocked since the newest that was released."""
    newest = sa.select(sa.func.max(release.c.release_id)).where(release.c.state == "released").scalar_subquery()
    after = sa.func.coalesce(newest, -1)
    statement = sa.select(sa.func.count()).where(release.c.state == "blocked", release.c.release_id > after)
    with ledger.reading() as connection:
        return int(connection.scalar(statement) or 0)


def _by_state(ledger: Ledger, column: sa.Column[str], *conditions: sa.ColumnElement[bool]) -> dict[str, int]:
    with ledger.reading() as connection:
        rows = connection.execute(sa.select(column, sa.func.count()).where(*conditions).group_by(column))
        return {str(state): int(count) for state, count in rows}
