"""A browser for tests: it keeps cookies, sends forms as a page of ours does, and shows what came back."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from html import unescape
from pathlib import Path
from typing import Any

import httpx
from starlette.testclient import TestClient

from ingest.ledger import Ledger
from ingest.ledger.acts import Act, acts, system_now
from ingest.ledger.portal_users import Role, add_user
from ingest.portal_login.passwords import Cost, Passwords
from ingest.settings import Settings
from portal.app import make_app
from portal.security.guard import Guard
from portal.settings import PortalSettings

ORIGIN = "http://127.0.0.1:8090"
SECRET = "fyra gröna hästar simmar"
CHEAP = Passwords(Cost(passes=1, memory_kib=8, lanes=1))
_TOKEN = re.compile(r'name="csrf" value="([^"]*)"')


@dataclass
class Place:
    """An installation with its portal."""

    settings: Settings
    app: Guard
    opened: list[TestClient] = field(default_factory=list)

    @classmethod
    def make(cls, folder: Path, now: str = "2018-04-10T08:00:00", **own: Any) -> Place:
        """A new one in an empty folder."""
        settings = Settings.model_validate(
            {"home": folder / "home", "keys": folder / "keys.json", "inbox": str(folder / "inbox"), "FOLLOWUP_NOW": now}
        )
        return cls(settings, make_app(settings, PortalSettings(url=ORIGIN, **own), CHEAP))

    @property
    def ledger(self) -> Ledger:
        """Its ledger."""
        return self.app.portal.ledger

    def add(self, name: str, role: Role, *units: str) -> None:
        """Add a user, whose password is SECRET."""
        add_user(self.ledger, name, role, units, CHEAP.hash(SECRET), system_now())

    def browser(self, peer: str = "192.0.2.7") -> Browser:
        """A new browser."""
        client = TestClient(
            self.app, base_url=ORIGIN, follow_redirects=False, raise_server_exceptions=False, client=(peer, 50_000)
        )
        self.opened.append(client)
        return Browser(client)

    def signed_in(self, name: str, peer: str = "192.0.2.7") -> Browser:
        """A new browser in which a user has signed in."""
        browser = self.browser(peer)
        answer = browser.sign_in(name)
        assert answer.status_code == 303, answer.text
        return browser

    def acts(self) -> list[Act]:
        """The audit log."""
        return list(acts(self.ledger))

    def close(self) -> None:
        """Close what is open."""
        for client in self.opened:
            client.close()
        self.ledger.close()


class Browser:
    """One browser; `client` sends what no page of ours would."""

    def __init__(self, client: TestClient) -> None:
        self.client = client
        self.shown = ""
        """The page that was opened last."""

    def open(self, address: str, **rest: Any) -> httpx.Response:
        """Open a page."""
        answer = self.client.get(address, **rest)
        self.shown = answer.text
        return answer

    @property
    def token(self) -> str:
        """That of the forms on the page."""
        found = _TOKEN.search(self.shown)
        assert found is not None, "the page has no form"
        return unescape(found[1])

    def send(self, address: str, *, headers: dict[str, str] | None = None, **fields: Any) -> httpx.Response:
        """Send a form of the page that was opened last."""
        given = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"} | (headers or {})
        answer = self.client.post(address, data={"csrf": self.token} | fields, headers=given)
        if answer.status_code != 303:
            self.shown = answer.text
        return answer

    def sign_in(self, name: str, password: str = SECRET, till: str = "") -> httpx.Response:
        """Sign in with the form of the sign-in page."""
        self.open("/logga-in", params={"till": till} if till else None)
        return self.send("/logga-in", namn=name, losenord=password, till=till)


def text_of(page: str) -> str:
    """What a page says, without its marks."""
    return " ".join(unescape(re.sub(r"<[^>]*>", " ", page)).split())
