"""The gate of the API: token, rates and sizes, before any byte of a body is read.

FastAPI reads a body before its dependencies run; so this is a layer of its own around it. Rates are counted in this
process: the portal has one.
"""

from __future__ import annotations

import re
import time
from collections import Counter, OrderedDict

from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ingest.ledger import LedgerError
from ingest.ledger.acts import system_now
from ingest.ledger.api_tokens import ApiToken, find_token
from portal.api.problems import Problem, unavailable
from portal.context import Portal
from portal.security.visit import address_of

PATH = "/api/v1"
OPEN_PATHS = frozenset({f"{PATH}/openapi.json"})
"""What is said to everybody: nothing of the installation is in it."""
UPLOADS = f"{PATH}/uploads"
LARGEST_JSON = 100_000
_BEARER = re.compile(r"[Bb][Ee][Aa][Rr][Ee][Rr] +([\x21-\x7e]{1,200})")
_CHALLENGE = 'Bearer realm="followup"'
_REQUESTS, _A_SECOND = 120.0, 2.0
"""Of a token: so many at once, and then so many a second."""
_WRONG, _WRONG_A_SECOND = 30.0, 0.5
"""Of an address: requests without a token that is taken."""
_AT_ONCE = 8
"""Of a token: requests that are being answered."""
_REMEMBERED = 10_000


class Buckets:
    """Token buckets, by key; the keys that were used longest ago are forgotten."""

    def __init__(self, size: float, a_second: float) -> None:
        """All are full."""
        self._size, self._a_second = size, a_second
        self._left: OrderedDict[object, tuple[float, float]] = OrderedDict()

    def wait(self, key: object, *, take: bool = True) -> float:
        """Seconds to wait before the next request; 0 where this one may be answered, which then counts."""
        now = time.monotonic()
        left, since = self._left.get(key, (self._size, now))
        left = min(self._size, left + (now - since) * self._a_second)
        if left < 1:
            return (1 - left) / self._a_second
        if take:
            self._left[key] = (left - 1, now)
            self._left.move_to_end(key)
            if len(self._left) > _REMEMBERED:
                self._left.popitem(last=False)
        return 0.0


class Gate:
    """Lets a request on to the API with the token that it brings, in `scope["state"]["token"]`."""

    def __init__(self, app: ASGIApp, portal: Portal) -> None:
        """`app` is the API behind it."""
        self.app, self.portal = app, portal
        self._of_token, self._of_address = Buckets(_REQUESTS, _A_SECOND), Buckets(_WRONG, _WRONG_A_SECOND)
        self._under_way: Counter[int] = Counter()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """One request."""
        if scope["type"] != "http" or (scope["path"] in OPEN_PATHS and scope["method"] == "GET"):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        try:
            token = await self._token(scope, headers)
            self._count(token)
        except (Problem, LedgerError) as error:
            await _refuse(error, scope, receive, send)
            return
        scope.setdefault("state", {})["token"] = token
        self._under_way[token.token_id] += 1
        try:
            await self.app(scope, await _small_body(scope, headers, receive), send)
        except Problem as problem:
            await _refuse(problem, scope, receive, send)
        finally:
            self._under_way[token.token_id] -= 1
            if not self._under_way[token.token_id]:
                del self._under_way[token.token_id]

    async def _token(self, scope: Scope, headers: Headers) -> ApiToken:
        """The token of a request: in one header `Authorization`, and nowhere else.

        Raises:
            Problem: there is none, or it is not taken.
        """
        peer = scope["client"][0] if scope.get("client") else ""
        address = address_of(self.portal.own, headers, peer)
        if wait := self._of_address.wait(address, take=False):
            raise _too_many(wait)
        given = headers.getlist("authorization")
        match = _BEARER.fullmatch(given[0]) if len(given) == 1 else None
        if match is None:
            self._of_address.wait(address)
            raise Problem(
                401, "no-token", "Send the header Authorization: Bearer upf_…", headers={"www-authenticate": _CHALLENGE}
            )
        found = await run_in_threadpool(find_token, self.portal.ledger, match[1], system_now())
        if found is None:
            self._of_address.wait(address)
            raise Problem(
                401,
                "invalid-token",
                "It has expired, is revoked, or never was one. Make a new one.",
                headers={"www-authenticate": f'{_CHALLENGE}, error="invalid_token"'},
            )
        return found

    def _count(self, token: ApiToken) -> None:
        if self._under_way[token.token_id] >= _AT_ONCE:
            raise _too_many(1)
        if wait := self._of_token.wait(token.token_id):
            raise _too_many(wait)


def _too_many(seconds: float) -> Problem:
    whole = max(1, -int(-seconds // 1))
    return Problem(
        429, "too-many-requests", f"Wait {whole} s before the next one.", headers={"retry-after": str(whole)}
    )


async def _refuse(error: Problem | LedgerError, scope: Scope, receive: Receive, send: Send) -> None:
    response = (error if isinstance(error, Problem) else unavailable()).response()
    if scope["method"] not in ("GET", "HEAD"):
        response.headers["connection"] = "close"  # what is left of the body is not read
    await response(scope, receive, send)


async def _small_body(scope: Scope, headers: Headers, receive: Receive) -> Receive:
    """A `receive` that gives a body that was read whole, which is no file. Files have limits of their own.

    It is read here, since FastAPI answers 400 to whatever goes wrong while it reads.

    Raises:
        Problem: the body is too large, or broken off.
        BodyRefused: it is too slow.
    """
    if scope["path"] == UPLOADS or scope["method"] in ("GET", "HEAD", "OPTIONS"):
        return receive
    too_large = Problem(413, "too-large", f"At most {LARGEST_JSON} bytes here.")
    announced = headers.get("content-length", "0")
    if not announced.isdigit() or int(announced[:20]) > LARGEST_JSON:
        raise too_large
    body, is_whole = bytearray(), False
    while not is_whole:
        message = await receive()
        if message["type"] != "http.request":
            raise Problem(408, "too-slow", "The content did not come whole.")
        body += message.get("body", b"")
        is_whole = not message.get("more_body", False)
        if len(body) > LARGEST_JSON:
            raise too_large
    left: list[Message] = [{"type": "http.request", "body": bytes(body), "more_body": False}]

    async def receive_again() -> Message:
        return left.pop() if left else await receive()

    return receive_again
