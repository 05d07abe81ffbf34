"""Draws in the ledger: the salt under which each group's published figures were drawn, by release. No counts."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import sqlalchemy as sa

from ingest.ledger.store import Ledger
from ingest.ledger.tables import draw, installation, release

_NOISE_SECRET = "noise_secret"
_AT_ONCE = 5000


@dataclass(frozen=True)
class Draw:
    """From this release on, a group's figures are drawn under this salt. Columns as in `ingest.ledger.tables.draw`.

    Attributes:
        salt: 1 to 2**64 − 1; 0 where nothing is counted from this release on.
        revision: the number of the revision of a sealed period that this is; 0 where it is none.
        sketch: keyed digests of parts of what is counted, by which later releases know how much has changed; empty
            where there is none.
    """

    family: str
    unit: str
    basis: str
    period_kind: str
    period: str
    release_id: int
    salt: int
    revision: int
    sketch: bytes = b""


def released_draws(ledger: Ledger) -> list[Draw]:
    """The draws of all released releases, by release and group."""
    return _draws_where(ledger, release.c.state == "released")


def draws_until(ledger: Ledger, release_id: int) -> list[Draw]:
    """The draws of a release, which may wait, and of all released before it, by release and group."""
    is_before = (release.c.state == "released") & (release.c.release_id < release_id)
    return _draws_where(ledger, is_before | (release.c.release_id == release_id))


def _draws_where(ledger: Ledger, condition: sa.ColumnElement[bool]) -> list[Draw]:
    statement = (
        sa.select(draw)
        .join(release, release.c.release_id == draw.c.release_id)
        .where(condition)
        .order_by(draw.c.release_id, *list(draw.primary_key.columns)[:-1])
    )
    with ledger.reading() as connection:
        return [Draw(**{**row._mapping, "salt": int(row.salt, 16)}) for row in connection.execute(statement)]


def add_draws(connection: sa.Connection, draws: Iterable[Draw]) -> None:
    """Add a release's draws, in the transaction that records the release."""
    rows = [{**vars(one), "salt": f"{one.salt:016x}"} for one in draws]
    for start in range(0, len(rows), _AT_ONCE):
        connection.execute(draw.insert(), rows[start : start + _AT_ONCE])


def forget_waiting_draws(connection: sa.Connection) -> None:
    """Remove the draws of proposals that no reader has seen, in the transaction that replaces them."""
    waiting = sa.select(release.c.release_id).where(release.c.state == "proposed")
    connection.execute(draw.delete().where(draw.c.release_id.in_(waiting)))


def noise_fingerprint(ledger: Ledger) -> str | None:
    """The fingerprint of the noise secret under which this installation's figures are drawn; None before the first."""
    with ledger.reading() as connection:
        found = connection.execute(sa.select(installation.c.value).where(installation.c.name == _NOISE_SECRET)).scalar()
    return None if found is None else str(found)


def remember_noise(ledger: Ledger, fingerprint: str) -> None:
    """Say under which noise secret figures are drawn from now on."""
    with ledger.engine.begin() as connection:
        connection.execute(installation.delete().where(installation.c.name == _NOISE_SECRET))
        connection.execute(installation.insert().values(name=_NOISE_SECRET, value=fingerprint))
