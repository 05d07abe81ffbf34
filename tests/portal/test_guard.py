"""The guard: foreign hosts, forged forms, bodies too large, of the wrong kind, slow or broken off; headers."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest
from browsing import CHEAP, ORIGIN, SECRET, Place
from starlette.routing import Route
from starlette.testclient import TestClient

from ingest.ledger.portal_users import Role
from portal.app import make_app
from portal.security import guard
from portal.settings import PortalSettings
from portal.signing_in import access

OWN = {"Origin": ORIGIN, "Sec-Fetch-Site": "same-origin"}


def test_every_answer_has_the_headers_that_close_it(place: Place) -> None:
    browser = place.browser()
    for address in ("/logga-in", "/finns-inte", "/konto", "/static/finns-inte.css"):
        headers = browser.open(address).headers
        policy = headers["content-security-policy"]
        assert "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        assert headers["x-content-type-options"] == "nosniff" and headers["x-frame-options"] == "DENY"
        assert "strict-transport-security" not in headers  # plain, on this machine
        assert address.startswith("/static") or headers["cache-control"] == "no-store"


def test_behind_tls_cookies_are_of_this_host_and_browsers_come_by_nothing_else(tmp_path: Path, place: Place) -> None:
    place.close()
    app = make_app(place.settings, PortalSettings(url="https://portal.example"), CHEAP)
    with TestClient(app, base_url="https://portal.example", follow_redirects=False) as client:
        answer = client.get("/logga-in")
        (cookie,) = answer.headers.get_list("set-cookie")
        assert cookie.startswith("__Host-visitor=") and "Secure" in cookie and "HttpOnly" in cookie
        assert answer.headers["strict-transport-security"].startswith("max-age=31536000")
    with TestClient(app, base_url="http://portal.example", follow_redirects=False) as proxy:  # TLS ends at the proxy
        assert proxy.get("/siffror/").headers["location"] == "https://portal.example/siffror"
    app.portal.ledger.close()


@pytest.mark.parametrize("url", ["http://portal.example", "http://127.0.0.1:1/x", "ftp://127.0.0.1", "https://a@b"])
def test_passwords_are_never_sent_in_clear_between_machines(url: str) -> None:
    with pytest.raises(ValueError):
        PortalSettings(url=url)


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1", "127.0.0.1:8091", ""])
def test_foreign_host_is_refused(place: Place, host: str) -> None:
    answer = place.browser().client.get("/logga-in", headers={"host": host})
    assert answer.status_code == 400 and "csrf" not in answer.text


@pytest.mark.parametrize(
    ("headers", "change"),
    [
        (OWN, {"csrf": ""}),
        (OWN, {"csrf": "0" * 64}),
        (OWN, {"csrf": "å"}),
        (OWN | {"Origin": "https://evil.example"}, {}),
        (OWN | {"Origin": "null"}, {}),
        (OWN | {"Origin": "http://["}, {}),
        (OWN | {"Sec-Fetch-Site": "cross-site"}, {}),
        (OWN | {"Sec-Fetch-Site": "same-site"}, {}),
    ],
)
def test_forged_form_changes_nothing(place: Place, headers: dict[str, str], change: dict[str, str]) -> None:
    browser = place.signed_in("anna")
    browser.open("/konto")
    answer = browser.client.post("/logga-ut", data={"csrf": browser.token} | change, headers=headers)
    assert answer.status_code == 403
    assert browser.open("/konto").status_code == 200


def test_form_of_another_browser_or_session_is_forged(place: Place) -> None:
    anna, bo = place.signed_in("anna"), place.signed_in("bo")
    bo.open("/konto")
    anna.shown = bo.shown
    assert anna.send("/logga-ut").status_code == 403
    visitor = place.browser()
    visitor.open("/logga-in")
    stranger = place.browser()
    stranger.open("/logga-in")
    visitor.shown = stranger.shown
    assert visitor.send("/logga-in", namn="anna", losenord=SECRET).status_code == 403


@pytest.mark.parametrize(
    ("kind", "body", "status"),
    [
        ("application/json", b"{}", 415),
        ("text/plain", b"csrf=x", 415),
        ("multipart/form-data; boundary=x", b"--x--", 415),
        ("application/x-www-form-urlencoded", b"a=" + b"x" * 100_001, 413),
        ("application/x-www-form-urlencoded", b"a=%ff", 400),
        ("application/x-www-form-urlencoded", b"\xff=1", 400),
        ("application/x-www-form-urlencoded", b"a=%00", 400),
        ("application/x-www-form-urlencoded", b"a%1b=1", 400),
        ("application/x-www-form-urlencoded", b"a=%C2%9B31m", 400),
        ("application/x-www-form-urlencoded", b"&".join(b"a=1" for _ in range(1001)), 400),
    ],
)
def test_body_that_no_page_sends_is_refused(place: Place, kind: str, body: bytes, status: int) -> None:
    browser = place.signed_in("anna")
    answer = browser.client.post("/logga-ut", content=body, headers=OWN | {"content-type": kind})
    assert answer.status_code == status
    assert browser.open("/konto").status_code == 200


def test_address_with_a_null_is_refused(place: Place) -> None:
    """PostgreSQL takes none: what looks for such a text there would be a fault of ours."""
    browser = place.browser()
    for address in ("/logga-in?till=%00", "/logga-in%00", "/%00", "/siffror?x=a%00b", "/api/v1/status?quarter=%00"):
        assert browser.open(address).status_code == 400, address


def post(app: guard.Guard, messages: list[dict[str, Any]], headers: list[tuple[bytes, bytes]], wait: float = 0) -> int:
    """The status that a POST gets whose body comes as these messages, each after a wait, and then never ends."""
    given = [(b"host", b"127.0.0.1:8090"), (b"content-type", b"application/x-www-form-urlencoded"), *headers]
    scope = {
        "type": "http", "method": "POST", "path": "/logga-in", "raw_path": b"/logga-in", "query_string": b"",
        "headers": given, "client": ("192.0.2.1", 1), "server": ("127.0.0.1", 8090), "scheme": "http",
    }  # fmt: skip
    statuses: list[int] = []
    left = list(messages)

    async def receive() -> dict[str, Any]:
        await asyncio.sleep(wait)
        if not left:
            await asyncio.sleep(60)
        return left.pop(0)

    async def send(message: Any) -> None:
        if message["type"] == "http.response.start":
            statuses.append(message["status"])

    asyncio.run(app(scope, receive, send))
    return statuses[0]


def test_body_that_is_larger_than_it_said_silent_slow_or_broken_off_is_given_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    part = {"type": "http.request", "body": b"a" * 60_000, "more_body": True}
    assert post(place.app, [part, part], [(b"transfer-encoding", b"chunked")]) == 413
    assert post(place.app, [part, {"type": "http.disconnect"}], []) == 400
    assert post(place.app, [], [(b"content-length", b"9" * 30)]) == 413
    assert post(place.app, [], [(b"content-length", b"-1")]) == 400
    monkeypatch.setattr(guard, "_IDLE_SECONDS", 0.05)
    assert post(place.app, [], []) == 408
    monkeypatch.setattr(guard, "_IDLE_SECONDS", 5.0)
    monkeypatch.setattr(guard, "_SMALL_SECONDS", 0.05)
    drop = {"type": "http.request", "body": b"a", "more_body": True}
    assert post(place.app, [drop] * 100, [], wait=0.01) == 408
    monkeypatch.setattr(guard, "_SMALL_SECONDS", 5.0)
    monkeypatch.setattr(guard, "_GRACE_SECONDS", 0.0)
    assert post(place.app, [drop] * 100, [], wait=0.01) == 408


def test_our_own_fault_shows_and_logs_nothing_of_what_was_sent(
    place: Place, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise ValueError("19500101-0001")

    monkeypatch.setattr("portal.signing_in.routes.local_address", fail)
    answer = place.browser().open("/logga-in?till=19500101-0001")
    assert answer.status_code == 500 and "Något gick fel hos oss" in answer.text
    assert "default-src 'none'" in answer.headers["content-security-policy"]
    assert "19500101" not in answer.text + caplog.text and "ValueError while answering GET" in caplog.text


def test_address_behind_a_proxy_is_the_browser_s_and_only_a_proxy_of_ours_is_believed(tmp_path: Path) -> None:
    made = Place.make(tmp_path, proxies="10.0.0.1, 10.0.0.2")
    made.add("anna", Role.OFFICER, "farsta")
    try:
        for peer, said, network in [
            (
                "10.0.0.1",
                "203.0.113.9, 198.51.100.4, 10.0.0.2",
                "198.51.100.0/24",
            ),
            ("192.0.2.9", "203.0.113.9", "192.0.2.0/24"),
            ("10.0.0.1", "", "10.0.0.0/24"),
        ]:
            browser = made.browser(peer)
            browser.client.headers["x-forwarded-for"] = said
            browser.sign_in("anna")
            assert f"from {network}" in made.acts()[-1].subject
    finally:
        made.close()


def test_every_page_says_who_may_open_it(place: Place) -> None:
    """A page without one of the dependencies of `access` would be open to everybody."""
    known: set[Callable[..., Any] | Callable[..., Awaitable[Any]]] = {
        access.signed_in_user, access.city_user, access.officer, access.administrator, access.unit_of_officer,
        access.figure_reader, access.anybody,
    }  # fmt: skip
    pages = [route for route in place.app.app.routes if isinstance(route, Route)]
    assert len(pages) >= 8
    for route in pages:
        needed = {one.call for one in route.dependant.dependencies}  # type: ignore[attr-defined]  # FastAPI's own routes
        assert needed & known, route.path
