"""How the portal listens: what one address may hold open, and how long a request may take to say what it asks."""

from __future__ import annotations

import asyncio
from typing import Any, cast

from uvicorn.protocols.http.h11_impl import H11Protocol

from portal.settings import PortalSettings

LONGEST_HEADERS = 32_000
"""Bytes of a request line with its headers; a longer one is refused."""
HEADERS_SECONDS = 20.0
"""Within so long after a connection is opened, or an answer is given, the headers of a request are all there."""
MOST_OF_AN_ADDRESS = 100
"""Connections of one address that is no proxy of ours. A browser opens six, and a whole city may come from one."""
_MOST = 250
"""Connections of all."""


def server_options(own: PortalSettings) -> dict[str, Any]:
    """Options of `uvicorn.run`.

    By h11 whatever else is installed: `httptools` bounds no headers and takes a request with two hosts.
    """
    return {
        "host": own.host,
        "port": own.port,
        "http": bounded_protocol(own.trusted_proxies),
        "h11_max_incomplete_event_size": LONGEST_HEADERS,
        "limit_concurrency": _MOST,
        "ws": "none",
        "log_config": None,
        "access_log": False,  # addresses of pages name units and submissions
        "server_header": False,
        "proxy_headers": False,  # the guard reads them, from the proxies that the installation names alone
        "timeout_keep_alive": 15,
        "timeout_graceful_shutdown": 20,
    }


def bounded_protocol(proxies: frozenset[str]) -> type[asyncio.Protocol]:
    """The protocol of connections; `proxies` are addresses from which all browsers come."""

    class Bounded(_Bounded):
        trusted = proxies

    return Bounded


class _Bounded(H11Protocol):
    """Closes connections that ask nothing: without it, who opens many and says nothing shuts all others out."""

    trusted: frozenset[str] = frozenset()
    _due: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """One more connection, unless its address has too many."""
        super().connection_made(transport)
        address = self._address()
        if address not in self.trusted:
            of_address = sum(one._address() == address for one in self.connections if isinstance(one, _Bounded))
            if of_address > MOST_OF_AN_ADDRESS:
                transport.abort()
                return
        self._expect_a_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """Nothing more is expected."""
        if self._due is not None:
            self._due.cancel()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        """The next request is expected."""
        super().on_response_complete()
        if not self.transport.is_closing():
            self._expect_a_request()

    def _address(self) -> str:
        return self.client[0] if self.client else ""

    def _expect_a_request(self) -> None:
        if self._due is not None:
            self._due.cancel()
        before = cast(object, self.cycle)
        self._due = self.loop.call_later(HEADERS_SECONDS, self._close_unless_asked, before)

    def _close_unless_asked(self, before: object) -> None:
        """Close the connection when no request has begun since; one that is under way has limits of its own."""
        if self.cycle is before and not self.transport.is_closing():
            self.transport.abort()
