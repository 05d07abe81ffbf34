"""Tokens of the API in the ledger: a program of one unit sends and reads with one. The ledger has only its SHA-256.

A token is the unit's, not its maker's: it goes on when the user who made it leaves. Times are the system's.
"""

from __future__ import annotations

import hashlib
import re
import secrets
from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any

import sqlalchemy as sa

from ingest.acting_user import Actor, current_actor
from ingest.ledger.acts import add_act
from ingest.ledger.opening import ChangeRefused
from ingest.ledger.store import Ledger
from ingest.ledger.tables import api_token
from ingest.persons.number_search import reads_as_number

PREFIX = "upf_"
"""By it a token is known as one, wherever it has got to."""
DAYS, MOST_DAYS = 90, 365
MOST_OF_A_UNIT = 20
"""Tokens that a unit may have at a time."""
_BYTES = 32
_FORM = re.compile(r"upf_[A-Za-z0-9_-]{43}")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._-]{0,38}[a-z0-9])?")


class Scope(StrEnum):
    """What a token is for."""

    CHECK = "check"
    """Check files; nothing is stored."""
    EXPLAIN = "explain"
    """Explain queries."""
    READ = "read"
    """Read the unit's status, history, answers and templates."""
    SUBMIT = "submit"
    """Hand in files, confirm, cancel and withdraw."""


@dataclass(frozen=True)
class ApiToken:
    """One token as the ledger holds it. Times in UTC, without zone."""

    token_id: int
    name: str
    district_code: str
    scopes: frozenset[Scope]
    created_at: datetime
    created_by: str
    expires_at: datetime
    last_used_on: date | None
    revoked_at: datetime | None

    def is_alive(self, now: datetime) -> bool:
        """Whether it is taken at a time."""
        return self.revoked_at is None and self.expires_at > now

    @property
    def actor(self) -> Actor:
        """How the audit log names it."""
        return Actor("token", f"{self.token_id} {self.name}")


@dataclass(frozen=True)
class NewToken:
    """A token with its secret, which is shown this once."""

    token: ApiToken
    secret: str = field(repr=False)


def add_token(
    ledger: Ledger, name: str, district_code: str, scopes: Collection[Scope], now: datetime, days: int = DAYS
) -> NewToken:
    """Make a token.

    Args:
        ledger: where.
        name: what it is for: 1 to 40 of a-z, 0-9 and . _ -; capitals are folded.
        district_code: of the unit that it acts for, known to the caller's registry.
        scopes: at least one.
        now: UTC, without zone.
        days: how long it is taken, 1 to MOST_DAYS.

    Raises:
        ChangeRefused: a value can't be one, or the unit has MOST_OF_A_UNIT already.
    """
    folded = name.strip(" \t").lower()
    if not _NAME.fullmatch(folded) or reads_as_number(folded):
        raise ChangeRefused(
            "a token's name says what it is for: 1 to 40 of a-z, 0-9 and . _ -, begins and ends with a letter or "
            "digit, and is no personal number"
        )
    if not scopes:
        raise ChangeRefused("a token is for at least one of check, explain, read and submit")
    if not 1 <= days <= MOST_DAYS:
        raise ChangeRefused(f"a token is taken for 1 to {MOST_DAYS} days")
    secret = PREFIX + secrets.token_urlsafe(_BYTES)
    maker = current_actor()
    values = {
        "name": folded,
        "district_code": district_code,
        "scopes": " ".join(sorted(set(scopes))),
        "created_at": now,
        "created_by": f"{maker.kind} {maker.name}"[:220],
        "expires_at": now + timedelta(days=days),
    }
    with ledger.engine.begin() as connection:
        alive = sa.select(sa.func.count()).where(
            api_token.c.district_code == district_code, api_token.c.revoked_at.is_(None), api_token.c.expires_at > now
        )
        if connection.execute(alive).scalar_one() >= MOST_OF_A_UNIT:
            raise ChangeRefused(f"{district_code} has {MOST_OF_A_UNIT} tokens already: revoke one that is not used")
        added = connection.execute(
            api_token.insert().values(token_hash=_hash(secret), **values).returning(*_columns())
        ).one()
        token = _token(added)
        subject = f"{token.token_id} {folded}: {district_code}, {values['scopes']}, {days} days"
        add_act(connection, "token.added", subject)
    return NewToken(token, secret)


def find_token(ledger: Ledger, secret: str, now: datetime) -> ApiToken | None:
    """The token of a secret, which is thereby used; None where it has expired, is revoked, or never was."""
    if not _FORM.fullmatch(secret):
        return None
    with ledger.reading() as connection:
        row = connection.execute(sa.select(*_columns()).where(api_token.c.token_hash == _hash(secret))).first()
    found = None if row is None else _token(row)
    if found is None or not found.is_alive(now):
        return None
    if found.last_used_on is None or found.last_used_on < now.date():
        with ledger.engine.begin() as connection:
            used = api_token.update().where(api_token.c.token_id == found.token_id)
            connection.execute(used.values(last_used_on=now.date()))
    return found


def tokens(ledger: Ledger, districts: Collection[str] | None = None) -> list[ApiToken]:
    """All tokens, oldest first, those that are over too; of some units when given."""
    statement = sa.select(*_columns()).order_by(api_token.c.token_id)
    if districts is not None:
        statement = statement.where(api_token.c.district_code.in_(sorted(districts)))
    with ledger.reading() as connection:
        return [_token(row) for row in connection.execute(statement)]


def revoke_token(ledger: Ledger, token_id: int, now: datetime, districts: Collection[str] | None = None) -> bool:
    """Revoke a token: it is not taken from now on.

    Args:
        ledger: where.
        token_id: its number.
        now: UTC, without zone.
        districts: only a token of these units; None: of any.

    Returns:
        Whether there was one that was not revoked.
    """
    mine = api_token.update().where(api_token.c.token_id == token_id, api_token.c.revoked_at.is_(None))
    if districts is not None:
        mine = mine.where(api_token.c.district_code.in_(sorted(districts)))
    with ledger.engine.begin() as connection:
        row = connection.execute(
            mine.values(revoked_at=now).returning(api_token.c.name, api_token.c.district_code)
        ).first()
        if row is not None:
            add_act(connection, "token.revoked", f"{token_id} {row.name}: {row.district_code}")
    return row is not None


def _columns() -> list[sa.Column[Any]]:
    return [api_token.c[name] for name in ApiToken.__dataclass_fields__]


def _token(row: sa.Row[Any]) -> ApiToken:
    values = dict(row._mapping)
    return ApiToken(**(values | {"scopes": frozenset(Scope(one) for one in values["scopes"].split())}))


def _hash(secret: str) -> str:
    """The secret has 256 random bits: a fast hash is enough."""
    return hashlib.sha256(secret.encode()).hexdigest()
