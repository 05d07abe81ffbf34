"""Signing in by the tests' own identity provider, as a browser does."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import yaml
from browsing import ORIGIN, Browser, Place
from oidc_provider import CLIENT, SECRET, IdentityProvider, query_of

from ingest.ledger.portal_users import Role

MAPPING = {
    "roles": {"fu-admin": "administrator", "fu-stad": "city", "fu-enhet": "officer", "fu-las": "reader"},
    "units": {"SDF Farsta": ["farsta"], "SDF Bromma": ["bromma"], "Söderort": ["farsta", "skarholmen"]},
}
NUMBER = "19500101-0007"
CIA = {"preferred_username": "Cia.Ek", "roles": ["annat", "fu-enhet"], "units": ["SDF Farsta", "okänd"]}


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


def place_with(folder: Path, provider: IdentityProvider) -> Iterator[Place]:
    """An installation whose users come by the provider; anna is a local user."""
    made = Place.make(folder, **settings(folder, provider.issuer))
    made.add("anna", Role.OFFICER, "farsta")
    yield made
    made.close()


def as_it_should_be(running: IdentityProvider) -> IdentityProvider:
    """The provider as it is when nothing is wrong."""
    running.claims, running.raw, running.codes, running.requests = dict(CIA), {}, {}, []
    running.metadata_twist = running.claims_twist = lambda given: given
    running.signing = None
    running.keys = running.keys[:1]
    return running
