"""Whom a unit's reminders are sent to: e-mail addresses per unit, added and removed by the city."""

from __future__ import annotations

from datetime import datetime

import sqlalchemy as sa

from ingest.ledger.acts import add_act
from ingest.ledger.store import Ledger
from ingest.ledger.tables import contact


def add_contact(ledger: Ledger, district_code: str, address: str, now: datetime) -> bool:
    """Add an address that has been checked; case does not tell addresses apart.

    Returns:
        Whether it was none of the unit's until now.
    """
    with ledger.engine.begin() as connection:
        if address.lower() in map(str.lower, _addresses(connection, district_code)):
            return False
        connection.execute(contact.insert().values(district_code=district_code, address=address, added_at=now))
        add_act(connection, "contact.added", district_code)
        return True


def remove_contact(ledger: Ledger, district_code: str, address: str) -> bool:
    """Remove an address.

    Returns:
        Whether it was one of the unit's until now.
    """
    with ledger.engine.begin() as connection:
        gone = connection.execute(
            contact.delete().where(
                contact.c.district_code == district_code, sa.func.lower(contact.c.address) == address.lower()
            )
        )
        if gone.rowcount:
            add_act(connection, "contact.removed", district_code)
        return bool(gone.rowcount)


def contacts(ledger: Ledger) -> dict[str, tuple[str, ...]]:
    """Unit → its addresses; only units that have one."""
    statement = sa.select(contact.c.district_code, contact.c.address)
    found: dict[str, tuple[str, ...]] = {}
    with ledger.reading() as connection:
        for row in connection.execute(statement.order_by(contact.c.district_code, contact.c.address)):
            found[row.district_code] = (*found.get(row.district_code, ()), row.address)
    return found


def _addresses(connection: sa.Connection, district_code: str) -> list[str]:
    return list(connection.scalars(sa.select(contact.c.address).where(contact.c.district_code == district_code)))
