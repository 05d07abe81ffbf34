"""The outbox: mail is recorded, claimed by one process, sent, and marked as sent. None is sent twice.

A mail server that has answered "accepted" has the mail, and no transaction reaches it. So a process that ends between
its claim and its mark leaves a mail of which nobody knows whether it was sent: that one stays claimed and is never sent
again (at most once). A mail that the server certainly did not take is given back and tried again (see `give_back`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from typing import Literal

import sqlalchemy as sa

from ingest.ledger.acts import add_act, system_now
from ingest.ledger.leases import holder_here, is_dead
from ingest.ledger.store import Ledger
from ingest.ledger.tables import mail

State = Literal["waiting", "claimed", "sent", "refused", "unsure", "expired"]
_LONGEST_SENDING = timedelta(hours=1)
"""A claim older than this is of a process that has ended, on whatever machine."""


@dataclass(frozen=True)
class Mail:
    """One mail. Columns as in `ingest.ledger.tables.mail`; times in UTC, without zone."""

    mail_key: str
    kind: str
    mailed_on: date
    district_code: str | None
    recipients: tuple[str, ...]
    subject: str
    body: str
    recorded_at: datetime
    last_day: date
    state: State = "waiting"
    attempts: int = 0
    claimed_by: str | None = None
    claimed_at: datetime | None = None
    sent_at: datetime | None = None
    detail: str | None = None

    @property
    def is_unsure(self) -> bool:
        """Whether nobody knows if the server took it: the connection or the process ended meanwhile."""
        if self.state != "claimed" or self.claimed_by is None or self.claimed_at is None:
            return self.state == "unsure"
        return is_dead(self.claimed_by) or self.claimed_at < system_now() - _LONGEST_SENDING


def record_mail(ledger: Ledger, new: Mail) -> bool:
    """Put a mail in the outbox unless one with its key is there.

    Returns:
        Whether it was put there.
    """
    values = vars(new) | {"recipients": json.dumps(new.recipients)}
    try:
        with ledger.engine.begin() as connection:
            if connection.scalar(sa.select(mail.c.mail_key).where(mail.c.mail_key == new.mail_key)) is not None:
                return False
            connection.execute(mail.insert().values(**values))
    except sa.exc.IntegrityError:  # another process was first
        return False
    return True


def claim_mail(ledger: Ledger, mail_key: str) -> bool:
    """Take a waiting mail for this process alone.

    Returns:
        Whether it is this process's now; False where another has taken it.
    """
    waiting = mail.update().where(mail.c.mail_key == mail_key, mail.c.state == "waiting")
    values = {
        "state": "claimed",
        "claimed_by": holder_here(),
        "claimed_at": system_now(),
        "attempts": mail.c.attempts + 1,
    }
    with ledger.engine.begin() as connection:
        return bool(connection.execute(waiting.values(**values)).rowcount)


def mark_sent(ledger: Ledger, mail_key: str, now: datetime, detail: str | None = None) -> None:
    """Say that the server has taken a mail; `detail` says whom it did not take it for."""
    _end(ledger, mail_key, "mail.sent", state="sent", sent_at=now, detail=detail, body="")


def mark_refused(ledger: Ledger, mail_key: str, detail: str) -> None:
    """Say that the server refuses a mail for good: it is not tried again."""
    _end(ledger, mail_key, "mail.refused", state="refused", detail=detail, body="")


def mark_unsure(ledger: Ledger, mail_key: str, detail: str) -> None:
    """Say that nobody knows whether the server took a mail: it is never sent again."""
    _end(ledger, mail_key, "mail.unsure", state="unsure", detail=detail, body="")


def give_back(ledger: Ledger, mail_key: str, detail: str) -> None:
    """Let a mail wait again that the server certainly did not take."""
    with ledger.engine.begin() as connection:
        connection.execute(
            _claimed_here(mail_key).values(state="waiting", claimed_by=None, claimed_at=None, detail=detail)
        )


def expire_mail(ledger: Ledger, today: date) -> int:
    """End waiting mails whose last day has passed: what they say is no longer so. Returns how many."""
    late = mail.update().where(mail.c.state == "waiting", mail.c.last_day < today)
    with ledger.engine.begin() as connection:
        return connection.execute(late.values(state="expired", body="")).rowcount


def waiting_mail(ledger: Ledger) -> list[Mail]:
    """Mails that nobody has taken, oldest first."""
    return _mails(ledger, mail.c.state == "waiting")


def mails_since(ledger: Ledger, first: date) -> list[Mail]:
    """Mails of a day or later, oldest first."""
    return _mails(ledger, mail.c.mailed_on >= first)


def last_mailed(ledger: Ledger, kind: str) -> dict[str | None, date]:
    """Unit (None: the team) → the last day for which a mail of a kind was recorded."""
    statement = sa.select(mail.c.district_code, sa.func.max(mail.c.mailed_on)).where(mail.c.kind == kind)
    with ledger.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(statement.group_by(mail.c.district_code))}


def _mails(ledger: Ledger, chosen: sa.ColumnElement[bool]) -> list[Mail]:
    with ledger.reading() as connection:
        rows: Sequence[sa.Row[tuple[object, ...]]] = connection.execute(
            sa.select(mail).where(chosen).order_by(mail.c.recorded_at, mail.c.mail_key)
        ).all()
    found = [Mail(**row._mapping) for row in rows]
    return [replace(one, recipients=tuple(json.loads(str(one.recipients)))) for one in found]


def _claimed_here(mail_key: str) -> sa.Update:
    return mail.update().where(
        mail.c.mail_key == mail_key, mail.c.state == "claimed", mail.c.claimed_by == holder_here()
    )


def _end(ledger: Ledger, mail_key: str, action: str, **values: object) -> None:
    with ledger.engine.begin() as connection:
        if connection.execute(_claimed_here(mail_key).values(**values)).rowcount:
            add_act(connection, action, mail_key)
