"""Questions whether to close a quarter: who asked, when, and about which state of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import sqlalchemy as sa

from ingest.ledger.acts import add_act
from ingest.ledger.store import Ledger
from ingest.ledger.tables import closing
from ingest.quarters import Quarter

Reason = Literal["complete", "due", "asked"]
"""Why it was asked: all files are in, the day of the lock has come, or a person wanted it."""


@dataclass(frozen=True)
class Closing:
    """One question. Columns as in `ingest.ledger.tables.closing`; times in UTC, without zone."""

    closing_id: int
    reporting_quarter: str
    reason: Reason
    fingerprint: str
    asked_by: str
    asked_at: datetime


def record_question(
    ledger: Ledger, quarter: Quarter, reason: Reason, fingerprint: str, asked_by: str, now: datetime
) -> int:
    """Record that somebody is asked whether to close a quarter in a state, once for who asks; returns its number."""
    key = {"reporting_quarter": str(quarter), "fingerprint": fingerprint, "asked_by": asked_by}
    new = closing.insert().values(**key, reason=reason, asked_at=now)
    with ledger.engine.begin() as connection:
        same = sa.select(closing.c.closing_id).where(*(closing.c[name] == value for name, value in key.items()))
        if (number := connection.scalar(same)) is not None:
            return int(number)
        number = int(connection.execute(new.returning(closing.c.closing_id)).scalar_one())
        add_act(connection, "closing.asked", f"{quarter} {reason}, question {number}")
        return number


def questions(ledger: Ledger, quarter: Quarter) -> list[Closing]:
    """The questions about a quarter, oldest first."""
    statement = sa.select(closing).where(closing.c.reporting_quarter == str(quarter)).order_by(closing.c.closing_id)
    with ledger.reading() as connection:
        return [Closing(**row._mapping) for row in connection.execute(statement)]
