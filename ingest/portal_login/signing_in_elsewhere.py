"""Signing in a user whom the city's identity provider has signed in: role and units are as it says, each time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from ingest.acting_user import Actor, acting_as
from ingest.ledger import ChangeRefused, Ledger, login_attempts, sessions
from ingest.ledger.acts import add_act
from ingest.ledger.login_attempts import Key
from ingest.ledger.portal_users import PortalUser, Role, add_user, find_user, set_rights, user_of
from ingest.ledger.sessions import Browser, SessionTimes
from ingest.portal_login.signing_in import SignInMustWait, SignInRefused


@dataclass(frozen=True)
class SignedInElsewhere:
    """Somebody is signed in. The token is shown this once."""

    user: PortalUser
    token: str = field(repr=False)


def reserve(ledger: Ledger, browser: Browser, now: datetime) -> Sequence[Key]:
    """Count a try by the browser's address, before anything is asked of the provider.

    Returns:
        What it is counted by, for `sign_in_elsewhere` or `give_back`.

    Raises:
        SignInMustWait: too many tries before this one.
    """
    keys = [login_attempts.address_key(ledger, browser.address)]
    wait = login_attempts.reserve(ledger, keys, now)
    if wait is not None:
        raise SignInMustWait(wait)
    return keys


def give_back(ledger: Ledger, keys: Sequence[Key], now: datetime) -> None:
    """Take a try back that failed by no fault of who tried."""
    with ledger.engine.begin() as connection:
        login_attempts.give_back(connection, keys, now)


def sign_in_elsewhere(
    ledger: Ledger,
    name: str,
    role: Role,
    units: Sequence[str],
    *,
    browser: Browser,
    session: str | None,
    keys: Sequence[Key],
    times: SessionTimes,
    now: datetime,
) -> SignedInElsewhere:
    """Sign in a user by what a verified answer of the provider says; who comes the first time is added.

    Args:
        ledger: of the installation.
        name: the account's, folded.
        role, units: as the claims say; the ledger's follow them.
        browser: where from.
        session: the token of the session that the browser has, which ends.
        keys: as `reserve` counted the try.
        times: when the session will end.
        now: UTC, without zone; the system's clock.

    Raises:
        SignInRefused: the name is a local user's, or the user is disabled.
        ChangeRefused: there can be no such user.
    """
    with acting_as(Actor("user", name)):
        user = find_user(ledger, name)
        if user is None:
            try:
                user = add_user(ledger, name, role, units, None, now)
            except ChangeRefused:
                user = find_user(ledger, name)  # added at the same moment from another browser
                if user is None:
                    raise
        reason = None
        with ledger.engine.begin() as connection:
            current = user_of(connection, user.user_id, is_changing=True)
            if current.password_hash is not None:
                reason = "is a local user"
            elif current.is_disabled:
                reason = "is disabled"
            else:
                current = set_rights(connection, current, role, units, now)
                login_attempts.give_back(connection, keys, now)
                if session is not None:
                    sessions.end_in(connection, session, now)
                new = sessions.begin(connection, current.user_id, current.name, browser, times, now)
    if reason is not None:
        log_refusal(ledger, browser, f"{user.name} {reason}")
        raise SignInRefused(reason)
    login_attempts.forget_old(ledger, now)
    sessions.forget_old(ledger, now)
    return SignedInElsewhere(current, new.token)


def log_refusal(ledger: Ledger, browser: Browser, reason: str) -> None:
    """Log that somebody was not signed in; the reason holds nothing of the claims but a user's name."""
    with ledger.engine.begin() as connection:
        add_act(connection, "login.refused", f"by OIDC from {sessions.network_of(browser.address)}: {reason}")
