"""The portal's users in the ledger: who they are, their role and units, and whether they may sign in.

Times are the system's (`system_now`), not FOLLOWUP_NOW: no setting moves when a session ends or a wait is over.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum

import sqlalchemy as sa

from ingest.districts import DistrictRegistry
from ingest.ledger import login_attempts, sessions
from ingest.ledger.acts import add_act
from ingest.ledger.opening import ChangeRefused
from ingest.ledger.store import Ledger
from ingest.ledger.tables import portal_user, portal_user_unit
from ingest.persons.number_search import reads_as_number

_NAME = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,78}[a-z0-9])?")


class Role(StrEnum):
    """What a user is for."""

    OFFICER = "officer"
    """Submits for one or several units."""
    CITY = "city"
    """The city's team: sees every unit."""
    READER = "reader"
    """Sees released figures only."""
    ADMINISTRATOR = "administrator"
    """Users and the installation; no unit's files."""


@dataclass(frozen=True)
class PortalUser:
    """One user. `password_hash` is None for who signs in elsewhere (OIDC). Times in UTC, without zone."""

    user_id: int
    name: str
    role: Role
    units: tuple[str, ...]
    password_hash: str | None = field(repr=False)
    created_at: datetime
    disabled_at: datetime | None

    @property
    def is_disabled(self) -> bool:
        """Whether they may not sign in."""
        return self.disabled_at is not None


class UserUnknown(ChangeRefused):
    """There is no user of that name."""


def fold_name(typed: str) -> str | None:
    """A name as it is stored, or None where no user can have it: then it never reaches the database."""
    name = typed.strip(" \t").lower()
    return name if _NAME.fullmatch(name) else None


def add_user(
    ledger: Ledger, name: str, role: Role, units: Collection[str], password_hash: str | None, now: datetime
) -> PortalUser:
    """Add a user.

    Args:
        ledger: where.
        name: 1 to 80 of a-z, 0-9 and . _ @ + -; capitals are folded.
        role: see Role.
        units: codes of units, known to the caller's registry; at least one for an officer, none for others.
        password_hash: by `ingest.portal_login.passwords`; None for who signs in elsewhere.
        now: UTC, without zone.

    Raises:
        ChangeRefused: the name is taken, can't be one or reads as a personal number; or the units don't fit the role.
    """
    folded = fold_name(name)
    if folded is None or reads_as_number(folded):
        raise ChangeRefused(
            "a user's name has 1 to 80 of a-z, 0-9 and . _ @ + -, begins and ends with a letter or digit, and is no "
            "personal number"
        )
    if bool(units) != (role is Role.OFFICER):
        raise ChangeRefused("an officer has at least one unit, and no other role has any")
    try:
        with ledger.engine.begin() as connection:
            added = connection.execute(
                portal_user.insert()
                .values(name=folded, role=str(role), password_hash=password_hash, created_at=now)
                .returning(portal_user.c.user_id)
            )
            number = int(added.scalar_one())
            rows = [{"user_id": number, "district_code": code} for code in sorted(set(units))]
            if rows:
                connection.execute(portal_user_unit.insert(), rows)
            add_act(connection, "user.added", " ".join([f"{folded}: {role}", *sorted(set(units))]))
    except sa.exc.IntegrityError:
        raise ChangeRefused(f"there is a user {folded} already; nothing was changed") from None
    return PortalUser(number, folded, role, tuple(sorted(set(units))), password_hash, now, None)


def find_user(ledger: Ledger, name: str) -> PortalUser | None:
    """The user of a name as it was typed; None where there is none."""
    folded = fold_name(name)
    if folded is None:
        return None
    with ledger.reading() as connection:
        return next(iter(_users(connection, portal_user.c.name == folded)), None)


def require_user(ledger: Ledger, name: str) -> PortalUser:
    """The user of a name.

    Raises:
        UserUnknown: there is none. The message does not repeat what was typed: it may be a password.
    """
    found = find_user(ledger, name)
    if found is None:
        raise UserUnknown("there is no user of that name; `followup user list` shows them")
    return found


def users(ledger: Ledger) -> list[PortalUser]:
    """All users by name, the disabled ones too."""
    with ledger.reading() as connection:
        return _users(connection, sa.true())


def user_of(connection: sa.Connection, user_id: int, *, is_changing: bool = False) -> PortalUser:
    """The user with this number; with `is_changing` their row is held until the transaction ends."""
    if is_changing:
        held = sa.select(portal_user.c.user_id).where(portal_user.c.user_id == user_id)
        connection.execute(held.with_for_update())
    return _users(connection, portal_user.c.user_id == user_id)[0]


def disable_user(ledger: Ledger, user: PortalUser, now: datetime, *, leaves_administrator: bool = False) -> bool:
    """Disable a user and revoke all their sessions and devices.

    Args:
        ledger: where.
        user: whom.
        now: UTC, without zone.
        leaves_administrator: whether one administrator at least must be able to sign in afterwards.

    Returns:
        Whether they were enabled until now.

    Raises:
        ChangeRefused: no administrator would be left.
    """
    key = login_attempts.name_key(ledger, user.name)
    with ledger.engine.begin() as connection:
        if leaves_administrator and user.role is Role.ADMINISTRATOR:
            _require_another_administrator(connection, user.user_id)
        if user_of(connection, user.user_id, is_changing=True).is_disabled:
            return False
        change = portal_user.update().where(portal_user.c.user_id == user.user_id)
        connection.execute(change.values(disabled_at=now))
        login_attempts.forget_user(connection, user.user_id, key)
        ended = sessions.revoke_all(connection, user.user_id, now)
        add_act(connection, "user.disabled", f"{user.name}: {ended} sessions revoked")
        return True


def _require_another_administrator(connection: sa.Connection, user_id: int) -> None:
    enabled = (portal_user.c.role == str(Role.ADMINISTRATOR), portal_user.c.disabled_at.is_(None))
    # All of them are held: two that disable each other at once do so one after the other.
    rows = connection.execute(
        sa.select(portal_user.c.user_id).where(*enabled).order_by(portal_user.c.user_id).with_for_update()
    ).all()
    if all(row.user_id == user_id for row in rows):
        raise ChangeRefused("no administrator could sign in any more; nothing was changed")


def enable_user(ledger: Ledger, user: PortalUser) -> bool:
    """Let a disabled user sign in again. Waits after failed tries on this name are over, for an enabled one too.

    Returns:
        Whether they were disabled until now.
    """
    key = login_attempts.name_key(ledger, user.name)
    with ledger.engine.begin() as connection:
        was_disabled = user_of(connection, user.user_id, is_changing=True).is_disabled
        change = portal_user.update().where(portal_user.c.user_id == user.user_id)
        connection.execute(change.values(disabled_at=None))
        login_attempts.forget_name(connection, key)
        add_act(connection, "user.enabled" if was_disabled else "user.wait_ended", user.name)
        return was_disabled


def set_rights(
    connection: sa.Connection, user: PortalUser, role: Role, units: Collection[str], now: datetime
) -> PortalUser:
    """Set role and units, in the caller's transaction, which has held the user's row.

    Where the user loses a role or a unit, all their sessions are revoked: pages that are open show no more than they
    may. Nothing is done where nothing changes.

    Args:
        connection: of the transaction.
        user: as `user_of` gave it under `is_changing`.
        role: the new one.
        units: codes known to the caller's registry; at least one for an officer, none for others.
        now: UTC, without zone.

    Returns:
        The user as they are now.

    Raises:
        ChangeRefused: the units don't fit the role.
    """
    wanted = tuple(sorted(set(units)))
    if bool(wanted) != (role is Role.OFFICER):
        raise ChangeRefused("an officer has at least one unit, and no other role has any")
    if (user.role, user.units) == (role, wanted):
        return user
    connection.execute(portal_user.update().where(portal_user.c.user_id == user.user_id).values(role=str(role)))
    connection.execute(portal_user_unit.delete().where(portal_user_unit.c.user_id == user.user_id))
    if wanted:
        connection.execute(
            portal_user_unit.insert(), [{"user_id": user.user_id, "district_code": code} for code in wanted]
        )
    subject = " ".join([f"{user.name}: {user.role}", *user.units, "->", role, *wanted])
    if user.role is not role or set(user.units) - set(wanted):
        ended = sessions.revoke_all(connection, user.user_id, now)
        subject = f"{subject}, {ended} sessions revoked"
    add_act(connection, "user.changed", subject)
    return replace(user, role=role, units=wanted)


def set_password(ledger: Ledger, user: PortalUser, password_hash: str, now: datetime) -> int:
    """Set a user's password, revoke their sessions and devices, and end waits on their name.

    Returns:
        How many sessions were revoked.
    """
    key = login_attempts.name_key(ledger, user.name)
    with ledger.engine.begin() as connection:
        user_of(connection, user.user_id, is_changing=True)
        change = portal_user.update().where(portal_user.c.user_id == user.user_id)
        connection.execute(change.values(password_hash=password_hash))
        login_attempts.forget_user(connection, user.user_id, key)
        ended = sessions.revoke_all(connection, user.user_id, now)
        add_act(connection, "password.set", f"{user.name}: {ended} sessions revoked")
        return ended


def replace_hash(connection: sa.Connection, user: PortalUser, password_hash: str) -> None:
    """Store the same password under newer parameters; sessions go on."""
    change = portal_user.update().where(portal_user.c.user_id == user.user_id)
    connection.execute(change.values(password_hash=password_hash))
    add_act(connection, "password.rehashed", user.name)


def units_of(user: PortalUser, registry: DistrictRegistry) -> frozenset[str]:
    """Codes of the units whose files and figures a user may see.

    An officer sees their units and all those that were merged into them, at any remove; the city sees all. A reader,
    an administrator and a disabled user see none.
    """
    if user.is_disabled:
        return frozenset()
    if user.role is Role.CITY:
        return frozenset(one.code for one in registry.districts)
    if user.role is not Role.OFFICER:
        return frozenset()
    seen: set[str] = set()
    left = list(user.units)
    while left:
        code = left.pop()
        if code not in seen:
            seen.add(code)
            left += registry.predecessors(code)
    return frozenset(seen)


def _users(connection: sa.Connection, which: sa.ColumnElement[bool]) -> list[PortalUser]:
    rows = connection.execute(sa.select(portal_user).where(which).order_by(portal_user.c.name)).all()
    units: dict[int, list[str]] = {}
    chosen = sa.select(portal_user_unit).where(portal_user_unit.c.user_id.in_([row.user_id for row in rows]))
    for row in connection.execute(chosen.order_by(portal_user_unit.c.district_code)):
        units.setdefault(row.user_id, []).append(row.district_code)
    return [
        PortalUser(
            row.user_id, row.name, Role(row.role), tuple(units.get(row.user_id, ())), row.password_hash,
            row.created_at, row.disabled_at,
        )
        for row in rows
    ]  # fmt: skip
