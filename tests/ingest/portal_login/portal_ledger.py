"""A ledger with the portal's users, and ways to sign in at any time, for the tests of this folder."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from ingest.ledger import Ledger, acts, portal_users, sessions
from ingest.ledger.portal_users import PortalUser
from ingest.ledger.sessions import Browser, SessionTimes
from ingest.portal_login.passwords import Cost, Passwords
from ingest.portal_login.signing_in import SignedIn, SignInMustWait, SignInRefused, Try, sign_in

NOW = datetime(2026, 3, 2, 8, 0)
MINUTE = timedelta(minutes=1)
SECRET = "fyra gröna hästar simmar"
CHEAP = Cost(passes=1, memory_kib=8, lanes=1)
"""The least that argon2 allows, so that tests take no time."""
TIMES = SessionTimes(idle=30 * MINUTE, absolute=timedelta(hours=10))
HOME, ELSEWHERE = "192.0.2.17", "198.51.100.9"


class CountedPasswords(Passwords):
    """Counts how many hashes were verified."""

    def __init__(self, cost: Cost) -> None:
        super().__init__(cost)
        self.verified = 0
        self._library = self._hasher
        self._hasher = self  # the library's own calls are counted: an answer without one does not go unseen

    def verify(self, stored: str | None, password: str | bytes) -> bool:
        if isinstance(password, str):
            return super().verify(stored, password)
        self.verified += 1
        return self._library.verify(stored, password)

    def hash(self, password: str | bytes) -> str:
        return super().hash(password) if isinstance(password, str) else self._library.hash(password)

    def check_needs_rehash(self, stored: str) -> bool:
        return self._library.check_needs_rehash(stored)


@dataclass
class Portal:
    """A ledger with its users, and a way to sign in at any time."""

    path: Path
    ledger: Ledger
    passwords: CountedPasswords

    def sign_in(
        self,
        name: str = "anna",
        password: str = SECRET,
        *,
        at: datetime = NOW,
        address: str = HOME,
        **given: str | None,
    ) -> SignedIn:
        browser = Browser(address, "Mozilla/5.0")
        return sign_in(self.ledger, self.passwords, Try(name, password, browser, **given), TIMES, at)

    def fail(self, times: int, name: str = "anna", *, at: datetime = NOW, address: str = HOME, **given: str) -> None:
        """So many wrong passwords, each of which is looked at."""
        for _ in range(times):
            with pytest.raises(SignInRefused) as refused:
                self.sign_in(name, "wrong " + SECRET, at=at, address=address, **given)
            assert not isinstance(refused.value, SignInMustWait)

    def actions(self) -> list[tuple[str, str]]:
        return [(one.action, one.subject) for one in acts.acts(self.ledger)]


def anna(portal: Portal) -> PortalUser:
    return portal_users.require_user(portal.ledger, "anna")


def find(portal: Portal, token: str, at: datetime) -> sessions.Session | None:
    return sessions.find(portal.ledger, token, TIMES, at)
