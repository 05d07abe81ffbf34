"""Sessions of the portal in the ledger. A token is known to its browser alone: the ledger has its SHA-256.

A token has 256 random bits, so a fast hash is enough: there is nothing to guess.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from ipaddress import ip_address, ip_network
from typing import Any

import sqlalchemy as sa

from ingest.ledger.acts import add_act
from ingest.ledger.store import Ledger
from ingest.ledger.tables import portal_session, portal_user
from ingest.persons.number_search import reads_as_number

TOKEN_BYTES = 32
_TOKEN_LETTERS = 43
"""Of 32 bytes in base64url."""
_SEEN_EVERY = timedelta(minutes=1)
"""Last seen is written at most so often, so that reading pages does not write."""
_MOST_ALIVE = 20
"""Sessions of one user at once."""
_KEPT_FOR = timedelta(days=30)
"""Rows of sessions that have ended are removed after so long; the audit log has begin and end."""


@dataclass(frozen=True)
class SessionTimes:
    """When a session ends: unused for `idle`, and in any case after `absolute`."""

    idle: timedelta
    absolute: timedelta


@dataclass(frozen=True)
class Browser:
    """Where a request comes from: its address, and the browser as it names itself. Both may be anything."""

    address: str
    agent: str


@dataclass(frozen=True)
class Session:
    """One session as the ledger holds it, without its token. Times in UTC, without zone."""

    session_id: int
    user_id: int
    name: str
    created_at: datetime
    last_seen_at: datetime
    expires_at: datetime
    network: str
    agent: str


@dataclass(frozen=True)
class NewSession:
    """A session with its token, which is shown this once."""

    session_id: int
    token: str = field(repr=False)


def begin(
    connection: sa.Connection, user_id: int, name: str, browser: Browser, times: SessionTimes, now: datetime
) -> NewSession:
    """Begin a session, in the caller's transaction, which has held the user's row and seen that they may sign in.

    The token is always drawn here, never taken from the browser: a session can't be fixed beforehand.
    """
    token = secrets.token_urlsafe(TOKEN_BYTES)
    _end_oldest(connection, user_id, name, times, now)
    added = connection.execute(
        portal_session.insert()
        .values(
            token_hash=_hash(token),
            user_id=user_id,
            created_at=now,
            last_seen_at=now,
            expires_at=now + times.absolute,
            network=network_of(browser.address),
            agent=_shown_agent(browser.agent),
        )
        .returning(portal_session.c.session_id)
    )
    number = int(added.scalar_one())
    add_act(connection, "session.begun", f"{name}: session {number} from {network_of(browser.address)}")
    return NewSession(number, token)


def _end_oldest(connection: sa.Connection, user_id: int, name: str, times: SessionTimes, now: datetime) -> None:
    """Revoke a user's oldest sessions, so that with a new one there are at most `_MOST_ALIVE`."""
    own = _alive(times, now).where(portal_session.c.user_id == user_id)
    alive = connection.execute(own.order_by(portal_session.c.session_id.desc())).all()
    for row in alive[_MOST_ALIVE - 1 :]:
        revoke_all(connection, user_id, now, row.session_id)
        add_act(connection, "session.revoked", f"{name}: session {row.session_id}, too many at once")


def find(ledger: Ledger, token: str, times: SessionTimes, now: datetime) -> Session | None:
    """The session of a token, which is thereby used; None where it has ended, is revoked, or never was."""
    if len(token) != _TOKEN_LETTERS or not token.isascii():
        return None
    with ledger.reading() as connection:
        row = connection.execute(_alive(times, now).where(portal_session.c.token_hash == _hash(token))).first()
    if row is None:
        return None
    found = Session(**row._mapping)
    if now - found.last_seen_at >= _SEEN_EVERY:
        with ledger.engine.begin() as connection:
            used = portal_session.update().where(
                portal_session.c.session_id == found.session_id, portal_session.c.last_seen_at < now
            )
            connection.execute(used.values(last_seen_at=now))
    return found


def sessions(ledger: Ledger, times: SessionTimes, now: datetime, user_id: int | None = None) -> list[Session]:
    """The sessions that are alive, oldest first; of one user when given."""
    statement = _alive(times, now).order_by(portal_session.c.session_id)
    if user_id is not None:
        statement = statement.where(portal_session.c.user_id == user_id)
    with ledger.reading() as connection:
        return [Session(**row._mapping) for row in connection.execute(statement)]


def revoke(ledger: Ledger, user_id: int, name: str, now: datetime, session_id: int | None = None) -> int:
    """Revoke a user's sessions, or one of them.

    Returns:
        How many were not revoked until now; another user's are never among them.
    """
    with ledger.engine.begin() as connection:
        ended = revoke_all(connection, user_id, now, session_id)
        if ended:
            which = f"{ended} sessions" if session_id is None else f"session {session_id}"
            add_act(connection, "session.revoked", f"{name}: {which}")
        return ended


def end(ledger: Ledger, token: str, now: datetime) -> bool:
    """Sign out: revoke the session of a token.

    Returns:
        Whether there was one that was not revoked.
    """
    with ledger.engine.begin() as connection:
        return end_in(connection, token, now)


def end_in(connection: sa.Connection, token: str, now: datetime) -> bool:
    """As `end`, in the caller's transaction."""
    row = connection.execute(
        portal_session.update()
        .where(portal_session.c.token_hash == _hash(token), portal_session.c.revoked_at.is_(None))
        .values(revoked_at=now)
        .returning(portal_session.c.session_id, portal_session.c.user_id)
    ).first()
    if row is None:
        return False
    name: str = connection.execute(
        sa.select(portal_user.c.name).where(portal_user.c.user_id == row.user_id)
    ).scalar_one()
    add_act(connection, "session.ended", f"{name}: session {row.session_id}")
    return True


def revoke_all(connection: sa.Connection, user_id: int, now: datetime, session_id: int | None = None) -> int:
    """Revoke a user's sessions, or one of them, in the caller's transaction, which adds the act; returns how many."""
    statement = portal_session.update().where(
        portal_session.c.user_id == user_id, portal_session.c.revoked_at.is_(None), portal_session.c.expires_at > now
    )
    if session_id is not None:
        statement = statement.where(portal_session.c.session_id == session_id)
    return int(connection.execute(statement.values(revoked_at=now)).rowcount)


def forget_old(ledger: Ledger, now: datetime, kept_for: timedelta = _KEPT_FOR) -> None:
    """Remove the rows of sessions that ended long ago: they name networks and browsers."""
    with ledger.engine.begin() as connection:
        connection.execute(portal_session.delete().where(portal_session.c.expires_at < now - kept_for))


def count_old(ledger: Ledger, now: datetime, kept_for: timedelta) -> int:
    """How many rows `forget_old` would remove."""
    counting = (
        sa.select(sa.func.count()).select_from(portal_session).where(portal_session.c.expires_at < now - kept_for)
    )
    with ledger.reading() as connection:
        return int(connection.execute(counting).scalar_one())


def network_of(address: str, *, bits: int = 24, bits_of_ipv6: int = 48) -> str:
    """The network of an address, by default as it is shown: /24 of IPv4, /48 of IPv6; `unknown` for what is none."""
    try:
        found = ip_address(address)
    except ValueError:
        return "unknown"
    found = getattr(found, "ipv4_mapped", None) or found
    bare = str(found).partition("%")[0]
    return str(ip_network(f"{bare}/{bits if found.version == 4 else bits_of_ipv6}", strict=False))


def _shown_agent(agent: str) -> str:
    """What a browser calls itself, as far as it can be shown: anybody may have it say anything, a number too."""
    shown = "".join(one for one in agent[:400] if one.isprintable())[:200]
    return "not shown" if reads_as_number(shown) else shown


def _hash(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def _alive(times: SessionTimes, now: datetime) -> sa.Select[Any]:
    shown = [portal_session.c[column] for column in Session.__dataclass_fields__ if column != "name"]
    return (
        sa.select(*shown, portal_user.c.name)
        .join(portal_user, portal_user.c.user_id == portal_session.c.user_id)
        .where(
            portal_session.c.revoked_at.is_(None),
            portal_user.c.disabled_at.is_(None),
            portal_session.c.expires_at > now,
            portal_session.c.created_at > now - times.absolute,
            portal_session.c.last_seen_at > now - times.idle,
        )
    )
