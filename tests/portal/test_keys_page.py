"""Page: an officer makes and revokes the keys of their units' programs."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browsing import Place, text_of

from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import Scope, add_token, find_token, tokens
from ingest.ledger.portal_users import Role

RIGHT = {"enhet": "farsta", "namn": "Journalsystem", "dagar": "90", "far_check": "1", "far_read": "1"}


def test_officer_makes_a_key_that_is_shown_once_and_revokes_it(place: Place) -> None:
    browser = place.signed_in("anna")
    assert "/konto/nycklar" in browser.open("/konto").text
    assert "Ingen nyckel gäller nu" in text_of(browser.open("/konto/nycklar").text)
    answer = browser.send("/konto/nycklar", **RIGHT)
    assert answer.status_code == 200 and answer.headers["cache-control"] == "no-store"
    (secret,) = set(re.findall(r"upf_[A-Za-z0-9_-]{43}", answer.text))
    (one,) = tokens(place.ledger)
    assert (one.name, one.district_code, one.scopes) == ("journalsystem", "farsta", {Scope.CHECK, Scope.READ})
    assert one.created_by == "user anna" and find_token(place.ledger, secret, system_now()) is not None
    shown = browser.open("/konto/nycklar").text
    assert secret not in shown and "journalsystem" in shown
    assert browser.send("/konto/nycklar/ta-bort", nyckel=str(one.token_id)).status_code == 303
    assert find_token(place.ledger, secret, system_now()) is None
    done = [(act.action, act.actor_kind, act.actor, act.subject) for act in place.acts()][-2:]
    assert done == [
        ("token.added", "user", "anna", "1 journalsystem: farsta, check read, 90 days"),
        ("token.revoked", "user", "anna", "1 journalsystem: farsta"),
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"namn": ""}, "Skriv ett namn"),
        ({"namn": "<script>alert(1)</script>"}, "Skriv ett namn"),
        ({"namn": "19500101-0007"}, "Skriv ett namn"),
        ({"dagar": "366"}, "1 till 365"),
        ({"dagar": "0"}, "1 till 365"),
        ({"dagar": "²"}, "1 till 365"),
        ({"far_check": "", "far_read": ""}, "Välj minst en"),
    ],
)
def test_what_can_not_be_made_is_said_by_its_field(place: Place, change: dict[str, str], said: str) -> None:
    browser = place.signed_in("anna")
    browser.open("/konto/nycklar")
    answer = browser.send("/konto/nycklar", **(RIGHT | change))
    assert answer.status_code == 422 and said in text_of(answer.text) and tokens(place.ledger) == []
    assert "alert(1)" not in answer.text and "0007" not in answer.text


def test_keys_of_other_units_are_neither_seen_made_nor_revoked(place: Place) -> None:
    other = add_token(place.ledger, "annan", "bromma", [Scope.READ], system_now())
    browser = place.signed_in("anna")
    assert "annan" not in browser.open("/konto/nycklar").text
    assert browser.send("/konto/nycklar", **(RIGHT | {"enhet": "bromma"})).status_code == 404
    browser.open("/konto/nycklar")
    for number in (str(other.token.token_id), "999", "x", "9" * 30, "-1"):
        assert browser.send("/konto/nycklar/ta-bort", nyckel=number).status_code in (303, 404)
        browser.open("/konto/nycklar")
    assert find_token(place.ledger, other.secret, system_now()) is not None


def test_only_officers_have_keys(place: Place, tmp_path: Path) -> None:
    place.add("las", Role.READER)
    for name in ("bo", "las"):
        browser = place.signed_in(name)
        assert "/konto/nycklar" not in browser.open("/konto").text
        assert browser.send("/konto/nycklar", **RIGHT).status_code == 404
        assert browser.open("/konto/nycklar").status_code == 404
        assert place.acts()[-1].action == "access.refused"
    assert place.browser().open("/konto/nycklar").status_code == 303
