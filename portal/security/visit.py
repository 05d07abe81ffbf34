"""Who a request comes from: the browser, its cookies, and the user whose session it has."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.cookies import CookieError, SimpleCookie

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import Response

from ingest.acting_user import Actor, acting_as
from ingest.ledger import sessions
from ingest.ledger.acts import system_now
from ingest.ledger.portal_users import PortalUser, user_of
from ingest.ledger.sessions import Browser, Session
from portal.context import Portal
from portal.settings import PortalSettings

_DEVICE_SECONDS = 90 * 24 * 3600
_TOKEN = re.compile(r"[A-Za-z0-9_-]{20,100}")


@dataclass(frozen=True)
class SignedInUser:
    """A user with their session."""

    user: PortalUser
    session: Session

    @contextmanager
    def acting(self) -> Iterator[None]:
        """Until the end of the block, the audit log names this user."""
        with acting_as(Actor("user", self.user.name)):
            yield


@dataclass(frozen=True)
class Visit:
    """What a request says of its sender.

    Attributes:
        browser: its address and name.
        signed_in: None where nobody is.
        session_token: of the session cookie, where it is of a session that is alive.
        device: token of a browser in which somebody has signed in before.
        visitor: a random text that ties forms to this browser while nobody is signed in; None before the first form.
    """

    browser: Browser
    signed_in: SignedInUser | None
    session_token: str | None = field(repr=False)
    device: str | None = field(repr=False)
    visitor: str | None = field(repr=False)

    @property
    def user(self) -> PortalUser | None:
        """The user, where somebody is signed in."""
        return None if self.signed_in is None else self.signed_in.user

    @property
    def csrf_token(self) -> str | None:
        """What every form of this browser must bring: it can't be computed without a cookie that scripts can't read."""
        secret = self.session_token or self.visitor
        return None if secret is None else hmac.new(secret.encode(), b"form", hashlib.sha256).hexdigest()

    def sent_form(self, token: str | None) -> bool:
        """Whether a form with this token is from one of our pages in this browser."""
        own = self.csrf_token
        return own is not None and token is not None and hmac.compare_digest(own.encode(), token.encode())


def visit_of(request: Request) -> Visit:
    """The visit that the guard found for a request."""
    found = request.state.visit
    assert isinstance(found, Visit)
    return found


def find_visit(portal: Portal, headers: Headers, peer: str) -> Visit:
    """Look up the visit of a request. Every header may be hostile.

    Args:
        portal: with its ledger.
        headers: of the request.
        peer: address of who connected.
    """
    cookies, own = _cookies(headers), portal.own
    browser = Browser(address_of(own, headers, peer), headers.get("user-agent", ""))
    token, signed_in = cookies.get(_named(own, "session")), None
    if token is not None:
        session = sessions.find(portal.ledger, token, portal.times, system_now())
        if session is not None:
            with portal.ledger.reading() as connection:
                signed_in = SignedInUser(user_of(connection, session.user_id), session)
    return Visit(
        browser,
        signed_in,
        token if signed_in is not None else None,
        cookies.get(_named(own, "device")),
        cookies.get(_named(own, "visitor")),
    )


def begin_session(response: Response, own: PortalSettings, token: str, device: str | None) -> None:
    """Give the browser the cookies of a new session; without a device what it has stays."""
    _set(response, own, "session", token, None)
    if device is not None:
        _set(response, own, "device", device, _DEVICE_SECONDS)
    response.delete_cookie(_named(own, "visitor"), path="/", secure=own.is_secure, httponly=True, samesite="lax")


def end_session(response: Response, own: PortalSettings) -> None:
    """Take the session's cookie from the browser."""
    response.delete_cookie(_named(own, "session"), path="/", secure=own.is_secure, httponly=True, samesite="lax")


def with_visitor(visit: Visit) -> Visit:
    """The visit, with a visitor's text where it had no secret to tie forms to."""
    if visit.csrf_token is not None:
        return visit
    return Visit(visit.browser, visit.signed_in, visit.session_token, visit.device, secrets.token_urlsafe(32))


def set_visitor(response: Response, own: PortalSettings, visit: Visit) -> None:
    """Give the browser its visitor's text, where nobody is signed in."""
    if visit.signed_in is None and visit.visitor is not None:
        _set(response, own, "visitor", visit.visitor, None)


def set_transaction(response: Response, own: PortalSettings, sealed: str | None, seconds: int) -> None:
    """Give the browser the cookie of a sign-in by OIDC that is under way; None takes it away."""
    _set(response, own, "oidc", sealed or "", seconds if sealed else 0)


def transaction_of(request: Request, own: PortalSettings) -> str:
    """That cookie as it came, or empty."""
    return request.cookies.get(_named(own, "oidc"), "")


def _set(response: Response, own: PortalSettings, name: str, value: str, seconds: int | None) -> None:
    response.set_cookie(
        _named(own, name), value, max_age=seconds, path="/", secure=own.is_secure, httponly=True, samesite="lax"
    )


def _named(own: PortalSettings, name: str) -> str:
    """A cookie's name: behind TLS one that no other host and no plain connection can set."""
    return f"__Host-{name}" if own.is_secure else f"followup_{name}"


def _cookies(headers: Headers) -> dict[str, str]:
    found: dict[str, str] = {}
    for line in headers.getlist("cookie"):
        try:
            read = SimpleCookie(line[:8000])
        except CookieError:
            continue
        for name, morsel in read.items():
            if _TOKEN.fullmatch(morsel.value):
                found.setdefault(name, morsel.value)
    return found


def address_of(own: PortalSettings, headers: Headers, peer: str) -> str:
    """The browser's address: the last that no proxy of ours has, read from behind; else who connected."""
    if peer not in own.trusted_proxies:
        return peer
    named = list(filter(None, (one.strip() for one in ",".join(headers.getlist("x-forwarded-for")).split(","))))
    for address in reversed(named):
        if address not in own.trusted_proxies:
            return address[:60]
    return peer
