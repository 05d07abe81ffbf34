"""Releases in the ledger: what was proposed, what went out, and the cells that each release changed.

The ledger alone knows true counts of what is hidden and which cells are hidden for their own sake.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Literal

import sqlalchemy as sa

from ingest.ledger.store import ChangeRefused, Ledger
from ingest.ledger.tables import release, release_cell

State = Literal["proposed", "released", "blocked", "replaced"]
_AT_ONCE = 5000


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


@dataclass(frozen=True)
class ReleaseCell:
    """A cell as a release left it. `value` None: from this release on there is no such cell."""

    release_id: int
    cell: str
    value: int | None
    is_shown: bool
    is_primary: bool
    is_left_out: bool = False
    """Readers get no row with it: its rows are among those that the release lists as left out."""


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


def released_cells(ledger: Ledger) -> list[ReleaseCell]:
    """What each release that has gone out changed, by release and cell."""
    statement = (
        sa.select(release_cell)
        .join(release, release.c.release_id == release_cell.c.release_id)
        .where(release.c.state == "released")
        .order_by(release_cell.c.release_id, release_cell.c.cell)
    )
    with ledger.reading() as connection:
        return [ReleaseCell(**row._mapping) for row in connection.execute(statement)]


def record_release(ledger: Ledger, row: ReleaseRow, cells: Iterable[ReleaseCell] = ()) -> None:
    """Record a release in one transaction; proposals that still waited are replaced by it, and their cells forgotten.

    Raises:
        ChangeRefused: its number is taken.
    """
    with ledger.engine.begin() as connection:
        if row.state != "blocked":
            waiting = sa.select(release.c.release_id).where(release.c.state == "proposed")
            connection.execute(release_cell.delete().where(release_cell.c.release_id.in_(waiting)))
            connection.execute(release.update().where(release.c.state == "proposed").values(state="replaced"))
        try:
            connection.execute(release.insert().values(**vars(row)))
        except sa.exc.IntegrityError as error:
            raise ChangeRefused(f"release {row.release_id} is in the ledger already") from error
        for some in _batches(cells):
            connection.execute(release_cell.insert(), [vars(one) for one in some])


def approve(ledger: Ledger, release_id: int, now: datetime) -> None:
    """Let a proposed release go out, from now on.

    Raises:
        ChangeRefused: there is no such release, or it does not wait for approval.
    """
    with ledger.engine.begin() as connection:
        state = connection.execute(sa.select(release.c.state).where(release.c.release_id == release_id)).scalar()
        if state is None:
            raise ChangeRefused(f"there is no release {release_id}")
        if state != "proposed":
            raise ChangeRefused(f"release {release_id} does not wait for approval: it is {state}")
        connection.execute(
            release.update().where(release.c.release_id == release_id).values(state="released", released_at=now)
        )


def next_number(ledger: Ledger) -> int:
    """The number of the release to come."""
    with ledger.reading() as connection:
        return (
            int(connection.execute(sa.select(sa.func.coalesce(sa.func.max(release.c.release_id), 0))).scalar() or 0) + 1
        )


def _batches(cells: Iterable[ReleaseCell]) -> Iterator[list[ReleaseCell]]:
    waiting = iter(cells)
    while some := list(islice(waiting, _AT_ONCE)):
        yield some
