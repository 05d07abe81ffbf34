"""A unit's program: it calls the API with its token, on an installation whose worker is in the tests' own process."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
from browsing import ORIGIN, Place
from starlette.testclient import TestClient

from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import Scope, add_token
from ingest.persons.keys import make_keys
from portal.handover.announcing import Announcer
from portal.handover.working import Worker
from portal.settings import PortalSettings

API = "/api/v1"
ALL = tuple(Scope)


@dataclass
class Program:
    """One program; `client` sends what no right program would."""

    client: TestClient
    secret: str

    @property
    def headers(self) -> dict[str, str]:
        """With its token."""
        return {"Authorization": f"Bearer {self.secret}"}

    def get(self, path: str, **rest: Any) -> httpx.Response:
        """Read."""
        return self.client.get(f"{API}{path}", headers=self.headers | rest.pop("headers", {}), **rest)

    def post(self, path: str, json: object = None, *, key: str | None = None, **rest: Any) -> httpx.Response:
        """Do."""
        headers = self.headers | rest.pop("headers", {}) | ({"Idempotency-Key": key} if key else {})
        return self.client.post(f"{API}{path}", json=json, headers=headers, **rest)

    def send(
        self, content: bytes, name: str | None = None, purpose: str = "check", *, key: str | None = None,
        kind: str = "text/csv", **query: str,
    ) -> httpx.Response:  # fmt: skip
        """Send one file as it is."""
        asked = {"purpose": purpose, **({"name": name} if name else {}), **query}
        return self.post("/uploads", content=content, params=asked, key=key, headers={"content-type": kind})


def installation(folder: Path, **own: Any) -> Place:
    """A new installation with keys."""
    folder.mkdir(exist_ok=True)
    make_keys(folder / "keys.json")
    return Place.make(folder, **own)


def program(place: Place, unit: str = "farsta", scopes: Iterable[Scope] = ALL, peer: str = "192.0.2.7") -> Program:
    """A program of a unit with a new token."""
    new = add_token(place.ledger, "journalsystem", unit, tuple(scopes), system_now())
    return Program(place.browser(peer).client, new.secret)


def asked(place: Place, path: str, messages: list[dict[str, Any]], headers: dict[str, str]) -> tuple[int, int, bytes]:
    """POST with a body in these messages, which then never ends: (status, how many messages were read, answer)."""
    pairs = {"host": ORIGIN.partition("//")[2], **headers}
    bare, _, query = path.partition("?")
    scope = {
        "type": "http", "method": "POST", "path": bare, "raw_path": bare.encode(), "query_string": query.encode(),
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in pairs.items()],
        "client": ("192.0.2.1", 1), "server": ("127.0.0.1", 8090), "scheme": "http", "root_path": "",
    }  # fmt: skip
    statuses: list[int] = []
    answer = bytearray()
    left = list(messages)

    async def receive() -> dict[str, Any]:
        if not left:
            await asyncio.sleep(60)
        return left.pop(0)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])
        answer.extend(message.get("body", b""))

    asyncio.run(place.app(scope, receive, send))
    return statuses[0], len(messages) - len(left), bytes(answer)


def work_all(place: Place) -> None:
    """Let a worker in this process take up all that waits."""
    worker = Worker(place.settings, place.ledger, Announcer(PortalSettings()))
    while worker.work():
        pass
