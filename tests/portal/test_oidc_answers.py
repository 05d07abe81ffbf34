"""Answers of an identity provider that are not of this sign-in, do not hold, or are none: nobody is signed in."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from browsing import Place, text_of
from cryptography.hazmat.primitives import hashes, hmac, serialization
from joserfc import jwt
from joserfc.jwk import RSAKey
from oidc_calling import begin, come_back, is_signed_in, place_with, settings
from oidc_provider import CLIENT, IdentityProvider, answer_with, query_of

from ingest.ledger.portal_users import find_user
from portal.signing_in import oidc, oidc_transport
from portal.signing_in.oidc import Transaction, Transactions


@pytest.fixture
def place(tmp_path: Path, provider: IdentityProvider) -> Iterator[Place]:
    yield from place_with(tmp_path, provider)


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
                  "code=%01%ff&state=%ff", "iss=x"):  # fmt: skip
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
