"""The administrator's pages: a drawn password is shown once, nobody locks themselves out."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor

import pytest
from browsing import Browser, Place, text_of
from city_filled import HOSTILE

from ingest.ledger import ChangeRefused, sessions
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import Role, disable_user, find_user, users

DRAWN = re.compile(r"[a-z2-9]{4}(?:-[a-z2-9]{4}){5}")


@pytest.fixture
def adm(place: Place) -> Browser:
    place.add("adm", Role.ADMINISTRATOR)
    return place.signed_in("adm")


def add(browser: Browser, **given: object) -> tuple[int, str]:
    browser.open("/konton")
    answer = browser.send("/konton", **{"name": "ny.person", "role": "city", "by": "password", **given})
    return answer.status_code, answer.text


def test_added_user_signs_in_with_the_password_that_was_shown_once(place: Place, adm: Browser) -> None:
    status, shown = add(adm, name="Ny.Person", role="officer", unit=["farsta", "bromma"])
    assert status == 200
    (password,) = set(DRAWN.findall(shown))
    added = find_user(place.ledger, "ny.person")
    assert added is not None and added.units == ("bromma", "farsta") and added.role is Role.OFFICER
    assert place.browser().sign_in("ny.person", password).status_code == 303
    last = next(one for one in place.acts() if one.action == "user.added" and one.subject.startswith("ny.person"))
    assert (last.actor_kind, last.actor) == ("user", "adm")
    for address in ("/konton", "/konton/konto/ny.person", "/konton/logg"):
        assert password not in adm.open(address).text
    everything = "".join(
        path.read_bytes().decode("latin-1") for path in place.settings.home.rglob("*") if path.is_file()
    )
    assert password not in everything
    status, again = add(adm, name="ny.person")
    assert status == 422 and "Det finns redan ett konto" in again and not DRAWN.search(again)


def test_user_of_the_identity_provider_has_no_password(place: Place, adm: Browser) -> None:
    status, shown = add(adm, by="oidc")
    added = find_user(place.ledger, "ny.person")
    assert status == 200 and not DRAWN.search(shown) and added is not None and added.password_hash is None
    adm.open("/konton")
    assert adm.send("/konton/konto/ny.person/losenord").status_code == 409


WRONG: list[dict[str, object]] = [
    {"name": ""}, {"name": HOSTILE}, {"name": "20050505-9824"}, {"name": "x" * 81}, {"role": "root"}, {"role": ""},
    {"role": "officer"}, {"role": "reader", "unit": ["farsta"]}, {"role": "officer", "unit": ["nowhere"]},
    {"role": "officer", "unit": ["farsta", HOSTILE]}, {"by": "magic"},
    {"name": "20050505-9824", "role": ""},
]  # fmt: skip


def test_wrong_input_adds_nobody(place: Place, adm: Browser) -> None:
    before = len(users(place.ledger))
    for given in WRONG:
        status, shown = add(adm, **given)
        assert status == 422 and "Det här behöver rättas" in shown and not DRAWN.search(shown), given
        assert len(users(place.ledger)) == before and "<script>alert" not in shown and "9824" not in shown


def test_disabled_user_is_out_at_once_and_comes_back_when_enabled(place: Place, adm: Browser) -> None:
    anna = place.signed_in("anna")
    adm.open("/konton/konto/anna")
    assert adm.send("/konton/konto/anna/stang-av").headers["location"] == "/konton/konto/anna?sagt=avstangt"
    assert anna.open("/konto").status_code == 303
    assert "Avstängt" in text_of(adm.open("/konton/konto/anna").text)
    assert adm.send("/konton/konto/anna/stang-av").headers["location"].endswith("var-avstangt")
    assert adm.send("/konton/konto/anna/oppna").headers["location"].endswith("sagt=oppnat")
    assert adm.send("/konton/konto/anna/oppna").headers["location"].endswith("sagt=vantan")
    place.signed_in("anna")
    acts = [(one.actor, one.action) for one in place.acts()]
    assert ("adm", "user.disabled") in acts and ("adm", "user.enabled") in acts


def test_new_password_replaces_the_old_one_and_ends_sessions(place: Place, adm: Browser) -> None:
    anna = place.signed_in("anna")
    adm.open("/konton/konto/anna")
    (password,) = set(DRAWN.findall(adm.send("/konton/konto/anna/losenord").text))
    assert anna.open("/konto").status_code == 303
    assert place.browser().sign_in("anna").status_code == 403
    assert place.browser().sign_in("anna", password).status_code == 303


def test_administrator_disables_neither_themselves_nor_the_last_one(place: Place, adm: Browser) -> None:
    place.add("eva", Role.ADMINISTRATOR)
    answer = adm.open("/konton/konto/adm")
    assert "stang-av" not in answer.text
    answer = adm.send("/konton/konto/adm/stang-av")
    assert answer.status_code == 409 and "ditt eget konto" in text_of(answer.text)
    own, eva = find_user(place.ledger, "adm"), find_user(place.ledger, "eva")
    assert own is not None and eva is not None
    now = system_now()

    def disable(user: object) -> bool:
        try:
            return disable_user(place.ledger, user, now, leaves_administrator=True)  # type: ignore[arg-type]
        except ChangeRefused:
            return False

    with ThreadPoolExecutor(2) as both:  # each disables the other at once
        assert sorted(both.map(disable, (own, eva))) == [False, True]
    enabled = [one for one in users(place.ledger) if one.role is Role.ADMINISTRATOR and not one.is_disabled]
    assert len(enabled) == 1


def test_sessions_of_all_are_listed_and_ended_but_not_ones_own(place: Place, adm: Browser) -> None:
    anna = place.signed_in("anna")
    text = text_of(adm.open("/konton/inloggningar").text)
    assert "anna" in text and "192.0.2.0/24" in text and "Den här" in text
    alive = {one.name: one.session_id for one in sessions.sessions(place.ledger, place.app.portal.times, system_now())}
    answer = adm.send("/konton/inloggningar/avsluta", session=str(alive["anna"]))
    assert answer.headers["location"].endswith("sagt=avslutat") and anna.open("/konto").status_code == 303
    assert place.acts()[-1].actor == "adm" and place.acts()[-1].action == "session.revoked"
    answer = adm.send("/konton/inloggningar/avsluta", session=str(alive["adm"]))
    assert answer.headers["location"].endswith("var-avslutat") and adm.open("/konton").status_code == 200
    for odd in ("", "x", "9" * 30):
        assert adm.send("/konton/inloggningar/avsluta", session=odd).status_code == 404


def test_log_shows_acts_about_users_alone(place: Place, adm: Browser) -> None:
    from ingest.ledger.decisions import lock_quarter
    from ingest.quarters import Quarter

    lock_quarter(place.ledger, Quarter(2018, 1), system_now())
    text = text_of(adm.open("/konton/logg?sida=9999").text)  # there is one page
    assert "lade till konto" in text and "loggade in" in text and "låste kvartal" not in text


def test_unknown_user_is_404(place: Place, adm: Browser) -> None:
    for name in ("nobody", "%1F", "..%2Fx", "%3Cb%3E", "x" * 500):
        assert adm.open(f"/konton/konto/{name}").status_code == 404
        adm.open("/konton")
        for act in ("stang-av", "oppna", "losenord"):
            assert adm.send(f"/konton/konto/{name}/{act}").status_code == 404
