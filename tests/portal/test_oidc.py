"""Signing in by the city's identity provider: who comes in, with which rights, and who does not; settings."""

from __future__ import annotations

from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import pytest
from browsing import ORIGIN, Place, text_of
from oidc_calling import CIA, NUMBER, begin, come_back, is_signed_in, place_with, settings
from oidc_provider import IdentityProvider, answer_with, query_of
from pydantic import ValidationError

from ingest.ledger import login_attempts, portal_users
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import Role, find_user
from portal.settings import PortalSettings
from portal.signing_in.oidc import provider_of
from portal.signing_in.oidc_rights import OidcUnusable, load_mapping


@pytest.fixture
def place(tmp_path: Path, provider: IdentityProvider) -> Iterator[Place]:
    yield from place_with(tmp_path, provider)


def test_user_comes_by_the_provider_and_is_added_with_role_and_units(place: Place, provider: IdentityProvider) -> None:
    browser = place.browser()
    shown = browser.open("/logga-in?till=/konto").text
    assert 'href="/logga-in/oidc?till=/konto"' in shown and "Logga in med Stadens konto" in shown
    address = begin(browser, "/konto")
    asked = query_of(address)
    assert asked["response_type"] == "code" and asked["code_challenge_method"] == "S256"
    assert asked["redirect_uri"] == f"{ORIGIN}/logga-in/oidc/svar" and asked["scope"] == "openid profile"
    answer = browser.open("/logga-in/oidc/svar", params=query_of(provider.authorize(address)))
    assert answer.status_code == 303 and answer.headers["location"] == "/konto"
    assert "Cia" not in str(answer.headers)
    user = find_user(place.ledger, "cia.ek")
    assert user is not None and (user.role, user.units, user.password_hash) == (Role.OFFICER, ("farsta",), None)
    assert is_signed_in(browser)
    assert [(one.action, one.actor_kind, one.actor) for one in place.acts()][-2:] == [
        ("user.added", "user", "cia.ek"),
        ("session.begun", "user", "cia.ek"),
    ]


def test_without_a_provider_there_is_neither_button_nor_page(tmp_path: Path) -> None:
    made = Place.make(tmp_path)
    try:
        browser = made.browser()
        assert "oidc" not in browser.open("/logga-in").text
        assert browser.open("/logga-in/oidc").status_code == browser.open("/logga-in/oidc/svar").status_code == 404
    finally:
        made.close()


def test_role_and_units_are_as_the_mapping_says(place: Place, provider: IdentityProvider) -> None:
    cases: list[tuple[dict[str, Any], Role, tuple[str, ...]]] = [
        ({"roles": "fu-las"}, Role.READER, ()),
        ({"roles": ["fu-stad"]}, Role.CITY, ()),
        ({"roles": ["fu-enhet", "fu-stad"]}, Role.CITY, ()),  # the first in the file counts
        ({"units": ["Söderort", "SDF Bromma"]}, Role.OFFICER, ("bromma", "farsta", "skarholmen")),
    ]
    for claims, role, units in cases:
        provider.claims = CIA | claims
        assert come_back(place.browser(), provider).status_code == 303
        user = find_user(place.ledger, "cia.ek")
        assert user is not None and (user.role, user.units) == (role, units)


def test_rights_follow_the_claims_and_other_sessions_end_when_they_shrink(
    place: Place, provider: IdentityProvider
) -> None:
    first, second, third = place.browser(), place.browser(), place.browser()
    provider.claims["units"] = ["SDF Farsta"]
    come_back(first, provider)
    provider.claims["units"] = ["Söderort"]
    come_back(second, provider)
    assert is_signed_in(first) and is_signed_in(second)  # they grew
    provider.claims["units"] = ["SDF Bromma"]
    come_back(third, provider)
    assert (is_signed_in(first), is_signed_in(second), is_signed_in(third)) == (False, False, True)
    changed = [one.subject for one in place.acts() if one.action == "user.changed"]
    assert changed == [
        "cia.ek: officer farsta -> officer farsta skarholmen",
        "cia.ek: officer farsta skarholmen -> officer bromma, 2 sessions revoked",
    ]
    provider.claims["roles"] = ["fu-las"]
    come_back(second, provider)
    assert not is_signed_in(third) and first.open("/logga-in").status_code == 200
    user = find_user(place.ledger, "cia.ek")
    assert user is not None and (user.role, user.units) == (Role.READER, ())


def test_local_user_is_never_taken_over_and_a_disabled_one_stays_out(place: Place, provider: IdentityProvider) -> None:
    provider.claims |= {"preferred_username": "ANNA", "roles": ["fu-admin"]}
    browser = place.browser()
    assert "kan inte användas" in text_of(come_back(browser, provider).text)
    anna = find_user(place.ledger, "anna")
    assert anna is not None and anna.role is Role.OFFICER and anna.password_hash and not is_signed_in(browser)
    provider.claims["preferred_username"] = "cia.ek"
    come_back(browser, provider)
    cia = find_user(place.ledger, "cia.ek")
    assert cia is not None
    portal_users.disable_user(place.ledger, cia, system_now())
    assert not is_signed_in(browser)
    assert come_back(browser, provider).status_code == 403 and not is_signed_in(browser)
    refused = [one.subject for one in place.acts() if one.action == "login.refused"]
    assert refused == [
        "by OIDC from 192.0.2.0/24: anna is a local user",
        "by OIDC from 192.0.2.0/24: cia.ek is disabled",
    ]


def test_claims_that_give_no_rights_lead_to_a_page_that_says_so(place: Place, provider: IdentityProvider) -> None:
    cases: list[tuple[dict[str, Any], str]] = [
        ({"roles": ["okänd"]}, "no role"),
        ({"roles": None}, "no role"),
        ({"roles": {"fu-admin": 1}}, "no role"),
        ({"roles": [["fu-admin"], 7]}, "no role"),
        ({"units": []}, "without a unit"),
        ({"units": ["farsta"]}, "without a unit"),  # a code is no value of the mapping
        ({"preferred_username": NUMBER}, "personal number"),
        ({"preferred_username": NUMBER.replace("-", "")}, "personal number"),
        ({"preferred_username": "Cia Ek <script>"}, "no account name"),
        ({"preferred_username": ["cia"]}, "no account name"),
        ({"preferred_username": "cia\r\nSet-Cookie: x"}, "no account name"),
        ({"preferred_username": ""}, "no account name"),
    ]
    for claims, reason in cases:
        provider.claims = CIA | claims | {"sub": NUMBER, "email": "cia@example.se"}
        browser = place.browser()
        answer = come_back(browser, provider)
        assert answer.status_code == 403 and "ingen behörighet" in text_of(answer.text), claims
        assert not is_signed_in(browser)
        last = place.acts()[-1]
        assert last.action == "login.refused" and reason in last.subject
        said = answer.text + "".join(one.subject for one in place.acts())
        assert not any(part in said for part in ("1950", "example.se", "<script>", "cia")), claims


def test_claim_within_a_claim_is_found(tmp_path: Path, provider: IdentityProvider) -> None:
    made = Place.make(tmp_path, **settings(tmp_path, provider.issuer), oidc_role_claim="realm_access.roles")
    provider.claims |= {"realm_access": {"roles": ["fu-las"]}, "roles": []}
    try:
        assert come_back(made.browser(), provider).headers["location"] == "/siffror"
    finally:
        made.close()


# around it


def test_no_address_elsewhere_is_gone_to_afterwards(place: Place, provider: IdentityProvider) -> None:
    for till in ("//evil.example", "https://evil.example", "/\\evil.example", "/logga-ut", "/api/v1"):
        assert come_back(place.browser(), provider, till).headers["location"] == "/enhet/farsta/"


def test_sign_in_is_not_begun_by_another_site(place: Place, provider: IdentityProvider) -> None:
    for site in ("cross-site", "same-site"):
        answer = place.browser().open("/logga-in/oidc", headers={"sec-fetch-site": site})
        assert answer.headers["location"] == "/logga-in" and "set-cookie" not in answer.headers


def test_many_wrong_answers_must_wait(
    place: Place, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(login_attempts.LIMITS, "address", login_attempts.Limit(5))
    statuses = [come_back(place.browser(), provider, code="wrong").status_code for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    assert come_back(place.browser("198.51.100.1"), provider).status_code == 303


def test_earlier_session_of_the_browser_ends_and_its_token_is_never_taken(
    place: Place, provider: IdentityProvider
) -> None:
    browser = place.signed_in("anna")
    before = browser.client.cookies["followup_session"]
    assert come_back(browser, provider).status_code == 303
    other = place.browser()
    other.client.cookies.set("followup_session", before)
    assert not is_signed_in(other) and browser.client.cookies["followup_session"] != before


def test_user_of_the_provider_has_no_password(place: Place, provider: IdentityProvider) -> None:
    come_back(place.browser(), provider)
    assert place.browser().sign_in("cia.ek", "").status_code == 403


def test_two_browsers_of_a_new_user_at_once(place: Place, provider: IdentityProvider) -> None:
    from concurrent.futures import ThreadPoolExecutor

    browsers = [place.browser() for _ in range(4)]
    answers = [query_of(provider.authorize(begin(one))) for one in browsers]
    with ThreadPoolExecutor(4) as pool:
        given = pool.map(
            lambda pair: pair[0].client.get(f"/logga-in/oidc/svar?{urlencode(pair[1])}").status_code,
            zip(browsers, answers, strict=True),
        )
        assert list(given) == [303] * 4
    assert [one.action for one in place.acts()].count("user.added") == 2  # anna and cia


# settings


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("roles: {}", "at least 1 item"),
        ("roles: {a: chef}", "roles.a"),
        ("roles: {a: city}\nunits: {x: [okänd]}", "okänd is no unit"),
        ("roles: {a: city}\nnames: {}", "names: Extra inputs"),
        ("roles: [a", "neither YAML nor JSON in line"),
        ("- a", "roles: Field required"),
        ("!!python/object/apply:os.system [id]", "neither YAML nor JSON"),
        ("a: \xff", "neither YAML nor JSON"),
        ("", "roles: Field required"),
    ],
)
def test_mapping_that_can_not_be_used_says_why(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "mapping.yml"
    path.write_bytes(text.encode("latin-1" if "\xff" in text else "utf-8"))
    with pytest.raises(OidcUnusable) as raised:
        load_mapping(path)
    assert said in str(raised.value) and "\n" not in str(raised.value)
    with pytest.raises(OidcUnusable, match="can't be read"):
        load_mapping(tmp_path / "missing")


def test_example_of_a_mapping_is_one() -> None:
    found = load_mapping(Path(__file__).parents[2] / "docs" / "oidc_mapping.example.yml")
    assert set(found.roles.values()) == set(Role) and found.units


def test_secret_is_read_from_a_file_of_its_owner_alone(tmp_path: Path) -> None:
    own = settings(tmp_path, "https://login.example")
    own["oidc_client_secret_file"].chmod(0o644)
    with pytest.raises(OidcUnusable, match="FOLLOWUP_PORTAL_OIDC_CLIENT_SECRET_FILE: the file must be yours"):
        provider_of(PortalSettings(**own))
    assert provider_of(PortalSettings()) is None


@pytest.mark.parametrize(
    "change",
    [
        {"oidc_issuer": "http://login.example"}, {"oidc_issuer": "ftp://login.example"}, {"oidc_client_id": None},
        {"oidc_mapping": None}, {"oidc_name_claim": "email"}, {"oidc_name_claim": "sub"}, {"oidc_scopes": "profile"},
    ],
)  # fmt: skip
def test_settings_of_a_provider_are_whole_or_refused(tmp_path: Path, change: dict[str, Any]) -> None:
    given = settings(tmp_path, "https://login.example") | change
    with pytest.raises(ValidationError):
        PortalSettings(**given)


def test_client_without_a_secret_says_its_id_in_the_body(tmp_path: Path, provider: IdentityProvider) -> None:
    own = settings(tmp_path, provider.issuer) | {"oidc_client_secret_file": None}
    bodies: list[str] = []

    def keep(handler: BaseHTTPRequestHandler) -> None:
        bodies.append(str(handler.headers.get("authorization")))
        answer_with(b'{"error": "invalid_grant"}', status=400)(handler)

    provider.raw = {"/token": keep}
    made = Place.make(tmp_path, **own)
    try:
        assert come_back(made.browser(), provider).status_code == 403
        assert bodies == ["None"]
    finally:
        made.close()
    assert urlsplit(provider.issuer).hostname == "127.0.0.1"
