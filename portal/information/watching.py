"""Who may see the portal's metrics: programs of this machine, and who has the token for it."""

from __future__ import annotations

import hmac
from urllib.parse import urlsplit

from starlette.datastructures import Headers

from ingest.portal_login.passwords import PasswordRefused, read_password_file
from ingest.settings import SettingsError
from portal.settings import PortalSettings, is_loopback

PATHS = ("/health", "/metrics")
"""Paths that a program of this machine may ask for by the address of this machine."""
_LEAST_LETTERS = 20
_PASSED_ON = ("x-forwarded-for", "forwarded", "x-real-ip")


def is_of_this_machine(headers: Headers, peer: str) -> bool:
    """Whether a program of this machine asks, and no proxy passes on what somebody else does.

    A proxy here connects from this machine too; but it names the portal's own address as host, or who it asks for.
    """
    hosts = headers.getlist("host")
    named = urlsplit(f"//{hosts[0]}").hostname if len(hosts) == 1 else None
    return is_loopback(peer) and is_loopback(named or "") and not any(one in headers for one in _PASSED_ON)


def may_watch(own: PortalSettings, headers: Headers, peer: str) -> bool:
    """Whether who asks may see the metrics.

    Raises:
        SettingsError: the file with the token can't be used.
    """
    if is_of_this_machine(headers, peer):
        return True
    kind, _, given = headers.get("authorization", "").partition(" ")
    if own.metrics_token_file is None or kind.lower() != "bearer":
        return False
    return hmac.compare_digest(given.strip().encode(), _token(own).encode())


def _token(own: PortalSettings) -> str:
    assert own.metrics_token_file is not None
    try:
        token = read_password_file(own.metrics_token_file)
    except PasswordRefused as refused:
        said = str(refused).replace("password file", "file").removesuffix(", the password")
        raise SettingsError(f"FOLLOWUP_PORTAL_METRICS_TOKEN_FILE: {said}") from None
    if len(token) < _LEAST_LETTERS:
        raise SettingsError(f"FOLLOWUP_PORTAL_METRICS_TOKEN_FILE: a token has at least {_LEAST_LETTERS} letters")
    return token
