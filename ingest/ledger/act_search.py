"""Searching the audit log: some acts, newest first."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa

from ingest.ledger.acts import Act
from ingest.ledger.store import Ledger
from ingest.ledger.tables import act


@dataclass(frozen=True)
class ActSearch:
    """Which acts. What is empty or None narrows nothing.

    Attributes:
        actor: whole name of who acted.
        action: whole name, such as `quarter.locked`.
        things: first parts of actions, such as `user` for `user.added` and `user.disabled`.
        subjects: whole subjects, or what is before their first `:`.
        begin, end: from and until before; UTC, without zone.
    """

    actor: str = ""
    action: str = ""
    things: Collection[str] = ()
    subjects: Collection[str] = ()
    begin: datetime | None = None
    end: datetime | None = None


def find_acts(ledger: Ledger, search: ActSearch, *, limit: int, skipped: int = 0) -> tuple[list[Act], int]:
    """So many acts after the first ones, newest first; and how many there are in all."""
    where = list(_conditions(search))
    chosen = sa.select(act).where(*where).order_by(act.c.act_id.desc()).limit(limit).offset(skipped)
    with ledger.reading() as connection:
        count = connection.execute(sa.select(sa.func.count()).select_from(act).where(*where)).scalar_one()
        return [Act(**row._mapping) for row in connection.execute(chosen)], int(count)


def known_actors(ledger: Ledger) -> list[str]:
    """Everybody who has acted, by name."""
    with ledger.reading() as connection:
        return [str(row.actor) for row in connection.execute(sa.select(act.c.actor).distinct().order_by(act.c.actor))]


def known_actions(ledger: Ledger) -> list[str]:
    """All that has been done, by name."""
    with ledger.reading() as connection:
        return [
            str(row.action) for row in connection.execute(sa.select(act.c.action).distinct().order_by(act.c.action))
        ]


def _conditions(search: ActSearch) -> list[sa.ColumnElement[Any]]:
    found: list[sa.ColumnElement[Any]] = []
    if search.actor:
        found.append(act.c.actor == search.actor)
    if search.action:
        found.append(act.c.action == search.action)
    if search.things:
        found.append(sa.or_(*(act.c.action.startswith(f"{one}.", autoescape=True) for one in search.things)))
    if search.subjects:
        begins = (act.c.subject.startswith(f"{one}:", autoescape=True) for one in search.subjects)
        found.append(sa.or_(act.c.subject.in_(list(search.subjects)), *begins))
    if search.begin is not None:
        found.append(act.c.acted_at >= search.begin)
    if search.end is not None:
        found.append(act.c.acted_at < search.end)
    return found
