"""Signing in to the portal with name and password. One answer for all that is wrong, after one hash in every case."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from ingest.acting_user import Actor, acting_as
from ingest.ledger import Ledger, login_attempts, sessions
from ingest.ledger.acts import add_act
from ingest.ledger.login_attempts import Key
from ingest.ledger.portal_users import PortalUser, find_user, fold_name, replace_hash, user_of
from ingest.ledger.sessions import Browser, SessionTimes
from ingest.portal_login.passwords import Passwords
from ingest.settings import Settings

_LONGEST_NAME = 200
"""Of what was typed as a name, so much is looked at."""


@dataclass(frozen=True)
class Try:
    """What came with a try to sign in.

    Attributes:
        name: as it was typed.
        password: as it was typed.
        browser: where from.
        device: the token that the browser got when somebody last signed in there; None for a new one.
        session: the token of the session that it has, which ends when a new one begins.
    """

    name: str
    password: str = field(repr=False)
    browser: Browser
    device: str | None = field(default=None, repr=False)
    session: str | None = field(default=None, repr=False)


@dataclass(frozen=True)
class SignedIn:
    """Somebody is signed in. Both tokens are shown this once.

    Attributes:
        user: who.
        session_id: number of the new session.
        token: of the session.
        device: to be kept in the browser, for `Try.device`.
    """

    user: PortalUser
    session_id: int
    token: str = field(repr=False)
    device: str = field(repr=False)


class SignInRefused(Exception):
    """Nobody is signed in: whether name, password or something else was wrong is not said."""


class SignInMustWait(SignInRefused):
    """There were too many tries; the next one is looked at after `wait`."""

    def __init__(self, wait: timedelta) -> None:
        """Say how long."""
        super().__init__(f"too many tries: wait {max(1, round(wait.total_seconds()))} seconds")
        self.wait = wait


def session_times(settings: Settings) -> SessionTimes:
    """When sessions end, as the installation is set."""
    return SessionTimes(timedelta(minutes=settings.session_idle_minutes), timedelta(hours=settings.session_hours))


def sign_in(ledger: Ledger, passwords: Passwords, given: Try, times: SessionTimes, now: datetime) -> SignedIn:
    """Sign a local user in: a new session, while the browser's earlier one ends.

    Args:
        ledger: of the installation.
        passwords: hashes.
        given: what came from the browser; every part may be hostile.
        times: when the session will end.
        now: UTC, without zone; the system's clock.

    Raises:
        SignInMustWait: too many tries before this one; the password was not looked at.
        SignInRefused: no such user, a wrong password, a disabled user, or one who signs in elsewhere.
    """
    typed = given.name[:_LONGEST_NAME]
    user = find_user(ledger, typed)
    keys = _keys(ledger, typed, given, user, now)
    wait = login_attempts.reserve(ledger, keys, now)
    if wait is not None:
        raise SignInMustWait(wait)
    stored = None if user is None or user.is_disabled else user.password_hash
    if not passwords.verify(stored, given.password) or user is None or stored is None:
        raise _refused(ledger, user, given.browser)
    renewed = passwords.renewed(stored, given.password)
    device = given.device if given.device and keys[0].kind == "device" else None
    with acting_as(Actor("user", user.name)), ledger.engine.begin() as connection:
        current = user_of(connection, user.user_id, is_changing=True)
        is_as_verified = not current.is_disabled and current.password_hash == stored
        if is_as_verified:
            login_attempts.give_back(connection, keys, now)
            if device is None:
                device = secrets.token_urlsafe(sessions.TOKEN_BYTES)
                login_attempts.add_device(connection, login_attempts.device_key(device), user.user_id, now)
            if given.session is not None:
                sessions.end_in(connection, given.session, now)
            if renewed is not None:
                replace_hash(connection, user, renewed)
            new = sessions.begin(connection, user.user_id, user.name, given.browser, times, now)
    if not is_as_verified or device is None:  # disabled, or given another password, while the hash was computed
        raise _refused(ledger, user, given.browser)
    login_attempts.forget_old(ledger, now)
    sessions.forget_old(ledger, now)
    return SignedIn(current, new.session_id, new.token, device)


def _keys(ledger: Ledger, typed: str, given: Try, user: PortalUser | None, now: datetime) -> list[Key]:
    """What the try is counted by: the browser alone where its user is known to it, else name and address."""
    if given.device is not None:
        device = login_attempts.device_key(given.device)
        if login_attempts.is_device_of(ledger, device, user.user_id if user else 0, now):
            return [device]
    return [
        login_attempts.name_key(ledger, fold_name(typed) or typed),
        login_attempts.address_key(ledger, given.browser.address),
    ]


def _refused(ledger: Ledger, user: PortalUser | None, browser: Browser) -> SignInRefused:
    """Log the refusal. A name that no user has is not repeated: it may be a password."""
    who = user.name if user is not None else "unknown user"
    with ledger.engine.begin() as connection:
        add_act(connection, "login.refused", f"{who} from {sessions.network_of(browser.address)}")
    return SignInRefused("name or password is wrong")
