"""Releases in the ledger: what was proposed, approved, rejected, blocked or replaced, and each release's draws."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from ingest.ledger.acts import add_act
from ingest.ledger.draws import Draw, add_draws, forget_waiting_draws
from ingest.ledger.quarter_revisions import publish_revisions
from ingest.ledger.store import ChangeRefused, Ledger
from ingest.ledger.tables import release

State = Literal["proposed", "released", "blocked", "replaced", "rejected"]


@dataclass(frozen=True)
class ReleaseRow:
    """One release as the ledger holds it. Columns as in `ingest.ledger.tables.release`."""

    release_id: int
    state: State
    made_at: datetime
    released_at: datetime | None
    until_quarter: str | None
    is_revision: bool
    policy: str
    certificate: str | None
    detail: str | None


def releases(ledger: Ledger) -> list[ReleaseRow]:
    """All releases, by their number."""
    with ledger.reading() as connection:
        return [
            ReleaseRow(**row._mapping) for row in connection.execute(sa.select(release).order_by(release.c.release_id))
        ]


def current_release(ledger: Ledger) -> ReleaseRow | None:
    """The newest release that has gone out."""
    out = [one for one in releases(ledger) if one.state == "released"]
    return out[-1] if out else None


def record_release(ledger: Ledger, row: ReleaseRow, draws: Iterable[Draw] = ()) -> None:
    """Record a release in one transaction; proposals that still waited are replaced by it, and their draws forgotten.

    Raises:
        ChangeRefused: its number is taken.
    """
    with ledger.engine.begin() as connection:
        if row.state != "blocked":
            forget_waiting_draws(connection)
            connection.execute(release.update().where(release.c.state == "proposed").values(state="replaced"))
        try:
            connection.execute(release.insert().values(**vars(row)))
        except sa.exc.IntegrityError as error:
            raise ChangeRefused(f"release {row.release_id} is in the ledger already") from error
        add_draws(connection, draws)
        add_act(connection, f"release.{row.state}", str(row.release_id))


def approve(ledger: Ledger, release_id: int, now: datetime) -> None:
    """Let a proposed release go out, from now on.

    Raises:
        ChangeRefused: there is no such release, or it does not wait for approval.
    """
    with ledger.engine.begin() as connection:
        _change_proposed(connection, release_id, state="released", released_at=now)
        publish_revisions(connection, release_id)
        add_act(connection, "release.approved", str(release_id))


def reject(ledger: Ledger, release_id: int, why: str) -> None:
    """Say that a proposed release is not published; its draws are forgotten, as those of one that was replaced.

    Raises:
        ChangeRefused: there is no such release, or it does not wait for approval; or the reason reads as a number.
    """
    with ledger.engine.begin() as connection:
        forget_waiting_draws(connection)
        _change_proposed(connection, release_id, state="rejected", detail=why)
        add_act(connection, "release.rejected", str(release_id), why)


def _change_proposed(connection: sa.Connection, release_id: int, **values: object) -> None:
    proposed = (release.c.release_id == release_id, release.c.state == "proposed")
    if not connection.execute(release.update().where(*proposed).values(**values)).rowcount:
        state = connection.execute(sa.select(release.c.state).where(release.c.release_id == release_id)).scalar()
        if state is None:
            raise ChangeRefused(f"there is no release {release_id}")
        raise ChangeRefused(f"release {release_id} does not wait for approval: it is {state}")


def next_number(ledger: Ledger) -> int:
    """The number of the release to come."""
    with ledger.reading() as connection:
        return (
            int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(release.c.release_id), 0))).scalar() or 0) + 1
        )
