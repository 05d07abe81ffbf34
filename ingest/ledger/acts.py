"""The audit log: each act on the ledger, who did it, when, on what and why. Rows are only added, and form a chain.

Each row holds the hash of the one before: a row that is changed, removed or put in breaks the chain from there on. That
the log was cut at its end is seen only against a hash that was noted elsewhere, which `verify` is given. The database
refuses to change or delete rows, so that it takes more than a slip.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import sqlalchemy as sa

from ingest.acting_user import current_actor
from ingest.ledger.opening import ChangeRefused
from ingest.ledger.tables import act
from ingest.persons.number_search import reads_as_number

if TYPE_CHECKING:
    from ingest.ledger.store import Ledger

FIRST = "0" * 64
"""Stands for the hash before the first act."""
_ONE_AT_A_TIME = 7_240_031
"""PostgreSQL's advisory lock for adding an act; a SQLite transaction that writes is alone anyway."""
_AT_ONCE = 1000


@dataclass(frozen=True)
class Act:
    """One act as the ledger holds it. Columns as in `ingest.ledger.tables.act`; `acted_at` in UTC, without zone."""

    act_id: int
    acted_at: datetime
    actor_kind: str
    actor: str
    action: str
    subject: str
    why: str | None
    previous_hash: str
    hash: str

    def hashed(self) -> str:
        """The SHA-256 of the other columns, hexadecimal."""
        values = [value for name, value in vars(self).items() if name != "hash"]
        text = json.dumps(values, ensure_ascii=False, separators=(",", ":"), default=datetime.isoformat)
        return hashlib.sha256(text.encode()).hexdigest()


@dataclass(frozen=True)
class Verified:
    """What was found of the chain.

    Attributes:
        count: acts.
        head: hash of the last act; FIRST where there is none.
        broken: numbers of acts that do not follow from the one before, or are not what was hashed.
        is_noted_there: whether the hash that was noted is one of them; None where none was given.
    """

    count: int
    head: str
    broken: tuple[int, ...]
    is_noted_there: bool | None

    @property
    def holds(self) -> bool:
        """Whether nothing was found to be changed, removed or put in."""
        return not self.broken and self.is_noted_there is not False


def system_now() -> datetime:
    """The system's clock as the ledger stores times: UTC, without zone."""
    return datetime.now(UTC).replace(tzinfo=None)


def add_act(connection: sa.Connection, action: str, subject: str, why: str | None = None) -> None:
    """Add an act to the log, as the last thing of the transaction that does it: both are there, or neither.

    Time is the system's, not FOLLOWUP_NOW: no setting moves what was done when. The actor is `current_actor()`.

    Args:
        connection: of a transaction that writes.
        action: what was done, as `thing.done`: `quarter.locked`.
        subject: on what: a quarter, a submission's id, a release's number, a district.
        why: the reason that was given.

    Raises:
        ChangeRefused: the reason reads as a personal number.
    """
    if why is not None and reads_as_number(why):
        raise ChangeRefused("the reason holds something like a personal number: say it without; nothing was changed")
    if connection.dialect.name == "postgresql":
        connection.exec_driver_sql(f"select pg_advisory_xact_lock({_ONE_AT_A_TIME})")
    last = connection.execute(sa.select(act.c.act_id, act.c.hash).order_by(act.c.act_id.desc()).limit(1)).first()
    number, before = (last.act_id + 1, last.hash) if last else (1, FIRST)
    actor = current_actor()
    bare = Act(number, system_now(), actor.kind, actor.name[:200], action, subject[:200], why, before, "")
    connection.execute(act.insert().values(**(vars(bare) | {"hash": bare.hashed()})))


def acts(ledger: Ledger, last: int | None = None) -> list[Act]:
    """The acts, oldest first; only the last so many when given."""
    statement = sa.select(act).order_by(act.c.act_id.desc()).limit(last)
    with ledger.reading() as connection:
        return [Act(**row._mapping) for row in connection.execute(statement)][::-1]


def verify(ledger: Ledger, noted: str | None = None) -> Verified:
    """Go through the whole chain.

    Args:
        ledger: whose log.
        noted: a hash that was the last one at some time.
    """
    count, before, broken, is_there = 0, FIRST, [], noted == FIRST
    for one in _all(ledger):
        count += 1
        if one.previous_hash != before or one.hash != one.hashed():
            broken.append(one.act_id)
        before = one.hash
        is_there = is_there or one.hash == noted
    return Verified(count, before, tuple(broken), None if noted is None else is_there)


def _all(ledger: Ledger) -> Iterator[Act]:
    seen = 0
    with ledger.reading() as connection:
        while rows := connection.execute(
            sa.select(act).where(act.c.act_id > seen).order_by(act.c.act_id).limit(_AT_ONCE)
        ).all():
            for row in rows:
                yield Act(**row._mapping)
            seen = rows[-1].act_id
