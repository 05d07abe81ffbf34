"""Signing in, out, and what a browser gets that is not signed in."""

from __future__ import annotations

from datetime import timedelta

import pytest
from browsing import ORIGIN, SECRET, Place, text_of

from ingest.ledger import portal_users
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import Role, find_user
from portal.signing_in.routes import local_address


def test_user_signs_in_sees_their_sessions_and_signs_out(place: Place) -> None:
    browser = place.browser()
    assert browser.open("/konto").headers["location"] == "/logga-in?till=/konto"
    assert browser.sign_in("anna", till="/konto").headers["location"] == "/konto"
    answer = browser.open("/konto")
    assert answer.status_code == 200 and "anna" in answer.text and "192.0.2.0/24" in answer.text
    assert browser.send("/logga-ut").headers["location"] == "/logga-in"
    assert browser.open("/konto").status_code == 303
    assert [one.action for one in place.acts()][-2:] == ["session.begun", "session.ended"]


@pytest.mark.parametrize(
    ("role", "units", "first"),
    [
        (Role.OFFICER, ("skarholmen", "farsta"), "/enhet/farsta/"),
        (Role.CITY, (), "/staden"),
        (Role.READER, (), "/siffror"),
        (Role.ADMINISTRATOR, (), "/konton"),
    ],
)
def test_each_role_begins_at_its_own_page(place: Place, role: Role, units: tuple[str, ...], first: str) -> None:
    place.add("ny", role, *units)
    browser = place.browser()
    assert browser.sign_in("ny").headers["location"] == first
    assert browser.open("/").headers["location"] == first


def test_wrong_password_unknown_name_and_disabled_user_get_one_answer(place: Place) -> None:
    place.add("cia", Role.READER)
    user = find_user(place.ledger, "cia")
    assert user is not None
    portal_users.disable_user(place.ledger, user, system_now())
    answers = [
        place.browser().sign_in(name, password)
        for name, password in [("anna", "fel"), ("ingen", SECRET), ("cia", SECRET)]
    ]
    assert {answer.status_code for answer in answers} == {403}
    pages = {text_of(answer.text) for answer in answers}
    assert len(pages) == 1 and "Namnet eller lösenordet stämmer inte" in pages.pop()
    assert "followup_session" not in "".join(str(answer.headers) for answer in answers)


def test_nothing_that_was_typed_is_shown_again(place: Place) -> None:
    """The name neither: a password may have been typed there."""
    answer = place.browser().sign_in('"><script>alert(1)</script>', "hemligt-ord")
    assert answer.status_code == 403 and "alert(1)" not in answer.text and "hemligt-ord" not in answer.text


def test_many_tries_must_wait_and_are_told_how_long(place: Place) -> None:
    browser = place.browser()
    statuses = [browser.sign_in("anna", "fel").status_code for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    answer = browser.sign_in("anna")
    assert answer.status_code == 429 and int(answer.headers["retry-after"]) >= 1
    assert "För många försök" in text_of(answer.text)


def test_token_that_a_browser_brings_is_never_that_of_its_session(place: Place) -> None:
    browser = place.browser()
    fixed = "A" * 43
    browser.client.cookies.set("followup_session", fixed)
    (given,) = [one for one in browser.sign_in("anna").headers.get_list("set-cookie") if "session=" in one]
    assert fixed not in given
    other = place.browser()
    other.client.cookies.set("followup_session", fixed)
    assert other.open("/konto").status_code == 303


def test_earlier_session_of_a_browser_ends_when_somebody_signs_in_again(place: Place) -> None:
    browser = place.signed_in("anna")
    before = browser.client.cookies["followup_session"]
    browser.open("/konto")
    browser.send("/logga-ut")
    browser.sign_in("bo")
    other = place.browser()
    other.client.cookies.set("followup_session", before)
    assert other.open("/konto").status_code == 303


def test_user_ends_another_of_their_sessions_and_no_one_else_s(place: Place) -> None:
    first, second, bo = place.signed_in("anna"), place.signed_in("anna"), place.signed_in("bo")
    first.open("/konto")
    for number in ("3", "2"):  # bo's, then the second of anna's
        assert first.send("/konto/avsluta", session=number).status_code == 303
    assert bo.open("/konto").status_code == 200 and second.open("/konto").status_code == 303
    assert first.open("/konto").status_code == 200


@pytest.mark.parametrize(
    "till",
    ["//evil.example", "https://evil.example/", "/\\evil.example", "/\t/evil.example", "javascript:alert(1)",
     "/%0d%0aSet-Cookie:x\r\n", "\\\\evil.example", "/logga-ut", "/api/v1/x", "/" + "a" * 600, ""],
)  # fmt: skip
def test_no_address_elsewhere_is_gone_to_after_signing_in(place: Place, till: str) -> None:
    assert local_address(till) is None
    browser = place.browser()
    browser.open("/logga-in", params={"till": till})
    assert browser.send("/logga-in", namn="anna", losenord=SECRET, till=till).headers["location"] == "/enhet/farsta/"


@pytest.mark.parametrize("number", ["20100315-9801", "1003159801", "2010%2003%2015%2098%2001", "2010 03 15 98 01"])
def test_address_with_a_number_is_not_repeated(place: Place, number: str) -> None:
    browser = place.browser()
    answer = browser.open(f"/konto?sagt={number}")
    assert answer.headers["location"] == "/logga-in"
    assert number not in browser.open("/logga-in", params={"till": f"/konto?sagt={number}"}).text


def test_session_that_is_idle_too_long_is_over(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    browser = place.signed_in("anna")
    later = system_now() + timedelta(minutes=31)
    monkeypatch.setattr("portal.security.visit.system_now", lambda: later)
    assert browser.open("/konto").status_code == 303


def test_cookies_are_closed_to_scripts_and_behind_tls_to_everybody_else(place: Place) -> None:
    answer = place.browser().sign_in("anna")
    cookies = [line for line in answer.headers.get_list("set-cookie") if line.startswith("followup_session")]
    assert len(cookies) == 1 and "HttpOnly" in cookies[0] and "SameSite=lax" in cookies[0]
    assert ORIGIN.startswith("http://127.0.0.1") and "Secure" not in cookies[0]


def test_a_user_has_at_most_twenty_sessions_the_oldest_of_which_end(place: Place) -> None:
    browsers = [place.signed_in("anna") for _ in range(22)]
    assert [browser.open("/konto").status_code for browser in browsers] == [303, 303] + [200] * 20
