"""Signing in by the city's identity provider: a real one, which does right, and then wrong in many ways."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any
from urllib.parse import urlencode, urlsplit

import httpx
import pytest
import yaml
from browsing import ORIGIN, Browser, Place, text_of
from cryptography.hazmat.primitives import hashes, hmac, serialization
from joserfc import jwt
from joserfc.jwk import RSAKey
from oidc_provider import CLIENT, SECRET, IdentityProvider, query_of
from pydantic import ValidationError

from ingest.ledger import login_attempts, portal_users
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import Role, find_user
from portal.settings import PortalSettings
from portal.signing_in import oidc, oidc_transport
from portal.signing_in.oidc import Transaction, Transactions, provider_of
from portal.signing_in.oidc_rights import OidcUnusable, load_mapping

MAPPING = {
    "roles": {"fu-admin": "administrator", "fu-stad": "city", "fu-enhet": "officer", "fu-las": "reader"},
    "units": {"SDF Farsta": ["farsta"], "SDF Bromma": ["bromma"], "Söderort": ["farsta", "skarholmen"]},
}
NUMBER = "19500101-0007"
CIA = {"preferred_username": "Cia.Ek", "roles": ["annat", "fu-enhet"], "units": ["SDF Farsta", "okänd"]}


@pytest.fixture(scope="module")
def running() -> Iterator[IdentityProvider]:
    made = IdentityProvider()
    yield made
    made.close()


@pytest.fixture
def provider(running: IdentityProvider) -> IdentityProvider:
    """The provider as it is when nothing is wrong."""
    running.claims, running.raw, running.codes, running.requests = dict(CIA), {}, {}, []
    running.metadata_twist = running.claims_twist = lambda given: given
    running.signing = None
    running.keys = running.keys[:1]
    return running


@pytest.fixture
def place(tmp_path: Path, provider: IdentityProvider) -> Iterator[Place]:
    made = Place.make(tmp_path, **settings(tmp_path, provider.issuer))
    made.add("anna", Role.OFFICER, "farsta")
    yield made
    made.close()


def settings(folder: Path, issuer: str) -> dict[str, Any]:
    mapping, secret = folder / "mapping.yml", folder / "secret"
    mapping.write_text(yaml.safe_dump(MAPPING, allow_unicode=True, sort_keys=False))
    secret.write_text(SECRET + "\n")
    secret.chmod(0o600)
    return {
        "oidc_issuer": issuer,
        "oidc_client_id": CLIENT,
        "oidc_client_secret_file": secret,
        "oidc_mapping": mapping,
        "oidc_label": "Stadens konto",
    }


def begin(browser: Browser, till: str = "") -> str:
    """Where the portal sends the browser."""
    answer = browser.open("/logga-in/oidc", params={"till": till} if till else None)
    assert answer.status_code == 303, answer.text
    return str(answer.headers["location"])


def come_back(browser: Browser, provider: IdentityProvider, till: str = "", **change: str) -> httpx.Response:
    """The whole way; `change` are parameters of the provider's answer."""
    back = provider.authorize(begin(browser, till))
    assert back.startswith(f"{ORIGIN}/logga-in/oidc/svar?")
    return browser.open("/logga-in/oidc/svar", params=query_of(back) | change)


def is_signed_in(browser: Browser) -> bool:
    return browser.open("/konto").status_code == 200


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


# answers that are not of this sign-in


def test_answer_with_a_wrong_state_or_none_or_another_browser_s_signs_nobody_in(
    place: Place, provider: IdentityProvider
) -> None:
    for change in ({"state": "x" * 43}, {"state": ""}, {"state": "å"}):
        browser = place.browser()
        assert come_back(browser, provider, **change).status_code == 403 and not is_signed_in(browser)
    victim, attacker = place.browser(), place.browser()
    begin(victim)
    answer = query_of(provider.authorize(begin(attacker)))
    assert victim.open("/logga-in/oidc/svar", params=answer).status_code == 403 and not is_signed_in(victim)
    assert place.browser().open("/logga-in/oidc/svar", params=answer).status_code == 403
    assert "/token" not in provider.requests


def test_answer_is_taken_once(place: Place, provider: IdentityProvider) -> None:
    browser, thief = place.browser(), place.browser()
    answer = query_of(provider.authorize(begin(browser)))
    thief.client.cookies.set("followup_oidc", browser.client.cookies["followup_oidc"])
    assert browser.open("/logga-in/oidc/svar", params=answer).status_code == 303
    assert "followup_oidc" not in browser.client.cookies
    for again in (browser, thief):
        asked = len(provider.requests)
        assert again.open("/logga-in/oidc/svar", params=answer).status_code == 403
        assert len(provider.requests) == asked
    other = place.browser()
    replayed = query_of(provider.authorize(begin(other))) | {"code": answer["code"]}
    assert other.open("/logga-in/oidc/svar", params=replayed).status_code == 403 and not is_signed_in(other)


def test_code_of_another_browser_is_worth_nothing_here(place: Place, provider: IdentityProvider) -> None:
    """The verifier and the nonce are those of the browser that began."""
    attacker, victim = place.browser(), place.browser()
    stolen = query_of(provider.authorize(begin(attacker)))["code"]
    assert come_back(victim, provider, code=stolen).status_code == 403 and not is_signed_in(victim)


def test_sign_in_that_takes_too_long_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    made, transaction = Transactions(), Transaction("s", "n", "v", "/konto")
    sealed = made.sealed(transaction)
    assert "konto" not in base64.urlsafe_b64decode(sealed).decode("latin-1")
    assert made.take(sealed) == transaction and made.take(sealed) is None
    late = made.sealed(Transaction("t", "n", "v", ""))
    now = time.time()
    monkeypatch.setattr("cryptography.fernet.time.time", lambda: now + 601)
    assert made.take(late) is None
    for wrong in ("", "x" * 5000, "å", sealed[:-2] + "xx", Transactions().sealed(transaction)):
        assert made.take(wrong) is None


def test_answer_that_is_none_of_ours_asks_nothing_of_the_provider(place: Place, provider: IdentityProvider) -> None:
    for query in ("", "state=a&state=b&code=c", "error=access_denied", "code=" + "x" * 5000,
                  "code=%00%ff&state=%ff", "iss=x"):  # fmt: skip
        assert place.browser().open(f"/logga-in/oidc/svar?{query}").status_code == 403
    assert provider.requests == []
    assert place.acts()[-1].action != "login.refused"


def test_user_who_stops_at_the_provider_may_begin_anew(place: Place, provider: IdentityProvider) -> None:
    browser = place.browser()
    state = query_of(begin(browser))["state"]
    answer = browser.open("/logga-in/oidc/svar", params={"error": "access_denied", "state": state})
    assert answer.status_code == 403 and "avbröts eller nekades" in text_of(answer.text)
    assert come_back(browser, provider).status_code == 303


def test_answer_of_another_issuer_is_refused(place: Place, provider: IdentityProvider) -> None:
    assert come_back(place.browser(), provider, iss=provider.issuer).status_code == 303
    for wrong in ("https://evil.example", provider.issuer + "/", ""):
        browser = place.browser()
        assert come_back(browser, provider, iss=wrong).status_code == 403 and not is_signed_in(browser)


def test_provider_that_says_it_names_itself_must(place: Place, provider: IdentityProvider) -> None:
    provider.metadata_twist = lambda given: given | {"authorization_response_iss_parameter_supported": True}
    assert come_back(place.browser(), provider).status_code == 403
    assert come_back(place.browser(), provider, iss=provider.issuer).status_code == 303


# ID tokens that do not hold


def unsigned(claims: dict[str, Any]) -> str:
    return ".".join([_packed({"alg": "none"}), _packed(claims), ""])


def _packed(value: object) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


def signed_with_the_public_key(provider: IdentityProvider) -> Any:
    """HS256 with the key that everybody knows, as attacks on confused algorithms do."""
    key = provider.keys[0].public_key
    pem = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)

    def sign(claims: dict[str, Any]) -> str:
        text = f"{_packed({'alg': 'HS256', 'kid': 'a'})}.{_packed(claims)}"
        mac = hmac.HMAC(pem, hashes.SHA256())
        mac.update(text.encode())
        return f"{text}.{base64.urlsafe_b64encode(mac.finalize()).decode().rstrip('=')}"

    return sign


def test_id_token_whose_claims_do_not_hold_signs_nobody_in(place: Place, provider: IdentityProvider) -> None:
    changes: list[dict[str, Any]] = [
        {"nonce": "another"}, {"nonce": None}, {"nonce": ""},
        {"iss": "https://evil.example"}, {"iss": None}, {"iss": []},
        {"aud": "another"}, {"aud": ["another"]}, {"aud": None}, {"aud": [CLIENT, "another"]},  # without azp
        {"aud": [CLIENT, "another"], "azp": "another"}, {"azp": "another"},
        {"exp": 1}, {"exp": None}, {"exp": "soon"}, {"exp": True}, {"iat": 4e9}, {"nbf": 4e9}, {"sub": None},
        {"exp": float("nan")}, {"at_hash": "another"}, {"at_hash": 7}, {"exp": {}},
    ]  # fmt: skip
    for number, change in enumerate(changes):
        provider.claims_twist = lambda claims, change=change: {  # type: ignore[misc]  # bound as it is now
            name: value for name, value in (claims | change).items() if value is not None
        }
        browser = place.browser(f"192.0.2.{number}")
        answer = come_back(browser, provider)
        assert answer.status_code == 403 and not is_signed_in(browser), change
        assert "the ID token does not hold" in place.acts()[-1].subject
    assert find_user(place.ledger, "cia.ek") is None


def test_id_token_that_the_provider_has_not_signed_signs_nobody_in(place: Place, provider: IdentityProvider) -> None:
    stranger = RSAKey.generate_key(2048, {"kid": "a"})
    oct_key = base64.urlsafe_b64encode(b"k" * 32).decode().rstrip("=")

    def with_header(header: dict[str, Any]) -> Any:
        return lambda claims: jwt.encode({"alg": "RS256"} | header, claims, stranger, ["RS256"])

    ways: list[Any] = [
        unsigned,
        lambda claims: unsigned(claims) + "x",
        signed_with_the_public_key(provider),
        with_header({"kid": "a"}),
        with_header({"kid": "unknown"}),
        with_header({"kid": "a", "jwk": {"kty": "oct", "k": oct_key}}),
        lambda claims: provider.sign(claims)[:-4] + "AAAA",
        lambda claims: ".".join(["", *provider.sign(claims).split(".")[1:]]),
        lambda claims: "a.b.c",
        lambda claims: "",
        lambda claims: "x" * 300_000,
        lambda claims: jwt.encode({"alg": "RS256", "kid": "a"}, {"x": "y" * 200_000}, provider.keys[0]),
    ]
    for number, sign in enumerate(ways):
        provider.signing = sign
        browser = place.browser(f"192.0.2.{number}")
        assert come_back(browser, provider).status_code == 403 and not is_signed_in(browser), number
    assert find_user(place.ledger, "cia.ek") is None


def test_clock_of_the_provider_may_be_a_little_ahead(place: Place, provider: IdentityProvider) -> None:
    provider.claims_twist = lambda claims: claims | {"iat": int(time.time()) + 30, "nbf": int(time.time()) + 30}
    assert come_back(place.browser(), provider).status_code == 303


def test_new_key_of_the_provider_is_asked_for_but_not_again_and_again(
    place: Place, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    come_back(place.browser(), provider)
    old = provider.keys
    provider.keys = [RSAKey.generate_key(2048, {"kid": "b", "use": "sig"}), *old]
    try:
        for _ in range(3):
            assert come_back(place.browser(), provider).status_code == 403
        assert provider.requests.count("/keys") == 1
        monkeypatch.setattr(oidc, "_KEYS_AGAIN_SECONDS", 0.0)
        assert come_back(place.browser(), provider).status_code == 303
        assert provider.requests.count("/keys") == 2
    finally:
        provider.keys = old


# a provider that is down or answers anything


def answer_with(
    body: bytes, headers: dict[str, str] | None = None, status: int = 200, times: int = 1, wait: float = 0.0
) -> Any:
    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in ({"Content-Type": "application/json"} | (headers or {})).items():
            handler.send_header(name, value)
        handler.end_headers()
        try:
            for _ in range(times):
                handler.wfile.write(body)
                time.sleep(wait)
        except OSError:
            pass  # the portal has hung up

    return answer


WRONG = [
    answer_with(b"x" * 60_000, times=20),
    answer_with(b'{"issuer": "https://evil.example"}'),
    answer_with(b"[]"), answer_with(b"\xff\xfe"), answer_with(b""), answer_with(b"[" * 100_000),
    answer_with(b"{}", {"Content-Encoding": "gzip"}),
    answer_with(b"{}", status=500), answer_with(b"{}", {"Location": "/keys"}, status=302),
    answer_with(b" ", times=40, wait=0.05),
]  # fmt: skip


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/token", "/keys"])
def test_provider_that_answers_anything_leads_to_a_page_and_signs_nobody_in(
    place: Place, provider: IdentityProvider, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc_transport, "LONGEST_SECONDS", 0.5)
    monkeypatch.setattr(oidc, "_FAILURE_KEPT_SECONDS", 0.0)
    for number, answer in enumerate(WRONG):
        browser = place.browser(f"192.0.2.{number}")
        provider.raw = {path: answer}
        if path.startswith("/.well"):
            found = browser.open("/logga-in/oidc")
        else:
            provider.raw = {path: answer}
            found = come_back(browser, provider)
        assert found.status_code in (403, 503) and not is_signed_in(browser), number
        assert found.status_code == 503 or path == "/token"
    provider.raw = {}
    assert come_back(place.browser("198.51.100.1"), provider).status_code == 303


def test_provider_that_is_down_is_not_the_users_fault(tmp_path: Path) -> None:
    gone = IdentityProvider()
    made = Place.make(tmp_path, **settings(tmp_path, gone.issuer))
    try:
        browser = made.browser()
        back = query_of(gone.authorize(begin(browser)))
        gone.close()
        answer = browser.open("/logga-in/oidc/svar", params=back)
        assert answer.status_code == 503 and "inte att nå inloggningen" in text_of(answer.text)
        assert 'name="losenord"' in answer.text  # local users still can
        from ingest.ledger.tables import login_attempt

        with made.ledger.reading() as connection:
            assert [row.failures for row in connection.execute(login_attempt.select())] == [0]
    finally:
        made.close()


def test_metadata_that_can_not_be_used_are_not(
    place: Place, provider: IdentityProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(oidc, "_FAILURE_KEPT_SECONDS", 0.0)
    changes: list[dict[str, Any]] = [
        {"issuer": "https://evil.example"}, {"authorization_endpoint": "http://evil.example/a"},
        {"token_endpoint": "javascript:alert(1)"}, {"token_endpoint": None}, {"jwks_uri": "file:///etc/passwd"},
        {"jwks_uri": "http://[::1"}, {"id_token_signing_alg_values_supported": ["none", "HS256"]},
        {"id_token_signing_alg_values_supported": "RS256"},
    ]  # fmt: skip
    for change in changes:
        provider.metadata_twist = lambda given, change=change: given | change  # type: ignore[misc]  # bound as it is now
        answer = place.browser().open("/logga-in/oidc")
        assert answer.status_code == 503 and "location" not in answer.headers, change


def test_wrong_secret_is_ours_to_mend_and_is_not_shown(
    tmp_path: Path, provider: IdentityProvider, caplog: pytest.LogCaptureFixture
) -> None:
    own = settings(tmp_path, provider.issuer)
    own["oidc_client_secret_file"].write_text("en annan hemlighet\n")
    made = Place.make(tmp_path, **own)
    try:
        answer = come_back(made.browser(), provider)
        assert answer.status_code == 503 and "client's id or secret" in caplog.text
        assert "annan hemlighet" not in caplog.text + answer.text
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
