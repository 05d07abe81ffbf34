"""Throttling of tries to sign in, in the ledger: it survives restarts, and all processes count together.

A try is counted as failed before its password is looked at, so tries at once are no more than tries in a row; a right
password takes the count back. Counts are per name, whether a user has it or not; per address; and per device. A device
is a browser in which the user signed in before: it is counted apart, so who guesses at a name from elsewhere does not
lock its owner out. No wait is longer than 15 minutes.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

import sqlalchemy as sa
from sqlalchemy.dialects import postgresql, sqlite

from ingest.ledger.sessions import network_of
from ingest.ledger.store import Ledger
from ingest.ledger.tables import login_attempt

Kind = Literal["name", "address", "device"]


@dataclass(frozen=True)
class Limit:
    """After `free` failures a wait begins; it doubles with each failure, up to the longest."""

    free: int
    first_wait: timedelta = timedelta(seconds=2)
    longest_wait: timedelta = timedelta(minutes=15)

    def wait(self, failures: int) -> timedelta:
        """How long no try is looked at after so many failures."""
        if failures < self.free:
            return timedelta()
        return min(self.longest_wait, self.first_wait * (1 << min(failures - self.free, 20)))


LIMITS: dict[Kind, Limit] = {"name": Limit(5), "address": Limit(50), "device": Limit(5)}
"""An address has more, since a whole city may come from one."""
FORGOTTEN_AFTER = timedelta(days=1)
"""A count of failures is forgotten when none was added for so long."""
DEVICE_KNOWN_FOR = timedelta(days=90)
"""How long a browser is known after it was last used to sign in, or to try."""
_CLOCK_WAS_AHEAD = timedelta(minutes=5)
"""A try that lies further ahead was counted by a clock that was wrong: its wait does not count."""
_SALT = "login_attempt_salt"


@dataclass(frozen=True)
class Key:
    """What tries are counted by."""

    kind: Kind
    key_hash: str


def name_key(ledger: Ledger, typed: str) -> Key:
    """The key of a name. It is hashed under a salt of the ledger: what was typed may be a password."""
    return Key("name", _salted(ledger, "name", typed))


def address_key(ledger: Ledger, address: str) -> Key:
    """The key of an address: IPv4 whole, the /64 of IPv6 (one subscriber); all that are no address have one key."""
    return Key("address", _salted(ledger, "address", network_of(address, bits=32, bits_of_ipv6=64)))


def device_key(token: str) -> Key:
    """The key of a browser that has this token."""
    return Key("device", hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest())


def _salted(ledger: Ledger, kind: Kind, text: str) -> str:
    salt = ledger.claim(_SALT, secrets.token_hex(32))
    return hmac.new(bytes.fromhex(salt), f"{kind} {text}".encode("utf-8", "surrogatepass"), "sha256").hexdigest()


def is_device_of(ledger: Ledger, key: Key, user_id: int, now: datetime) -> bool:
    """Whether the user has signed in there, and not too long ago."""
    found = sa.select(login_attempt.c.kind).where(
        *_is(key), login_attempt.c.user_id == user_id, login_attempt.c.tried_at > now - DEVICE_KNOWN_FOR
    )
    with ledger.reading() as connection:
        return connection.execute(found).first() is not None


def reserve(ledger: Ledger, keys: Sequence[Key], now: datetime) -> timedelta | None:
    """Count a try as failed, unless it has to wait.

    Args:
        ledger: where it is counted.
        keys: what it is counted by.
        now: UTC, without zone.

    Returns:
        How long to wait, and nothing is counted or may be looked at; None: the password may be looked at.
    """
    with ledger.reading() as connection:  # a flood of tries that have to wait takes no lock
        if wait := _longest_wait(connection, keys, now):
            return wait
    with ledger.engine.connect() as connection, connection.begin() as transaction:
        for key in _in_order(keys):
            _hold(connection, key, now)
        if wait := _longest_wait(connection, keys, now, is_changing=True):
            transaction.rollback()
            return wait
        for key in _in_order(keys):
            row = connection.execute(sa.select(login_attempt).where(*_is(key))).one()
            failures = 1 if row.tried_at < now - FORGOTTEN_AFTER else row.failures + 1
            until = now + LIMITS[key.kind].wait(failures)
            connection.execute(
                login_attempt.update()
                .where(*_is(key))
                .values(failures=failures, tried_at=now, blocked_until=until if until > now else None)
            )
    return None


def give_back(connection: sa.Connection, keys: Sequence[Key], now: datetime) -> None:
    """After a right password: the name or device begins anew; the address loses only this try.

    Who has an account can so not buy tries at others' names from the same address.
    """
    for key in _in_order(keys):
        left = sa.case((login_attempt.c.failures > 0, login_attempt.c.failures - 1), else_=0)
        values = {"failures": left if key.kind == "address" else 0, "tried_at": now, "blocked_until": None}
        connection.execute(login_attempt.update().where(*_is(key)).values(**values))


def add_device(connection: sa.Connection, key: Key, user_id: int, now: datetime) -> None:
    """Remember a browser as one in which the user has signed in."""
    connection.execute(
        login_attempt.insert().values(
            kind="device", key_hash=key.key_hash, user_id=user_id, failures=0, tried_at=now, blocked_until=None
        )
    )


def forget_name(connection: sa.Connection, key: Key) -> None:
    """End the waits on a name. Its key is made before the transaction, for that may write the salt."""
    connection.execute(login_attempt.delete().where(*_is(key)))


def forget_user(connection: sa.Connection, user_id: int, key: Key) -> None:
    """End the waits on a user's name, and know none of their browsers any more."""
    connection.execute(login_attempt.delete().where(login_attempt.c.user_id == user_id))
    forget_name(connection, key)


def forget_old(ledger: Ledger, now: datetime) -> None:
    """Remove the rows that count for nothing any more."""
    old = sa.or_(
        sa.and_(login_attempt.c.kind != "device", login_attempt.c.tried_at < now - FORGOTTEN_AFTER),
        login_attempt.c.tried_at < now - DEVICE_KNOWN_FOR,
    )
    free = sa.select(login_attempt.c.kind, login_attempt.c.key_hash).where(old).with_for_update(skip_locked=True)
    with ledger.engine.begin() as connection:
        for row in connection.execute(free).all():
            connection.execute(login_attempt.delete().where(*_is(Key(row.kind, row.key_hash))))


def _is(key: Key) -> tuple[sa.ColumnElement[bool], sa.ColumnElement[bool]]:
    return login_attempt.c.kind == key.kind, login_attempt.c.key_hash == key.key_hash


def _in_order(keys: Sequence[Key]) -> list[Key]:
    """In one order for all processes, so that two never wait for each other."""
    return sorted(keys, key=lambda key: (key.kind, key.key_hash))


def _longest_wait(
    connection: sa.Connection, keys: Sequence[Key], now: datetime, *, is_changing: bool = False
) -> timedelta | None:
    longest = timedelta()
    for key in _in_order(keys):
        statement = sa.select(login_attempt).where(*_is(key))
        row = connection.execute(statement.with_for_update() if is_changing else statement).first()
        if row is not None and row.blocked_until is not None and row.tried_at <= now + _CLOCK_WAS_AHEAD:
            longest = max(longest, row.blocked_until - now)
    return longest or None


def _hold(connection: sa.Connection, key: Key, now: datetime) -> None:
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    row = {"kind": key.kind, "key_hash": key.key_hash, "failures": 0, "tried_at": now}
    adding = dialect.insert(login_attempt).values(**row)
    # an update that changes nothing holds the row: left as it is, another process may remove it before it is read
    held = adding.on_conflict_do_update(index_elements=["kind", "key_hash"], set_={"kind": adding.excluded.kind})
    connection.execute(held)
