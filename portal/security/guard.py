"""The guard: an ASGI middleware that every request passes before any of our pages sees it.

It refuses foreign hosts, oversize and slow bodies and forged forms, and finds out who is there, all before a body is
parsed. Bodies are of three kinds: a form without files, which it reads whole (`Form`); a form with files, which its
page reads as a stream; and what programs send to the API, with a token instead of a cookie.
"""

from __future__ import annotations

import asyncio
import logging
import time
import traceback
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.ledger import LedgerError
from ingest.settings import MEGABYTE
from portal.context import Portal
from portal.information.watching import PATHS, is_of_this_machine
from portal.security.headers import security_headers
from portal.security.visit import Visit, find_visit

log = logging.getLogger(__name__)
API = "/api/"
STATIC = "/static/"
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
_FORM_AT_MOST = 100_000
_FIELDS_AT_MOST = 1_000
_SMALL_SECONDS = 20.0
"""A form without files arrives within so long."""
_IDLE_SECONDS = 20.0
"""So long a stream may say nothing."""
_SLOWEST = 20_000
"""Bytes a second: a stream that is slower after `_GRACE_SECONDS` is given up."""
_GRACE_SECONDS = 60.0
_AROUND_FILES = 2 * MEGABYTE
"""What a form with files may have besides them."""

Refuse = Callable[[Scope, Visit | None, int, str], Response]
"""(scope, visit, status, what to do, Swedish) -> the page."""


@dataclass(frozen=True)
class Form:
    """The fields of a form without files; of a name that stands several times all values."""

    fields: tuple[tuple[str, str], ...]

    def get(self, name: str) -> str:
        """The last value of a field; empty where there is none."""
        return next((value for key, value in reversed(self.fields) if key == name), "")

    def all(self, name: str) -> list[str]:
        """All values of a field."""
        return [value for key, value in self.fields if key == name]


class BodyRefused(Exception):
    """A stream is too large, too slow, or broken off."""

    def __init__(self, status: int, message: str) -> None:
        """HTTP status, and what to do, Swedish."""
        super().__init__(message)
        self.status, self.message = status, message


class Guard:
    """Passes on what may be looked at."""

    def __init__(self, app: ASGIApp, portal: Portal, refuse: Refuse, streams: Callable[[str], bool]) -> None:
        """`streams` says whether a path takes a form with files."""
        self.app, self.portal, self.refuse, self.streams = app, portal, refuse, streams
        self.headers = security_headers(portal.own)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http":
            if scope["type"] == "lifespan":
                await self.app(scope, receive, send)
            return  # no web sockets here
        headers = Headers(scope=scope)
        scope["scheme"] = "https" if self.portal.own.is_secure else "http"  # a proxy comes by another than browsers

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                given = MutableHeaders(scope=message)
                for name, value in self.headers.items():
                    given.setdefault(name, value)
                if not scope["path"].startswith(STATIC):
                    given.setdefault("cache-control", "no-store")
            await send(message)

        visit: Visit | None = None
        is_answered = False

        async def send_once(message: Message) -> None:
            nonlocal is_answered
            is_answered = True
            await send_with_headers(message)

        try:
            peer = scope["client"][0] if scope.get("client") else ""
            is_watcher = scope["path"] in PATHS and is_of_this_machine(headers, peer)
            _require(
                is_watcher or [one.lower() for one in headers.getlist("host")] == [self.portal.own.authority],
                400,
                "Adressen hör inte till portalen.",
            )
            # where a proxy and we would see another end of the body, what follows is not read
            _require(
                not ("content-length" in headers and "transfer-encoding" in headers), 400, "Begäran kan inte läsas."
            )
            _require(
                "\x00" not in scope["path"] and b"%00" not in scope["query_string"], 400, "Adressen kan inte läsas."
            )
            if scope["path"].startswith(STATIC):
                await self.app(scope, receive, send_once)
                return
            if not scope["path"].startswith(API):
                visit = await run_in_threadpool(find_visit, self.portal, headers, peer)
                scope.setdefault("state", {})["visit"] = visit
            receive = await self._checked(scope, headers, receive, visit)
            await self.app(scope, receive, send_once)
        except BodyRefused as refused:
            response = self.refuse(scope, visit, refused.status, refused.message)
            response.headers["connection"] = "close"  # what is left of the body is not read
            await response(scope, receive, send_with_headers)
        except LedgerError:
            await without_ledger()(scope, receive, send_with_headers)
        except Exception as error:  # noqa: BLE001  (said in the log without its text, which may hold what was sent)
            places = [f"{Path(one.filename).name}:{one.lineno}" for one in traceback.extract_tb(error.__traceback__)]
            kind = type(error).__name__
            log.error("%s while answering %s, at %s", kind, scope["method"], " > ".join(places[-6:]))
            if not is_answered:
                await PlainTextResponse("Felet är vårt. Försök igen.", 500)(scope, receive, send_with_headers)

    async def _checked(self, scope: Scope, headers: Headers, receive: Receive, visit: Visit | None) -> Receive:
        if scope["method"] in _SAFE:
            return _limited(receive, 0)
        announced = _announced(headers)
        limit = self.portal.settings.max_file_megabytes * MEGABYTE + _AROUND_FILES
        kind = headers.get("content-type", "").partition(";")[0].strip().lower()
        if scope["path"].startswith(API):
            _require(announced is None or announced <= limit, 413, "För stort.")
            return _limited(receive, limit)
        assert visit is not None
        self._require_own_page(headers)
        if kind == "multipart/form-data":
            _require(self.streams(scope["path"]), 415, "Här kan inga filer lämnas.")
            _require(visit.user is not None, 401, "Logga in först.")
            limit *= 2  # several files at once; each has its own limit
            _require(
                announced is None or announced <= limit,
                413,
                "Filerna är för stora tillsammans. Skicka färre åt gången.",
            )
            return _limited(receive, limit)
        _require(kind in ("application/x-www-form-urlencoded", ""), 415, "Formuläret kan inte läsas.")
        _require(announced is None or announced <= _FORM_AT_MOST, 413, "Formuläret är för stort.")
        form = await _read_form(_limited(receive, _FORM_AT_MOST))
        token = headers.get("x-csrf-token") or form.get("csrf")
        _require(visit.sent_form(token), 403, "Sidan har blivit för gammal. Ladda om den och gör om det senaste.")
        scope["state"]["form"] = form
        return _empty

    def _require_own_page(self, headers: Headers) -> None:
        """A form is sent from a page of ours: browsers say from where, and a forged one can't say otherwise."""
        origin, site = headers.get("origin"), headers.get("sec-fetch-site")
        is_ours = (origin is None or _authority(origin) == self.portal.own.authority) and site in (None, "same-origin")
        _require(is_ours, 403, "Formuläret kom inte från portalens egen sida.")


def without_ledger() -> Response:
    """The answer while the ledger can't be reached."""
    message = "Portalen når inte sin databas just nu. Försök igen om en stund; inget har gått förlorat."
    return PlainTextResponse(message, 503, {"retry-after": "30"})


def _require(holds: bool, status: int, message: str) -> None:
    if not holds:
        raise BodyRefused(status, message)


def _authority(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""


def _announced(headers: Headers) -> int | None:
    text = headers.get("content-length")
    if text is None:
        return None
    _require(text.isascii() and text.isdigit(), 400, "Begäran kan inte läsas.")
    return int(text[:20])


def _limited(receive: Receive, limit: int) -> Receive:
    """A `receive` that gives up bodies that are larger than announced, silent or slow."""
    began, received = time.monotonic(), 0

    async def receive_limited() -> Message:
        nonlocal received
        try:
            message = await asyncio.wait_for(receive(), _IDLE_SECONDS if limit else None)
        except TimeoutError:
            raise BodyRefused(408, "Överföringen stannade. Försök igen.") from None
        if message["type"] == "http.request":
            received += len(message.get("body", b""))
            _require(received <= limit, 413, "För stort.")
            late = time.monotonic() - began - _GRACE_SECONDS
            _require(late <= 0 or received >= late * _SLOWEST, 408, "Överföringen är för långsam. Försök igen.")
        return message

    return receive_limited


async def _read_form(receive: Receive) -> Form:
    """The whole form.

    Raises:
        BodyRefused: it is too large, too slow, broken off or unreadable.
    """
    body = bytearray()
    try:
        async with asyncio.timeout(_SMALL_SECONDS):
            while True:
                message = await receive()
                _require(message["type"] == "http.request", 400, "Överföringen bröts.")
                body += message.get("body", b"")
                if not message.get("more_body"):
                    break
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=_FIELDS_AT_MOST, errors="strict")
        if any(not _is_text(value) for pair in pairs for value in pair):
            raise ValueError("control characters")
    except TimeoutError:
        raise BodyRefused(408, "Överföringen är för långsam. Försök igen.") from None
    except ValueError:  # also UnicodeDecodeError
        raise BodyRefused(400, "Formuläret kan inte läsas.") from None
    return Form(tuple(pairs))


def _is_text(value: str) -> bool:
    """Whether it has no control characters but those of lines: databases and terminals take them for something else."""
    return not any(unicodedata.category(one) == "Cc" for one in value if one not in "\t\r\n")


async def _empty() -> Message:
    return {"type": "http.request", "body": b"", "more_body": False}
