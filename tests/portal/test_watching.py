"""What programs that watch the portal are shown, and to whom."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from browsing import CHEAP, Place
from prometheus_client.parser import text_string_to_metric_families
from starlette.testclient import TestClient

from ingest.persons.keys import make_keys
from portal.app import make_app
from portal.settings import PortalSettings

PORTAL = "https://portal.example"
TOKEN = "a-token-of-letters-4711"
HERE = "http://127.0.0.1:8090"


@pytest.fixture
def town(tmp_path: Path) -> Iterator[Place]:
    token = tmp_path / "token"
    token.write_text(TOKEN + "\n", encoding="ascii")
    token.chmod(0o600)
    first = Place.make(tmp_path)
    first.close()
    own = PortalSettings(url=PORTAL, metrics_token_file=token)
    made = Place(first.settings, make_app(first.settings, own, CHEAP))
    make_keys(made.settings.keys)
    yield made
    made.close()


def ask(town: Place, path: str, peer: str = "192.0.2.7", address: str = PORTAL, **headers: str) -> httpx.Response:
    client = TestClient(town.app, base_url=address, client=(peer, 50_000), raise_server_exceptions=False)
    return client.get(path, headers={name.replace("_", "-"): value for name, value in headers.items()})


def test_health_is_said_to_all_and_nothing_else_is(town: Place) -> None:
    for path in ("/health", "/halsa"):
        assert (ask(town, path).status_code, ask(town, path).text) == (200, "ok")
    assert ask(town, "/health", "127.0.0.1", HERE).text == "ok"
    town.ledger.engine.dispose()
    (town.settings.home / "ledger.sqlite").write_bytes(b"no database")
    assert ask(town, "/health").status_code == 503


def test_metrics_are_shown_to_this_machine_and_to_who_has_the_token(town: Place) -> None:
    shown = [ask(town, "/metrics", "127.0.0.1", HERE), ask(town, "/metrics", "::1", "http://[::1]:8090")]
    shown.append(ask(town, "/metrics", authorization=f"Bearer {TOKEN}"))
    for answer in shown:
        assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain; version=0.0.4")
        names = {one.name for one in text_string_to_metric_families(answer.text)}
        assert {"followup_submissions", "followup_blocked_audits", "followup_disk_free_bytes"} <= names


@pytest.mark.parametrize(
    ("peer", "address", "headers"),
    [
        ("192.0.2.7", PORTAL, {}),
        ("192.0.2.7", PORTAL, {"authorization": "Bearer wrong"}),
        ("192.0.2.7", PORTAL, {"authorization": f"Basic {TOKEN}"}),
        ("192.0.2.7", PORTAL, {"x_forwarded_for": "127.0.0.1"}),
        ("127.0.0.1", PORTAL, {}),  # a proxy of this machine
        ("127.0.0.1", HERE, {"x_forwarded_for": "192.0.2.7"}),
        ("127.0.0.1", HERE, {"forwarded": "for=192.0.2.7"}),
        ("192.0.2.7", HERE, {}),
        ("127.0.0.1", "http://127.0.0.1.attacker.example", {}),
        ("127.0.0.1", "http://attacker.example", {}),
    ],
)
def test_metrics_are_not_shown_to_others(town: Place, peer: str, address: str, headers: dict[str, str]) -> None:
    answer = ask(town, "/metrics", peer, address, **headers)
    assert answer.status_code in (400, 404) and "followup_" not in answer.text


def test_other_pages_are_not_shown_under_this_machines_address(town: Place) -> None:
    assert ask(town, "/", "127.0.0.1", HERE).status_code == 400
    assert ask(town, "/metrics/../", "127.0.0.1", HERE).status_code == 400


def test_token_that_others_can_read_is_not_taken(town: Place, tmp_path: Path) -> None:
    (tmp_path / "token").chmod(0o644)
    answer = ask(town, "/metrics", authorization=f"Bearer {TOKEN}")
    assert answer.status_code == 503 and "followup_" not in answer.text
