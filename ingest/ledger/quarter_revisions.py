"""Revisions of sealed quarters: what a quarter's amendments open, the city's note, and the release that published it.

A quarter is sealed from its lock on. A file or a withdrawal that changes a sealed quarter opens its next revision; what
follows belongs to the same one, until a release has published it. The number is that of the release's draws.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ingest.ledger.acts import add_act
from ingest.ledger.opening import ChangeRefused
from ingest.ledger.tables import build, draw, quarter_lock, release, revision, submission, withdrawal

if TYPE_CHECKING:
    from ingest.ledger.store import Ledger


@dataclass(frozen=True)
class Revision:
    """One revision. Columns as in `ingest.ledger.tables.revision`; `release_id` None while it is open."""

    reporting_quarter: str
    number: int
    opened_at: datetime
    note: str | None
    release_id: int | None


@dataclass(frozen=True, order=True)
class Amendment:
    """What changed a sealed quarter: a unit's file, taken in or withdrawn; `at` in UTC, without zone."""

    district_code: str
    dataset: str
    is_withdrawn: bool
    at: datetime


def open_revision(connection: sa.Connection, quarter: str | None, at: datetime) -> None:
    """Open a sealed quarter's next revision unless one is open, in the transaction that amends the quarter."""
    if quarter is None or not _locked_at(connection, None) & {quarter}:
        return
    waiting = (revision.c.reporting_quarter == quarter, revision.c.release_id.is_(None))
    opened = connection.execute(sa.select(revision.c.opened_at).where(*waiting)).scalar()
    if opened is not None:
        if at < opened:
            connection.execute(revision.update().where(*waiting).values(opened_at=at))
        return
    number = _last_number(connection, quarter) + 1
    connection.execute(revision.insert().values(reporting_quarter=quarter, number=number, opened_at=at))
    add_act(connection, "revision.opened", f"{quarter} revision {number}")


def revisions(ledger: Ledger) -> list[Revision]:
    """All revisions, by quarter and number."""
    statement = sa.select(revision).order_by(revision.c.reporting_quarter, revision.c.number)
    with ledger.reading() as connection:
        return [Revision(**row._mapping) for row in connection.execute(statement)]


def amendments(ledger: Ledger, one: Revision, until: datetime | None = None) -> list[Amendment]:
    """What has changed a quarter since a revision was opened, by unit and dataset, each by its last change.

    Args:
        ledger: the installation's.
        one: the revision.
        until: nothing later than this.
    """
    of_quarter = submission.c.reporting_quarter == one.reporting_quarter
    taken = sa.select(submission).where(
        of_quarter, submission.c.state == "accepted", submission.c.submitted_at >= one.opened_at
    )
    gone = (
        sa.select(submission, withdrawal.c.withdrawn_at)
        .join(withdrawal, withdrawal.c.submission_id == submission.c.submission_id)
        .where(of_quarter, withdrawal.c.withdrawn_at >= one.opened_at)
    )
    with ledger.reading() as connection:
        found = [
            Amendment(row.district_code, row.dataset, False, row.submitted_at) for row in connection.execute(taken)
        ]
        found += [Amendment(row.district_code, row.dataset, True, row.withdrawn_at) for row in connection.execute(gone)]
    known = sorted((one for one in found if until is None or one.at <= until), key=lambda one: one.at)
    return sorted({(one.district_code, one.dataset): one for one in known}.values())


def set_note(ledger: Ledger, quarter: str, text: str) -> int:
    """Store what the city says to readers of the open revision of a quarter; returns its number.

    Raises:
        ChangeRefused: the quarter has no open revision.
    """
    waiting = (revision.c.reporting_quarter == quarter, revision.c.release_id.is_(None))
    with ledger.engine.begin() as connection:
        changed = connection.execute(revision.update().where(*waiting).values(note=text).returning(revision.c.number))
        number = changed.scalar()
        if number is None:
            raise ChangeRefused(f"{quarter} has no open revision: one is opened by a file that amends a locked quarter")
        add_act(connection, "revision.noted", f"{quarter} revision {number}", text)
        return int(number)


def sealed_for_readers(ledger: Ledger, released_at: datetime | None) -> set[str]:
    """Quarters that are locked, and were when the current release was published: their figures are final."""
    if released_at is None:
        return set()
    with ledger.reading() as connection:
        return _locked_at(connection, None) & _locked_at(connection, released_at)


def in_figures_until(ledger: Ledger, made_at: datetime) -> datetime:
    """Until when amendments are in the marts of a release that was made at a time: when the build before it began."""
    with ledger.reading() as connection:
        return _built_until(connection, made_at)


def _built_until(connection: sa.Connection, made_at: datetime) -> datetime:
    last = sa.select(sa.func.max(build.c.started_at)).where(build.c.state == "built", build.c.started_at <= made_at)
    return connection.scalar(last) or made_at


def publish_revisions(connection: sa.Connection, release_id: int) -> None:
    """Say in the approving transaction which open revisions a release publishes; a later amendment opens the next.

    Where final figures are published for the first time they have what was amended, so nothing is revised.
    """
    made_at: datetime = connection.execute(
        sa.select(release.c.made_at).where(release.c.release_id == release_id)
    ).scalar_one()
    until = _built_until(connection, made_at)
    revised: set[str] = set(
        connection.scalars(
            sa.select(draw.c.period).where(
                draw.c.release_id == release_id, draw.c.revision > 0, draw.c.period_kind == "kvartal"
            )
        )
    )
    before = connection.execute(
        sa.select(sa.func.max(release.c.released_at)).where(
            release.c.state == "released", release.c.release_id < release_id
        )
    ).scalar()
    final = _locked_at(connection, before) if before is not None else set()
    open_ones = connection.execute(sa.select(revision).where(revision.c.release_id.is_(None))).all()
    for row in open_ones:
        this = (revision.c.reporting_quarter == row.reporting_quarter, revision.c.number == row.number)
        if row.opened_at > until:
            continue
        if row.reporting_quarter in revised:
            connection.execute(revision.update().where(*this).values(release_id=release_id))
        elif row.reporting_quarter not in final:
            connection.execute(revision.delete().where(*this))
        else:
            continue  # its change waits for more
        later = _first_amendment_after(connection, row.reporting_quarter, until)
        if later is not None:
            open_revision(connection, row.reporting_quarter, later)
    for quarter in sorted(revised - {row.reporting_quarter for row in open_ones}):
        number = _last_number(connection, quarter)  # the release's own draws have it
        connection.execute(
            revision.insert().values(reporting_quarter=quarter, number=number, opened_at=made_at, release_id=release_id)
        )


def _first_amendment_after(connection: sa.Connection, quarter: str, moment: datetime) -> datetime | None:
    taken = sa.select(sa.func.min(submission.c.submitted_at)).where(
        submission.c.reporting_quarter == quarter,
        submission.c.state == "accepted",
        submission.c.submitted_at > moment,
    )
    gone = (
        sa.select(sa.func.min(withdrawal.c.withdrawn_at))
        .join(submission, withdrawal.c.submission_id == submission.c.submission_id)
        .where(submission.c.reporting_quarter == quarter, withdrawal.c.withdrawn_at > moment)
    )
    found = [one for one in (connection.scalar(taken), connection.scalar(gone)) if one is not None]
    return min(found, default=None)


def _locked_at(connection: sa.Connection, moment: datetime | None) -> set[str]:
    """Quarters that were locked at a moment; None: that are locked now."""
    statement = sa.select(quarter_lock.c.reporting_quarter)
    if moment is None:
        return set(connection.scalars(statement.where(quarter_lock.c.unlocked_at.is_(None))))
    until = sa.or_(quarter_lock.c.unlocked_at.is_(None), quarter_lock.c.unlocked_at > moment)
    return set(connection.scalars(statement.where(quarter_lock.c.locked_at <= moment, until)))


def _last_number(connection: sa.Connection, quarter: str) -> int:
    numbers: Collection[int | None] = (
        connection.scalar(sa.select(sa.func.max(revision.c.number)).where(revision.c.reporting_quarter == quarter)),
        connection.scalar(
            sa.select(sa.func.max(draw.c.revision))
            .join(release, release.c.release_id == draw.c.release_id)
            .where(draw.c.period_kind == "kvartal", draw.c.period == quarter, release.c.state == "released")
        ),
    )
    return max(one or 0 for one in numbers)
